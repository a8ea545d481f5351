/// \file
/// A model that is ready to run many times.
#pragma once

#include <cstdint>
#include <memory>
#include <skerry/compile.hpp>
#include <skerry/datum.hpp>
#include <skerry/graph.hpp>
#include <skerry/options.hpp>
#include <skerry/plan.hpp>
#include <skerry/result.hpp>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace skerry {

using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

/// One step of a model as it was measured, beside what the plan predicted.
struct StepTime {
  std::string node, op, kernel;
  std::string output;              ///< types of the outputs: `f32[1,64,112,112]`
  double seconds = 0.0;            ///< median of the runs
  double predicted_seconds = 0.0;  ///< of the plan
  std::uint64_t bytes = 0;         ///< of the tensors it reads and writes
};

/// The type that a run on this datum is planned for: of a tensor its own, of all else the declared one.
TensorType type_of(const Datum& datum, const TensorType& declared);

/// What Session::run_data() gives.
struct DataResult {
  NamedData outputs;  ///< in the graph's order
  RunReport report;
};

/// Whether a run draws random numbers, subgraphs included: then a row's answer hangs on where it stands, so that rows
/// of different requests must not be put into one tensor.
bool draws_at_random(const Graph& graph);

/// Runs one graph. The first run with new input shapes makes a plan, later ones reuse it and its buffers; the last few
/// shapes are kept. One run at a time; sessions of one graph share its weights.
class Session {
 public:
  /// limits: of every run. level: of the passes that go over the graph before the first plan; over a compiled one they
  /// find nothing more. Nothing is planned yet.
  explicit Session(std::shared_ptr<const Graph> graph, Limits limits = {}, Level level = Level::high);
  ~Session();
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;

  const Graph& graph() const noexcept;
  /// What operators that draw random numbers draw from in the runs that follow, where a node has no seed of its own; 0
  /// at first. The same seed and inputs give the same outputs, in every run, for any number of threads.
  void seed(std::uint64_t seed) noexcept;
  /// What a run on such inputs would take. Errors: as run().
  const Plan& plan(std::span<const TensorType> inputs);
  /// inputs: any order, each by the name of a graph input. Gives the outputs in the graph's order and what the run
  /// took. Errors: not_found, invalid_argument (a name missing, unknown or twice), type_mismatch, budget_exceeded,
  /// deadline_exceeded, cancelled; unsupported where an input or output is not a tensor of numbers.
  Result run(const NamedTensors& inputs);
  /// The same under a control of this run alone, in place of the limits' own; their time limit holds all the same. A
  /// run that is ended early leaves the session as it is.
  Result run(const NamedTensors& inputs, const RunControl& control);
  /// The same where inputs or outputs are sequences, optionals, maps or strings too. An optional input takes what it
  /// may hold as well, or may be left out for nothing. Errors: as run().
  DataResult run_data(const NamedData& inputs);
  DataResult run_data(const NamedData& inputs, const RunControl& control);
  /// The same into the caller's buffers, in place; inputs and outputs in the graph's order. From the second run with
  /// the same shapes on, nothing is allocated. Errors: as run(), and type_mismatch for a buffer that does not fit.
  void run_into(std::span<const TensorView> inputs, std::span<const MutableTensorView> outputs);
  /// Types of the outputs for such inputs; extents that depend on data stay unknown. Errors: as run().
  std::vector<TensorType> output_types(std::span<const TensorType> inputs);
  /// Times of the steps that do work, in order, over so many runs after one that warms up. Errors: as run();
  /// invalid_argument for no runs or more than a million; unsupported where shapes depend on data, so that there are no
  /// steps.
  std::vector<StepTime> profile(const NamedTensors& inputs, std::size_t runs = 11);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace skerry
