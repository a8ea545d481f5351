#include "passes/native/route.hpp"

#include <algorithm>
#include <numeric>
#include <optional>
#include <skerry/error.hpp>
#include <string>
#include <utility>

#include "base/threads.hpp"
#include "passes/native/measurements.hpp"
#include "passes/native/pairs.hpp"
#include "passes/native/place_all.hpp"
#include "passes/native/route_walk.hpp"

namespace skerry::passes::native {
namespace {

struct Trial {
  std::vector<Wire> initial;  ///< spare wires included
  Layout last;
  std::vector<RouteStep> steps;
  std::uint64_t cost = 0;
};

using Swaps = std::vector<std::pair<Wire, Wire>>;

// Writes the steps of a walk; bodies of control flow are routed where they stand and give the layout back.
class StepWriter {
 public:
  StepWriter(const Coupling& coupling, std::uint64_t seed) : coupling_(coupling), seed_(seed) {}

  Flat write(const Flat& flat, const RouteGraph& graph, const std::vector<RouteStep>& steps,
             Layout& layout) {  // NOLINT(misc-no-recursion): blocks nest at most ir::kMaxNesting deep
    FlatWriter out(coupling_.size());
    out.reserve(flat.gates.size());
    since_loop_.emplace_back();
    for (const RouteStep& step : steps) {
      if (step.is_swap) {
        out.swap(step.a, step.b);
        layout.exchange(step.a, step.b);
        since_loop_.back().emplace_back(step.a, step.b);
        continue;
      }
      const RouteNode& node = graph.node(step.a);
      for (std::uint32_t i = node.head; i != kNoGate; i = node.is_pair ? graph.next(i) : kNoGate) {
        gate(flat, flat.gates[i], layout, out);
      }
    }
    Flat routed = out.finish();
    routed.phase += flat.phase;
    routed.phases = flat.phases;
    return routed;
  }
  Swaps last_swaps() {
    Swaps swaps = std::move(since_loop_.back());
    since_loop_.pop_back();
    return swaps;
  }

 private:
  void gate(const Flat& flat, const Gate& at, const Layout& layout, FlatWriter& out) {  // NOLINT(misc-no-recursion)
    switch (at.kind) {
      case Kind::one:
        return out.one(layout.place[at.a], flat.ones[at.index]);
      case Kind::turn:
        return out.turn(layout.place[at.a], flat.turns[at.index]);
      case Kind::cx:
        return out.cx(layout.place[at.a], layout.place[at.b]);
      case Kind::swap:
        return out.swap(layout.place[at.a], layout.place[at.b]);
      case Kind::other:
        break;
    }
    Other other = flat.others[at.index];
    for (Wire& wire : other.wires) wire = layout.place[wire];
    if (other.op == Op::break_loop || other.op == Op::continue_loop) {
      // The loop begins and ends with one layout: what was exchanged since is taken back before it is left.
      for (std::size_t level = since_loop_.size(); level-- > loop_level_;) take_back(since_loop_[level], out);
      other.wires.clear();
      for (Wire wire = 0; wire < coupling_.size(); ++wire) other.wires.push_back(wire);
    }
    if (!other.bodies.empty()) {
      const std::size_t outer = loop_level_;
      if (other.op == Op::while_loop) loop_level_ = since_loop_.size();
      for (Flat& body : other.bodies) body = routed_body(body, layout);
      loop_level_ = outer;
      other.wires = touched(other.bodies);
    }
    out.other(std::move(other));
  }

  static void take_back(const Swaps& swaps, FlatWriter& out) {
    for (std::size_t i = swaps.size(); i-- > 0;) out.swap(swaps[i].first, swaps[i].second);
  }

  Flat routed_body(const Flat& body, const Layout& start) {  // NOLINT(misc-no-recursion): as above
    const RouteGraph graph(body);
    base::Philox random(seed_);
    Layout walked = start, written = start;
    std::vector<RouteStep> steps;
    RouteWalk(graph, coupling_).run(walked, true, random, &steps);
    Flat routed = write(body, graph, steps, written);
    const Swaps swaps = last_swaps();
    FlatWriter out(coupling_.size());
    for (const Gate& gate : routed.gates) out.copy(routed, gate);
    take_back(swaps, out);
    out.finish_into(routed);
    return routed;
  }

  std::vector<Wire> touched(const std::vector<Flat>& bodies) const {
    std::vector<std::uint8_t> seen(coupling_.size(), 0);
    for (const Flat& body : bodies) {
      for (const Gate& gate : body.gates) {
        if (gate.kind == Kind::other) {
          for (const Wire wire : body.others[gate.index].wires) seen[wire] = 1;
        } else {
          seen[gate.a] = seen[gate.b] = 1;
        }
      }
    }
    std::vector<Wire> wires;
    for (Wire wire = 0; wire < seen.size(); ++wire) {
      if (seen[wire] != 0) wires.push_back(wire);
    }
    return wires;
  }

