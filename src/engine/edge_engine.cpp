#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <ranges>
#include <skerry/edge_engine.hpp>
#include <skerry/error.hpp>
#include <utility>

#include "base/account.hpp"
#include "base/threads.hpp"

namespace skerry {
namespace {

// One version, ready for requests: by the CPU's engine, or over backends, one request after the other.
class Servable {
 public:
  Servable(std::shared_ptr<const Graph> graph, const EngineConfig& config) {
    Limits limits;
    limits.threads = config.threads;
    limits.max_memory_bytes = config.max_memory_bytes;
    if (config.backends) {
      routed_.emplace(*graph, config.backends);
    } else {
      engine_.emplace(std::move(graph), limits);
    }
  }

  Result run(const NamedTensors& inputs, const RunControl& control) {
    const base::AccountScope scope(account_ ? account_ : base::current_account());
    if (engine_) return engine_->infer(inputs, control);
    const std::lock_guard lock(mutex_);
    const auto begin = std::chrono::steady_clock::now();
    Result result;
    result.tensors = routed_->run(inputs, control);
    result.report.method = "routed";
    result.report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return result;
  }

 private:
  std::optional<ModelRunner> engine_;
  std::optional<RoutedModel> routed_;
  std::mutex mutex_;
  // The memory scope that it was loaded in; workers have none of their own.
  std::shared_ptr<base::Account> account_ = base::current_account();
};

struct EngineVersion {
  ModelRow row;
  std::shared_ptr<Servable> servable;  // shared with the requests that were taken for it
  bool replaces = true;                // those before it
};

// None for more than any clock's.
std::optional<SchedulerClock::time_point> deadline_of(const RequestOptions& options) {
  if (!options.timeout) return std::nullopt;
  const double seconds = options.timeout->count();
  if (!(seconds >= 0.0))
    throw Error(ErrorCode::invalid_argument, "timeout is " + std::to_string(seconds), "timeout", "give seconds");
  if (seconds >= 1e9) return std::nullopt;
  return SchedulerClock::now() + std::chrono::duration_cast<SchedulerClock::duration>(*options.timeout);
}

// A request that was taken. Who exchanges `claimed` first has it: the worker that runs it, or who gave it up.
struct TakenRequest {
  std::future<Result> answer;
  std::optional<SchedulerClock::time_point> deadline;
  std::stop_source stop;
  std::shared_ptr<std::atomic<bool>> claimed;
};

Error not_there(const std::string& name, const std::string& known) {
  return Error(ErrorCode::not_found, "there is no model '" + name + "'", "models",
               known.empty() ? "load one" : "there are " + known);
}

}  // namespace

std::string_view engine_state_name(EngineState state) noexcept {
  constexpr std::array<std::string_view, 4> kNames = {"created", "ready", "draining", "stopped"};
  return kNames[static_cast<std::size_t>(state)];
}

std::string_view model_state_name(ModelState state) noexcept {
  constexpr std::array<std::string_view, 5> kNames = {"loading", "ready", "draining", "unloaded", "failed"};
  return kNames[static_cast<std::size_t>(state)];
}

void EngineConfig::validate() const {
  const auto refuse = [](const char* field, const std::string& value, const char* hint) {
    throw Error(ErrorCode::invalid_argument, std::string(field) + " is " + value, field, hint);
  };
  if (threads < 0 || threads > base::kMaxThreads)
    refuse("threads", std::to_string(threads), "use 0 for the process's budget");
  if (workers < 1 || workers > base::kMaxThreads) refuse("workers", std::to_string(workers), "give at least 1");
  if (reserved_workers < 0 || reserved_workers >= workers)
    refuse("reserved_workers", std::to_string(reserved_workers), "leave a worker for everybody");
  if (max_queue == 0) refuse("max_queue", "0", "give at least 1");
  if (!(shutdown_grace_seconds >= 0.0 && shutdown_grace_seconds < 1e9))
    refuse("shutdown_grace_seconds", std::to_string(shutdown_grace_seconds), "give seconds");
}

struct EdgeAIEngine::State {
  EngineConfig config;
  mutable std::mutex mutex;
  EngineState state = EngineState::created;
  std::map<std::string, std::vector<std::shared_ptr<EngineVersion>>> models;  // by name, oldest first
  std::vector<std::string> ended;
  std::condition_variable stopped;
  std::uint64_t shutdowns = 0;                  // that ended
  bool by_itself = true;                        // what the last one gave
  std::shared_ptr<RuntimeScheduler> scheduler;  // shared with calls that go on

  void require_ready() const {
    if (state == EngineState::ready) return;
    throw Error(ErrorCode::unavailable, "the engine is " + std::string(engine_state_name(state)), "engine",
                state == EngineState::created ? "call init() first" : "");
  }

