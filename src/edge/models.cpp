#include "edge/models.hpp"

#include <algorithm>
#include <chrono>
#include <future>
#include <utility>

#include "edge/remote/cloud.hpp"
#include "ops/hybrid/census.hpp"
#include "ops/nn/op_record.hpp"
#include "package/package.hpp"
#include "plan/budget.hpp"
#include "runtime/step_times.hpp"

namespace skerry::edge {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

bool is_over_budget(const Error& error) {
  return error.code() == ErrorCode::budget_exceeded || error.code() == ErrorCode::deadline_exceeded;
}

std::uint64_t bytes_of(const NamedTensors& tensors) {
  std::uint64_t bytes = 0;
  for (const auto& [name, tensor] : tensors) bytes += tensor.view().bytes();
  return bytes;
}

std::uint64_t weight_bytes(const Graph& graph) {
  std::uint64_t bytes = 0;
  for (const Value& value : graph.values()) bytes += value.constant ? value.constant->view().bytes() : 0;
  return bytes;
}

// Without a limit: what it would take is told however much it is.
Plan free_plan(const Graph& graph, std::span<const TensorType> types, Limits limits) {
  limits.max_memory_bytes = std::uint64_t{1} << 62;
  limits.max_execution_time = std::chrono::duration<double>(1e9);  // set, so that the machine's rates are measured
  return skerry::plan(graph, types, limits);
}

std::vector<TensorType> types_of(const Graph& graph) {
  std::vector<TensorType> types;
  for (const ValueId id : graph.inputs()) types.push_back(graph.value(id).type);
  return types;
}

/// What a half is given, from the tensors at hand.
NamedTensors given(const Graph& half, const NamedTensors& inputs, const NamedTensors& made) {
  NamedTensors out;
  for (const ValueId id : half.inputs()) {
    for (const NamedTensors* from : {&made, &inputs}) {
      const auto found = std::ranges::find(*from, half.value(id).name, &NamedTensors::value_type::first);
      if (found == from->end()) continue;
      out.push_back(*found);
      break;
    }
  }
  return out;
}

PieceReport piece(const Graph& half, const Plan& plan, ExecutionMethod place) {
  return {.peak_bytes = plan.peak_bytes,
          .seconds = plan.seconds,
          .place = place,
          .nodes = static_cast<std::uint32_t>(half.nodes().size())};
}

}  // namespace

ModelRun::ModelRun(const EdgeExecutionConfig& config, const Graph& graph, const NamedTensors& inputs,
                   RunControl control)
    : config_(config), inputs_(inputs), control_(std::move(control)), graph_(std::make_shared<const Graph>(graph)) {
  for (const TensorView& view : runtime::in_order(graph, inputs))
    types_.push_back(TensorType::of(view.dtype(), view.shape()));
  Plan plan;
  try {
    if (config.max_memory_mb > 0.0) plan = skerry::plan(graph, types_, limits());
  } catch (const Error& error) {
    if (!is_over_budget(error)) throw;
    cannot_run_ = error.message();
  }
  if (plan.kind.empty()) plan = free_plan(graph, types_, limits());
  peak_bytes_ = plan.peak_bytes;
  seconds_ = plan.seconds;
  whole_bytes_ = weight_bytes(graph) + bytes_of(inputs);
}

Limits ModelRun::limits() const {
  Limits out;
  out.threads = config_.threads;
  out.max_memory_bytes = static_cast<std::uint64_t>(config_.max_memory_mb * 1e6);
  out.max_execution_time = std::chrono::duration<double>(config_.max_execution_time);
  out.control = control_;
  return out;
}

void ModelRun::cut() {
  for (const HalfHere here : {HalfHere::head, HalfHere::tail}) {
    try {
      GraphCut found = cut_graph(*graph_, types_, config_, here);
      if (!cut_ || found.moved_bytes() < cut_->moved_bytes()) cut_ = std::move(found);
    } catch (const Error& error) {
      if (!is_over_budget(error)) throw;
      why_whole_ += (why_whole_.empty() ? "" : "; ") + error.message();
    }
  }
  if (!cut_) return;
  why_whole_.clear();
  if (cut_->moved_bytes() > whole_bytes_) {
    why_whole_ = "a half at the endpoint would move " + planning::bytes_text(cut_->moved_bytes()) + ", the whole " +
                 planning::bytes_text(whole_bytes_);
    cut_.reset();
    return;
  }
  const bool head_here = cut_->here == HalfHere::head;
  const Graph& far = head_here ? cut_->tail : cut_->head;
  const Plan far_plan = free_plan(far, types_of(far), limits());
  const auto place = [](bool here) { return here ? ExecutionMethod::edge : ExecutionMethod::cloud; };
  split_.emplace();
  split_->pieces = {piece(cut_->head, head_here ? cut_->here_plan : far_plan, place(head_here)),
                    piece(cut_->tail, head_here ? far_plan : cut_->here_plan, place(!head_here))};
  split_->peak_bytes = cut_->here_plan.peak_bytes;
  split_->seconds = cut_->here_plan.seconds;
  split_->crossing_bytes = cut_->crossing_bytes;
  split_->weight_bytes = cut_->weight_bytes;
}

