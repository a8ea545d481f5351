#include <skerry/target.hpp>

namespace skerry {
namespace {

double figure(const std::map<std::vector<Wire>, double>& by_wires, const std::vector<Wire>& wires, double otherwise) {
  auto found = by_wires.find(wires);
  if (found == by_wires.end() && wires.size() == 2) found = by_wires.find({wires[1], wires[0]});
  return found == by_wires.end() ? otherwise : found->second;
}

}  // namespace

double Target::duration_seconds(std::string_view gate, const std::vector<Wire>& wires) const {
  const auto found = gates.find(std::string(gate));
  if (found == gates.end()) return 0.0;
  return figure(found->second.durations_seconds, wires, found->second.duration_seconds);
}

double Target::error(std::string_view gate, const std::vector<Wire>& wires) const {
  const auto found = gates.find(std::string(gate));
  if (found == gates.end()) return 0.0;
  return figure(found->second.errors, wires, found->second.error);
}

}  // namespace skerry