  std::string known() const {
    std::string names;
    for (const auto& [name, versions] : models) names += (names.empty() ? "" : ", ") + name;
    return names;
  }

  // A version that is not served any more goes when nobody runs it. What is given back is to be dropped without the
  // lock: the last owner of weights may call code of others.
  static std::shared_ptr<Servable> let_go(EngineVersion& version) {
    if (version.row.state != ModelState::draining || version.row.in_flight > 0) return nullptr;
    version.row.state = ModelState::unloaded;
    return std::exchange(version.servable, nullptr);
  }
  static std::shared_ptr<Servable> drain(EngineVersion& version) {
    if (version.row.state != ModelState::ready) return nullptr;
    version.row.state = ModelState::draining;
    return let_go(version);
  }
  using Dropped = std::vector<std::shared_ptr<Servable>>;

  std::shared_ptr<EngineVersion> find(const std::string& name, std::uint64_t number) const {
    const auto found = models.find(name);
    if (found == models.end()) throw not_there(name, known());
    for (const auto& version : found->second | std::views::reverse) {
      const ModelRow& row = version->row;
      if (row.state == ModelState::ready && (number == 0 || row.version == number)) return version;
    }
    throw Error(ErrorCode::not_found,
                number == 0 ? "no version of '" + name + "' is ready"
                            : "version " + std::to_string(number) + " of '" + name + "' is not ready",
                "models");
  }

  TakenRequest take(const std::string& name, NamedTensors inputs, const RequestOptions& options);

