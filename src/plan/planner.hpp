/// \file
/// IR, machine and budget in; every decision of a run out. Predicting is planning: there is no second cost model.
#pragma once

#include <memory>
#include <optional>
#include <skerry/circuit.hpp>
#include <skerry/graph.hpp>
#include <skerry/options.hpp>
#include <skerry/plan.hpp>
#include <span>
#include <vector>

#include "kernels/rates.hpp"
#include "ops/nn/op_record.hpp"
#include "sim/method.hpp"

namespace skerry::planning {

/// A circuit ready to run. Parameters may still be symbolic: they are given to the program at each run.
struct CircuitPlan {
  Plan report;
  std::shared_ptr<const sim::Program> program;  // shared: sessions and cached plans run one immutable program
};

/// Where a value of a planned graph lives.
struct Placement {
  enum class Kind : std::uint8_t { none, input, constant, arena, output };
  Kind kind = Kind::none;
  std::uint64_t offset = 0;  ///< bytes into the arena; index of the input or output; ValueId of the constant
};

/// One step: a node, the kernel that was chosen and made ready, or the plan of a circuit node.
struct Step {
  NodeId node = kNoNode;
  ops::PreparedKernel kernel;
  std::shared_ptr<const CircuitPlan> circuit;  // shared: a GraphPlan is copied between sessions
};

/// A graph output that must be copied because its bytes live elsewhere (it is an input, a constant or another output).
struct OutputCopy {
  ValueId from = kNoValue;
  std::uint32_t output = 0;
};

/// A graph specialised to concrete input types, ready to run.
struct GraphPlan {
  Plan report;
  Graph graph;
  std::vector<Step> steps;
  std::vector<Placement> placements;  ///< by ValueId
  std::vector<OutputCopy> copies;
  std::uint64_t arena_bytes = 0, scratch_bytes = 0;
  /// How many times it is run, each on so many rows as its inputs have: tensors of the caller's have `slices` times
  /// their first extent.
  std::int64_t slices = 1;
  /// Shapes depend on data, or there is control flow: no steps, the graph is carried out value by value.
  bool by_value = false;
};

/// The type of one of a plan's inputs or outputs as its caller sees it.
TensorType callers_type(const GraphPlan& plan, ValueId id);

/// Chooses method and threads. Nothing is allocated. Errors: budget_exceeded, deadline_exceeded (need, limit, what to
/// change), invalid_argument (options), unsupported (no method can, with each one's reason).
CircuitPlan plan_circuit(const Circuit& circuit, const RunOptions& options);
/// The report alone; a run that would be refused is reported, not thrown: `refusal` gets the error's text.
Plan predict_circuit(const Circuit& circuit, const RunOptions& options, std::string* refusal = nullptr);

/// Specialises, chooses kernels, lays out memory. inputs: concrete type of each graph input. Errors: as plan_circuit,
/// and type_mismatch for input types the graph does not take.
GraphPlan plan_graph(const Graph& graph, std::span<const TensorType> inputs, const Limits& limits);

/// Rates of this machine for a number of threads: measured once (a fraction of a second), kept in the cache folder by
/// machine fingerprint. may_measure false: fallback rates rather than a measurement, which control may end: then the
/// next caller measures. Errors: those of control.
kernels::Rates machine_rates(int threads, bool may_measure, const RunControl& control = {});

/// Threads of a run: options' or the process's budget.
int planned_threads(const Limits& limits);

}  // namespace skerry::planning
