#include <algorithm>
#include <cmath>
#include <memory>
#include <skerry/error.hpp>
#include <string>

#include "base/threads.hpp"
#include "base/trace.hpp"
#include "sim/method.hpp"
#include "sim/tensor_network/request.hpp"
#include "sim/tensor_network/worker.hpp"

namespace skerry::sim {
namespace {

using Complex = std::complex<double>;
/// Slices whose sum one worker makes alone: fixed, so that no number of workers changes a bit of the result.
constexpr std::uint64_t kMostSums = 1024;

/// Contracts the networks of one kind.
template <class T>
class KindRun {
 public:
  /// bits: of the basis states, where it is amplitudes that are asked.
  KindRun(const Circuit& bound, std::span<const std::string> bits, const NetworkKind& kind, const Resources& resources)
      : bound_(bound), bits_(bits), kind_(kind), budget_(resources.memory), control_(resources.control) {}

  /// done: how much of the run is behind, share: how much this kind is of it.
  std::vector<Complex> run(double done, double share) {
    done_ = done;
    share_ = share / static_cast<double>(kind_.tasks.size());
    std::vector<Complex> values(kind_.tasks.size());
    if (kind_.sharing == NetworkKind::Sharing::tasks) {
      // Pieces are workers: each has its memory before the work begins.
      base::parallel_for(0, kind_.workers, 1, [&](std::size_t worker, std::size_t) {
        FixedPart<T> fixed(kind_.schedule, budget_);
        std::vector<Worker<T>> own;
        own.emplace_back(kind_.schedule, budget_);
        for (std::size_t task = worker; task < values.size(); task += kind_.workers)
          values[task] = contract(task, fixed, own);
      });
      return values;
    }
    FixedPart<T> fixed(kind_.schedule, budget_);
    std::vector<Worker<T>> workers;
    for (std::uint32_t i = 0; i < kind_.workers; ++i) workers.emplace_back(kind_.schedule, budget_);
    for (std::size_t task = 0; task < values.size(); ++task) values[task] = contract(task, fixed, workers);
    return values;
  }

 private:
  Complex contract(std::size_t task, FixedPart<T>& fixed, std::vector<Worker<T>>& workers) {
    const NetworkTask& asked = kind_.tasks[task];
    const std::string_view bits = bits_.empty() ? std::string_view() : bits_[asked.answer];
    std::vector<std::vector<Complex>> leaves;
    for (const LeafSource& source : asked.sources) leaves.push_back(leaf_values(bound_, source, bits));
    control_.check("contraction");
    fixed.fill(leaves, control_);
    const std::uint64_t slices = kind_.schedule.slices(), sums = std::min(slices, kMostSums), each = slices / sums;
    std::vector<Complex> partial(sums);
    base::parallel_for(0, workers.size(), 1, [&](std::size_t worker, std::size_t) {
      for (std::uint64_t sum = worker; sum < sums; sum += workers.size()) {
        for (std::uint64_t slice = sum * each; slice < (sum + 1) * each; ++slice) {
          control_.check("contraction");
          partial[sum] += workers[worker].slice(fixed, slice, control_);
        }
        const double part = static_cast<double>(sum + 1) / static_cast<double>(sums);
        control_.report(done_ + share_ * (static_cast<double>(task) + part), "contraction");
      }
    });
    Complex value = 0;
    for (const Complex sum : partial) value += sum;
    return value;
  }

  const Circuit& bound_;
  std::span<const std::string> bits_;
  const NetworkKind& kind_;
  base::MemoryBudget budget_;
  const RunControl& control_;
  double done_ = 0, share_ = 1;
};

class NetworkProgram final : public Program {
 public:
  NetworkProgram(Circuit circuit, NetworkRequest request)
      : circuit_(std::move(circuit)), request_(std::move(request)) {}

  CircuitResult run(std::span<const double> parameters, const Resources& resources) const override {
    if (request_.precision == Precision::single_precision) return run_in<float>(parameters, resources);
    return run_in<double>(parameters, resources);
  }

 private:
  template <class T>
  CircuitResult run_in(std::span<const double> parameters, const Resources& resources) const {
    const Circuit bound = circuit_.bind(parameters);
    base::MemoryBudget budget = resources.memory;
    const base::Reservation charge(budget, request_.amplitudes.size() * sizeof(Complex), "amplitudes");
    double total = 0, done = 0;
    const auto weight = [](const NetworkKind& kind) {
      return kind.cost.combined() * static_cast<double>(kind.tasks.size());
    };
    for (const auto* kinds : {&request_.amplitude_kinds, &request_.expectation_kinds})
      for (const NetworkKind& kind : *kinds) total += weight(kind);
    CircuitResult result;
    result.amplitudes.resize(request_.amplitudes.size());
    result.expectations = request_.constants;
    for (const auto* kinds : {&request_.amplitude_kinds, &request_.expectation_kinds}) {
      for (const NetworkKind& kind : *kinds) {
        const double share = weight(kind) / total;
        const std::span<const std::string> bits =
            kinds == &request_.amplitude_kinds ? request_.amplitudes : std::span<const std::string>();
        const auto values = KindRun<T>(bound, bits, kind, resources).run(done, share);
        done += share;
        for (std::size_t i = 0; i < values.size(); ++i) {
          const NetworkTask& task = kind.tasks[i];
          if (kinds == &request_.amplitude_kinds)
            result.amplitudes[task.answer] = values[i] * global_phase(bound);
          else
            result.expectations[task.answer] += task.coefficient * values[i].real();
        }
      }
    }
    return result;
  }

  Circuit circuit_;
  NetworkRequest request_;
};

Expected<Estimate> estimate(const Circuit& circuit, const RunOptions& options) {
  const base::TraceSpan span("find_path", "plan");
  auto request = make_network_request(circuit, options);
  if (!request) return Unexpected{request.error()};
  Estimate estimate{.peak_bytes = request->peak_bytes(), .work = request->price(), .rounding = std::nullopt};
  // shared: a std::function is copied, and what it holds is handed over once.
  auto held = std::make_shared<NetworkRequest>(std::move(request).value());
  estimate.prepare = [held, &circuit] { return std::make_unique<NetworkProgram>(circuit, std::move(*held)); };
  return estimate;
}

std::unique_ptr<Program> prepare(const Circuit& circuit, const RunOptions& options) {
  const auto estimated = estimate(circuit, options);
  if (!estimated) throw Error(ErrorCode::unsupported, estimated.error(), "tensor_network");
  return estimated->prepare();
}

}  // namespace

extern const Method tensor_network_method;
const Method tensor_network_method = {
    .name = "tensor_network",
    .help =
        "contraction of the circuit as a network; single amplitudes and expectation values of shallow wide circuits",
    .estimate = estimate,
    .prepare = prepare,
    .gives_amplitudes = true,
    .is_dear_to_price = true,
};

}  // namespace skerry::sim
