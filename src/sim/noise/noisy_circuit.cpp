#include "sim/noise/noisy_circuit.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <skerry/error.hpp>
#include <string>
#include <tuple>

#include "ir/noise/matrices.hpp"
#include "ops/qubit/gate_record.hpp"

namespace skerry::sim {
namespace {

/// What a rule's gate means: an op with its controls.
using Target = std::pair<Op, std::uint16_t>;

[[noreturn]] void refuse(const NoiseRule& rule, const std::string& message, const std::string& hint = {}) {
  throw Error(ErrorCode::invalid_argument, message, "noise of " + rule.gate + ": channel " + rule.channel.kind(), hint);
}

Target target_of(const NoiseRule& rule) {
  if (rule.gate == "unitary") return {Op::unitary, 0};
  if (rule.gate == "measure") return {Op::measure, 0};
  if (rule.gate == "reset") return {Op::reset, 0};
  if (rule.gate == "delay") return {Op::delay, 0};
  const auto gate = ops::find_gate(rule.gate);
  if (!gate) {
    const std::string_view near = ops::nearest_gate_name(rule.gate);
    refuse(
        rule, "there is no gate '" + rule.gate + "'",
        near.empty() ? "name a gate, unitary, measure, reset, delay or *" : "did you mean " + std::string(near) + "?");
  }
  return {gate->op, gate->controls};
}

/// The rules, found by what they are about.
class Rules {
 public:
  explicit Rules(const NoiseModel& noise) : noise_(noise) {
    for (std::uint32_t i = 0; i < noise.rules().size(); ++i) {
      const NoiseRule& rule = noise.rules()[i];
      if (rule.gate == "*")
        any_.push_back(i);
      else
        by_gate_[target_of(rule)].push_back(i);
    }
  }

  /// Calls fn(rule index, wires) for each channel that an instruction suffers, in order.
  template <class Function>
  void for_channels(const Instruction& instruction, Function fn) const {
    const auto found = by_gate_.find({instruction.op, instruction.controls});
    const std::vector<std::uint32_t> none;
    const auto& rules = found == by_gate_.end() ? none : found->second;
    const auto names_wires = [&](std::uint32_t i) {
      return std::ranges::equal(noise_.rules()[i].wires, instruction.wires);
    };
    const bool particular = std::ranges::any_of(rules, names_wires);
    bool hit = false;
    for (const std::uint32_t i : rules) {
      const NoiseRule& rule = noise_.rules()[i];
      if (particular ? !names_wires(i) : !rule.wires.empty()) continue;
      place(rule, i, instruction, fn);
      hit = true;
    }
    if (hit || !is_gate(instruction.op)) return;
    for (const std::uint32_t i : any_)
      if (noise_.rules()[i].channel.wires() == instruction.wires.size()) fn(i, instruction.wires);
  }

 private:
  template <class Function>
  static void place(const NoiseRule& rule, std::uint32_t index, const Instruction& instruction, Function fn) {
    const auto wires = instruction.wires;
    if (!rule.on.empty()) {
      std::vector<Wire> chosen;
      for (const std::uint32_t at : rule.on) {
        if (at >= wires.size())
          refuse(rule, "`on` lists wire " + std::to_string(at) + " of a gate on " + std::to_string(wires.size()));
        chosen.push_back(wires[at]);
      }
      return fn(index, std::span<const Wire>(chosen));
    }
    if (rule.channel.wires() == wires.size()) return fn(index, wires);
    if (rule.channel.wires() != 1) {
      refuse(rule, "acts on " + std::to_string(rule.channel.wires()) + " wires, but " + rule.gate + " acts on " +
                       std::to_string(wires.size()));
    }
    for (const Wire& wire : wires) fn(index, std::span(&wire, 1));
  }

