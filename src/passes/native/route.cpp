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
#include "passes/native/start_layouts.hpp"

namespace skerry::passes::native {
namespace {

// A program on its way to the device.
struct Prepared {
  const Flat* flat = nullptr;  ///< without its last measurements
  std::vector<Other> last;
  std::optional<RouteGraph> graph;
  std::optional<RouteGraph> head;  ///< of a large program the beginning, on which layouts are tried
  std::optional<StartLayouts> layouts;
  const RouteGraph& tried() const { return head ? *head : *graph; }
};

// One start and what has become of it.
struct Trial {
  std::size_t which = 0;               ///< program
  const Coupling* coupling = nullptr;  ///< the edges that are walked
  base::Philox random{0};
  Layout layout;              ///< at the end of the last walk
  std::vector<Wire> initial;  ///< from where the best walk went, spare wires included
  base::Philox before{0};     ///< random numbers of the best walk
  std::uint64_t cost = ~std::uint64_t{0};
  std::uint32_t look_ahead = 10;
};

using Swaps = std::vector<std::pair<Wire, Wire>>;

// Writes the steps of a walk; bodies of control flow are routed where they stand and give the layout back.
class StepWriter {
 public:
  StepWriter(const Coupling& coupling, std::uint64_t seed) : coupling_(coupling), seed_(seed) {}

