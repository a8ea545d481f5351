#include <algorithm>
#include <chrono>
#include <list>
#include <mutex>
#include <set>
#include <skerry/edge_engine.hpp>
#include <skerry/error.hpp>
#include <skerry/skerry.hpp>
#include <utility>

#include "exec/executor.hpp"
#include "ops/nn/op_record.hpp"
#include "plan/planner.hpp"
#include "runtime/step_times.hpp"

namespace skerry {
namespace {

constexpr std::size_t kKeptShapes = 4;

// Subgraphs included; a circuit node is its own kernel.
void check_operators(const Graph& graph, LoadedModel& model, std::set<std::string>& operators) {
  for (const Node& node : graph.nodes()) {
    operators.insert(node.op);
    ++model.nodes;
    const bool computed = node.op == "circuit" || ops::find_op(node.op) != nullptr;
    if (!computed) throw Error(ErrorCode::unsupported, "no kernel computes " + node.op, node.name);
    for (const auto& [name, value] : node.attributes)
      if (const auto* inner = std::get_if<Subgraph>(&value)) check_operators(**inner, model, operators);
  }
  for (const Value& value : graph.values())
    if (value.constant) model.weight_bytes += value.constant->view().bytes();
}

}  // namespace

ModelLoader::ModelLoader(LoadOptions options, std::uint64_t max_weight_bytes)
    : options_(std::move(options)), max_weight_bytes_(max_weight_bytes) {}

LoadedModel ModelLoader::check(Graph graph) const {
  LoadedModel model;
  std::set<std::string> operators;
  check_operators(graph, model, operators);
  if (model.weight_bytes > max_weight_bytes_) {
    throw Error(
        ErrorCode::limit_exceeded,
        "the weights take " + std::to_string(model.weight_bytes) + " bytes of " + std::to_string(max_weight_bytes_),
        graph.name, "raise the limit, or quantise the model");
  }
  model.operators.assign(operators.begin(), operators.end());
  model.graph = std::make_shared<const Graph>(std::move(graph));
  return model;
}

namespace {

Graph graph_of(Program program, std::string_view where) {
  if (auto* graph = std::get_if<Graph>(&program)) return std::move(*graph);
  throw Error(ErrorCode::unsupported, "a circuit, not a model", std::string(where), "skerry::run runs circuits");
}

}  // namespace

LoadedModel ModelLoader::load(const std::filesystem::path& path) const {
  return check(graph_of(skerry::load(path, options_), path.filename().string()));
}

LoadedModel ModelLoader::loads(std::string_view bytes, std::string_view name) const {
  return check(graph_of(skerry::loads(bytes, options_, name), name));
}

struct ModelRunner::State {
  struct Shaped {
    std::vector<std::pair<DType, Shape>> inputs;
    std::shared_ptr<const planning::GraphPlan> plan;  // shared by the executors
    std::vector<std::unique_ptr<exec::GraphExecutor>> idle;
  };

  std::shared_ptr<const Graph> graph;
  Limits limits;
  CompileOptions options;
  mutable std::mutex mutex;
  std::optional<Graph> compiled;
  std::list<std::shared_ptr<Shaped>> shaped;  // most recently used first; shared with runs in flight
  RunnerStatistics counts;

  static bool fits(const Shaped& known, std::span<const TensorView> inputs) {
    return std::ranges::equal(known.inputs, inputs, [](const auto& a, const TensorView& b) {
      return a.first == b.dtype() && a.second == b.shape();
    });
  }

