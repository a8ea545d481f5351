/// \file
/// Edge execution: circuits compiled once, kept by content, and run inside a budget of memory and time: on this
/// machine, in pieces, or at an endpoint. Models and hybrids likewise.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <skerry/compile.hpp>
#include <skerry/runtime.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::edge {

/// What one execution on this machine may take, what is kept between executions, and who else may run it.
struct EdgeExecutionConfig {
  double max_memory_mb = 512.0;      ///< 10^6 bytes; checked before anything is allocated; 0: nothing runs here
  double max_execution_time = 60.0;  ///< seconds; predicted longer is refused, an overrun is stopped
  /// Of saved and cached packages; and of a circuit's run that nobody can take as it is: in single precision.
  bool enable_compression = true;
  bool enable_caching = true;            ///< off: nothing is ever found again
  double cache_size_mb = 64.0;           ///< of compiled circuits, and again of results
  std::filesystem::path cache_folder{};  ///< compiled circuits shared by processes; empty: in this process alone
  int threads = 0;                       ///< 0: the process's budget
  Precision precision = Precision::double_precision;
  std::uint32_t max_cuts = 6;                 ///< of gates and wires, to run a circuit in pieces; 0: it is not cut
  bool fallback_to_cloud = true;              ///< what does not fit here is run at cloud_endpoint
  std::string cloud_endpoint{};               ///< `https://host:port` of a `skerry serve`; empty: none
  double cloud_timeout = 60.0;                ///< seconds of one remote run, repetitions included
  std::string cloud_api_key{};                ///< sent as a bearer token; empty: none
  std::filesystem::path cloud_authorities{};  ///< PEM of who signs the endpoint's certificate; empty: the system's
  std::filesystem::path cloud_certificate{}, cloud_key{};  ///< PEM of this client, for endpoints that ask for it
  /// Where runs wait whose endpoint cannot be reached (<skerry/outbox.hpp>); empty: nowhere.
  std::filesystem::path outbox_folder{};
  double outbox_size_mb = 64.0;  ///< of what waits there and of its answers

  /// Errors: invalid_argument naming the field.
  void validate() const;
};

enum class ExecutionMethod : std::uint8_t { edge, cloud, hybrid };
std::string_view execution_method_name(ExecutionMethod method) noexcept;

/// One piece of a circuit, or one half of a model, that was cut.
struct PieceReport {
  std::uint32_t wires = 0;  ///< of a circuit, those that cutting added included; 0: it is half of a model
  std::uint64_t peak_bytes = 0;
  double seconds = 0.0;                           ///< predicted, for this machine
  ExecutionMethod place = ExecutionMethod::edge;  ///< edge or cloud
  std::uint32_t nodes = 0;                        ///< of a half
};

/// A circuit in pieces or a model in halves, and what that costs.
struct SplitReport {
  std::vector<PieceReport> pieces;
  std::uint32_t gate_cuts = 0, wire_cuts = 0;
  double terms = 1.0;  ///< products that each term of an observable takes: 4 for a wire or a controlled gate
  double sampling_overhead = 1.0;  ///< times more shots that devices without states would need: 16 a wire, 9 a CX
  std::uint64_t peak_bytes = 0;    ///< on this machine
  double seconds = 0.0;  ///< of the slowest way through pieces and putting together; of a model's half on this machine
  std::uint64_t crossing_bytes = 0;  ///< tensors that go between the halves of a model
  std::uint64_t weight_bytes = 0;    ///< weights that go with the half that runs elsewhere, uncompressed
};
struct Split;

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
  /// How it can be run in pieces, looked for when it does not fit into the limits whole; null: it cannot, see
  /// why_whole.
  std::shared_ptr<const Split> split;  // shared: copies are one compiled circuit
  std::string why_whole;
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

/// One way to run a circuit that was considered.
struct PlaceReport {
  ExecutionMethod method = ExecutionMethod::edge;
  bool possible = false, chosen = false;
  std::string reason;            ///< why it is not possible, or lost; of the chosen one, why it won
  std::uint64_t peak_bytes = 0;  ///< on this machine; 0 where that is not known
  double seconds = 0.0;
};

/// Where an execution goes, and why.
struct Placement {
  ExecutionMethod method = ExecutionMethod::edge;
  std::vector<PlaceReport> considered;  ///< edge, hybrid, cloud
  std::optional<SplitReport> split;     ///< when there is a way to cut
  std::uint64_t whole_bytes = 0;  ///< of a model: its weights and inputs, uncompressed, as they go to the endpoint
  std::string refusal;            ///< not empty: it can run nowhere
  /// It runs here in single precision, half the bytes, since it could run nowhere else: answers are good to about 1e-6.
  bool compressed = false;
  double decision_seconds = 0.0;

  /// Some lines for people.
  std::string explain() const;
};

/// What one part of a model's run took.
struct PartReport {
  ExecutionMethod place = ExecutionMethod::edge;  ///< edge or cloud
  double seconds = 0.0;                           ///< wall time, the way to the endpoint and back included
  std::uint64_t bytes_sent = 0;                   ///< of the inputs, and of the package where it had to be sent
  std::uint64_t bytes_received = 0;               ///< of the answer's tensors
};

struct ExecutionResult {
  std::string circuit_id;
  ExecutionMethod method = ExecutionMethod::edge;
  double seconds = 0.0;            ///< wall time of this execution
  std::uint64_t memory_bytes = 0;  ///< most that it held at once on this machine
  bool from_cache = false;
  Placement placement;                 ///< as it was decided, and what happened on the way
  std::vector<PartReport> parts = {};  ///< of a model, in the order in which they ran
  Result result;
};
using ResultPtr = std::shared_ptr<const ExecutionResult>;

