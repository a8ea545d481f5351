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

ArenaLayout lay_out(std::span<const Lifetime> lifetimes, std::uint64_t apart) {
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
      if (offset + need + apart <= begin) break;
      offset = std::max(offset, begin + base::whole_lines(lifetimes[other].bytes) + apart);
    }
    layout.offsets[i] = offset;
    layout.bytes = std::max(layout.bytes, offset + need);
    placed.emplace(offset, i);
  }
  return layout;
}

std::uint64_t most_alive(std::span<const Lifetime> lifetimes) {
  std::map<std::size_t, std::int64_t> change;  // at each step, of the bytes alive
  for (const Lifetime& one : lifetimes) {
    change[one.first] += static_cast<std::int64_t>(base::whole_lines(one.bytes));
    change[one.last + 1] -= static_cast<std::int64_t>(base::whole_lines(one.bytes));
  }
  std::int64_t alive = 0, most = 0;
  for (const auto& [step, bytes] : change) most = std::max(most, alive += bytes);
  return static_cast<std::uint64_t>(most);
}

ArenaLayout lay_out_apart(std::span<const Lifetime> lifetimes) {
  constexpr std::uint64_t kFar = std::uint64_t{9} << 10, kLeast = std::uint64_t{1} << 10;
  const std::uint64_t most = most_alive(lifetimes), room = most / 10;
  for (std::uint64_t apart = std::min(kFar, room / base::kLineBytes * base::kLineBytes); apart >= kLeast;
       apart = apart / 2 / base::kLineBytes * base::kLineBytes) {
    if (ArenaLayout layout = lay_out(lifetimes, apart); layout.bytes <= most + room) return layout;
  }
  return lay_out(lifetimes);
}

}  // namespace skerry::planning
