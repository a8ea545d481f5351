#include "cli/output.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/memory_usage.hpp"
#include "plan/budget.hpp"

namespace skerry::cli {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxJsonElements = 4096;

template <class T>
json elements_json(const Tensor& tensor) {
  json array = json::array();
  for (const T value : tensor.as<T>()) array.push_back(value);
  return array;
}

// Elements of the common dtypes; others are told by type alone.
json elements_json(const Tensor& tensor) {
  switch (tensor.dtype()) {
    case DType::f32:
      return elements_json<float>(tensor);
    case DType::f64:
      return elements_json<double>(tensor);
    case DType::i32:
      return elements_json<std::int32_t>(tensor);
    case DType::i64:
      return elements_json<std::int64_t>(tensor);
    case DType::u8:
      return elements_json<std::uint8_t>(tensor);
    case DType::i8:
      return elements_json<std::int8_t>(tensor);
    case DType::boolean:
      return elements_json<bool>(tensor);
    default:
      return nullptr;
  }
}

json tensor_json(const Tensor& tensor) {
  json out = {{"dtype", dtype_name(tensor.dtype())}, {"shape", tensor.shape().dims()}};
  if (static_cast<std::size_t>(tensor.shape().elements()) <= kMaxJsonElements) out["data"] = elements_json(tensor);
  return out;
}

// Six digits are for eyes; whoever needs all of them takes --json or a file.
std::string element_text(const json& element) {
  if (!element.is_number_float()) return element.dump();
  std::array<char, 32> digits{};
  std::snprintf(digits.data(), digits.size(), "%.6g", element.get<double>());
  return digits.data();
}

json candidate_json(const Candidate& candidate) {
  json out = {{"name", candidate.name},
              {"chosen", candidate.chosen},
              {"reason", candidate.reason},
              {"peak_bytes", candidate.peak_bytes},
              {"seconds", candidate.seconds}};
  if (candidate.error_bound) out["error_bound"] = *candidate.error_bound;
  return out;
}

json candidates_json(const std::vector<Candidate>& candidates) {
  json array = json::array();
  for (const auto& candidate : candidates) array.push_back(candidate_json(candidate));
  return array;
}

}  // namespace

void print_json(const json& object) {
  const std::string text = object.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
  std::fwrite(text.data(), 1, text.size(), stdout);
}

json error_json(const Error& error) {
  return {{"ok", false},
          {"error",
           {{"code", error_info(error.code()).name},
            {"message", error.message()},
            {"where", error.where()},
            {"hint", error.hint()}}},
          {"process_peak_bytes", base::peak_resident_bytes()}};
}

json report_json(const RunReport& report) {
  return {{"method", report.method},
          {"threads", report.threads},
          {"predicted_bytes", report.predicted_bytes},
          {"peak_bytes", report.peak_bytes},
          {"predicted_seconds", report.predicted_seconds},
          {"seconds", report.seconds},
          {"process_peak_bytes", base::peak_resident_bytes()}};
}

json plan_json(const Plan& plan) {
  json steps = json::array();
  for (const auto& step : plan.steps) {
    steps.push_back({{"node", step.node},
                     {"op", step.op},
                     {"kernel", step.kernel},
                     {"output", step.output},
                     {"seconds", step.seconds},
                     {"candidates", candidates_json(step.candidates)}});
  }
  const MemoryReport& memory = plan.memory;
  json out = {{"kind", plan.kind},
              {"placement", plan.placement},
              {"method", plan.method},
              {"precision", plan.precision == Precision::single_precision ? "single" : "double"},
              {"threads", plan.threads},
              {"peak_bytes", plan.peak_bytes},
              {"seconds", plan.seconds},
              {"rates_measured", plan.rates_measured},
              {"candidates", candidates_json(plan.candidates)},
              {"memory",
               {{"weights", memory.weights},
                {"packed", memory.packed},
                {"arena", memory.arena},
                {"scratch", memory.scratch},
                {"outputs", memory.outputs},
                {"state", memory.state}}}};
  if (!steps.empty()) out["steps"] = std::move(steps);
  if (plan.max_memory_bytes) out["max_memory_bytes"] = *plan.max_memory_bytes;
  if (plan.max_seconds) out["max_seconds"] = *plan.max_seconds;
  return out;
}

