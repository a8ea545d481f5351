#include <algorithm>
#include <chrono>
#include <skerry/error.hpp>
#include <skerry/session.hpp>
#include <utility>

#include "base/legacy_random.hpp"
#include "exec/executor.hpp"
#include "ops/nn/random.hpp"
#include "plan/planner.hpp"
#include "runtime/named_data.hpp"
#include "runtime/plan_cache.hpp"
#include "runtime/step_times.hpp"

namespace skerry {
namespace {

std::string input_names(const Graph& graph) {
  std::string names;
  for (const ValueId id : graph.inputs()) names += (names.empty() ? "'" : ", '") + graph.value(id).name + "'";
  return names;
}

}  // namespace

namespace runtime {

std::vector<TensorView> in_order(const Graph& graph, const NamedTensors& inputs) {
  std::vector<TensorView> views(graph.inputs().size());
  for (const auto& [name, tensor] : inputs) {
    const auto found = std::find_if(graph.inputs().begin(), graph.inputs().end(),
                                    [&](ValueId id) { return graph.value(id).name == name; });
    if (found == graph.inputs().end()) {
      throw Error(ErrorCode::invalid_argument, "the model has no input '" + name + "'", graph.name,
                  "its inputs are " + input_names(graph));
    }
    TensorView& view = views[static_cast<std::size_t>(found - graph.inputs().begin())];
    if (!view.empty()) throw Error(ErrorCode::invalid_argument, "input '" + name + "' is given twice", graph.name);
    view = tensor.view();
  }
  for (std::size_t i = 0; i < views.size(); ++i) {
    if (views[i].empty()) {
      throw Error(ErrorCode::invalid_argument, "input '" + graph.value(graph.inputs()[i]).name + "' is missing",
                  graph.name, "the model's inputs are " + input_names(graph));
    }
  }
  return views;
}

std::vector<StepTime> step_times(exec::GraphExecutor& executor, std::span<const TensorView> views,
                                 const RunControl& control, std::size_t runs) {
  constexpr std::size_t kMostRuns = 1'000'000;
  if (runs == 0 || runs > kMostRuns) {
    throw Error(ErrorCode::invalid_argument, std::to_string(runs) + " runs cannot be measured", "runs",
                "give 1 to " + std::to_string(kMostRuns));
  }
  const planning::GraphPlan& plan = executor.plan();
  std::vector<double> seconds(std::max<std::size_t>(plan.steps.size(), 1));
  std::vector<std::vector<double>> measured(plan.steps.size());
  executor.time_steps(views, control, seconds);
  for (std::size_t run = 0; run < runs; ++run) {
    executor.time_steps(views, control, seconds);
    for (std::size_t i = 0; i < measured.size(); ++i) measured[i].push_back(seconds[i]);
  }
  std::vector<StepTime> out;
  for (std::size_t i = 0; i < measured.size(); ++i) {
    const auto middle = measured[i].begin() + static_cast<std::ptrdiff_t>(runs / 2);
    std::nth_element(measured[i].begin(), middle, measured[i].end());
    const StepReport& step = plan.report.steps[plan.steps[i].node];
    StepTime time{step.node, step.op, step.kernel, step.output, *middle, step.seconds, 0};
    const Node& node = plan.graph.node(plan.steps[i].node);
    for (const auto* ids : {&node.inputs, &node.outputs}) {
      for (const ValueId id : *ids) {
        if (id == kNoValue) continue;
        const TensorType& type = plan.graph.value(id).type;
        time.bytes += tensor_bytes(type.dtype, *type.static_shape()) * static_cast<std::uint64_t>(plan.slices);
      }
    }
    out.push_back(std::move(time));
  }
  return out;
}

std::vector<TensorType> types_of(const Graph& graph, std::span<const Datum> data) {
  std::vector<TensorType> types;
  for (std::size_t i = 0; i < data.size(); ++i) types.push_back(type_of(data[i], graph.value(graph.inputs()[i]).type));
  return types;
}

DataResult run_data_by_name(const Graph& graph, exec::GraphExecutor& executor, std::vector<Datum> data,
                            const RunControl& control) {
  const auto begin = std::chrono::steady_clock::now();
  std::vector<Datum> outputs;
  if (executor.plan().by_value) {
    outputs = executor.run_data(std::move(data), control);
  } else {
    std::vector<TensorView> views;
    for (const Datum& datum : data) views.push_back(std::get<Tensor>(datum.value).view());
    for (Tensor& tensor : executor.run(views, control)) outputs.emplace_back(std::move(tensor));
  }
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
  DataResult result;
  result.report = report_of(executor, elapsed.count());
  for (std::size_t i = 0; i < outputs.size(); ++i)
    result.outputs.emplace_back(graph.value(graph.outputs()[i]).name, std::move(outputs[i]));
  return result;
}

}  // namespace runtime

struct Session::State {
  std::shared_ptr<const Graph> graph;
  runtime::Executors executors;
  std::uint64_t seed = 0;

