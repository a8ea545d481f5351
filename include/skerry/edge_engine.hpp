/// \file
/// An engine for a device: models loaded, versioned and swapped under load, requests scheduled, one shutdown.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <skerry/backend.hpp>
#include <skerry/runtime.hpp>
#include <skerry/scheduler.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace skerry {

/// A model as it was read and looked at.
struct LoadedModel {
  std::shared_ptr<const Graph> graph;  // shared: engines and sessions use one
  std::vector<std::string> operators;  ///< each once, sorted
  std::uint64_t weight_bytes = 0;
  std::uint64_t nodes = 0;
};

/// Reads models and refuses what could not run: content that is no model, operators without kernels, more weights or
/// nodes than agreed.
class ModelLoader {
 public:
  explicit ModelLoader(LoadOptions options = {}, std::uint64_t max_weight_bytes = std::uint64_t{16} << 30);
  /// Errors: those of skerry::load; unsupported for a circuit and for an operator that no kernel computes;
  /// limit_exceeded.
  LoadedModel load(const std::filesystem::path& path) const;
  LoadedModel loads(std::string_view bytes, std::string_view name = "<bytes>") const;
  /// The same looks at a graph that is there already.
  LoadedModel check(Graph graph) const;

 private:
  LoadOptions options_;
  std::uint64_t max_weight_bytes_;
};

struct RunnerStatistics {
  std::uint64_t runs = 0, failures = 0;
  double seconds = 0.0;       ///< of all runs
  std::size_t plans = 0;      ///< kept, one for each set of input shapes
  std::size_t executors = 0;  ///< with buffers of their own, as many as ever ran at once
};

/// Runs one model from any number of threads: the graph is compiled once, a plan is made for each set of input shapes
/// (the last few are kept), and each run that goes at the same time has buffers of its own.
class ModelRunner {
 public:
  explicit ModelRunner(std::shared_ptr<const Graph> graph, Limits limits = {},
                       CompileOptions options = {.level = Level::high});
  ~ModelRunner();
  ModelRunner(const ModelRunner&) = delete;
  ModelRunner& operator=(const ModelRunner&) = delete;

  const Graph& graph() const noexcept;
  /// Errors: as Session::run.
  Result infer(const NamedTensors& inputs, const RunControl& control = {});
  /// Inputs and outputs in the graph's order.
  std::vector<Tensor> infer(std::span<const Tensor> inputs, const RunControl& control = {});
  /// Where some are no tensors of numbers. Errors: as Session::run_data.
  DataResult infer_data(const NamedData& inputs, const RunControl& control = {});
  /// Whether what a run on such inputs does hangs on their elements, not on their shapes alone. Errors: as infer().
  bool hangs_on_values(std::span<const Tensor> inputs);
  RunnerStatistics statistics() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The whole configuration, for every component at once.
struct EngineConfig {
  int threads = 0;           ///< of one run; 0: the process's budget
  int workers = 2;           ///< runs at once
  int reserved_workers = 0;  ///< of these, for requests of priority 0 alone
  std::size_t max_queue = 1024;
  std::optional<std::uint64_t> max_memory_bytes;  ///< of one run
  double shutdown_grace_seconds = 30.0;
  LoadOptions loading;
  /// Null: this machine's CPU by ModelRunner. Else models are routed over these backends.
  std::shared_ptr<BackendRegistry> backends;

  /// Errors: invalid_argument naming the field.
  void validate() const;
};

enum class EngineState : std::uint8_t { created, ready, draining, stopped };
enum class ModelState : std::uint8_t { loading, ready, draining, unloaded, failed };
std::string_view engine_state_name(EngineState state) noexcept;
std::string_view model_state_name(ModelState state) noexcept;

/// One version of a model.
struct ModelRow {
  std::string name;
  std::uint64_t version = 0;
  ModelState state = ModelState::loading;
  std::uint64_t requests = 0, in_flight = 0;
  std::string reason;  ///< why it failed
};

/// What one request wants beside its inputs.
struct RequestOptions {
  std::uint64_t version = 0;  ///< 0: the newest that is ready
  int priority = 1;           ///< lower goes first
  std::string tenant;
  std::optional<std::chrono::duration<double>> timeout;  ///< from now, waiting included; 1e9 s and more: none
};

/// The engine: init -> load -> infer -> shutdown. From any thread.
///
/// A new version of a model serves from the moment it is ready; requests that were taken before end on the version they
/// were taken for, which is dropped with the last of them. So no request fails because a model was swapped. Components
/// end in one order: requests are refused, those taken are drained, workers end, models are dropped, backends are let
/// go.
class EdgeAIEngine {
 public:
  /// Nothing is started. Errors: invalid_argument.
  explicit EdgeAIEngine(EngineConfig config = {});
  /// Shuts down with the configured grace.
  ~EdgeAIEngine();
  EdgeAIEngine(const EdgeAIEngine&) = delete;
  EdgeAIEngine& operator=(const EdgeAIEngine&) = delete;

  /// Starts the workers. Errors: invalid_argument in another state than created or stopped.
  void init();
  EngineState state() const noexcept;
  const EngineConfig& config() const noexcept;

  /// A new version of the model, ready when this returns; gives its number, 1 for the first. Versions before it are
  /// drained unless keep_old; it is drained itself when a newer one was ready before it. Errors: those of ModelLoader;
  /// unavailable when not ready, or not any more.
  std::uint64_t load(const std::string& name, const std::filesystem::path& path, bool keep_old = false);
  std::uint64_t load(const std::string& name, Graph graph, bool keep_old = false);
  /// Errors: not_found. What was taken ends first.
  void unload(const std::string& name);
  /// Every version that was ever loaded, oldest first.
  std::vector<ModelRow> models() const;

  /// Waits for the answer. Errors: not_found, unavailable (not ready, queue full), deadline_exceeded, those of the run.
  Result infer(const std::string& name, const NamedTensors& inputs, const RequestOptions& options = {});
  /// The same later; the inputs' elements must stay until then. Errors at once: as infer, but for the run's.
  std::future<Result> infer_async(const std::string& name, NamedTensors inputs, const RequestOptions& options = {});

  /// Gives whether everything that was taken ended by itself. Again: waits for the first and gives the same.
  bool shutdown();
  SchedulerStatistics statistics() const;
  /// What was ended, in order: `requests`, `queue`, `workers`, `models`, `backends`.
  std::vector<std::string> shutdown_order() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace skerry
