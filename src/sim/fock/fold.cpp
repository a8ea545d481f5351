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
  explicit Folder(std::uint32_t modes) : last_(modes, kNone) {}

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
    std::vector<Phase> rest;
    for (const Phase& phase : std::exchange(waiting_, {})) {
      const std::size_t before = last_[phase.mode1];
      if (before != kNone && before == last_[phase.mode2] && takes_phases(before)) {
        attach(before, phase);
      } else {
        rest.push_back(phase);
      }
    }
    if (!rest.empty()) diagonal(rest);
    return std::move(result_);
  }

 private:
  static constexpr std::size_t kNone = ~std::size_t{0};

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

  bool takes_phases(std::size_t step) const {
    const Step& s = result_.steps[step];
    if (s.gate == Gate::rotation) return false;
    return s.modes[0] != s.modes[1] || s.gate == Gate::cubic_phase || !s.in.empty() || !s.out.empty();
  }

  void site(std::size_t ket, const Phase& phase) {
    if (!phase.param.is_constant()) result_.sites.push_back({ket, phase});
  }

  void attach(std::size_t step, const Phase& phase) {
    result_.steps[step].out.push_back(phase);
    site(step + 1, phase);
  }

  void diagonal(const std::vector<Phase>& phases) {
    for (const Phase& phase : phases) {
      site(result_.steps.size(), phase);
      last_[phase.mode1] = last_[phase.mode2] = result_.steps.size();
    }
    Step step;
    step.gate = Gate::rotation;
    step.in = phases;
    result_.steps.push_back(std::move(step));
  }

  void place(Gate gate, std::uint32_t a, std::uint32_t b, const Param& param) {
    const auto touches = [a, b](std::uint32_t mode) { return mode == a || mode == b; };
    std::vector<Phase> later, crossing;
    Step step;
    step.gate = gate;
    step.modes[0] = a;
    step.modes[1] = b;
    step.param = param;
    for (const Phase& phase : std::exchange(waiting_, {})) {
      const bool first = touches(phase.mode1), second = touches(phase.mode2);
      const std::size_t before = last_[phase.mode1];
      if (!first && !second) {
        later.push_back(phase);
      } else if (first != second) {
        crossing.push_back(phase);
      } else if (a == b && before != kNone && takes_phases(before)) {
        attach(before, phase);
      } else {
        step.in.push_back(phase);
      }
    }
    if (!crossing.empty()) diagonal(crossing);
    for (const Phase& phase : step.in) site(result_.steps.size(), phase);
    last_[a] = last_[b] = result_.steps.size();
    result_.steps.push_back(std::move(step));
    waiting_ = std::move(later);
  }

  std::vector<std::size_t> last_;  // the last step on each mode
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
