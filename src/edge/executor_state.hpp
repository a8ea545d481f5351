/// \file
/// What an executor keeps and does, for its own files.
#pragma once

#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <skerry/edge.hpp>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "edge/carry.hpp"
#include "edge/kept.hpp"
#include "edge/models.hpp"
#include "edge/outbox/folder.hpp"
#include "edge/placement.hpp"
#include "edge/remote/cloud.hpp"

namespace skerry::edge {

/// The request of a whole circuit: what is sent again, now or from the outbox, is the same job.
struct Whole {
  std::string question;
  std::optional<wire::CircuitRequest> request;
  std::optional<Carried> carried;  // a run that was left here on its way
  bool stays = false;              // a run here is not left again
};

/// Bytes that a kept result holds.
std::uint64_t bytes_of(const Result& result);

struct EdgeExecutor::State {
  State(EdgeExecutionConfig c, std::shared_ptr<CircuitCompiler> k);

  Question question(const CompiledCircuit& circuit, const RunOptions& options) const;
  Resources resources() const;
  Placement placement_of(ModelRun& model) const;
  Result run(ExecutionMethod method, const CompiledCircuit& circuit, const RunOptions& options, Placement& placement,
             Whole& whole);
  Result run_here(const Circuit& circuit, const RunOptions& options, PlaceReport& here, Whole& whole);
  std::optional<Result> run_carried(const RunOptions& options, PlaceReport& cloud, Whole& whole);
  wire::CircuitRequest request_of(const Circuit& circuit, const RunOptions& options) const;
  remote::Patience patience(const RunOptions& options) const;
  /// seconds: predicted for all sets of parameters.
  std::vector<Result> run_remote(const wire::CircuitRequest& request, const RunOptions& options, double seconds,
                                 const std::string& placement);
  /// seconds: predicted. Errors: those of `ask`; unavailable where the endpoint took it and was silent.
  void ask_endpoint(double seconds, const std::function<void(bool is_long)>& ask) const;
  Result run_whole(const CompiledCircuit& circuit, const RunOptions& options, double seconds, Whole& whole,
                   const std::string& placement);
  [[noreturn]] void keep(const std::string& circuit_id, const std::string& question,
                         const std::function<wire::CircuitRequest()>& request, const Error& why) const;
  /// run_at: one try. Whoever fails for want of something is followed by the next who may.
  Result run_placed(Placement& placement, Whole& whole, const std::function<Result(ExecutionMethod)>& run_at);
  std::vector<ResultPtr> run_rows(const CompiledPtr& circuit, const ExecutionInput& input,
                                  std::span<const double> rows);
  std::vector<ResultPtr> run_rows_here(const CompiledCircuit& circuit, const RunOptions& options,
                                       std::span<const double> rows, const Placement& placement);
  void run_rows_far(const CompiledCircuit& circuit, const ExecutionInput& input, std::span<const double> rows,
                    const Placement& placement, std::vector<ResultPtr>& results);
  std::optional<ExecutionMethod> next(const Placement& placement, const Error& error,
                                      const std::vector<ExecutionMethod>& tried) const;

  void count(ExecutionMethod method, double seconds);  // with the lock held
  /// An answer of before, counted as an execution that began at `start`.
  ResultPtr find(const std::string& key, std::chrono::steady_clock::time_point start);
  /// Counted, and kept for the next who asks.
  ResultPtr finish(const std::string& key, ExecutionResult done);

  // Counts a run in, and out again whatever becomes of it.
  class Running {
   public:
    Running(State& state, std::uint64_t bytes);
    ~Running();
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

   private:
    State& state_;
    std::uint64_t bytes_;
  };

  EdgeExecutionConfig config;
  std::shared_ptr<CircuitCompiler> compiler;   // shared: a manager and its executor look at one
  std::shared_ptr<remote::Endpoint> endpoint;  // shared: calls that run outlive a cleanup; null: there is none
  std::optional<outbox::Folder> outbox;
  mutable std::mutex mutex;
  Kept<ExecutionResult> kept;
  ModelCache models;
  PerformanceStatistics statistics;
  std::uint64_t running = 0, running_bytes = 0;
};

}  // namespace skerry::edge
