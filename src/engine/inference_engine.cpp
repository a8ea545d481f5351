#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <skerry/compile.hpp>
#include <skerry/error.hpp>
#include <skerry/inference_engine.hpp>
#include <skerry/skerry.hpp>
#include <utility>

#include "base/number_text.hpp"
#include "engine/resting_graph.hpp"
#include "plan/budget.hpp"

namespace skerry {
namespace {

using EngineClock = std::chrono::steady_clock;

/// What tells one state of a file from another.
struct FileIdentity {
  dev_t device = 0;
  ino_t inode = 0;
  off_t bytes = 0;
  std::int64_t changed_ns = 0;
  bool operator==(const FileIdentity&) const = default;
};

FileIdentity identity_of(const std::filesystem::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return {};  // load() says why
  return {status.st_dev, status.st_ino, status.st_size, status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec};
}

}  // namespace

struct InferenceEngine::Model::State {
  State(std::string model_name, std::shared_ptr<const Graph> loaded, Limits run_limits, MemoryManager manager)
      : name(std::move(model_name)),
        limits(std::move(run_limits)),
        memory(std::move(manager)),
        graph(std::move(loaded)) {}

  const std::string name;
  const Limits limits;
  const MemoryManager memory;

  std::mutex mutex;                 // of what follows
  std::atomic<bool> in_use{false};  // somebody has the mutex, perhaps this very thread
  std::shared_ptr<const Graph> graph, compiled;
  std::optional<Session> ready;
  std::optional<RestingGraph> resting;
  EngineClock::time_point last_use = EngineClock::now();

  // The caller has the mutex and the scope.
  const std::shared_ptr<const Graph>& awake() {
    if (resting) {
      graph = std::make_shared<const Graph>(resting->restored());
      resting.reset();
    }
    return graph;
  }
  // Folded and packed once, for all sessions.
  const std::shared_ptr<const Graph>& for_sessions() {
    if (!compiled)
      compiled = std::make_shared<const Graph>(std::get<Graph>(compile(*awake(), {.level = Level::high}).program));
    return compiled;
  }
  Session& session() {
    if (!ready) ready.emplace(for_sessions(), limits);
    return *ready;
  }
  std::uint64_t lie_down() {
    ready.reset();
    compiled.reset();
    Graph all = *graph;  // its structure; the constants are shared, and free when no user of the model holds them
    graph.reset();
    resting.emplace(std::move(all));
    return resting->compressed_bytes();
  }
};

namespace {

/// A model while somebody works with it: nobody else does, and what is allocated is counted under its name.
class Using {
 public:
  explicit Using(InferenceEngine::Model::State& model)
      : model_(model), lock_(model.mutex), scope_(model.memory, model.name) {
    model_.in_use = true;
  }
  Using(const Using&) = delete;
  Using& operator=(const Using&) = delete;
  ~Using() {
    model_.last_use = EngineClock::now();
    model_.in_use = false;
  }

 private:
  InferenceEngine::Model::State& model_;
  std::lock_guard<std::mutex> lock_;
  MemoryScope scope_;
};

}  // namespace

InferenceEngine::Model::Model(std::unique_ptr<State> state) : state_(std::move(state)) {}
InferenceEngine::Model::~Model() = default;

const std::string& InferenceEngine::Model::name() const noexcept {
  return state_->name;
}

std::shared_ptr<const Graph> InferenceEngine::Model::graph() {
  const Using use(*state_);
  return state_->awake();
}

bool InferenceEngine::Model::rests() const {
  const std::lock_guard lock(state_->mutex);
  return state_->resting.has_value();
}

struct InferenceEngine::State {
  explicit State(EngineOptions given) : options(std::move(given)), pool(options.max_buffers) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { options.memory.remove_pressure(pressure); }

  struct Kept {
    FileIdentity identity;
    std::vector<PublicKey> trusted;  // who asks for a signature is not answered by a model that was loaded without
    bool check_weights = false;
    ModelPtr model;
  };
  EngineOptions options;
  TensorPool pool;
  std::uint64_t pressure = 0;
  std::mutex loading;  // one file at a time, so that nobody loads what another is loading
  std::mutex mutex;    // of what follows; nothing is allocated under it that a manager counts
  std::map<std::filesystem::path, Kept> files;
  std::vector<std::weak_ptr<Model>> models;

  ModelPtr add(std::string name, std::shared_ptr<const Graph> graph) {
    auto model = std::make_shared<Model>(
        std::make_unique<Model::State>(std::move(name), std::move(graph), options.limits, options.memory));
    const std::lock_guard lock(mutex);
    std::erase_if(models, [](const auto& other) { return other.expired(); });
    models.push_back(model);
    return model;
  }

  // Buffers of the shapes that are known.
  void preallocate(const Graph& graph) {
    std::vector<Shape> shapes;
    for (const auto* ids : {&graph.inputs(), &graph.outputs()})
      for (const ValueId id : *ids)
        if (const auto shape = graph.value(id).type.static_shape();
            shape && graph.value(id).type.dtype == DType::f32 && std::ranges::find(shapes, *shape) == shapes.end())
          shapes.push_back(*shape);
    const MemoryScope scope(options.memory, "buffers");
    pool.preallocate_buffers(shapes);
  }