  std::uint64_t add(const std::string& name, const std::function<LoadedModel()>& read, bool keep_old) {
    auto version = std::make_shared<EngineVersion>();
    {
      const std::lock_guard lock(mutex);
      require_ready();
      auto& versions = models[name];
      version->row = {.name = name, .version = versions.size() + 1, .reason = {}};
      version->replaces = !keep_old;
      versions.push_back(version);
    }
    std::shared_ptr<Servable> servable;
    try {
      servable = std::make_shared<Servable>(read().graph, config);  // while the old version serves
    } catch (const std::exception& error) {
      const std::lock_guard lock(mutex);
      version->row.state = ModelState::failed;
      version->row.reason = error.what();
      throw;
    }
    Dropped dropped;
    const std::lock_guard lock(mutex);
    if (state != EngineState::ready) {
      version->row.state = ModelState::failed;
      version->row.reason = "the engine was shut down";
      require_ready();
    }
    version->servable = std::move(servable);
    version->row.state = ModelState::ready;
    for (const auto& old : models[name])
      if (!keep_old && old->row.version < version->row.version) dropped.push_back(drain(*old));
    // A newer one that was ready earlier has replaced it already.
    const auto replaced_by = [&](const auto& other) {
      return other->replaces && other->row.version > version->row.version && other->row.state != ModelState::loading &&
             other->row.state != ModelState::failed;
    };
    if (std::ranges::any_of(models[name], replaced_by)) dropped.push_back(drain(*version));
    return version->row.version;
  }
};

EdgeAIEngine::EdgeAIEngine(EngineConfig config) : state_(std::make_unique<State>()) {
  config.validate();
  state_->config = std::move(config);
}

EdgeAIEngine::~EdgeAIEngine() {
  shutdown();
}

void EdgeAIEngine::init() {
  const std::lock_guard lock(state_->mutex);
  if (state_->state != EngineState::created && state_->state != EngineState::stopped)
    throw Error(ErrorCode::invalid_argument, "the engine is " + std::string(engine_state_name(state_->state)), "init");
  const EngineConfig& config = state_->config;
  state_->scheduler = std::make_shared<RuntimeScheduler>(SchedulerOptions{.workers = config.workers,
                                                                          .reserved_workers = config.reserved_workers,
                                                                          .max_queue = config.max_queue,
                                                                          .now = {}});
  state_->ended.clear();
  state_->state = EngineState::ready;
}

EngineState EdgeAIEngine::state() const noexcept {
  const std::lock_guard lock(state_->mutex);
  return state_->state;
}

const EngineConfig& EdgeAIEngine::config() const noexcept {
  return state_->config;
}

std::uint64_t EdgeAIEngine::load(const std::string& name, const std::filesystem::path& path, bool keep_old) {
  const ModelLoader loader(state_->config.loading);
  return state_->add(
      name, [&] { return loader.load(path); }, keep_old);
}

std::uint64_t EdgeAIEngine::load(const std::string& name, Graph graph, bool keep_old) {
  const ModelLoader loader(state_->config.loading);
  return state_->add(
      name, [&] { return loader.check(std::move(graph)); }, keep_old);
}

void EdgeAIEngine::unload(const std::string& name) {
  State::Dropped dropped;
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->models.find(name);
  if (found == state_->models.end()) throw not_there(name, state_->known());
  for (const auto& version : found->second) dropped.push_back(State::drain(*version));
}

std::vector<ModelRow> EdgeAIEngine::models() const {
  const std::lock_guard lock(state_->mutex);
  std::vector<ModelRow> rows;
  for (const auto& [name, versions] : state_->models)
    for (const auto& version : versions) rows.push_back(version->row);
  return rows;
}

TakenRequest EdgeAIEngine::State::take(const std::string& name, NamedTensors inputs, const RequestOptions& options) {
  State& s = *this;
  TaskOptions task{.priority = options.priority, .tenant = options.tenant, .deadline = deadline_of(options)};
  std::shared_ptr<EngineVersion> version;
  std::shared_ptr<RuntimeScheduler> scheduler;
  {
    const std::lock_guard lock(s.mutex);
    s.require_ready();
    version = s.find(name, options.version);
    scheduler = s.scheduler;
    ++version->row.in_flight;
    ++version->row.requests;
  }
  // Counted until the answer is there, or for as long as the task lives where it is dropped from the queue.
  std::shared_ptr<void> counted(nullptr, [&s, version](void*) {
    std::shared_ptr<Servable> dropped;
    const std::lock_guard lock(s.mutex);
    --version->row.in_flight;
    dropped = State::let_go(*version);
  });
  const auto in_flight = std::make_shared<std::shared_ptr<void>>(std::move(counted));
  const auto answer = std::make_shared<std::promise<Result>>();  // shared: std::function copies its target
  TakenRequest taken{answer->get_future(), task.deadline, std::stop_source(std::nostopstate),
                     std::make_shared<std::atomic<bool>>(false)};
  task.dropped = [answer](std::exception_ptr why) { answer->set_exception(std::move(why)); };
  const auto inputs_of = std::make_shared<const NamedTensors>(std::move(inputs));
  TaskTicket ticket = scheduler->submit(
      [answer, inputs_of, in_flight, claimed = taken.claimed, servable = version->servable](const RunControl& control) {
        if (claimed->exchange(true)) return;
        try {
          Result result = servable->run(*inputs_of, control);
          in_flight->reset();  // before the caller goes on: what it asks next finds this request ended
          answer->set_value(std::move(result));
        } catch (...) {
          in_flight->reset();
          answer->set_exception(std::current_exception());
        }
      },
      std::move(task));
  taken.stop = std::move(ticket.stop);
  return taken;
}

std::future<Result> EdgeAIEngine::infer_async(const std::string& name, NamedTensors inputs,
                                              const RequestOptions& options) {
  return state_->take(name, std::move(inputs), options).answer;
}

Result EdgeAIEngine::infer(const std::string& name, const NamedTensors& inputs, const RequestOptions& options) {
  TakenRequest taken = state_->take(name, inputs, options);
  // What runs keeps its deadline itself and reads the inputs until it has ended; what only waits is given up.
  if (taken.deadline && taken.answer.wait_until(*taken.deadline) == std::future_status::timeout &&
      !taken.claimed->exchange(true)) {
    taken.stop.request_stop();
    throw Error(ErrorCode::deadline_exceeded, "the deadline passed before its turn came", "scheduler");
  }
  return taken.answer.get();
}

bool EdgeAIEngine::shutdown() {
  State& s = *state_;
  std::shared_ptr<RuntimeScheduler> scheduler;
  {
    std::unique_lock lock(s.mutex);
    if (s.state != EngineState::ready) {
      if (s.state == EngineState::created) s.state = EngineState::stopped;
      if (s.state == EngineState::draining)
        s.stopped.wait(lock, [&s, seen = s.shutdowns] { return s.shutdowns != seen; });
      return s.by_itself;
    }
    s.state = EngineState::draining;
    scheduler = s.scheduler;
    s.ended.emplace_back("requests");
  }
  const bool by_itself = scheduler->shutdown(std::chrono::duration<double>(s.config.shutdown_grace_seconds));
  State::Dropped dropped;
  const std::lock_guard lock(s.mutex);
  s.ended.insert(s.ended.end(), {"queue", "workers"});
  for (const auto& [name, versions] : s.models)
    for (const auto& version : versions) dropped.push_back(State::drain(*version));
  s.ended.emplace_back("models");
  s.state = EngineState::stopped;
  s.ended.emplace_back("backends");
  s.by_itself = by_itself;
  ++s.shutdowns;
  s.stopped.notify_all();
  return by_itself;
}

SchedulerStatistics EdgeAIEngine::statistics() const {
  std::shared_ptr<RuntimeScheduler> scheduler;
  {
    const std::lock_guard lock(state_->mutex);
    scheduler = state_->scheduler;
  }
  return scheduler ? scheduler->statistics() : SchedulerStatistics();
}

std::vector<std::string> EdgeAIEngine::shutdown_order() const {
  const std::lock_guard lock(state_->mutex);
  return state_->ended;
}

}  // namespace skerry