  std::shared_ptr<Shaped> shaped_for(std::span<const TensorView> inputs) {
    const auto found = std::ranges::find_if(shaped, [&](const auto& known) { return fits(*known, inputs); });
    if (found != shaped.end()) {
      shaped.splice(shaped.begin(), shaped, found);
      return shaped.front();
    }
    if (!compiled) compiled = std::get<Graph>(compile(*graph, options).program);
    std::vector<TensorType> types;
    auto made = std::make_shared<Shaped>();
    for (const TensorView& view : inputs) {
      types.push_back(TensorType::of(view.dtype(), view.shape()));
      made->inputs.emplace_back(view.dtype(), view.shape());
    }
    made->plan = std::make_shared<const planning::GraphPlan>(planning::plan_graph(*compiled, types, limits));
    if (shaped.size() == kKeptShapes) {
      counts.executors -= shaped.back()->idle.size();
      shaped.back()->idle.clear();
      shaped.pop_back();
    }
    shaped.push_front(made);
    return made;
  }

  // An executor that nobody else uses, given back at the end.
  struct Borrowed {
    State& state;
    std::shared_ptr<Shaped> from;
    std::unique_ptr<exec::GraphExecutor> executor;
    Borrowed(State& engine, std::span<const TensorView> inputs) : state(engine) {
      const std::lock_guard lock(state.mutex);
      from = state.shaped_for(inputs);
      if (from->idle.empty()) {
        executor = std::make_unique<exec::GraphExecutor>(from->plan, state.limits);
        ++state.counts.executors;
      } else {
        executor = std::move(from->idle.back());
        from->idle.pop_back();
      }
    }
    Borrowed(const Borrowed&) = delete;
    Borrowed& operator=(const Borrowed&) = delete;
    ~Borrowed() {
      const std::lock_guard lock(state.mutex);
      const bool kept = std::ranges::find(state.shaped, from) != state.shaped.end();
      if (kept) {
        from->idle.push_back(std::move(executor));
      } else {
        --state.counts.executors;
      }
    }
  };

  Result run(std::span<const TensorView> views, const RunControl& given) {
    RunControl control = given;
    if (limits.max_execution_time) {
      const auto end = exec::started(limits).deadline;
      control.deadline = control.deadline ? std::min(control.deadline, end) : end;
    }
    const auto begin = std::chrono::steady_clock::now();
    Result result;
    try {
      Borrowed borrowed(*this, views);
      std::vector<Tensor> outputs = borrowed.executor->run(views, control);
      for (std::size_t i = 0; i < outputs.size(); ++i)
        result.tensors.emplace_back(graph->value(graph->outputs()[i]).name, std::move(outputs[i]));
      const Plan& plan = borrowed.from->plan->report;
      result.report = {.method = plan.method,
                       .predicted_bytes = plan.peak_bytes,
                       .peak_bytes = borrowed.executor->peak_bytes(),
                       .predicted_seconds = plan.seconds,
                       .threads = plan.threads};
    } catch (...) {
      const std::lock_guard lock(mutex);
      ++counts.failures;
      throw;
    }
    result.report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    const std::lock_guard lock(mutex);
    ++counts.runs;
    counts.seconds += result.report.seconds;
    return result;
  }
};

ModelRunner::ModelRunner(std::shared_ptr<const Graph> graph, Limits limits, CompileOptions options)
    : state_(std::make_unique<State>()) {
  state_->graph = std::move(graph);
  state_->limits = std::move(limits);
  state_->options = std::move(options);
}
ModelRunner::~ModelRunner() = default;

const Graph& ModelRunner::graph() const noexcept {
  return *state_->graph;
}

Result ModelRunner::infer(const NamedTensors& inputs, const RunControl& control) {
  return state_->run(runtime::in_order(*state_->graph, inputs), control);
}

std::vector<Tensor> ModelRunner::infer(std::span<const Tensor> inputs, const RunControl& control) {
  std::vector<TensorView> views;
  for (const Tensor& tensor : inputs) views.push_back(tensor.view());
  std::vector<Tensor> outputs;
  for (auto& [name, tensor] : state_->run(views, control).tensors) outputs.push_back(std::move(tensor));
  return outputs;
}

RunnerStatistics ModelRunner::statistics() const {
  const std::lock_guard lock(state_->mutex);
  RunnerStatistics counts = state_->counts;
  counts.plans = state_->shaped.size();
  return counts;
}

}  // namespace skerry
