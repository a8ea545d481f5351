#include "sim/fock/fold.hpp"

#include <algorithm>
#include <skerry/error.hpp>
#include <string>
#include <utility>

namespace skerry::sim::fock {
namespace {

using photonic::Gate;
using photonic::Param;

bool is_zero(const Param& param) {
  return param.is_constant() && param.value == 0.0;
}

class Folder {
 public:
  explicit Folder(std::uint32_t modes) : free_since_(modes, 0) { result_.phases.emplace_back(); }

  void add(const photonic::Instruction& instruction) {
    const auto [a, b] = instruction.modes;
    const Param &first = instruction.params[0], &second = instruction.params[1];
    switch (instruction.gate) {
      case Gate::rotation:
        wait({Phase::Kind::linear, a, a, first, 1.0});
        return;
      case Gate::kerr:
        wait({Phase::Kind::quadratic, a, a, first, 1.0});
        return;
      case Gate::cross_kerr:
        wait({Phase::Kind::product, std::min(a, b), std::max(a, b), first, 1.0});
        return;
      case Gate::cubic_phase:
        place(instruction.gate, a, a, first);
        return;
      case Gate::loss:
      case Gate::amplifier:
        throw Error(ErrorCode::unsupported, std::string(gate_name(instruction.gate)) + " makes mixed states of kets",
                    "photonic circuit", "simulate a density matrix");
      case Gate::displacement:
        between(instruction, {Phase::Kind::linear, a, a, second, 1.0});
        return;
      case Gate::squeezing:
        between(instruction, {Phase::Kind::linear, a, a, second, 0.5});
        return;
      case Gate::beam_splitter:
        between(instruction, {Phase::Kind::linear, b, b, second, 1.0});
        return;
      case Gate::two_mode_squeezing:
        between(instruction, {Phase::Kind::linear, a, a, second, 1.0});
        return;
    }
  }

  /// The channel on a density matrix's two indices of one mode.
  void add_channel(Gate gate, std::uint32_t ket, std::uint32_t bra, const Param& param) {
    place(gate, ket, bra, param);
  }

  Folded finish() {
    flush();
    return std::move(result_);
  }

 private:
  void wait(const Phase& phase) {
    if (!is_zero(phase.param)) waiting_.push_back(phase);
  }

  /// The real gate with the inverse phase before and the phase after it.
  void between(const photonic::Instruction& instruction, Phase phase) {
    Phase inverse = phase;
    inverse.coefficient = -phase.coefficient;
    wait(inverse);
    const std::uint32_t second = gate_modes(instruction.gate) == 2 ? instruction.modes[1] : instruction.modes[0];
    place(instruction.gate, instruction.modes[0], second, instruction.params[0]);
    wait(phase);
  }

  void flush() {
    result_.phases.back().insert(result_.phases.back().end(), waiting_.begin(), waiting_.end());
    waiting_.clear();
  }

  /// Puts a phase at a place that has some already, if it commutes with all that came since.
  bool joins(const Phase& phase) {
    const std::size_t since = std::max(free_since_[phase.mode1], free_since_[phase.mode2]);
    for (std::size_t place = since; place < result_.phases.size(); ++place)
      if (!result_.phases[place].empty()) {
        result_.phases[place].push_back(phase);
        return true;
      }
    return false;
  }

  void place(Gate gate, std::uint32_t a, std::uint32_t b, const Param& param) {
    const auto touches = [a, b](const Phase& phase) {
      return phase.mode1 == a || phase.mode1 == b || phase.mode2 == a || phase.mode2 == b;
    };
    std::erase_if(waiting_, [&](const Phase& phase) { return touches(phase) && joins(phase); });
    // One that commutes goes along with the others: a diagonal factor costs the same for all of them.
    if (std::any_of(waiting_.begin(), waiting_.end(), touches)) flush();
    Step step;
    step.gate = gate;
    step.modes[0] = a;
    step.modes[1] = b;
    step.param = param;
    result_.steps.push_back(step);
    result_.phases.emplace_back();
    free_since_[a] = free_since_[b] = result_.steps.size();
  }

  std::vector<std::size_t> free_since_;  // for each mode the first place after the last step on it
  std::vector<Phase> waiting_;
  Folded result_;
};

/// The same gate for the complex conjugate of a ket.
photonic::Instruction conjugate(photonic::Instruction instruction) {
  const bool has_phase = gate_parameters(instruction.gate) == 2;
  Param& odd = instruction.params[has_phase ? 1 : 0];
  odd = -odd;
  return instruction;
}

}  // namespace

Folded fold_density(const photonic::Circuit& circuit) {
  const std::uint32_t modes = circuit.modes();
  Folder folder(2 * modes);
  for (const photonic::Instruction& instruction : circuit.instructions()) {
    const std::uint32_t mode = instruction.modes[0];
    if (instruction.gate == Gate::loss || instruction.gate == Gate::amplifier) {
      folder.add_channel(instruction.gate, mode, modes + mode, instruction.params[0]);
      continue;
    }
    folder.add(instruction);
    photonic::Instruction bra = conjugate(instruction);
    for (std::uint32_t& index : bra.modes) index += modes;
    folder.add(bra);
  }
  return folder.finish();
}

Folded fold(const photonic::Circuit& circuit) {
  Folder folder(circuit.modes());
  for (const photonic::Instruction& instruction : circuit.instructions()) folder.add(instruction);
  return folder.finish();
}

}  // namespace skerry::sim::fock
