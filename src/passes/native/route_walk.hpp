/// \file
/// One walk of the router through a program from a given layout.
#pragma once

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

/// A node that ran, or a swap of two device wires.
struct RouteStep {
  bool is_swap = false;
  std::uint32_t a = 0, b = 0;  ///< device wires of a swap; a: the node
};

/// Walks forward or backward and decides swaps.
class RouteWalk {
 public:
  /// look_ahead: blocks after the front that are looked at, at most 24.
  RouteWalk(const RouteGraph& graph, const Coupling& coupling, std::uint32_t look_ahead = 10);

  /// Moves `layout` along. steps: what happened, in order; null when nobody wants to know. Gives the CX that the blocks
  /// and swaps come to; a walk that comes to more than `bound` stops there.
  std::uint64_t run(Layout& layout, bool forward, base::Philox& random, std::vector<RouteStep>* steps,
                    std::uint64_t bound = ~std::uint64_t{0});

 private:
  struct Met {  // the newest block on a pair of device wires
    Wire p = 0, q = 0;
    std::uint8_t plain = 0, mirrored = 0;
    bool exchanged = false;
    int cost() const { return exchanged ? mirrored : plain; }
  };

  static constexpr std::uint32_t kNoMeeting = ~std::uint32_t{0};
  // How many blocks after the front are looked at; the last step may find two at once.
  static constexpr std::uint32_t kLookAhead = 24;
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
  int swap_price(Wire p, Wire q) const {
    const std::uint32_t newest = met_at_[p];
    if (newest == kNoMeeting || newest != met_at_[q]) return 3;
    const Met& met = met_[newest];
    return met.exchanged ? met.plain - met.mirrored : met.mirrored - met.plain;
  }
  void apply_swap(Wire p, Wire q);
  void look_ahead();
  void choose_swap(base::Philox& random);
  int later_gain(Wire from, Wire to) const;
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
  std::vector<std::uint32_t> met_at_;  ///< per device wire, index into met_
  std::vector<Met> met_;
  std::vector<double> decay_;
  std::vector<Wire> decayed_;  ///< whose decay is not 1
  unsigned swaps_since_run_ = 0;
  std::uint64_t swaps_ = 0;
  std::uint64_t cost_ = 0;
};

}  // namespace skerry::passes::native