  const NoiseModel& noise_;
  std::map<Target, std::vector<std::uint32_t>> by_gate_;
  std::vector<std::uint32_t> any_;
};

/// The instruction at which a channel acts.
void append_site(Block& out, std::uint32_t channel, std::span<const Wire> wires) {
  out.append(Op::id, wires, {}, static_cast<std::uint16_t>(wires.size() - 1), channel + 1);
}

/// own: place of the circuit's own channels in the list.
Block noisy_block(const Block& block, const Rules& rules, std::uint32_t own) {
  Block out;
  for (std::size_t i = 0; i < block.size(); ++i) {
    const Instruction instruction = block[i];
    if (instruction.op == Op::channel) {
      append_site(out, own + instruction.aux, instruction.wires);
      continue;
    }
    const bool before = instruction.op == Op::measure;
    if (!before) out.append(instruction);
    rules.for_channels(instruction,
                       [&](std::uint32_t rule, std::span<const Wire> wires) { append_site(out, rule, wires); });
    if (before) out.append(instruction);
  }
  return out;
}

}  // namespace

NoisyCircuit attach(const Circuit& circuit, const NoiseModel* noise) {
  NoisyCircuit out{circuit, {}, std::vector<Confusion>(circuit.num_wires(), Confusion{1, 0, 0, 1}), false};
  if (noise == nullptr && circuit.channels().empty()) return out;
  static const NoiseModel kNone;
  const NoiseModel& model = noise == nullptr ? kNone : *noise;
  for (const NoiseRule& rule : model.rules()) out.channels.push_back(rule.channel);
  for (Wire wire = 0; wire < circuit.num_wires(); ++wire) {
    out.readout[wire] = model.readout(wire);
    out.has_readout = out.has_readout || out.readout[wire] != Confusion{1, 0, 0, 1};
  }
  const Rules rules(model);
  const auto own = static_cast<std::uint32_t>(out.channels.size());
  out.channels.insert(out.channels.end(), circuit.channels().begin(), circuit.channels().end());
  for (BlockId id = 0; id < circuit.blocks().size(); ++id)
    out.circuit.replace_block(id, noisy_block(circuit.blocks()[id], rules, own));
  return out;
}

Matrix target_matrix(const Circuit& circuit, const Instruction& instruction, std::span<const double> params) {
  if (instruction.op == Op::unitary) return circuit.matrices()[instruction.aux];
  for (std::size_t i = 0; i < params.size(); ++i) {
    if (std::isfinite(params[i])) continue;
    throw Error(ErrorCode::invalid_argument, "parameter " + std::to_string(i) + " of " +
                                                 std::string(op_name(instruction.op)) + " is not a finite number");
  }
  Matrix out{static_cast<std::uint32_t>(instruction.targets().size()), {}};
  out.values.resize(std::size_t{1} << (2 * out.wires));
  ops::gate_record(instruction.op).matrix(params, out.values);
  return out;
}

Matrix full_matrix(const Circuit& circuit, const Instruction& instruction, std::span<const double> params) {
  const Matrix gate = target_matrix(circuit, instruction, params);
  Matrix out = ir::identity(gate.wires + instruction.controls);
  const std::size_t rows = std::size_t{1} << gate.wires, all = std::size_t{1} << out.wires;
  // All controls at 1: the last block on the diagonal.
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t c = 0; c < rows; ++c)
      out.values[(all - rows + r) * all + all - rows + c] = gate.values[r * rows + c];
  return out;
}

std::optional<Mixture> as_mixture(const Channel& channel) {
  Mixture out;
  const std::size_t rows = std::size_t{1} << channel.wires();
  for (const Matrix& k : channel.operators()) {
    double weight = 0;
    for (const auto& value : k.values) weight += std::norm(value);
    weight /= static_cast<double>(rows);
    if (weight < 1e-30) continue;
    const Matrix u = ir::scaled(k, 1 / std::sqrt(weight));
    for (std::size_t r = 0; r < rows; ++r) {
      for (std::size_t c = 0; c < rows; ++c) {
        std::complex<double> sum = r == c ? -1.0 : 0.0;
        for (std::size_t m = 0; m < rows; ++m) sum += std::conj(u.values[m * rows + r]) * u.values[m * rows + c];
        if (std::abs(sum) > 1e-12) return std::nullopt;
      }
    }
    out.probabilities.push_back(weight);
    out.unitaries.push_back(u);
  }
  return out;
}

}  // namespace skerry::sim
