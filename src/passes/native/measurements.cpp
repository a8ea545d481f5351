#include "passes/native/measurements.hpp"

#include <algorithm>
#include <utility>

namespace skerry::passes::native {

std::vector<Other> take_last_measurements(Flat& flat) {
  std::vector<std::uint8_t> used(flat.wires, 0), taken(flat.gates.size(), 0);
  std::vector<Other> last;
  for (std::size_t i = flat.gates.size(); i-- > 0;) {
    const Gate& gate = flat.gates[i];
    if (gate.kind != Kind::other) {
      used[gate.a] = used[gate.b] = 1;
      continue;
    }
    Other& other = flat.others[gate.index];
    if (other.op != Op::measure && other.op != Op::barrier) break;
    const bool free = std::ranges::none_of(other.wires, [&](Wire wire) { return used[wire] != 0; });
    if (!free) {
      for (const Wire wire : other.wires) used[wire] = 1;
      continue;
    }
    last.push_back(std::move(other));
    taken[i] = 1;
  }
  if (last.empty()) return last;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < flat.gates.size(); ++i) {
    if (taken[i] == 0) flat.gates[kept++] = flat.gates[i];
  }
  flat.gates.resize(kept);
  return last;
}

void put_last_measurements(Flat& flat, const std::vector<Other>& last, std::span<const Wire> place) {
  for (std::size_t i = last.size(); i-- > 0;) {
    Other other = last[i];
    for (Wire& wire : other.wires) wire = place[wire];
    flat.gates.push_back({Kind::other, 0, 0, static_cast<std::uint32_t>(flat.others.size())});
    flat.others.push_back(std::move(other));
  }
}

}  // namespace skerry::passes::native