  Flat write(const Flat& flat, const RouteGraph& graph, const std::vector<RouteStep>& steps,
             Layout& layout) {  // NOLINT(misc-no-recursion): blocks nest at most ir::kMaxNesting deep
    FlatWriter out(coupling_.size());
    out.reserve(flat.gates.size() + static_cast<std::size_t>(std::ranges::count_if(steps, &RouteStep::is_swap)));
    since_loop_.emplace_back();
    for (const RouteStep& step : steps) {
      if (step.is_swap()) {
        out.swap(step.a, step.b);
        layout.exchange(step.a, step.b);
        if (since_loop_.size() > 1) since_loop_.back().emplace_back(step.a, step.b);  // nobody leaves the program
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

// False for a walk that came to so much more than the best one that nothing is to be hoped for from going on.
bool walk_forward(RouteWalk& walk, Trial& trial, bool bounded) {
  const std::uint64_t bound = bounded ? trial.cost + trial.cost / 6 + 3 : ~std::uint64_t{0};
  std::vector<Wire> initial = trial.layout.place;
  const base::Philox before = trial.random;
  const std::uint64_t cost = walk.run(trial.layout, true, trial.random, nullptr, bound);
  if (cost > bound) return false;
  if (cost >= trial.cost) return true;
  trial.cost = cost;
  trial.initial = std::move(initial);
  trial.before = before;
  return true;
}

// Walks to and fro; where a walk back ends, the next one begins.
void improve(const RouteGraph& graph, unsigned rounds, Trial& trial) {
  RouteWalk walk(graph, *trial.coupling, trial.look_ahead);
  const bool first = trial.initial.empty();
  if (first) walk_forward(walk, trial, false);
  for (unsigned round = 0; round < rounds; ++round) {
    walk.run(trial.layout, false, trial.random, nullptr);
    if (!walk_forward(walk, trial, !first)) return;
  }
}

Trial first_trial(std::size_t which, const StartLayouts& layouts, const Coupling& coupling, std::uint64_t seed,
                  std::size_t number) {
  // Some programs are walked better by those who look far ahead.
  Trial trial{.which = which,
              .coupling = &coupling,
              .random = base::Philox(seed, number),
              .look_ahead = number % 4 < 2 ? 10U : 40U};
  trial.layout = Layout(layouts.start(number, trial.random));
  return trial;
}

Routed finished(const Prepared& program, const Coupling& coupling, std::uint64_t seed, const Trial& trial) {
  std::vector<RouteStep> steps;
  Layout walked(trial.initial), layout(trial.initial);
  base::Philox random = trial.before;
  Routed out{.which = trial.which};
  out.estimate = RouteWalk(*program.graph, *trial.coupling, trial.look_ahead).run(walked, true, random, &steps);
  StepWriter writer(coupling, seed);
  const Flat& flat = *program.flat;
  out.flat = writer.write(flat, *program.graph, steps, layout);
  put_last_measurements(out.flat, program.last, layout.place);
  out.initial.assign(trial.initial.begin(), trial.initial.begin() + flat.wires);
  for (Wire wire = 0; wire < flat.wires; ++wire) out.flat.places.push_back(layout.place[flat.place(wire)]);
  return out;
}

// The first gates of a list.
Flat beginning(const Flat& flat, std::size_t gates) {
  Flat head;
  head.wires = flat.wires;
  head.gates.assign(flat.gates.begin(), flat.gates.begin() + static_cast<std::ptrdiff_t>(gates));
  std::size_t ones = 0, turns = 0, others = 0;
  for (const Gate& gate : head.gates) {
    const std::size_t end = gate.index + std::size_t{1};
    if (gate.kind == Kind::one) ones = std::max(ones, end);
    if (gate.kind == Kind::turn) turns = std::max(turns, end);
    if (gate.kind == Kind::other) others = std::max(others, end);
  }
  head.ones.assign(flat.ones.begin(), flat.ones.begin() + static_cast<std::ptrdiff_t>(ones));
  head.turns.assign(flat.turns.begin(), flat.turns.begin() + static_cast<std::ptrdiff_t>(turns));
  head.others.assign(flat.others.begin(), flat.others.begin() + static_cast<std::ptrdiff_t>(others));
  return head;
}

// What is left of the effort within its work: fewer starts, then layouts that are tried on the beginning alone.
RouteEffort within_work(RouteEffort effort, std::vector<Prepared>& programs, std::size_t& head) {
  std::size_t nodes = 1;
  for (const Prepared& program : programs) {
    if (program.graph) nodes = std::max(nodes, program.graph->size());
  }
  const auto walks = [](const RouteEffort& e) {
    return 3 * std::size_t{e.starts + e.again} + 2 * std::size_t{e.rounds} * e.finalists;
  };
  const std::size_t wanted = walks(effort), able = effort.work / (nodes * programs.size());
  head = nodes;
  if (able >= wanted) return effort;
  const auto share = [&](unsigned of) { return std::max(1U, static_cast<unsigned>(of * able / wanted)); };
  effort.starts = share(effort.starts);
  effort.again = effort.again * able / wanted > 0 ? share(effort.again) : 0;
  effort.finalists = share(effort.finalists);
  effort.keep = std::min(effort.keep, effort.finalists);
  effort.along_path = effort.along_path && effort.starts > 1;
  if (walks(effort) > able) head = std::min(nodes, effort.work / (walks(effort) * programs.size()) + 1);
  return effort;
}

template <class Visit>
void for_all(std::span<Trial> trials, std::size_t work, Visit visit) {
  // A trial of a small circuit is over before a thread is awake.
  constexpr std::size_t kWorthThreads = 20000;
  const auto some = [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) visit(trials[i]);
  };
  if (work > kWorthThreads) {
    base::parallel_for(0, trials.size(), 1, some);
  } else {
    some(0, trials.size());
  }
}

// Swaps are more than half of what comes out: where such a program begins matters most.
bool is_hard(const Prepared& program, const Trial& best) {
  return !program.head && best.cost > 2 * program.flat->cx_count();
}

// A placement where all pairs meet needs no search.
std::optional<Trial> placed_trial(std::size_t which, const Prepared& program, const Coupling& coupling,
                                  std::uint64_t seed) {
  constexpr std::size_t kPlacementSteps = 20000;
  auto places = place_all(*program.graph, program.flat->wires, coupling, kPlacementSteps);
  if (!places) return std::nullopt;
  std::vector<std::uint8_t> taken(coupling.size(), 0);
  for (const Wire p : *places) taken[p] = 1;
  for (Wire p = 0; p < coupling.size(); ++p) {
    if (taken[p] == 0) places->push_back(p);
  }
  const base::Philox random(seed);
  return Trial{.which = which,
               .coupling = &coupling,
               .random = random,
               .initial = std::move(*places),
               .before = random,
               .cost = 0};
}

}  // namespace

std::vector<Routed> route(std::span<Flat> flats, const Coupling& coupling, RouteEffort effort) {
  std::vector<Prepared> programs(flats.size());
  std::vector<Routed> routed;
  for (std::size_t which = 0; which < flats.size(); ++which) {
    Flat& flat = flats[which];
    if (flat.wires > coupling.size()) {
      throw Error(
          ErrorCode::out_of_range,
          "the circuit has " + std::to_string(flat.wires) + " wires, the device " + std::to_string(coupling.size()), {},
          "choose a larger device");
    }
    Prepared& program = programs[which];
    program.flat = &flat;
    program.last = take_last_measurements(flat);
    program.graph.emplace(flat);
    if (const auto trial = placed_trial(which, program, coupling, effort.seed)) {
      routed.push_back(finished(program, coupling, effort.seed, *trial));
      program.graph.reset();
    }
  }
  std::size_t head = 0;
  effort = within_work(effort, programs, head);
  std::vector<Trial> trials, along_paths;
  for (std::size_t which = 0; which < programs.size(); ++which) {
    Prepared& program = programs[which];
    if (!program.graph) continue;
    if (program.graph->size() > head) {
      const double part = static_cast<double>(head) / static_cast<double>(program.graph->size());
      const Flat& flat = *program.flat;
      program.head.emplace(beginning(flat, static_cast<std::size_t>(part * static_cast<double>(flat.gates.size()))));
    }
    program.layouts.emplace(program.tried(), program.flat->wires, coupling);
    for (unsigned k = 0; k < effort.starts; ++k) {
      trials.push_back(first_trial(which, *program.layouts, coupling, effort.seed, k));
    }
    const Coupling* const path = program.layouts->path_alone();
    if (effort.along_path && path != nullptr) {
      along_paths.push_back(first_trial(which, *program.layouts, *path, effort.seed, 0));
    }
  }
  // Every start is walked to and fro once, and those that have come farthest go on.
  const auto improve_from = [&](std::size_t begin, unsigned rounds) {
    const std::span<Trial> some = std::span(trials).subspan(begin);
    for_all(some, head * some.size() * (2 * rounds + 1),
            [&](Trial& trial) { improve(programs[trial.which].tried(), rounds, trial); });
    std::ranges::stable_sort(trials, {}, &Trial::cost);
  };
  improve_from(0, 1);
  if (!trials.empty() && is_hard(programs[trials[0].which], trials[0])) {
    const std::size_t which = trials[0].which, count = trials.size();
    for (unsigned k = 0; k < effort.again; ++k) {
      trials.push_back(first_trial(which, *programs[which].layouts, coupling, effort.seed, effort.starts + k));
    }
    improve_from(count, 1);
  }
  if (trials.size() > effort.finalists) trials.resize(effort.finalists);
  if (effort.rounds > 0) improve_from(0, effort.rounds);
  if (trials.size() > effort.keep) trials.resize(effort.keep);
  // They come beside the others and not in their stead: nothing that they find first stops the search.
  for (Trial& trial : along_paths) {
    improve(programs[trial.which].tried(), 1, trial);
    const std::uint64_t best = trials[0].cost;
    if (trial.cost <= best + best / 16) trials.push_back(std::move(trial));
  }
  for (const Trial& trial : trials) {
    routed.push_back(finished(programs[trial.which], coupling, effort.seed, trial));
  }
  return routed;
}

}  // namespace skerry::passes::native
