#include <algorithm>
#include <cstdio>
#include <functional>
#include <memory>
#include <skerry/compile.hpp>
#include <skerry/profile.hpp>
#include <utility>

#include "exec/executor.hpp"
#include "ops/nn/flops.hpp"
#include "plan/budget.hpp"
#include "plan/planner.hpp"
#include "runtime/step_times.hpp"

namespace skerry {
namespace {

constexpr std::uint64_t kCachedBytes = std::uint64_t{1} << 20;  // what the planner takes for it

bool counts_in_int8(std::string_view kernel) {
  return kernel.find("i8") != std::string_view::npos;
}

// Where a step stands under the roof of its bytes and its arithmetic.
void place_under_roof(ProfiledStep& step, const Peaks& peaks) {
  step.int8 = counts_in_int8(step.kernel);
  const double arithmetic = step.int8 ? peaks.int8_per_second : peaks.flops_per_second;
  const double bandwidth = step.bytes <= kCachedBytes ? peaks.cached_bytes_per_second : peaks.bytes_per_second;
  const double by_arithmetic = step.flops / arithmetic, by_bytes = static_cast<double>(step.bytes) / bandwidth;
  step.memory_bound = by_bytes > by_arithmetic;
  if (step.seconds <= 0.0) return;
  step.share_of_peak = by_arithmetic / step.seconds;
  step.share_of_roof = std::max(by_arithmetic, by_bytes) / step.seconds;
}

std::string line(const char* format, auto... values) {
  char text[256];
  const int length = std::snprintf(text, sizeof text, format, values...);
  return {text, static_cast<std::size_t>(std::clamp(length, 0, static_cast<int>(sizeof text) - 1))};
}

}  // namespace

Peaks machine_peaks(int threads) {
  const int planned = planning::planned_threads({.threads = threads});
  const kernels::Rates rates = planning::machine_rates(planned, true);
  using kernels::Rate;
  return {planned,
          rates.measured,
          1.0 / rates[Rate::gemm_f32],
          1.0 / rates[Rate::gemm_i8],
          1.0 / rates[Rate::stream],
          1.0 / rates[Rate::stream_cached]};
}

Profile profile(const Graph& graph, const NamedTensors& inputs, const Limits& limits, std::size_t runs) {
  const RunControl control = exec::started(limits);
  Profile profile{.name = graph.name, .peaks = machine_peaks(limits.threads), .runs = runs};
  const std::vector<TensorView> views = runtime::in_order(graph, inputs);
  std::vector<TensorType> types;
  for (const TensorView& view : views) types.push_back(TensorType::of(view.dtype(), view.shape()));
  const auto compiled = std::get<Graph>(compile(graph, {.level = Level::high}).program);
  const auto plan = std::make_shared<const planning::GraphPlan>(planning::plan_graph(compiled, types, limits));
  exec::GraphExecutor executor(plan, limits);
  const std::vector<StepTime> times = runtime::step_times(executor, views, control, runs);
  for (std::size_t i = 0; i < times.size(); ++i) {
    ProfiledStep step;
    static_cast<StepTime&>(step) = times[i];
    step.flops = ops::flops(plan->graph, plan->graph.node(plan->steps[i].node)) * static_cast<double>(plan->slices);
    place_under_roof(step, profile.peaks);
    profile.seconds += step.seconds;
    profile.flops += step.flops;
    profile.bytes += step.bytes;
    profile.steps.push_back(std::move(step));
  }
  return profile;
}

std::string Profile::text() const {
  std::vector<const ProfiledStep*> order;
  for (const ProfiledStep& step : steps) order.push_back(&step);
  std::ranges::stable_sort(order, std::greater(), [](const ProfiledStep* step) { return step->seconds; });
  std::string out = line("%10s %6s %10s %8s %8s %6s %6s  %s\n", "time", "share", "predicted", "GB/s", "GFLOP/s", "peak",
                         "roof", "step");
  for (const ProfiledStep* step : order) {
    const double rate = step->seconds > 0.0 ? 1e-9 / step->seconds : 0.0;
    out += line("%10s %5.1f%% %10s %8.1f %8.1f %5.0f%% %5.0f%%  ", planning::seconds_text(step->seconds).c_str(),
                seconds > 0.0 ? 100.0 * step->seconds / seconds : 0.0,
                planning::seconds_text(step->predicted_seconds).c_str(), static_cast<double>(step->bytes) * rate,
                step->flops * rate, 100.0 * step->share_of_peak, 100.0 * step->share_of_roof);
    out += step->op + " " + step->node + ", " + step->kernel + " -> " + step->output + "\n";
  }
  out += line("%10s in %zu steps, %.3g operations (%.1f GFLOP/s), %s\n", planning::seconds_text(seconds).c_str(),
              steps.size(), flops, seconds > 0.0 ? flops / seconds * 1e-9 : 0.0, planning::bytes_text(bytes).c_str());
  out += line("peaks of %d threads: %.1f GFLOP/s, %.1f GOP/s in 8 bits, %.1f GB/s from memory, %.1f from the cache\n",
              peaks.threads, peaks.flops_per_second * 1e-9, peaks.int8_per_second * 1e-9, peaks.bytes_per_second * 1e-9,
              peaks.cached_bytes_per_second * 1e-9);
  return out;
}

}  // namespace skerry
