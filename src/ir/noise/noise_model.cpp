#include <algorithm>
#include <cmath>
#include <skerry/error.hpp>
#include <skerry/noise.hpp>

namespace skerry {
namespace {

template <class T>
bool has_repeats(std::vector<T> list) {
  std::ranges::sort(list);
  return std::ranges::adjacent_find(list) != list.end();
}

[[noreturn]] void refuse(const std::string& gate, const Channel& channel, const std::string& message) {
  throw Error(ErrorCode::invalid_argument, message, "noise of " + gate + ": channel " + channel.kind());
}

}  // namespace

NoiseModel& NoiseModel::add(std::string gate, Channel channel, std::vector<Wire> wires, std::vector<std::uint32_t> on) {
  if (has_repeats(wires) || has_repeats(on)) refuse(gate, channel, "names a wire twice");
  if (gate == "*" && (!wires.empty() || !on.empty()))
    refuse(gate, channel, "a rule for every gate names no wires: write one for each gate");
  if (!on.empty() && on.size() != channel.wires()) {
    refuse(gate, channel,
           "acts on " + std::to_string(channel.wires()) + " wires, but `on` lists " + std::to_string(on.size()));
  }
  if (!wires.empty() && on.empty() && channel.wires() != 1 && wires.size() != channel.wires()) {
    refuse(gate, channel,
           "acts on " + std::to_string(channel.wires()) + " wires of " + std::to_string(wires.size()) +
               ", and `on` does not say which");
  }
  for (const std::uint32_t place : on)
    if (!wires.empty() && place >= wires.size()) refuse(gate, channel, "`on` lists a wire the rule has not");
  rules_.push_back({std::move(gate), std::move(wires), std::move(channel), std::move(on)});
  return *this;
}

NoiseModel& NoiseModel::add_readout(Confusion confusion, std::vector<Wire> wires) {
  if (has_repeats(wires)) throw Error(ErrorCode::invalid_argument, "a wire is listed twice", "readout error");
  for (std::size_t row = 0; row < 2; ++row) {
    const double a = confusion[2 * row], b = confusion[2 * row + 1];
    if (a >= 0 && b >= 0 && std::abs(a + b - 1) <= Channel::kTolerance) continue;
    throw Error(ErrorCode::invalid_argument,
                "row " + std::to_string(row) + " is " + std::to_string(a) + ", " + std::to_string(b) +
                    ", not two probabilities that sum to 1",
                "readout error", "row t holds the probabilities of reading 0 and 1 when the wire is in t");
  }
  readout_.push_back({std::move(wires), confusion});
  return *this;
}

Confusion NoiseModel::readout(Wire wire) const {
  Confusion found = {1, 0, 0, 1};
  bool particular = false;
  for (const ReadoutRule& rule : readout_) {
    const bool names = std::ranges::find(rule.wires, wire) != rule.wires.end();
    if (!names && (particular || !rule.wires.empty())) continue;
    found = rule.confusion;
    particular = names;
  }
  return found;
}

}  // namespace skerry