json result_json(const Result& result) {
  json out = report_json(result.report);
  out["ok"] = true;
  if (result.counts.size() > 0) {
    json counts = json::object();
    for (std::size_t i = 0; i < result.counts.size(); ++i) counts[result.counts.text(i)] = result.counts.times(i);
    out["counts"] = std::move(counts);
  }
  if (!result.expectations.empty()) out["expectations"] = result.expectations;
  if (!result.standard_errors.empty()) out["standard_errors"] = result.standard_errors;
  if (!result.amplitudes.empty()) {
    json amplitudes = json::array();
    for (const std::complex<double> amplitude : result.amplitudes)
      amplitudes.push_back({amplitude.real(), amplitude.imag()});
    out["amplitudes"] = std::move(amplitudes);
  }
  if (result.probabilities) out["probabilities"] = tensor_json(*result.probabilities);
  if (!result.outputs.empty()) out["outputs"] = result.outputs;
  if (result.bond_dimension != 0) {
    out["bond_dimension"] = result.bond_dimension;
    out["discarded_weight"] = result.discarded_weight;
    out["error_bound"] = result.error_bound;
  }
  if (result.report.method == "fock") out["truncation_leak"] = result.discarded_weight;
  for (const auto& [name, tensor] : result.tensors) out["tensors"][name] = tensor_json(tensor);
  return out;
}

void print_stabilizer(const StabilizerCounts& counts, bool has_events, bool json) {
  const char* const bits = has_events ? "detectors" : "records";
  if (json) {
    return print_json({{"ok", true},
                       {"shots", counts.shots},
                       {"shots_with_events", counts.shots_with_events},
                       {bits, counts.bits},
                       {"observables", counts.observables}});
  }
  const auto shots = static_cast<double>(std::max<std::uint64_t>(counts.shots, 1));
  double ones = 0;
  for (const std::uint64_t times : counts.bits) ones += static_cast<double>(times);
  std::printf("%s %zu, %.6g of them 1 in a shot\n", bits, counts.bits.size(), ones / shots);
  if (has_events) {
    std::printf("shots with events %llu of %llu\n", static_cast<unsigned long long>(counts.shots_with_events),
                static_cast<unsigned long long>(counts.shots));
  }
  for (std::size_t i = 0; i < counts.observables.size(); ++i)
    std::printf("observable %zu flipped %llu times, %.6g of shots\n", i,
                static_cast<unsigned long long>(counts.observables[i]),
                static_cast<double>(counts.observables[i]) / shots);
}

std::string histogram(const Counts& counts, std::size_t rows) {
  constexpr std::size_t kBar = 40;
  std::vector<std::size_t> order(counts.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return counts.times(a) > counts.times(b); });
  const std::size_t shown = std::min(rows, order.size());
  std::uint64_t rest = counts.shots();
  const auto shots = static_cast<double>(std::max<std::uint64_t>(counts.shots(), 1));
  std::string out;
  std::array<char, 64> numbers{};
  for (std::size_t i = 0; i < shown; ++i) {
    const std::uint64_t times = counts.times(order[i]);
    rest -= times;
    const auto bar = static_cast<std::size_t>(static_cast<double>(kBar) * static_cast<double>(times) /
                                              static_cast<double>(counts.times(order[0])));
    std::snprintf(numbers.data(), numbers.size(), " %10llu %6.2f %% ", static_cast<unsigned long long>(times),
                  100.0 * static_cast<double>(times) / shots);
    out += counts.text(order[i]) + numbers.data();
    for (std::size_t k = 0; k < bar; ++k) out += "█";
    out += "\n";
  }
  if (order.size() > shown) {
    out += "and " + std::to_string(order.size() - shown) + " more outcomes with " + std::to_string(rest) + " shots\n";
  }
  return out;
}

std::string tensor_text(const Tensor& tensor) {
  constexpr std::size_t kShown = 16;
  std::string out = TensorType::of(tensor.dtype(), tensor.shape()).text();
  const json all =
      static_cast<std::size_t>(tensor.shape().elements()) <= kMaxJsonElements ? elements_json(tensor) : json(nullptr);
  if (!all.is_array()) return out;
  for (std::size_t i = 0; i < std::min(kShown, all.size()); ++i) out += (i == 0 ? " " : ", ") + element_text(all[i]);
  return all.size() > kShown ? out + ", …" : out;
}

std::string report_text(const RunReport& report) {
  return "predicted " + planning::seconds_text(report.predicted_seconds) + " and " +
         planning::bytes_text(report.predicted_bytes) + ", took " + planning::seconds_text(report.seconds) + " and " +
         planning::bytes_text(report.peak_bytes) + ", " + report.method + " on " + std::to_string(report.threads) +
         (report.threads == 1 ? " thread" : " threads");
}

}  // namespace skerry::cli
