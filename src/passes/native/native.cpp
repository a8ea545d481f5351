// The device compiler on one page.
//
//   unroll                 any gate -> one-wire gates, CX; swap gates become renamings
//   cancel_commuting       CX pairs and turns that meet across what they commute with
//   match_templates        three CX become two, where every pair of wires may meet
//   approximate_pairs      inside the error budget
//   resynthesize_pairs     blocks on two wires, at most three CX each
//   resynthesize_paulis    high: the whole program as Pauli rotations and a Clifford, kept where it has fewer CX
//   route                  layout and swaps, where not every pair of wires may meet
//   couple_paulis          high: from the best layouts, Pauli rotations and the Clifford along the device's edges
//   cancel_commuting, resynthesize_pairs again, as long as CX go away
//   place_by_error         medium and high: the same gates elsewhere on the device, where they fail less often
//   translate              the device's gates, directions fixed
#include "passes/native/native.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <numeric>
#include <skerry/error.hpp>
#include <utility>

#include "base/trace.hpp"
#include "passes/native/coupled_network.hpp"
#include "passes/native/measurements.hpp"
#include "passes/native/pauli_network.hpp"
#include "passes/native/place_by_error.hpp"
#include "passes/native/rewrite.hpp"
#include "passes/native/route.hpp"
#include "passes/native/spelling.hpp"
#include "passes/native/translate.hpp"
#include "passes/native/unroll.hpp"

