/// \file
/// Noise: readout errors, and the model that says which gate suffers which channel.
///
///     skerry::NoiseModel noise;
///     noise.add("*", skerry::Channel::depolarizing(0.001, 1));       // after every gate on one wire
///     noise.add("cx", skerry::Channel::depolarizing(0.01, 2));       // after every cx
///     noise.add_readout({0.98, 0.02, 0.05, 0.95});                   // of every wire
///     auto result = skerry::run(circuit, {.shots = 1000, .noise = std::make_shared<skerry::NoiseModel>(noise)});
#pragma once

#include <array>
#include <cstdint>
#include <skerry/channel.hpp>
#include <skerry/circuit.hpp>
#include <string>
#include <vector>

namespace skerry {

/// A channel that follows an instruction (precedes it, for a measurement).
struct NoiseRule {
  std::string gate;         ///< a gate's spelling (`cx`), `unitary`, `measure`, `reset`, `delay`, or `*`
  std::vector<Wire> wires;  ///< of the instruction, controls first; empty: any
  Channel channel;
  std::vector<std::uint32_t> on;  ///< which of the instruction's wires it acts on; empty: see NoiseModel::add
  bool operator==(const NoiseRule&) const = default;
};

/// P(read r | true t) of one wire at [2 t + r].
using Confusion = std::array<double, 4>;

struct ReadoutRule {
  std::vector<Wire> wires;  ///< empty: all that no other rule names
  Confusion confusion{1, 0, 0, 1};
  bool operator==(const ReadoutRule&) const = default;
};

/// Which instruction suffers what. A value; equality is that of the rules in order.
///
/// Of the rules that fit an instruction only the most particular count: those that name its wires; else those that name
/// its gate; else `*`, which fits every gate on as many wires as the channel. They act in the order in which they were
/// added. A circuit's idle wires suffer nothing.
class NoiseModel {
 public:
  /// The channel acts on the instruction's wires in order (controls first), or on those listed in `on` (0: its first
  /// wire). A channel of one wire without `on` acts on each wire of the instruction.
  /// Errors: invalid_argument when wires or `on` are listed twice or their number does not fit the channel.
  NoiseModel& add(std::string gate, Channel channel, std::vector<Wire> wires = {}, std::vector<std::uint32_t> on = {});
  /// Errors: invalid_argument for rows that are no probabilities; out_of_range, never: wires are checked at the run.
  NoiseModel& add_readout(Confusion confusion, std::vector<Wire> wires = {});

  const std::vector<NoiseRule>& rules() const noexcept { return rules_; }
  const std::vector<ReadoutRule>& readout_rules() const noexcept { return readout_; }
  /// Of one wire; the last rule that names it, else the last of all wires, else none ({1, 0, 0, 1}).
  Confusion readout(Wire wire) const;
  bool empty() const noexcept { return rules_.empty() && readout_.empty(); }
  bool operator==(const NoiseModel&) const = default;

 private:
  std::vector<NoiseRule> rules_;
  std::vector<ReadoutRule> readout_;
};

}  // namespace skerry