struct PerformanceStatistics {
  std::uint64_t edge_executions = 0, cloud_executions = 0, hybrid_executions = 0;
  std::uint64_t cache_hits = 0;
  std::uint64_t cached_bytes = 0, cached_results = 0;  ///< kept now
  std::uint64_t moved = 0;                             ///< executions that another place had to take over
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
  double load = 0.0;                          ///< runnable threads over the last minute
  std::uint64_t running = 0;                  ///< executions of this executor
  std::uint64_t running_bytes = 0;            ///< that they were predicted to take
  std::optional<double> battery_percent;      ///< of the fullest battery; empty: there is none
  bool on_battery = false;                    ///< it is being emptied
  std::optional<double> temperature_celsius;  ///< of the hottest zone; empty: the machine does not tell
  bool too_hot = false;            ///< a zone is within 5 degrees of the point at which the machine slows down
  bool endpoint_seems_up = false;  ///< there is one, and its last calls did not fail
};

/// Runs compiled circuits inside the configured budget. From any thread.
class EdgeExecutor {
 public:
  /// compiler: where ids are looked up.
  EdgeExecutor(EdgeExecutionConfig config, std::shared_ptr<CircuitCompiler> compiler);
  ~EdgeExecutor();

  const EdgeExecutionConfig& config() const noexcept;
  /// Here when it fits the budget and the machine as it is now; else in pieces, when the circuit can be cut and they
  /// fit; else at the endpoint. What overruns its time is stopped, and moved there.
  /// Errors: not_found (id), budget_exceeded and deadline_exceeded with need, limit and what to change; unavailable
  /// when the endpoint was needed and failed (JobKept once it is in the outbox); those of run().
  ResultPtr execute(std::string_view circuit_id, const ExecutionInput& input = {});
  ResultPtr execute(const CompiledPtr& circuit, const ExecutionInput& input = {});
  /// The same for rows of parameters, [batch, P]. Expectation values of up to 12 wires that are computed here are
  /// computed together: placed once and not kept, each with the mean time and the planned bytes.
  /// Errors: also invalid_argument for values that are no rows.
  std::vector<ResultPtr> execute_batch(const CompiledPtr& circuit, const ExecutionInput& input,
                                       std::span<const double> rows);
  /// A model or a hybrid on tensors by the names of its inputs: here when its plan fits; else cut in two where the
  /// fewest bytes go over the link, one half here and one at the endpoint; else whole at the endpoint, which is sent
  /// the half or the whole as a package, once, and needs no repository. Its result is kept by the model's content and
  /// the inputs, and has no circuit_id. Answers of the endpoint are held against the types that the model's outputs
  /// must have. Errors: those of Session::run and of execute(CompiledPtr).
  ResultPtr execute_model(const Graph& graph, const NamedTensors& inputs, const RunControl& control = {});
  /// What execute_model() would decide now. Nothing is sent. Errors: those of planning and of Session::run's inputs.
  Placement place_model(const Graph& graph, const NamedTensors& inputs) const;
  /// What execute() would decide now. Nothing is sent or allocated; some hundred microseconds.
  Placement place(const CompiledPtr& circuit, const ExecutionInput& input = {}) const;
  PerformanceStatistics statistics() const;
  Resources resources() const;
  void clear_cache();
  /// Gives up connections and what is kept; executions that run go on. A later execution connects again.
  void cleanup();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Which half of a model runs on this machine.
enum class HalfHere : std::uint8_t { head, tail };

/// A model in two halves: one runs here, the other elsewhere.
struct GraphCut {
  Graph head, tail;
  HalfHere here = HalfHere::head;
  std::vector<std::string>
      crossing;                      ///< values that the head gives to the tail; inputs that the tail reads stay inputs
  std::uint64_t crossing_bytes = 0;  ///< of them and of the model's inputs that the half elsewhere reads
  std::uint64_t weight_bytes = 0;    ///< of the half elsewhere, which is sent with it
  std::vector<std::string> outputs;  ///< of the whole model, each an output of one of the halves
  Plan here_plan;                    ///< of the half here

  std::uint64_t moved_bytes() const noexcept { return crossing_bytes + weight_bytes; }
};
/// Cuts a model (a hybrid too) where the fewest bytes go over the link: values that cross, inputs and weights of the
/// half that runs elsewhere; the head has the first node, the tail the last. Of equal cuts that with the largest head.
/// A minimum cut over the nodes, so that each branch is cut where it is narrow; where the half here does not fit the
/// limits, nodes are taken from it from the far end until it does, by bisection. inputs: concrete type of each graph
/// input. Errors: budget_exceeded when no half fits, those of planning.
GraphCut cut_graph(const Graph& graph, std::span<const TensorType> inputs, const EdgeExecutionConfig& config = {},
                   HalfHere here = HalfHere::head);

/// What one stage of reaching an endpoint found.
struct DoctorStep {
  std::string name;  ///< `address`, `DNS`, `TCP`, `TLS`, `HTTP`, `auth`, `version`
  bool ok = false;
  std::string finding;  ///< what was found, or what is wrong and what to do
  double seconds = 0.0;
};
/// Goes to the endpoint step by step and stops at the first that fails. Errors: none; each failure is a step.
std::vector<DoctorStep> examine_endpoint(const EdgeExecutionConfig& config);

}  // namespace skerry::edge
