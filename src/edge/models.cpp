#include "edge/models.hpp"

#include <algorithm>
#include <chrono>
#include <future>
#include <utility>

#include "base/weighing.hpp"
#include "edge/remote/cloud.hpp"
#include "ops/hybrid/census.hpp"
#include "ops/nn/op_record.hpp"
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

std::vector<TensorType> types_of(const Graph& graph, const NamedTensors& inputs) {
  std::vector<TensorType> types;
  for (const TensorView& view : runtime::in_order(graph, inputs))
    types.push_back(TensorType::of(view.dtype(), view.shape()));
  return types;
}

Graph concrete_of(const Graph& graph, const NamedTensors& inputs) {
  return ops::specialize(graph, types_of(graph, inputs));
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

remote::Asked asked_of(const Graph& graph, const NamedTensors& inputs) {
  const Graph concrete = concrete_of(graph, inputs);
  remote::Asked asked;
  asked.tensors.emplace();
  for (const ValueId id : concrete.outputs())
    asked.tensors->emplace_back(concrete.value(id).name, concrete.value(id).type);
  return asked;
}

ModelRun::ModelRun(const EdgeExecutionConfig& config, const Graph& graph, const NamedTensors& inputs,
                   RunControl control, ModelCache& cache)
    : config_(config),
      inputs_(inputs),
      control_(std::move(control)),
      graph_(graph),
      token_(remote::new_token()),
      cache_(cache) {
  types_ = types_of(graph, inputs);
  whole_bytes_ = weight_bytes(graph) + bytes_of(inputs);
  text_ = momentary_text(graph, types_);
  plan_ = cache_.plan(text_.text);
  if (!plan_) plan_whole();
}

void ModelRun::plan_whole() {
  const Clock::time_point start = Clock::now();
  ModelPlan found{.owners = text_.owners};
  Plan plan;
  try {
    if (config_.max_memory_mb > 0.0) plan = skerry::plan(graph_, types_, limits());
  } catch (const Error& error) {
    if (!is_over_budget(error)) throw;
    found.cannot_run = error.message();
  }
  if (plan.kind.empty()) plan = free_plan(graph_, types_, limits());
  found.peak_bytes = plan.peak_bytes;
  found.seconds = plan.seconds;
  plan_ = std::make_shared<const ModelPlan>(std::move(found));
  cache_.keep(text_.text, plan_, seconds_since(start));
}

Limits ModelRun::limits() const {
  Limits out;
  out.threads = config_.threads;
  out.max_memory_bytes = static_cast<std::uint64_t>(config_.max_memory_mb * 1e6);
  out.max_execution_time = std::chrono::duration<double>(config_.max_execution_time);
  out.control = control_;
  return out;
}

ModelCut ModelRun::cut() const {
  ModelCut out{.owners = text_.owners};
  for (const HalfHere here : {HalfHere::head, HalfHere::tail}) {
    try {
      GraphCut found = cut_graph(graph_, types_, config_, here);
      if (!out.cut || found.moved_bytes() < out.cut->moved_bytes()) out.cut = std::move(found);
    } catch (const Error& error) {
      if (!is_over_budget(error)) throw;
      out.why_whole += (out.why_whole.empty() ? "" : "; ") + error.message();
    }
  }
  if (!out.cut) return out;
  out.why_whole.clear();
  const GraphCut& cut = *out.cut;
  if (cut.moved_bytes() > whole_bytes_) {
    out.why_whole = "a half at the endpoint would move " + planning::bytes_text(cut.moved_bytes()) + ", the whole " +
                    planning::bytes_text(whole_bytes_);
    out.cut.reset();
    return out;
  }
  const bool head_here = cut.here == HalfHere::head;
  const Graph& far = head_here ? cut.tail : cut.head;
  const Plan far_plan = free_plan(far, types_of(far), limits());
  const auto place = [](bool here) { return here ? ExecutionMethod::edge : ExecutionMethod::cloud; };
  out.split.pieces = {piece(cut.head, head_here ? cut.here_plan : far_plan, place(head_here)),
                      piece(cut.tail, head_here ? far_plan : cut.here_plan, place(!head_here))};
  out.split.peak_bytes = cut.here_plan.peak_bytes;
  out.split.seconds = cut.here_plan.seconds;
  out.split.crossing_bytes = cut.crossing_bytes;
  out.split.weight_bytes = cut.weight_bytes;
  return out;
}

Question ModelRun::question(const Resources& resources, std::string endpoint_failure) {
  const bool has_cloud = config_.fallback_to_cloud && !config_.cloud_endpoint.empty();
  std::string why_whole;
  if (plan_->cannot_run.empty()) {
    why_whole = config_.max_memory_mb > 0.0 ? "it fits whole" : "nothing runs here";
  } else if (!has_cloud) {
    why_whole = "its other half needs an endpoint";
  } else {
    halves_ = cache_.cut(text_.text);
    const Clock::time_point start = Clock::now();
    if (!halves_) {
      const base::Weighing weighing(text_.folds_large);
      is_only_weighed_ = text_.folds_large;
      halves_ = std::make_shared<const ModelCut>(cut());
      if (!is_only_weighed_) cache_.keep(text_.text, halves_, seconds_since(start));
    }
    why_whole = halves_->why_whole;
  }
  // The judgement of bytes and seconds says more than the refusal, where both refuse.
  const bool judged = static_cast<double>(plan_->peak_bytes) > config_.max_memory_mb * 1e6 ||
                      plan_->seconds > config_.max_execution_time;
  return {.config = config_,
          .peak_bytes = plan_->peak_bytes,
          .seconds = plan_->seconds,
          .cannot_run = judged ? std::string() : plan_->cannot_run,
          .split = halves_ && halves_->cut ? std::optional(halves_->split) : std::nullopt,
          .why_not_split = std::move(why_whole),
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

wire::CircuitRequest ModelRun::request(const Graph& graph, const NamedTensors& inputs, const ModelPackage& package,
                                       std::string token) const {
  wire::CircuitRequest out{.token = std::move(token), .program_digest = package.sha256, .inputs = inputs};
  if (ops::widest_circuit(graph) > 0) out.shots = ops::drawn_shots(concrete_of(graph, inputs));
  out.max_execution_time = config_.cloud_timeout;
  out.binary = true;
  return out;
}

wire::CircuitRequest ModelRun::whole_request() const {
  const std::shared_ptr<const ModelPackage> package = cache_.package(graph_);
  wire::CircuitRequest out = request(graph_, inputs_, *package, token_);
  out.program = package->bytes;
  return out;
}

Result ModelRun::run_there(const Graph& graph, const NamedTensors& inputs, double seconds, const Remote& remote,
                           std::vector<PartReport>& parts, std::string token) const {
  const Clock::time_point start = Clock::now();
  const remote::Asked asked = asked_of(graph, inputs);
  const std::shared_ptr<const ModelPackage> package = cache_.package(graph);
  auto [result, was_sent] = remote(request(graph, inputs, *package, std::move(token)), package->bytes, asked, seconds);
  parts.push_back({.place = ExecutionMethod::cloud,
                   .seconds = seconds_since(start),
                   .bytes_sent = (was_sent ? package->bytes.size() : 0) + bytes_of(inputs),
                   .bytes_received = bytes_of(result.tensors)});
  return std::move(result);
}

Result ModelRun::run_halves(const Remote& remote, std::vector<PartReport>& parts) const {
  const GraphCut& cut = *halves_->cut;
  const bool head_here = cut.here == HalfHere::head;
  const auto run_half = [&](const Graph& half, bool here, const NamedTensors& made, std::vector<PartReport>& part) {
    const NamedTensors tensors = given(half, inputs_, made);
    const double seconds = halves_->split.pieces[&half == &cut.head ? 0 : 1].seconds;
    return here ? run_here(half, tensors, part) : run_there(half, tensors, seconds, remote, part, remote::new_token());
  };
  Result head, tail;
  if (cut.crossing.empty()) {  // neither waits for the other
    std::vector<PartReport> other;
    const Graph &near = head_here ? cut.head : cut.tail, &far = head_here ? cut.tail : cut.head;
    std::future<Result> there = std::async(std::launch::async, [&] { return run_half(far, false, {}, other); });
    (head_here ? head : tail) = run_half(near, true, {}, parts);
    (head_here ? tail : head) = there.get();
    parts.insert(head_here ? parts.end() : parts.begin(), other.begin(), other.end());
  } else {
    head = run_half(cut.head, head_here, {}, parts);
    tail = run_half(cut.tail, !head_here, head.tensors, parts);
  }
  Result out;
  out.report = (head_here ? head : tail).report;
  for (const std::string& name : cut.outputs) {
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
  if (method == ExecutionMethod::edge) return run_here(graph_, inputs_, parts);
  if (method == ExecutionMethod::cloud) return run_there(graph_, inputs_, plan_->seconds, remote, parts, token_);
  if (std::exchange(is_only_weighed_, false)) halves_ = std::make_shared<const ModelCut>(cut());
  if (!halves_->cut) throw Error(ErrorCode::budget_exceeded, halves_->why_whole, graph_.name);
  return run_halves(remote, parts);
}

}  // namespace skerry::edge
