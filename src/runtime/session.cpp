#include <algorithm>
#include <chrono>
#include <list>
#include <optional>
#include <skerry/compile.hpp>
#include <skerry/error.hpp>
#include <skerry/session.hpp>
#include <utility>

#include "base/memory.hpp"
#include "exec/executor.hpp"
#include "plan/planner.hpp"
#include "runtime/step_times.hpp"

namespace skerry {
namespace {

constexpr std::size_t kKeptPlans = 4;

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
        time.bytes += tensor_bytes(type.dtype, *type.static_shape());
      }
    }
    out.push_back(std::move(time));
  }
  return out;
}

}  // namespace runtime

struct Session::State {
  struct Ready {
    std::vector<std::pair<DType, Shape>> inputs;
    exec::GraphExecutor executor;
  };
  std::shared_ptr<const Graph> graph;
  Limits limits;
  Level level;
  std::optional<Graph> compiled;                                                     // made when the first plan is
  std::list<Ready> ready;                                                            // most recently used first
  std::shared_ptr<exec::Workspace> workspace = std::make_shared<exec::Workspace>();  // shared with the executors

  // of(i): dtype and shape of input i, looked at in each run.
  template <class Of>
  exec::GraphExecutor* find(std::size_t count, Of of) {
    const auto found = std::find_if(ready.begin(), ready.end(), [&](const Ready& r) {
      bool same = r.inputs.size() == count;
      for (std::size_t i = 0; same && i < count; ++i) same = r.inputs[i] == of(i);
      return same;
    });
    if (found == ready.end()) return nullptr;
    ready.splice(ready.begin(), ready, found);
    return &ready.front().executor;
  }

  exec::GraphExecutor& executor_for(std::span<const TensorView> inputs) {
    const auto of = [&](std::size_t i) { return std::pair(inputs[i].dtype(), inputs[i].shape()); };
    if (auto* executor = find(inputs.size(), of)) return *executor;
    std::vector<TensorType> types;
    for (const TensorView& view : inputs) types.push_back(TensorType::of(view.dtype(), view.shape()));
    return make(types);
  }

  exec::GraphExecutor& executor_for(std::span<const TensorType> inputs) {
    const bool all_known =
        std::ranges::all_of(inputs, [](const TensorType& t) { return t.static_shape().has_value(); });
    const auto of = [&](std::size_t i) { return std::pair(inputs[i].dtype, *inputs[i].static_shape()); };
    if (auto* executor = all_known ? find(inputs.size(), of) : nullptr) return *executor;
    return make(inputs);
  }

  exec::GraphExecutor& make(std::span<const TensorType> inputs) {
    if (!compiled) compiled = std::get<Graph>(compile(*graph, {.level = level}).program);
    auto planned = std::make_shared<const planning::GraphPlan>(planning::plan_graph(*compiled, inputs, limits));
    if (ready.size() == kKeptPlans) ready.pop_back();
    std::vector<std::pair<DType, Shape>> shapes;
    for (const TensorType& type : inputs) shapes.emplace_back(type.dtype, *type.static_shape());
    exec::GraphExecutor executor(std::move(planned), limits, workspace);
    std::uint64_t arena = 0, scratch = 0;
    const auto make_room = [&](const planning::GraphPlan& plan) {
      arena = std::max(arena, plan.arena_bytes);
      scratch = std::max(scratch, plan.scratch_bytes);
    };
    make_room(executor.plan());
    for (const Ready& other : ready) make_room(other.executor.plan());
    workspace->fit(arena, scratch);
    ready.push_front({std::move(shapes), std::move(executor)});
    return ready.front().executor;
  }
};

Session::Session(std::shared_ptr<const Graph> graph, Limits limits, Level level)
    : state_(std::make_unique<State>(State{std::move(graph), std::move(limits), level})) {}
Session::~Session() = default;
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;

const Graph& Session::graph() const noexcept {
  return *state_->graph;
}

const Plan& Session::plan(std::span<const TensorType> inputs) {
  return state_->executor_for(inputs).plan().report;
}

Result Session::run(const NamedTensors& inputs) {
  const RunControl control = exec::started(state_->limits);
  const std::vector<TensorView> views = runtime::in_order(*state_->graph, inputs);
  exec::GraphExecutor& executor = state_->executor_for(views);

  Result result;
  std::vector<Tensor> outputs = executor.run(views, control);
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - control.started;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    result.tensors.emplace_back(state_->graph->value(state_->graph->outputs()[i]).name, std::move(outputs[i]));
  }
  const Plan& plan = executor.plan().report;
  result.report = {.method = plan.method,
                   .predicted_bytes = plan.peak_bytes,
                   .peak_bytes = executor.peak_bytes(),
                   .predicted_seconds = plan.seconds,
                   .seconds = elapsed.count(),
                   .threads = plan.threads};
  return result;
}

void Session::run_into(std::span<const TensorView> inputs, std::span<const MutableTensorView> outputs) {
  const RunControl control = exec::started(state_->limits);
  const std::size_t wanted = state_->graph->inputs().size();
  if (inputs.size() != wanted) {
    throw Error(ErrorCode::invalid_argument,
                std::to_string(inputs.size()) + " inputs for a model of " + std::to_string(wanted), state_->graph->name,
                "the model's inputs are " + input_names(*state_->graph));
  }
  state_->executor_for(inputs).run(inputs, outputs, control);
}

std::vector<TensorType> Session::output_types(std::span<const TensorType> inputs) {
  const Graph& planned = state_->executor_for(inputs).plan().graph;
  std::vector<TensorType> types;
  for (const ValueId id : planned.outputs()) types.push_back(planned.value(id).type);
  return types;
}

std::vector<StepTime> Session::profile(const NamedTensors& inputs, std::size_t runs) {
  const RunControl control = exec::started(state_->limits);
  const std::vector<TensorView> views = runtime::in_order(*state_->graph, inputs);
  return runtime::step_times(state_->executor_for(views), views, control, runs);
}

}  // namespace skerry
