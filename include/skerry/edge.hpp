/// \file
/// Edge execution: circuits compiled once, kept by content, and run inside a budget of memory and time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <skerry/compile.hpp>
#include <skerry/runtime.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::edge {

/// What one execution on this machine may take, and what is kept between executions.
struct EdgeExecutionConfig {
  double max_memory_mb = 512.0;          ///< 10^6 bytes; checked before anything is allocated; 0: nothing runs here
  double max_execution_time = 60.0;      ///< seconds; predicted longer is refused, an overrun is stopped
  bool enable_compression = true;        ///< of saved and cached packages
  bool enable_caching = true;            ///< off: nothing is ever found again
  double cache_size_mb = 64.0;           ///< of compiled circuits, and again of results
  std::filesystem::path cache_folder{};  ///< compiled circuits shared by processes; empty: in this process alone
  int threads = 0;                       ///< 0: the process's budget
  Precision precision = Precision::double_precision;

  /// Errors: invalid_argument naming the field.
  void validate() const;
};

/// A circuit ready to be run many times. Immutable.
struct CompiledCircuit {
  std::string circuit_id;  ///< hex SHA-256 of source, level and limits; the same in every process
  Level level = Level::medium;
  Circuit circuit;          ///< the gates that are run
  std::uint64_t bytes = 0;  ///< of its package, uncompressed
  std::uint64_t estimated_bytes = 0;
  double estimated_seconds = 0.0;  ///< on this machine
  double compile_seconds = 0.0;
  std::vector<PassReport> passes;
};
using CompiledPtr = std::shared_ptr<const CompiledCircuit>;

struct CompilationStatistics {
  std::uint64_t compiled_circuits = 0;  ///< distinct ones
  std::uint64_t lookups = 0, hits = 0;
  std::uint64_t cached_bytes = 0, cached_circuits = 0;
  double average_estimated_bytes = 0.0;  ///< of the circuits that are kept

  /// hits / lookups, 0 before the first.
  double hit_rate() const noexcept {
    return lookups == 0 ? 0.0 : static_cast<double>(hits) / static_cast<double>(lookups);
  }
};

/// Compiles circuits and keeps them by their content. From any thread; the same circuit asked for by many threads at
/// once is compiled once.
class CircuitCompiler {
 public:
  /// Errors: invalid_argument naming the field; io_error when the cache folder cannot be made.
  explicit CircuitCompiler(EdgeExecutionConfig config = {});
  ~CircuitCompiler();

  const EdgeExecutionConfig& config() const noexcept;
  /// Errors: those of compile().
  CompiledPtr compile_circuit(const Circuit& circuit, Level level = Level::medium);
  /// Errors: not_found with the id.
  CompiledPtr compiled_circuit(std::string_view circuit_id) const;
  /// All that are kept, by id.
  std::map<std::string, CompiledPtr> compiled_circuits() const;
  /// Writes a package that any process and machine can load. Errors: not_found, io_error.
  void save(std::string_view circuit_id, const std::filesystem::path& path) const;
  /// The circuit keeps the id that it was saved under. Errors: those of packages; corrupt for a package that holds no
  /// compiled circuit.
  CompiledPtr load(const std::filesystem::path& path);
  /// Forgets what is kept in this process; the folder stays.
  void clear_cache();
  CompilationStatistics statistics() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// What one execution is given.
struct ExecutionInput {
  std::vector<double> parameters;
  std::map<std::string, double> named_parameters;
  std::optional<Tensor> initial_state;
  std::uint64_t shots = 0;
  std::optional<std::uint64_t> seed;  ///< shots without a seed differ from run to run
  std::vector<Observable> observables;
  RunControl control;
};

enum class ExecutionMethod : std::uint8_t { edge, cloud, hybrid };
std::string_view execution_method_name(ExecutionMethod method) noexcept;

struct ExecutionResult {
  std::string circuit_id;
  ExecutionMethod method = ExecutionMethod::edge;
  double seconds = 0.0;            ///< wall time of this execution
  std::uint64_t memory_bytes = 0;  ///< most that it held at once
  bool from_cache = false;
  Result result;
};
using ResultPtr = std::shared_ptr<const ExecutionResult>;

struct PerformanceStatistics {
  std::uint64_t edge_executions = 0, cloud_executions = 0, hybrid_executions = 0;
  std::uint64_t cache_hits = 0;
  double total_seconds = 0.0;

  std::uint64_t executions() const noexcept { return edge_executions + cloud_executions + hybrid_executions; }
  double average_seconds() const noexcept {
    return executions() == 0 ? 0.0 : total_seconds / static_cast<double>(executions());
  }
};

/// What an execution can count on at this moment.
struct Resources {
  std::uint64_t available_bytes = 0;  ///< inside the control group
  int usable_cpus = 1;
  double load = 0.0;                ///< runnable threads over the last minute
  std::uint64_t running = 0;        ///< executions of this executor
  std::uint64_t running_bytes = 0;  ///< that they were predicted to take
};

/// Runs compiled circuits inside the configured budget. From any thread.
class EdgeExecutor {
 public:
  /// compiler: where ids are looked up.
  EdgeExecutor(EdgeExecutionConfig config, std::shared_ptr<CircuitCompiler> compiler);
  ~EdgeExecutor();

  /// Errors: not_found (id), budget_exceeded and deadline_exceeded with need, limit and what to change, those of run().
  ResultPtr execute(std::string_view circuit_id, const ExecutionInput& input = {});
  ResultPtr execute(const CompiledPtr& circuit, const ExecutionInput& input = {});
  PerformanceStatistics statistics() const;
  Resources resources() const;
  void clear_cache();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace skerry::edge