  const Coupling& coupling_;
  std::uint64_t seed_;
  std::vector<Swaps> since_loop_;
  std::size_t loop_level_ = 0;
};

std::vector<Wire> shuffled(std::uint32_t wires, base::Philox& random) {
  std::vector<Wire> places(wires);
  std::iota(places.begin(), places.end(), 0U);
  for (std::uint32_t i = wires; i > 1; --i) std::swap(places[i - 1], places[random() % i]);
  return places;
}

// The wires nearest to a centre, in a random order: spare wires stay outside.
std::vector<Wire> gathered(std::uint32_t program, const Coupling& coupling, base::Philox& random) {
  const Wire centre = random() % coupling.size();
  std::vector<Wire> places = shuffled(coupling.size(), random);
  std::ranges::stable_sort(places, {}, [&](Wire p) { return coupling.distance(centre, p); });
  for (std::uint32_t i = program; i > 1; --i) std::swap(places[i - 1], places[random() % i]);
  return places;
}

Trial try_once(const RouteGraph& graph, std::uint32_t program, const Coupling& coupling, const RouteEffort& effort,
               std::size_t number) {
  base::Philox random(effort.seed, number);
  std::vector<Wire> start;
  if (number == 0) {
    start.resize(coupling.size());
    std::iota(start.begin(), start.end(), 0U);
  } else {
    start = gathered(program, coupling, random);
  }
  Layout layout(std::move(start));
  RouteWalk walk(graph, coupling);
  Trial best;
  for (unsigned round = 0; round <= effort.rounds; ++round) {
    Trial trial;
    trial.initial = layout.place;
    trial.cost = walk.run(layout, true, random, &trial.steps);
    const Layout end = layout;
    if (best.initial.empty() || trial.cost < best.cost) {
      trial.last = end;
      best = std::move(trial);
    }
    if (round < effort.rounds) walk.run(layout, false, random, nullptr);
  }
  return best;
}

Routed finished(const Flat& flat, const RouteGraph& graph, const Coupling& coupling, const RouteEffort& effort,
                const Trial& trial, const std::vector<Other>& last) {
  Layout layout(trial.initial);
  StepWriter writer(coupling, effort.seed);
  Routed out;
  out.flat = writer.write(flat, graph, trial.steps, layout);
  put_last_measurements(out.flat, last, layout.place);
  out.initial.assign(trial.initial.begin(), trial.initial.begin() + flat.wires);
  for (Wire wire = 0; wire < flat.wires; ++wire) out.flat.places.push_back(layout.place[flat.place(wire)]);
  out.estimate = trial.cost;
  return out;
}

}  // namespace

std::vector<Routed> route(Flat flat, const Coupling& coupling, const RouteEffort& effort) {
  if (flat.wires > coupling.size()) {
    throw Error(
        ErrorCode::out_of_range,
        "the circuit has " + std::to_string(flat.wires) + " wires, the device " + std::to_string(coupling.size()), {},
        "choose a larger device");
  }
  const std::vector<Other> last = take_last_measurements(flat);
  const RouteGraph graph(flat);
  constexpr std::size_t kPlacementSteps = 20000;
  if (const auto places = place_all(graph, flat.wires, coupling, kPlacementSteps)) {
    std::vector<Wire> all = *places;
    std::vector<std::uint8_t> taken(coupling.size(), 0);
    for (const Wire p : all) taken[p] = 1;
    for (Wire p = 0; p < coupling.size(); ++p) {
      if (taken[p] == 0) all.push_back(p);
    }
    Trial trial{.initial = all};
    Layout layout(all);
    base::Philox random(effort.seed);
    trial.cost = RouteWalk(graph, coupling).run(layout, true, random, &trial.steps);
    std::vector<Routed> only;
    only.push_back(finished(flat, graph, coupling, effort, trial, last));
    return only;
  }
  std::vector<Trial> trials(effort.layouts);
  const auto some = [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) trials[i] = try_once(graph, flat.wires, coupling, effort, i);
  };
  // A trial of a small circuit is over before a thread is awake.
  constexpr std::size_t kWorthThreads = 20000;
  if (graph.size() * effort.layouts * (effort.rounds + 1) > kWorthThreads) {
    base::parallel_for(0, trials.size(), 1, some);
  } else {
    some(0, trials.size());
  }
  std::ranges::stable_sort(trials, {}, &Trial::cost);
  std::vector<Routed> best;
  for (std::size_t i = 0; i < std::min<std::size_t>(effort.keep, trials.size()); ++i) {
    best.push_back(finished(flat, graph, coupling, effort, trials[i], last));
  }
  return best;
}

}  // namespace skerry::passes::native
