#include <algorithm>
#include <chrono>
#include <mutex>
#include <set>
#include <skerry/edge_engine.hpp>
#include <skerry/error.hpp>
#include <skerry/skerry.hpp>
#include <utility>

#include "exec/executor.hpp"
#include "ops/nn/op_record.hpp"
#include "plan/planner.hpp"
#include "runtime/named_data.hpp"
#include "runtime/plan_cache.hpp"
#include "runtime/step_times.hpp"

namespace skerry {
namespace {

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
  State(std::shared_ptr<const Graph> graph, Limits limits, CompileOptions options)
      : plans(std::make_shared<runtime::PlanCache>(std::move(graph), std::move(limits), std::move(options))) {}

  const std::shared_ptr<runtime::PlanCache> plans;  // shared with the executors
  mutable std::mutex mutex;
  std::vector<std::unique_ptr<runtime::Executors>> idle;  // of the mutex
  RunnerStatistics counts;                                // of the mutex

  // Executors that nobody else uses, given back at the end; what was done with them is counted then.
  class Borrowed {
   public:
    explicit Borrowed(State& from, bool is_run = true) : from_(from), is_run_(is_run) {
      const std::lock_guard lock(from.mutex);
      if (from.idle.empty()) {
        from.idle.reserve(from.counts.executors + 1);  // so that giving back never fails
        executors_ = std::make_unique<runtime::Executors>(from.plans);
        ++from.counts.executors;
      } else {
        executors_ = std::move(from.idle.back());
        from.idle.pop_back();
      }
    }
    Borrowed(const Borrowed&) = delete;
    Borrowed& operator=(const Borrowed&) = delete;
    ~Borrowed() {
      const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin_;
      const std::lock_guard lock(from_.mutex);
      from_.idle.push_back(std::move(executors_));
      if (is_run_) ++(has_run ? from_.counts.runs : from_.counts.failures);
      if (has_run) from_.counts.seconds += seconds.count();
    }
    runtime::Executors* operator->() { return executors_.get(); }
    bool has_run = false;

   private:
    State& from_;
    const bool is_run_;
    const std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
    std::unique_ptr<runtime::Executors> executors_;
  };

  // work(executor, control): one run. inputs: views or types.
  auto run(auto inputs, const RunControl& given, auto work) {
    RunControl control = given;
    if (plans->limits().max_execution_time) {
      const auto end = exec::started(plans->limits()).deadline;
      control.deadline = control.deadline ? std::min(control.deadline, end) : end;
    }
    Borrowed executors(*this);
    auto result = work(executors->of(inputs), control);
    executors.has_run = true;
    return result;
  }
};

namespace {

std::vector<TensorView> views_of(std::span<const Tensor> tensors) {
  std::vector<TensorView> views;
  views.reserve(tensors.size());
  for (const Tensor& tensor : tensors) views.push_back(tensor.view());
  return views;
}

}  // namespace

ModelRunner::ModelRunner(std::shared_ptr<const Graph> graph, Limits limits, CompileOptions options)
    : state_(std::make_unique<State>(std::move(graph), std::move(limits), std::move(options))) {}
ModelRunner::~ModelRunner() = default;

const Graph& ModelRunner::graph() const noexcept {
  return state_->plans->graph();
}

Result ModelRunner::infer(const NamedTensors& inputs, const RunControl& control) {
  const std::vector<TensorView> views = runtime::in_order(graph(), inputs);
  return state_->run(std::span<const TensorView>(views), control,
                     [&](exec::GraphExecutor& executor, const RunControl& limited) {
                       return runtime::run_by_name(graph(), executor, views, limited);
                     });
}

std::vector<Tensor> ModelRunner::infer(std::span<const Tensor> inputs, const RunControl& control) {
  const std::vector<TensorView> views = views_of(inputs);
  return state_->run(
      std::span<const TensorView>(views), control,
      [&](exec::GraphExecutor& executor, const RunControl& limited) { return executor.run(views, limited); });
}

DataResult ModelRunner::infer_data(const NamedData& inputs, const RunControl& control) {
  std::vector<Datum> data = runtime::data_in_order(graph(), inputs);
  const std::vector<TensorType> types = runtime::types_of(graph(), data);
  return state_->run(std::span<const TensorType>(types), control,
                     [&](exec::GraphExecutor& executor, const RunControl& limited) {
                       return runtime::run_data_by_name(graph(), executor, std::move(data), limited);
                     });
}

bool ModelRunner::hangs_on_values(std::span<const Tensor> inputs) {
  State::Borrowed executors(*state_, false);
  return executors->of(views_of(inputs)).plan().by_value;
}

RunnerStatistics ModelRunner::statistics() const {
  const std::lock_guard lock(state_->mutex);
  RunnerStatistics counts = state_->counts;
  counts.plans = state_->plans->size();
  return counts;
}

}  // namespace skerry