  RestReport rest(std::chrono::duration<double> unused_for) {
    std::vector<std::weak_ptr<Model>> all;
    {
      const std::lock_guard lock(mutex);
      all = models;
    }
    RestReport report;
    const std::uint64_t before = options.memory.used();
    for (const auto& weak : all) {
      const ModelPtr model = weak.lock();
      if (!model || model->state_->in_use) continue;
      Model::State& state = *model->state_;
      const std::unique_lock lock(state.mutex, std::try_to_lock);
      if (!lock || state.resting || EngineClock::now() - state.last_use < unused_for) continue;
      const MemoryScope scope(state.memory, state.name);
      report.compressed_bytes += state.lie_down();
      ++report.models;
    }
    pool.clear();
    report.released_bytes = before - std::min(before, options.memory.used());
    return report;
  }
};

InferenceEngine::InferenceEngine(EngineOptions options) : state_(std::make_shared<State>(std::move(options))) {
  planning::check_limits(state_->options.limits);
  const auto make_room = [weak = std::weak_ptr(state_)](std::uint64_t, std::uint64_t) {
    try {
      if (const auto state = weak.lock()) state->rest(std::chrono::duration<double>(0));
    } catch (const std::exception&) {
      // No memory even to make room in: whoever asked is told that there is none.
    }
  };
  state_->pressure = state_->options.memory.on_pressure(1.0, make_room);
}
InferenceEngine::~InferenceEngine() = default;
InferenceEngine::InferenceEngine(InferenceEngine&&) noexcept = default;
InferenceEngine& InferenceEngine::operator=(InferenceEngine&&) noexcept = default;

InferenceEngine::ModelPtr InferenceEngine::load_model(const std::filesystem::path& path, const LoadOptions& options) {
  const std::filesystem::path place = std::filesystem::absolute(path).lexically_normal();
  const std::lock_guard loading(state_->loading);
  const FileIdentity identity = identity_of(place);
  {
    const std::lock_guard lock(state_->mutex);
    const auto found = state_->files.find(place);
    if (found != state_->files.end() && found->second.identity == identity &&
        found->second.trusted == options.trusted && found->second.check_weights >= options.check_weights)
      return found->second.model;
  }
  std::shared_ptr<const Graph> graph;
  {
    const MemoryScope scope(state_->options.memory, place.string());
    Program program = load(place, options);
    if (!std::holds_alternative<Graph>(program)) {
      throw Error(ErrorCode::unsupported, "this is a circuit, not a model", place.string(), "run it with skerry::run");
    }
    graph = std::make_shared<const Graph>(std::get<Graph>(std::move(program)));
  }
  state_->preallocate(*graph);
  ModelPtr model = state_->add(place.string(), std::move(graph));
  const std::lock_guard lock(state_->mutex);
  state_->files.insert_or_assign(place, State::Kept{identity, options.trusted, options.check_weights, model});
  return model;
}

InferenceEngine::ModelPtr InferenceEngine::add_model(std::string name, std::shared_ptr<const Graph> graph) {
  state_->preallocate(*graph);
  return state_->add(std::move(name), std::move(graph));
}

std::vector<Tensor> InferenceEngine::run_inference(Model& model, std::span<const Tensor> inputs) {
  const Using use(*model.state_);
  Session& session = model.state_->session();
  std::vector<TensorView> views;
  std::vector<TensorType> types;
  for (const Tensor& input : inputs) {
    views.push_back(input.view());
    types.push_back(TensorType::of(input.dtype(), input.shape()));
  }
  std::vector<Tensor> outputs;
  std::vector<MutableTensorView> places;
  for (const TensorType& type : session.output_types(types)) {
    const auto shape = type.static_shape();
    if (!shape) break;
    const MemoryScope scope(model.state_->memory, "buffers");
    outputs.push_back(state_->pool.lend(*shape, type.dtype));
    places.push_back(outputs.back().mutable_view());
  }
  if (outputs.size() == session.graph().outputs().size()) {
    session.run_into(views, places);
    return outputs;
  }
  // How large the outputs are is known when they are computed.
  NamedTensors named;
  for (std::size_t i = 0; i < inputs.size() && i < session.graph().inputs().size(); ++i)
    named.emplace_back(session.graph().value(session.graph().inputs()[i]).name, inputs[i]);
  outputs.clear();
  for (auto& [name, tensor] : session.run(named).tensors) outputs.push_back(std::move(tensor));
  return outputs;
}

void InferenceEngine::run_inference(Model& model, std::span<const TensorView> inputs,
                                    std::span<const MutableTensorView> outputs) {
  const Using use(*model.state_);
  model.state_->session().run_into(inputs, outputs);
}

Session InferenceEngine::session(Model& model) {
  const Using use(*model.state_);
  return Session(model.state_->for_sessions(), model.state_->limits);
}

RestReport InferenceEngine::rest(std::chrono::duration<double> unused_for) {
  if (!(unused_for.count() >= 0.0))
    throw Error(ErrorCode::invalid_argument, "models unused for " + base::number_text(unused_for.count()) + " s",
                "unused_for", "give 0 or more seconds");
  return state_->rest(unused_for);
}

const TensorPool& InferenceEngine::pool() const noexcept {
  return state_->pool;
}

const MemoryManager& InferenceEngine::memory() const noexcept {
  return state_->options.memory;
}

}  // namespace skerry
