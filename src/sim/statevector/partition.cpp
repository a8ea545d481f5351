#include "sim/statevector/partition.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

namespace skerry::sim {
namespace {

/// Work looked through at once; what lies beyond waits, so that long circuits are planned in linear time.
constexpr std::size_t kWindow = 4096;

/// What has been left behind, and what it keeps from being done.
struct Blocked {
  std::uint64_t x = 0, z = 0;
  bool stops(const Reach& reach) const { return (reach.x & (x | z)) != 0 || (reach.z & x) != 0; }
  void leave(const Reach& reach) {
    x |= reach.x;
    z |= reach.z;
  }
};

/// Bits in the order in which the work wants them, as many as there is room for.
std::uint64_t choose_bits(std::span<const Reach> reaches, std::span<const std::uint32_t> todo, std::uint64_t always,
                          int capacity) {
  const std::uint64_t mixed = mixed_bits(reaches, todo);
  std::uint64_t chosen = always;
  Blocked blocked;
  for (const std::uint32_t i : todo) {
    const Reach& reach = reaches[i];
    if (reach.x == 0 && !blocked.stops(reach)) continue;
    if (!blocked.stops(reach) && std::popcount(chosen | reach.x) <= capacity) {
      chosen |= reach.x;
      continue;
    }
    blocked.leave(reach);
    if ((mixed & ~(blocked.x | blocked.z)) == 0) break;
  }
  return chosen;
}

/// What mixes that can be done within some bits.
struct Mixing {
  std::size_t count = 0;
  std::uint64_t bits = 0;
};
Mixing mixing_within(std::span<const Reach> reaches, std::span<const std::uint32_t> window, std::uint64_t within) {
  Mixing out;
  Blocked blocked;
  for (const std::uint32_t i : window) {
    const Reach& reach = reaches[i];
    if (reach.x == 0 && !blocked.stops(reach)) continue;
    if ((reach.x & ~within) != 0 || blocked.stops(reach)) {
      blocked.leave(reach);
      continue;
    }
    ++out.count;
    out.bits |= reach.x;
  }
  return out;
}

/// Of window, what can be done within `reach`; looks only where they look at some of `looked_at`.
struct Taken {
  std::vector<std::uint32_t> taken, left;
  bool mixes = false;       ///< some of what is taken does
  bool left_mixes = false;  ///< some of what is left does
};
Taken take(std::span<const Reach> reaches, std::span<const std::uint32_t> window, std::uint64_t within,
           std::uint64_t looked_at) {
  Taken out;
  Blocked blocked;
  for (const std::uint32_t i : window) {
    const Reach& reach = reaches[i];
    const bool mixes = reach.x != 0;
    const bool wanted = mixes ? (reach.x & ~within) == 0 : (reach.z & looked_at) != 0 || reach.z == 0;
    if (wanted && !blocked.stops(reach)) {
      out.taken.push_back(i);
      out.mixes |= mixes;
      continue;
    }
    blocked.leave(reach);
    out.left_mixes |= mixes;
    out.left.push_back(i);
  }
  return out;
}

/// Splits off the looks after which nothing is mixed that they look at.
std::vector<std::uint32_t> split_waiting(std::span<const Reach> reaches, std::vector<std::uint32_t>& taken) {
  std::uint64_t mixed_later = 0;
  std::vector<std::uint32_t> kept, waiting;
  for (std::size_t k = taken.size(); k-- > 0;) {
    const Reach& reach = reaches[taken[k]];
    mixed_later |= reach.x;
    const bool waits = reach.x == 0 && reach.z != 0 && (reach.z & mixed_later) == 0;
    (waits ? waiting : kept).push_back(taken[k]);
  }
  taken.assign(kept.rbegin(), kept.rend());
  std::ranges::reverse(waiting);
  return waiting;
}

}  // namespace

std::uint64_t mixed_bits(std::span<const Reach> reaches, std::span<const std::uint32_t> work) {
  std::uint64_t mixed = 0;
  for (const std::uint32_t i : work) mixed |= reaches[i].x;
  return mixed;
}

std::uint64_t choose_reach(std::span<const Reach> reaches, std::span<const std::uint32_t> todo, std::uint64_t always,
                           int capacity, int bits, std::uint64_t zero) {
  // What bringing the state in and out costs, in pieces of work on all of it: measured with complex64 on AVX-512.
  constexpr double move = 20.0;
  const std::span<const std::uint32_t> window = todo.first(std::min(todo.size(), kWindow));
  std::uint64_t best = choose_bits(reaches, window, always, capacity);
  double best_score = 0.0;
  std::size_t best_count = 0;
  const auto consider = [&](std::uint64_t within) {
    const Mixing mixing = mixing_within(reaches, window, within);
    const double size = std::ldexp(1.0, -std::popcount(zero & ~mixing.bits));
    const auto count = static_cast<double>(mixing.count);
    // What is done now need not be done on the whole state later.
    const double score = count * (1.0 - size) - move * size;
    if (mixing.count == 0 || (best_count != 0 && std::pair(score, mixing.count) <= std::pair(best_score, best_count)))
      return;
    best = within;
    best_score = score;
    best_count = mixing.count;
  };
  consider(best);
  std::vector<unsigned> free;
  for (int b = 0; b < bits; ++b)
    if ((always >> b & 1) == 0) free.push_back(static_cast<unsigned>(b));
  const auto room = static_cast<std::size_t>(std::max(capacity - std::popcount(always), 0));
  for (std::size_t first = 0; first < free.size() && room < free.size(); ++first) {
    std::uint64_t within = always;
    for (std::size_t k = 0; k < room; ++k) within |= std::uint64_t{1} << free[(first + k) % free.size()];
    consider(within);
  }
  return best;
}

Part take_part(std::span<const Reach> reaches, std::vector<std::uint32_t>& todo, std::uint64_t always, int capacity) {
  const std::span<const std::uint32_t> window = std::span(todo).first(std::min(todo.size(), kWindow));
  const std::uint64_t chosen = choose_bits(reaches, window, always, capacity);
  // Looks wait for the part that mixes what they look at, so that they meet others there; where nothing more will be
  // mixed, or nothing can be before them, there is nothing to wait for.
  constexpr std::uint64_t everywhere = ~std::uint64_t{0};
  Taken now = take(reaches, window, chosen, chosen);
  std::vector<std::uint32_t> waiting;
  if (!now.mixes || (!now.left_mixes && window.size() == todo.size()))
    now = take(reaches, window, chosen, everywhere);
  else
    waiting = split_waiting(reaches, now.taken);
  // What is left of the window moves up to what lies beyond it.
  std::vector<std::uint32_t> rest;
  std::ranges::merge(waiting, now.left, std::back_inserter(rest));
  const auto beyond = todo.begin() + static_cast<std::ptrdiff_t>(window.size());
  todo.erase(todo.begin(), std::copy_backward(rest.begin(), rest.end(), beyond));
  return {chosen, std::move(now.taken)};
}

}  // namespace skerry::sim
