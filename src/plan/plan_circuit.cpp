#include <cmath>
#include <limits>
#include <skerry/checkpoint.hpp>
#include <skerry/error.hpp>

#include "base/trace.hpp"
#include "ir/verify.hpp"
#include "plan/budget.hpp"
#include "plan/planner.hpp"

namespace skerry::planning {
namespace {

// Below this a wrong prediction harms nobody, so that a first small run does not wait for a measurement.
constexpr double kWorthMeasuring = 0.05;

// Methods give different samples for one seed. So that a seed's samples do not change with the day or the machine, they
// are compared by the table of rates that is the same everywhere, and an earlier row of methods.def stays unless a
// later one saves a time worth having.
constexpr double kWorthLeaving = 0.02;
constexpr double kMuchFaster = 0.5;
// A run that another method does in less is not made to wait for a price that takes long to find.
constexpr double kWorthSearching = 2.0;
constexpr std::uint32_t kStateWires = 50;

struct Choice {
  const sim::Method* method = nullptr;
  std::function<std::unique_ptr<sim::Program>()> prepare{};  ///< see sim::Estimate
  Plan report;
};

double predicted_seconds(const sim::Estimate& estimate, int threads, bool must_be_right, const RunControl& control,
                         bool& measured) {
  auto rates = machine_rates(threads, false);
  double seconds = kernels::seconds(estimate.work, rates);
  if (!rates.measured && (must_be_right || seconds > kWorthMeasuring)) {
    rates = machine_rates(threads, true, control);
    seconds = kernels::seconds(estimate.work, rates);
  }
  measured = rates.measured;
  return seconds;
}

Plan empty_report(const RunOptions& options) {
  Plan report;
  report.kind = "circuit";
  report.precision = options.precision;
  report.threads = planned_threads(options.limits);
  report.max_memory_bytes = options.limits.max_memory_bytes;
  if (options.limits.max_execution_time) report.max_seconds = options.limits.max_execution_time->count();
  return report;
}

// Why a method is out of the question whatever it would cost.
std::string out_of_place(const sim::Method& method, const Circuit& circuit, const RunOptions& options) {
  const bool noisy = (options.noise != nullptr && !options.noise->empty()) || !circuit.channels().empty();
  if (noisy && !method.takes_noise) return "simulates no noise";
  if (options.resume && options.resume->method != method.name)
    return "does not go on from what " + options.resume->method + " left";
  if (!options.amplitudes.empty() && !method.gives_amplitudes) return "gives no single amplitudes";
  // Below, states fit or are cut into pieces that do (edge), which needs no search.
  if (options.method == "auto" && method.is_dear_to_price && options.amplitudes.empty() &&
      circuit.num_wires() <= kStateWires)
    return "is looked into for amplitudes, or beyond " + std::to_string(kStateWires) + " wires; choose it by name";
  if (options.want_density && !method.takes_noise) return "gives no density matrix";
  if (method.takes_noise && !noisy && !options.want_density && options.method != method.name)
    return "there is no noise to simulate";
  return {};
}

// See Candidate::error_bound; none of a circuit that may go round.
std::optional<double> rounding_of_gates(const Circuit& circuit, Precision precision) {
  const bool is_single = precision == Precision::single_precision;
  const double unit = is_single ? std::numeric_limits<float>::epsilon() : std::numeric_limits<double>::epsilon();
  double units = 0;
  for (const Block& block : circuit.blocks()) {
    for (std::size_t i = 0; i < block.size(); ++i) {
      const Instruction instruction = block[i];
      if (instruction.op == Op::while_loop) return std::nullopt;
      if (!is_gate(instruction.op)) continue;
      const double rows = std::exp2(instruction.targets().size());
      units += 2 * (rows + 4) * std::sqrt(rows);
    }
  }
  return units * unit;
}

// Considers every method; among those that fit the memory the first wins that no later one beats by far, the smallest
// if none fits.
Choice choose(const Circuit& circuit, const RunOptions& options, bool must_be_right, bool tell_all) {
  check_limits(options.limits);
  Choice choice{.report = empty_report(options)};
  Plan& report = choice.report;
  if (options.method != "auto") sim::find_method(options.method);

  const auto fits = [&options](const Candidate& candidate) {
    return candidate.peak_bytes <= memory_limit(options.limits, candidate.peak_bytes);
  };
  std::size_t best = 0;
  double best_seconds = 0.0;  // by the common table of rates
  const bool on_modes = acts_on_modes(circuit);
  const auto gates_rounding = tell_all ? rounding_of_gates(circuit, options.precision) : std::nullopt;
  if (on_modes) ir::verify(circuit);  // builders do not look whether qubits and modes mix
  for (const sim::Method& method : sim::methods()) {
    const bool by_name = options.method == method.name;
    if (method.on_modes != on_modes && !by_name) continue;
    if (!tell_all && options.method != "auto" && !by_name) continue;  // it could not win
    const bool is_quick = choice.method != nullptr && best_seconds < kWorthSearching && fits(report.candidates[best]);
    if (!tell_all && !by_name && method.is_dear_to_price && is_quick) continue;
    Candidate candidate;
    candidate.name = method.name;
    std::string reason = method.on_modes == on_modes ? out_of_place(method, circuit, options)
                         : on_modes                  ? "simulates qubits, and the wires are optical modes"
                                                     : "simulates optical modes, and the wires are qubits";
    auto estimate = reason.empty() ? method.estimate(circuit, options) : Unexpected{std::move(reason)};
    const bool wanted = by_name || (options.method == "auto" && !(estimate && estimate->may_approximate));
    if (!estimate) {
      candidate.reason = estimate.error();
    } else {
      candidate.peak_bytes = estimate->peak_bytes;
      candidate.seconds =
          predicted_seconds(*estimate, report.threads, must_be_right, options.limits.control, report.rates_measured);
      candidate.may_approximate = estimate->may_approximate;
      const auto rounding = on_modes ? std::nullopt : estimate->rounding;
      if (rounding && gates_rounding) candidate.error_bound = *rounding * *gates_rounding;
      if (!wanted) {
        candidate.reason = options.method == "auto" ? "may cut off more than rounding; choose it by name to allow that"
                                                    : "method is set to " + options.method;
      }
    }
    report.candidates.push_back(candidate);
    if (!estimate || !wanted) continue;
    const double common_seconds = kernels::seconds(estimate->work, kernels::fallback_rates(report.threads));
    const auto is_better = [&](const Candidate& known) {
      if (fits(candidate) != fits(known)) return fits(candidate);
      if (!fits(candidate)) return candidate.peak_bytes < known.peak_bytes;
      return best_seconds > kWorthLeaving && common_seconds < kMuchFaster * best_seconds;
    };
    if (choice.method == nullptr || is_better(report.candidates[best])) {
      choice.method = &method;
      choice.prepare = std::move(estimate).value().prepare;
      best = report.candidates.size() - 1;
      best_seconds = common_seconds;
    }
    // Nothing that follows could win: a short run is not made to wait for the prices of the others.
    if (!tell_all && best_seconds <= kWorthLeaving && fits(report.candidates[best])) break;
  }
  if (report.candidates.empty()) {
    throw Error(ErrorCode::unsupported, "this program simulates qubits, and the wires are optical modes", circuit.name,
                "run it with skerry");
  }
  if (choice.method == nullptr) {
    std::string reasons;
    for (const auto& candidate : report.candidates)
      reasons += (reasons.empty() ? "" : "; ") + candidate.name + ": " + candidate.reason;
    throw Error(ErrorCode::unsupported, "no method can run this circuit (" + reasons + ")", circuit.name);
  }
  for (std::size_t i = 0; i < report.candidates.size(); ++i) {
    Candidate& candidate = report.candidates[i];
    candidate.chosen = i == best;
    if (!candidate.chosen && candidate.reason.empty()) {
      const bool slower = candidate.seconds >= report.candidates[best].seconds;
      candidate.reason = !fits(candidate) ? "needs more memory than the budget"
                         : slower         ? "predicted slower"
                                          : "predicted faster, but by too little to leave the exact amplitudes";
    }
  }
  report.method = choice.method->name;
  report.peak_bytes = report.candidates[best].peak_bytes;
  report.memory.state = report.peak_bytes;
  report.seconds = report.candidates[best].seconds;
  return choice;
}

constexpr const char* kMemoryHint =
    "raise max_memory_mb, use precision single (half the bytes), ask for fewer results, or run on a larger machine";

}  // namespace

CircuitPlan plan_circuit(const Circuit& circuit, const RunOptions& options) {
  const base::TraceSpan span("plan_circuit", "plan");
  Choice choice = choose(circuit, options, options.limits.max_execution_time.has_value(), false);
  enforce(choice.report, options.limits, kMemoryHint);
  auto program = choice.prepare ? choice.prepare() : choice.method->prepare(circuit, options);
  return {std::move(choice.report), std::move(program)};
}

Plan predict_circuit(const Circuit& circuit, const RunOptions& options, std::string* refusal) {
  Choice choice = choose(circuit, options, true, true);
  if (refusal != nullptr) {
    try {
      enforce(choice.report, options.limits, kMemoryHint);
    } catch (const Error& error) {
      *refusal = error.what();
    }
  }
  return std::move(choice.report);
}

}  // namespace skerry::planning