namespace skerry::passes::native {
namespace {

constexpr std::array kPasses = {
    PassInfo{"unroll", "device", "Writes every gate as gates of one wire and CX."},
    PassInfo{"cancel_commuting", "device", "Cancels CX and merges turns across gates they commute with."},
    PassInfo{"match_templates", "device", "Replaces three CX by two where the first and the last are one."},
    PassInfo{"approximate_pairs", "device", "Leaves out tiny rotations inside the error budget."},
    PassInfo{"resynthesize_pairs", "device", "Writes what happens on two wires again with the fewest CX."},
    PassInfo{"resynthesize_paulis", "device", "Writes the program again from its Pauli rotations and Clifford."},
    PassInfo{"route", "device", "Places wires on the device and swaps them where they must meet."},
    PassInfo{"couple_paulis", "device",
             "Writes the placed program again from its Pauli rotations, along the device's edges."},
    PassInfo{"place_by_error", "device", "Moves the routed program to where the device's gates fail less often."},
    PassInfo{"translate", "device", "Writes the device's gates and fixes directions."},
};

// What a level may spend; counts only, so that the answer does not depend on the machine.
struct Effort {
  unsigned loops;       ///< rounds of cancelling and resynthesis at most
  unsigned paulis;      ///< Pauli networks that are tried
  unsigned layouts;     ///< from which a network along edges is tried
  bool templates;       ///< three CX become two
  bool orders;          ///< phases on three wires and more are met in two orders
  std::uint64_t trees;  ///< looks at trees that a network along edges may take
  RouteEffort route;
};

Effort effort_of(Level level, std::uint64_t seed) {
  switch (level) {
    case Level::low:
      return {.loops = 1,
              .paulis = 0,
              .layouts = 0,
              .templates = false,
              .orders = false,
              .trees = 0,
              .route = {.starts = 4, .rounds = 2, .finalists = 1, .keep = 1, .work = 60'000, .seed = seed}};
    case Level::medium:
      return {.loops = 3,
              .paulis = 0,
              .layouts = 0,
              .templates = true,
              .orders = false,
              .trees = 0,
              .route = {.starts = 12,
                        .along_path = true,
                        .rounds = 2,
                        .finalists = 3,
                        .keep = 2,
                        .work = 1'000'000,
                        .seed = seed}};
    case Level::high:
      return {.loops = 5,
              .paulis = 5,
              .layouts = 6,
              .templates = true,
              .orders = true,
              .trees = 3'000'000,
              .route = {.starts = 24,
                        .along_path = true,
                        .again = 24,
                        .rounds = 3,
                        .finalists = 8,
                        .keep = 6,
                        .work = 8'000'000,
                        .seed = seed}};
  }
  return {};
}

// With a budget, starts are as many as fit into it; half goes to layouts, the rest to networks. Rates as measured on
// one core of an EPYC 9004 at 2.6 GHz.
void spend(double seconds, Effort& effort) {
  constexpr double kNodesPerSecond = 600e3, kTreesPerSecond = 25e6;
  constexpr double kMost = 1e6;
  if (!(seconds > 0)) return;
  const double share = std::min(seconds, kMost) / 2;
  effort.route.work = static_cast<std::uint64_t>(share * kNodesPerSecond) + 1;
  effort.route.starts = 400;
  effort.route.finalists = 40;
  effort.route.keep = 12;
  effort.layouts = 12;
  effort.paulis = 12;
  effort.trees = static_cast<std::uint64_t>(share * kTreesPerSecond / effort.layouts) + 1;
}

class Compiler {
 public:
  Compiler(const Circuit& circuit, const CompileOptions& options)
      : circuit_(circuit),
        options_(options),
        target_(*options.target),
        basis_(target_.basis),
        budget_(options.error_budget) {
    if (target_.qubits == 0) target_.qubits = circuit.num_wires();
    if (circuit.num_wires() > target_.qubits) {
      throw Error(ErrorCode::out_of_range,
                  "the circuit has " + std::to_string(circuit.num_wires()) + " wires, the device " +
                      std::to_string(target_.qubits),
                  target_.name, "choose a larger device");
    }
    if (!target_.all_to_all) coupling_.emplace(target_);
  }

  Compiled run() {
    Flat unrolled;
    timed("unroll", unrolled, [&] { unrolled = unroll(circuit_); });
    // A level begins with what the level below gives, so that it is never worse.
    Placed best;
    for (const Level level : {Level::low, Level::medium, Level::high}) {
      if (level > options_.level) break;
      Placed placed = compile_at(level, level == options_.level ? std::exchange(unrolled, {}) : unrolled);
      if (level == Level::low || is_better(placed.flat, best.flat)) best = std::move(placed);
    }
    Compiled compiled;
    Circuit out;
    timed("translate", best.flat, [&] { out = translate(best.flat, circuit_, target_, basis_); });
    if (options_.level != Level::low && !target_.all_to_all && knows_errors(target_) && enabled("place_by_error")) {
      timed("place_by_error", best.flat, [&] { move_to_better_gates(best, out); });
    }
    Mapping mapping{.initial = std::move(best.initial), .spent_error = options_.error_budget - best.budget};
    for (Wire wire = 0; wire < circuit_.num_wires(); ++wire) mapping.final.push_back(best.flat.place(wire));
    compiled.program = std::move(out);
    compiled.mapping = std::move(mapping);
    compiled.passes = std::move(reports_);
    return compiled;
  }

 private:
  struct Placed {
    Flat flat;
    std::vector<Wire> initial;
    double budget = 0;
  };

  // Waiting costs, too, so the estimate has the last word.
  void move_to_better_gates(Placed& best, Circuit& out) {
    Placed moved = best;
    const std::string entangler = spelling(basis_.entangler().op, basis_.entangler().controls);
    if (!place_by_error(moved.flat, moved.initial, *coupling_, target_, entangler)) return;
    Circuit made = translate(moved.flat, circuit_, target_, basis_);
    if (estimate(made, target_).success_probability <= estimate(out, target_).success_probability) return;
    best = std::move(moved);
    out = std::move(made);
  }

  // Fewer CX, else a shorter chain of them.
  static bool is_better(const Flat& made, const Flat& best) {
    const std::size_t cx = made.cx_count(), least = best.cx_count();
    return cx != least ? cx < least : made.cx_depth() <= best.cx_depth();
  }

  // One way to write the program before it is placed, and what is left of the error budget.
  struct Candidate {
    Flat flat;
    double budget = 0;
  };

  Placed compile_at(Level level, Flat unrolled) {
    effort_ = effort_of(level, options_.seed);
    if (level == Level::high) spend(options_.time_budget_seconds, effort_);
    std::vector<Candidate> candidates;
    candidates.reserve(3);
    candidates.push_back(shrunk(std::move(unrolled)));
    if (effort_.orders && has_phases_on_three()) {
      Flat other;
      timed("unroll", other, [&] { other = unroll(circuit_, {.last_first = true}); });
      candidates.push_back(shrunk(std::move(other)));
    }
    std::optional<Paulis> paulis;
    if (effort_.paulis > 0 && enabled("resynthesize_paulis")) {
      timed("resynthesize_paulis", candidates[0].flat, [&] {
        paulis = find_paulis(candidates[0]);
        if (paulis) add_pauli_network(*paulis, candidates);
      });
    }
    Placed placed;
    placed.initial.resize(circuit_.num_wires());
    std::iota(placed.initial.begin(), placed.initial.end(), 0U);
    if (target_.all_to_all) {
      Candidate& best = *std::ranges::min_element(
          candidates, {}, [](const Candidate& c) { return std::pair(c.flat.cx_count(), c.flat.cx_depth()); });
      placed.flat = std::move(best.flat);
      placed.flat.wires = target_.qubits;
      placed.budget = best.budget;
    } else {
      place(candidates, paulis, placed);
    }
    return placed;
  }

  Candidate shrunk(Flat flat) {
    budget_ = options_.error_budget;
    shrink(flat, target_.all_to_all, true);
    return {.flat = std::move(flat), .budget = budget_};
  }

  bool has_phases_on_three() const {
    return std::ranges::any_of(circuit_.blocks(), [](const Block& block) {
      for (std::size_t i = 0; i < block.size(); ++i) {
        const Instruction at = block[i];
        if (is_gate(at.op) && at.controls > 0 && at.wires.size() > 2) return true;
      }
      return false;
    });
  }

  bool enabled(std::string_view name) const {
    return std::ranges::find(options_.disabled_passes, name) == options_.disabled_passes.end();
  }

  template <class Run>
  void timed(std::string_view name, const Flat& flat, Run run) {
    options_.control.check(name);
    const base::TraceSpan span(name, "passes");
    const auto begin = std::chrono::steady_clock::now();
    PassReport report{.name = std::string(name), .before = flat.gates.size()};
    run();
    report.after = flat.gates.size();
    report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    reports_.push_back(std::move(report));
  }

  // Cancels and resynthesises as long as CX go away.
  void shrink(Flat& flat, bool mirror, bool approximate) {
    std::size_t before = flat.cx_count();
    const auto cancel = [&] {
      if (enabled("cancel_commuting"))
        timed("cancel_commuting", flat, [&] { cancel_commuting(flat, circuit_.expressions()); });
    };
    cancel();
    if (mirror && effort_.templates && enabled("match_templates")) {
      bool matched = false;
      timed("match_templates", flat, [&] { matched = match_templates(flat); });
      if (matched) cancel();
    }
    if (approximate && budget_ > 0 && enabled("approximate_pairs"))
      timed("approximate_pairs", flat, [&] { approximate_pairs(flat, budget_); });
    for (unsigned loop = 0; loop < effort_.loops; ++loop) {
      bool changed = false;
      if (enabled("resynthesize_pairs"))
        timed("resynthesize_pairs", flat, [&] { changed = resynthesize_pairs(flat, mirror); });
      if (!changed) return;
      cancel();
      const std::size_t after = flat.cx_count();
      if (after >= before && loop > 0) return;
      before = after;
    }
  }

  // The program as Pauli rotations and what stands after them.
  struct Paulis {
    PauliProgram program;
    std::vector<Other> last;             ///< measurements at the end, wires as the program's
    std::vector<std::uint8_t> measured;  ///< wires of which they leave only the outcome
    std::vector<Wire> places;            ///< of the program's wires among the rows
    double budget = 0;
  };

  std::optional<Paulis> find_paulis(const Candidate& candidate) {
    constexpr std::size_t kMostRotations = 1500;
    Flat straight = candidate.flat;
    Paulis found{.last = take_last_measurements(straight), .budget = candidate.budget};
    auto program = pauli_program(straight, circuit_.expressions(), kMostRotations);
    if (!program) return std::nullopt;
    found.program = std::move(*program);
    found.measured.assign(straight.wires, 0);
    for (const Other& other : found.last) {
      if (other.op == Op::measure) found.measured[other.wires[0]] = 1;
    }
    for (Wire wire = 0; wire < straight.wires; ++wire) found.places.push_back(straight.place(wire));
    return found;
  }

  // Measurements go back where the rows have come to, and the program's wires are found there.
  static void finish(const Paulis& paulis, Flat& made) {
    put_last_measurements(made, paulis.last, made.places);
    std::vector<Wire> places;
    for (const Wire row : paulis.places) places.push_back(made.place(row));
    made.places = std::move(places);
  }

  static PauliStyle style(unsigned k, std::uint64_t seed) {
    constexpr std::array kDiscounts = {0.5, 0.25, 0.8};
    return {.discount = kDiscounts[k % kDiscounts.size()], .seed = seed + k};
  }

  // The best of a few networks for the whole program, when it has fewer CX than the program has now.
  void add_pauli_network(const Paulis& paulis, std::vector<Candidate>& candidates) {
    std::optional<Flat> best;
    // A network of many wires or rotations takes long; one has to do then.
    constexpr std::size_t kLarge = 4000;
    const unsigned tries = paulis.program.rotations.size() * paulis.program.wires > kLarge ? 1 : effort_.paulis;
    for (unsigned k = 0; k < tries; ++k) {
      Flat made = pauli_network(paulis.program, paulis.measured, style(k, options_.seed));
      shrink(made, true, false);
      if (!best || made.cx_count() < best->cx_count()) best = std::move(made);
    }
    finish(paulis, *best);
    candidates.push_back({.flat = std::move(*best), .budget = paulis.budget});
  }

  void place(std::vector<Candidate>& candidates, const std::optional<Paulis>& paulis, Placed& placed) {
    const Coupling& coupling = *coupling_;
    std::size_t least = static_cast<std::size_t>(-1), shortest = least;
    const auto offer = [&](Flat flat, const std::vector<Wire>& initial, double budget) {
      shrink(flat, false, false);
      const std::size_t cx = flat.cx_count(), depth = flat.cx_depth();
      if (std::pair(cx, depth) >= std::pair(least, shortest)) return;
      least = cx;
      shortest = depth;
      placed = {.flat = std::move(flat), .initial = initial, .budget = budget};
    };
    std::vector<std::vector<Wire>> layouts;
    std::vector<Flat> flats;
    std::vector<double> budgets;
    for (Candidate& candidate : candidates) {
      flats.push_back(std::move(candidate.flat));
      budgets.push_back(candidate.budget);
    }
    std::vector<Routed> routed;
    timed("route", flats[0], [&] { routed = route(flats, coupling, effort_.route); });
    for (Routed& one : routed) {
      if (layouts.size() < effort_.layouts) layouts.push_back(one.initial);
      offer(std::move(one.flat), one.initial, budgets[one.which]);
    }
    if (!paulis || !enabled("couple_paulis")) return;
    unsigned given_up = 0;
    for (std::size_t k = 0; k < layouts.size(); ++k) {
      Flat made;
      timed("couple_paulis", placed.flat, [&] { made = coupled(*paulis, coupling, layouts[k], k, least); });
      if (made.wires != 0) {
        offer(std::move(made), layouts[k], paulis->budget);
      } else if (++given_up == 2 && k == 1) {
        return;  // what takes too many CX from the two best layouts will from the others
      }
    }
  }

  // No wires where there is none.
  Flat coupled(const Paulis& paulis, const Coupling& coupling, const std::vector<Wire>& layout, std::size_t k,
               std::size_t least) const {
    const auto region = connected_region(coupling, layout);
    if (!region) return {};
    auto made =
        coupled_network(paulis.program, paulis.measured, *region, style(static_cast<unsigned>(k), options_.seed),
                        {.cx = least + least / 4 + 10, .work = effort_.trees});
    if (!made) return {};
    finish(paulis, *made);
    rename_wires(*made, region->wires);
    made->wires = coupling.size();
    return *std::move(made);
  }

  Circuit circuit_;
  const CompileOptions& options_;
  Target target_;
  std::optional<Coupling> coupling_;
  Basis basis_;
  Effort effort_{};
  double budget_;
  std::vector<PassReport> reports_;
};

}  // namespace

std::span<const PassInfo> device_passes() {
  return kPasses;
}

std::vector<std::string_view> device_pipeline(Level level) {
  std::vector<std::string_view> names = {"unroll", "cancel_commuting"};
  if (level != Level::low) names.emplace_back("match_templates");
  names.insert(names.end(), {"approximate_pairs", "resynthesize_pairs"});
  if (level == Level::high) names.emplace_back("resynthesize_paulis");
  names.emplace_back("route");
  if (level == Level::high) names.emplace_back("couple_paulis");
  if (level != Level::low) names.emplace_back("place_by_error");
  names.emplace_back("translate");
  return names;
}

Compiled compile_for_target(const Circuit& circuit, const CompileOptions& options) {
  return Compiler(circuit, options).run();
}

}  // namespace skerry::passes::native
