/// \file
/// Which site of a chain each wire sits on: gates on distant wires bring them together, and leave them there.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

namespace skerry::sim {

/// A permutation of wires over sites. Moving wires only when a gate needs it, and never back, costs fewer exchanges
/// than keeping the order.
class ChainLayout {
 public:
  explicit ChainLayout(std::uint32_t wires) : site_(wires), wire_(wires) {
    std::iota(site_.begin(), site_.end(), 0U);
    std::iota(wire_.begin(), wire_.end(), 0U);
  }
  /// wire_of: of each site; a precondition is that each wire stands there once.
  explicit ChainLayout(std::span<const std::uint32_t> wire_of)
      : site_(wire_of.size()), wire_(wire_of.begin(), wire_of.end()) {
    for (std::uint32_t site = 0; site < wire_.size(); ++site) site_[wire_[site]] = site;
  }
  std::uint32_t site(std::uint32_t wire) const noexcept { return site_[wire]; }
  std::uint32_t wire(std::uint32_t site) const noexcept { return wire_[site]; }
  std::uint32_t wires() const noexcept { return static_cast<std::uint32_t>(site_.size()); }

  /// Calls exchange(s), which must exchange what sits on sites s and s + 1, until the wires are neighbours around the
  /// middle one of them; gives the first of their sites.
  template <class Exchange>
  std::uint32_t gather(std::span<const std::uint32_t> wires, Exchange exchange) {
    std::vector<std::uint32_t> sites;
    for (const std::uint32_t wire : wires) sites.push_back(site_[wire]);
    std::ranges::sort(sites);
    const std::size_t middle = sites.size() / 2;
    const auto swap_at = [&](std::uint32_t s) {
      exchange(s);
      std::swap(wire_[s], wire_[s + 1]);
      site_[wire_[s]] = s;
      site_[wire_[s + 1]] = s + 1;
    };
    for (std::size_t i = middle; i-- > 0;)
      for (; sites[i] + 1 < sites[i + 1]; ++sites[i]) swap_at(sites[i]);
    for (std::size_t i = middle + 1; i < sites.size(); ++i)
      for (; sites[i] > sites[i - 1] + 1; --sites[i]) swap_at(sites[i] - 1);
    return sites.empty() ? 0 : sites[0];
  }

 private:
  std::vector<std::uint32_t> site_, wire_;
};

}  // namespace skerry::sim
