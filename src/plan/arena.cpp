#include "plan/arena.hpp"

#include <algorithm>
#include <map>
#include <numeric>

#include "base/lines.hpp"

namespace skerry::planning {
namespace {

bool overlap(const Lifetime& a, const Lifetime& b) {
  return a.first <= b.last && b.first <= a.last;
}

}  // namespace

ArenaLayout lay_out(std::span<const Lifetime> lifetimes) {
  std::vector<std::size_t> order(lifetimes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return lifetimes[a].bytes > lifetimes[b].bytes; });

  ArenaLayout layout;
  layout.offsets.resize(lifetimes.size());
  // Placed buffers in order of offset; the gap in front of each is a candidate.
  std::multimap<std::uint64_t, std::size_t> placed;
  for (const std::size_t i : order) {
    const std::uint64_t need = base::whole_lines(lifetimes[i].bytes);
    std::uint64_t offset = 0;
    for (const auto& [begin, other] : placed) {
      if (!overlap(lifetimes[i], lifetimes[other])) continue;
      if (offset + need <= begin) break;
      offset = std::max(offset, begin + base::whole_lines(lifetimes[other].bytes));
    }
    layout.offsets[i] = offset;
    layout.bytes = std::max(layout.bytes, offset + need);
    placed.emplace(offset, i);
  }
  return layout;
}

}  // namespace skerry::planning
