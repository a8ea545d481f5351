/// \file
/// One walk of the router through a program from a given layout.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "base/random.hpp"
#include "passes/native/route.hpp"
#include "passes/native/route_graph.hpp"

namespace skerry::passes::native {

/// Device wire of each program wire, spare wires included, and back.
struct Layout {
  std::vector<Wire> place;  ///< of each program wire
  std::vector<Wire> holds;  ///< program wire at each place

  Layout() = default;
  explicit Layout(std::vector<Wire> places);
  void exchange(Wire p, Wire q);
};

/// A node that ran, or a swap of two device wires. Large programs have millions.
struct RouteStep {
  static constexpr std::uint32_t kNode = ~std::uint32_t{0};

  std::uint32_t a = 0;      ///< the node, or the first wire of a swap
  std::uint32_t b = kNode;  ///< the second wire of a swap
  bool is_swap() const noexcept { return b != kNode; }
};

/// Walks forward or backward and decides swaps.
class RouteWalk {
 public:
  /// look_ahead: blocks after the front that are looked at, at most 40.
  RouteWalk(const RouteGraph& graph, const Coupling& coupling, std::uint32_t look_ahead = 10);

  /// Moves `layout` along. steps: what happened, in order; null when nobody wants to know. Gives the CX that the blocks
  /// and swaps come to; a walk that comes to more than `bound` stops there.
  std::uint64_t run(Layout& layout, bool forward, base::Philox& random, std::vector<RouteStep>* steps,
                    std::uint64_t bound = ~std::uint64_t{0});

 private:
  // The newest block on a device wire: on a pair of wires when each is the other's partner. The lower wire's counts.
  struct Met {
    Wire partner = kNobody;
    std::uint8_t plain = 0, mirrored = 0;
    bool exchanged = false;
    int cost() const { return exchanged ? mirrored : plain; }
    int swap_price() const { return exchanged ? plain - mirrored : mirrored - plain; }
  };

  static constexpr Wire kNobody = ~Wire{0};
  // How many blocks after the front are looked at; the last step may find two at once.
  static constexpr std::uint32_t kLookAhead = 40;
  struct LaterPartners {
    std::uint32_t count = 0;
    std::array<Wire, kLookAhead + 1> wires;
  };

  void start(bool forward);
  bool try_run(std::uint32_t node);
  void run_ready();
  std::span<const std::uint32_t> looked_at_front() const;
  void execute(std::uint32_t node);
  void pair_executed(const RouteNode& node, Wire p, Wire q);
  bool have_met(Wire p, Wire q) const { return met_[p].partner == q && met_[q].partner == p; }
  void meet(Wire p, Wire q, Met met);
  int swap_price(Wire p, Wire q) const { return have_met(p, q) ? met_[std::min(p, q)].swap_price() : 3; }
  void apply_swap(Wire p, Wire q);
  void look_ahead();
  void choose_swap(base::Philox& random);
  int later_gain(Wire wire, Wire to, const std::uint16_t* from_here, const std::uint16_t* from_there) const;
  void forget_decay();
  void force_nearest();
  std::span<const std::uint32_t> after(std::uint32_t i) const {
    return forward_ ? graph_.successors(i) : graph_.predecessors(i);
  }
  std::span<const std::uint32_t> before(std::uint32_t i) const {
    return forward_ ? graph_.predecessors(i) : graph_.successors(i);
  }

  std::uint32_t most_later_;
  const RouteGraph& graph_;
  const Coupling& coupling_;
  Layout* layout_ = nullptr;
  bool forward_ = true;
  std::vector<RouteStep>* steps_ = nullptr;
  std::vector<std::uint32_t> missing_;  ///< predecessors that have not run
  std::vector<std::uint32_t> ready_, front_;
  bool front_changed_ = false;
  std::vector<Wire> front_partner_;            ///< per program wire, itself when it waits for nobody
  std::vector<std::uint32_t> front_at_;        ///< per program wire that waits: where in the front
  std::vector<Wire> moved_;                    ///< program wires that were exchanged since anything ran
  std::vector<LaterPartners> later_partners_;  ///< per program wire
  std::vector<Wire> later_touched_;
  double front_weight_ = 0, later_weight_ = 0;
  std::vector<std::uint32_t> visited_, queue_;
  std::uint32_t visit_ = 0;
  std::vector<Met> met_;  ///< per device wire
  std::vector<double> decay_;
  std::vector<Wire> decayed_;  ///< whose decay is not 1
  unsigned swaps_since_run_ = 0;
  std::uint64_t swaps_ = 0;
  std::uint64_t cost_ = 0;
};

}  // namespace skerry::passes::native
