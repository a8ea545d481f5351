// The device compiler on one page.
//
//   unroll                 any gate -> one-wire gates, CX; swap gates become renamings
//   cancel_commuting       CX pairs and turns that meet across what they commute with
//   approximate_pairs      inside the error budget
//   resynthesize_pairs     blocks on two wires, at most three CX each
//   route                  layout and swaps, where not every pair of wires may meet
//   cancel_commuting, resynthesize_pairs again, as long as CX go away
//   translate              the device's gates, directions fixed
#include "passes/native/native.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <numeric>
#include <skerry/error.hpp>
#include <utility>

#include "base/trace.hpp"
#include "passes/native/rewrite.hpp"
#include "passes/native/route.hpp"
#include "passes/native/translate.hpp"
#include "passes/native/unroll.hpp"

namespace skerry::passes::native {
namespace {

constexpr std::array kPasses = {
    PassInfo{"unroll", "device", "Writes every gate as gates of one wire and CX."},
    PassInfo{"cancel_commuting", "device", "Cancels CX and merges turns across gates they commute with."},
    PassInfo{"approximate_pairs", "device", "Leaves out tiny rotations inside the error budget."},
    PassInfo{"resynthesize_pairs", "device", "Writes what happens on two wires again with the fewest CX."},
    PassInfo{"route", "device", "Places wires on the device and swaps them where they must meet."},
    PassInfo{"translate", "device", "Writes the device's gates and fixes directions."},
};

// What a level may spend; counts only, so that the answer does not depend on the machine.
struct Effort {
  unsigned loops;  ///< rounds of cancelling and resynthesis at most
  RouteEffort route;
};

Effort effort_of(Level level, std::uint64_t seed) {
  switch (level) {
    case Level::low:
      return {.loops = 1, .route = {.layouts = 3, .rounds = 1, .keep = 1, .seed = seed}};
    case Level::medium:
      return {.loops = 3, .route = {.layouts = 12, .rounds = 2, .keep = 2, .seed = seed}};
    case Level::high:
      return {.loops = 5, .route = {.layouts = 60, .rounds = 3, .keep = 6, .seed = seed}};
  }
  return {};
}

class Compiler {
 public:
  Compiler(const Circuit& circuit, const CompileOptions& options)
      : circuit_(circuit),
        options_(options),
        target_(*options.target),
        basis_(target_.basis),
        effort_(effort_of(options.level, options.seed)),
        budget_(options.error_budget) {
    if (target_.qubits == 0) target_.qubits = circuit.num_wires();
    if (circuit.num_wires() > target_.qubits) {
      throw Error(ErrorCode::out_of_range,
                  "the circuit has " + std::to_string(circuit.num_wires()) + " wires, the device " +
                      std::to_string(target_.qubits),
                  target_.name, "choose a larger device");
    }
  }

  Compiled run() {
    Flat flat;
    timed("unroll", flat, [&] { flat = unroll(circuit_); });
    shrink(flat, target_.all_to_all, true);
    std::vector<Wire> initial(circuit_.num_wires());
    std::iota(initial.begin(), initial.end(), 0U);
    if (target_.all_to_all) {
      flat.wires = target_.qubits;
    } else {
      place(flat, initial);
    }
    Compiled compiled;
    Circuit out;
    timed("translate", flat, [&] { out = translate(flat, circuit_, target_, basis_); });
    Mapping mapping{.initial = std::move(initial), .spent_error = options_.error_budget - budget_};
    for (Wire wire = 0; wire < circuit_.num_wires(); ++wire) mapping.final.push_back(flat.place(wire));
    compiled.program = std::move(out);
    compiled.mapping = std::move(mapping);
    compiled.passes = std::move(reports_);
    return compiled;
  }

 private:
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

  void place(Flat& flat, std::vector<Wire>& initial) {
    const Coupling coupling(target_);
    std::vector<Routed> routed;
    timed("route", flat, [&] { routed = route(flat, coupling, effort_.route); });
    std::size_t best = 0, least = static_cast<std::size_t>(-1);
    for (std::size_t i = 0; i < routed.size(); ++i) {
      shrink(routed[i].flat, false, false);
      const std::size_t cx = routed[i].flat.cx_count();
      if (cx >= least) continue;
      least = cx;
      best = i;
    }
    flat = std::move(routed[best].flat);
    initial = std::move(routed[best].initial);
  }

  Circuit circuit_;
  const CompileOptions& options_;
  Target target_;
  Basis basis_;
  Effort effort_;
  double budget_;
  std::vector<PassReport> reports_;
};

}  // namespace

std::span<const PassInfo> device_passes() {
  return kPasses;
}

std::vector<std::string_view> device_pipeline(Level /*level*/) {
  return {"unroll", "cancel_commuting", "approximate_pairs", "resynthesize_pairs", "route", "translate"};
}

Compiled compile_for_target(const Circuit& circuit, const CompileOptions& options) {
  return Compiler(circuit, options).run();
}

}  // namespace skerry::passes::native