  const Limits& limits() const { return executors.plans().limits(); }
};

bool draws_at_random(const Graph& graph) {
  return std::ranges::any_of(graph.nodes(), [&graph](const Node& node) {
    // A circuit without shots gives a row the same numbers wherever it stands.
    const bool draws = node.op == "circuit" ? node.integer("shots", 0) > 0 : ops::draws_at_random(graph, node);
    return draws || std::ranges::any_of(node.attributes, [](const auto& attribute) {
             const auto* inner = std::get_if<Subgraph>(&attribute.second);
             return inner != nullptr && draws_at_random(**inner);
           });
  });
}

Session::Session(std::shared_ptr<const Graph> graph, Limits limits, Level level)
    : state_(std::make_unique<State>(graph, runtime::Executors(std::make_shared<runtime::PlanCache>(
                                                graph, std::move(limits), CompileOptions{.level = level})))) {}
Session::~Session() = default;
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;

const Graph& Session::graph() const noexcept {
  return *state_->graph;
}

void Session::seed(std::uint64_t seed) noexcept {
  state_->seed = seed;
}

const Plan& Session::plan(std::span<const TensorType> inputs) {
  return state_->executors.of(inputs).plan().report;
}

Result Session::run(const NamedTensors& inputs) {
  return run(inputs, state_->limits().control);
}

Result Session::run(const NamedTensors& inputs, const RunControl& given) {
  const base::RunDraws draws(state_->seed);
  const RunControl control = exec::started(state_->limits(), given);
  const std::vector<TensorView> views = runtime::in_order(*state_->graph, inputs);
  return runtime::run_by_name(*state_->graph, state_->executors.of(views), views, control);
}

DataResult Session::run_data(const NamedData& inputs) {
  return run_data(inputs, state_->limits().control);
}

DataResult Session::run_data(const NamedData& inputs, const RunControl& given) {
  const base::RunDraws draws(state_->seed);
  const RunControl control = exec::started(state_->limits(), given);
  std::vector<Datum> data = runtime::data_in_order(*state_->graph, inputs);
  exec::GraphExecutor& executor = state_->executors.of(runtime::types_of(*state_->graph, data));
  return runtime::run_data_by_name(*state_->graph, executor, std::move(data), control);
}

void Session::run_into(std::span<const TensorView> inputs, std::span<const MutableTensorView> outputs) {
  const base::RunDraws draws(state_->seed);
  const RunControl control = exec::started(state_->limits());
  const std::size_t wanted = state_->graph->inputs().size();
  if (inputs.size() != wanted) {
    throw Error(ErrorCode::invalid_argument,
                std::to_string(inputs.size()) + " inputs for a model of " + std::to_string(wanted), state_->graph->name,
                "the model's inputs are " + input_names(*state_->graph));
  }
  state_->executors.of(inputs).run(inputs, outputs, control);
}

std::vector<TensorType> Session::output_types(std::span<const TensorType> inputs) {
  const planning::GraphPlan& plan = state_->executors.of(inputs).plan();
  std::vector<TensorType> types;
  for (const ValueId id : plan.graph.outputs()) types.push_back(planning::callers_type(plan, id));
  return types;
}

std::vector<StepTime> Session::profile(const NamedTensors& inputs, std::size_t runs) {
  const base::RunDraws draws(state_->seed);
  const RunControl control = exec::started(state_->limits());
  const std::vector<TensorView> views = runtime::in_order(*state_->graph, inputs);
  return runtime::step_times(state_->executors.of(views), views, control, runs);
}

}  // namespace skerry