Question ModelRun::question(const Resources& resources, std::string endpoint_failure) {
  const bool has_cloud = config_.fallback_to_cloud && !config_.cloud_endpoint.empty();
  if (cannot_run_.empty()) {
    why_whole_ = config_.max_memory_mb > 0.0 ? "it fits whole" : "nothing runs here";
  } else if (!has_cloud) {
    why_whole_ = "its other half needs an endpoint";
  } else if (!cut_) {
    cut();
  }
  // The judgement of bytes and seconds says more than the refusal, where both refuse.
  const bool judged =
      static_cast<double>(peak_bytes_) > config_.max_memory_mb * 1e6 || seconds_ > config_.max_execution_time;
  return {.config = config_,
          .peak_bytes = peak_bytes_,
          .seconds = seconds_,
          .cannot_run = judged ? std::string() : cannot_run_,
          .split = split_,
          .why_not_split = why_whole_,
          .resources = resources,
          .endpoint_failure = std::move(endpoint_failure),
          .whole_bytes = whole_bytes_};
}

Result ModelRun::run_here(const Graph& graph, const NamedTensors& inputs, std::vector<PartReport>& parts) const {
  const Clock::time_point start = Clock::now();
  Result result = skerry::run(graph, inputs, limits());
  parts.push_back({.place = ExecutionMethod::edge, .seconds = seconds_since(start)});
  return result;
}

Result ModelRun::run_there(const Graph& graph, const NamedTensors& inputs, double seconds, const Remote& remote,
                           std::vector<PartReport>& parts) const {
  const Clock::time_point start = Clock::now();
  wire::CircuitRequest request{.token = remote::new_token()};
  const auto package = package::encode({.program = graph, .metadata = {}, .plans = {}}, {.compress = true});
  request.program.assign(reinterpret_cast<const char*>(package.data()), package.size());
  request.inputs = inputs;
  std::vector<TensorType> types;
  for (const auto& [name, tensor] : given(graph, inputs, {}))
    types.push_back(TensorType::of(tensor.dtype(), tensor.shape()));
  const Graph concrete = ops::specialize(graph, types);
  if (ops::widest_circuit(concrete) > 0) request.shots = ops::drawn_shots(concrete);
  request.max_execution_time = config_.cloud_timeout;
  request.binary = true;
  Result result = remote(request, seconds);
  parts.push_back({.place = ExecutionMethod::cloud,
                   .seconds = seconds_since(start),
                   .bytes_sent = request.program.size() + bytes_of(inputs),
                   .bytes_received = bytes_of(result.tensors)});
  return result;
}

Result ModelRun::run_halves(const Remote& remote, std::vector<PartReport>& parts) const {
  const bool head_here = cut_->here == HalfHere::head;
  const auto run_half = [&](const Graph& half, bool here, const NamedTensors& made, std::vector<PartReport>& part) {
    const NamedTensors tensors = given(half, inputs_, made);
    const double seconds = split_->pieces[&half == &cut_->head ? 0 : 1].seconds;
    return here ? run_here(half, tensors, part) : run_there(half, tensors, seconds, remote, part);
  };
  Result head, tail;
  if (cut_->crossing.empty()) {  // neither waits for the other
    std::vector<PartReport> other;
    const Graph &near = head_here ? cut_->head : cut_->tail, &far = head_here ? cut_->tail : cut_->head;
    std::future<Result> there = std::async(std::launch::async, [&] { return run_half(far, false, {}, other); });
    (head_here ? head : tail) = run_half(near, true, {}, parts);
    (head_here ? tail : head) = there.get();
    parts.insert(head_here ? parts.end() : parts.begin(), other.begin(), other.end());
  } else {
    head = run_half(cut_->head, head_here, {}, parts);
    tail = run_half(cut_->tail, !head_here, head.tensors, parts);
  }
  Result out;
  out.report = (head_here ? head : tail).report;
  for (const std::string& name : cut_->outputs) {
    for (const NamedTensors* from : {&head.tensors, &tail.tensors}) {
      const auto found = std::ranges::find(*from, name, &NamedTensors::value_type::first);
      if (found == from->end()) continue;
      out.tensors.push_back(*found);
      break;
    }
  }
  return out;
}

Result ModelRun::run(ExecutionMethod method, const Remote& remote, std::vector<PartReport>& parts) {
  parts.clear();
  if (method == ExecutionMethod::edge) return run_here(*graph_, inputs_, parts);
  if (method == ExecutionMethod::cloud) return run_there(*graph_, inputs_, seconds_, remote, parts);
  return run_halves(remote, parts);
}

}  // namespace skerry::edge
