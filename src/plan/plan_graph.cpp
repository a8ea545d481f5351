#include <algorithm>
#include <skerry/error.hpp>
#include <utility>

#include "base/file.hpp"
#include "base/obey.hpp"
#include "base/threads.hpp"
#include "base/trace.hpp"
#include "base/weighing.hpp"
#include "ops/hybrid/circuit.hpp"
#include "ops/nn/evaluate.hpp"
#include "plan/batch_slices.hpp"
#include "plan/budget.hpp"
#include "plan/memory_layout.hpp"
#include "plan/planner.hpp"

namespace skerry::planning {
namespace {

constexpr double kModelWorthMeasuring = 0.05;

void check_inputs(const Graph& graph, std::span<const TensorType> inputs) {
  if (inputs.size() != graph.inputs().size()) {
    throw Error(ErrorCode::invalid_argument,
                "the model takes " + std::to_string(graph.inputs().size()) + " inputs but " +
                    std::to_string(inputs.size()) + " were given",
                graph.name);
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Value& wanted = graph.value(graph.inputs()[i]);
    bool matches = inputs[i].dtype == wanted.type.dtype && inputs[i].wraps == wanted.type.wraps &&
                   (inputs[i].static_shape().has_value() || !inputs[i].is_tensor());
    if (matches && wanted.type.shape && wanted.type.is_tensor()) {
      const auto& dims = *wanted.type.shape;
      matches = dims.size() == inputs[i].shape->size();
      for (std::size_t axis = 0; matches && axis < dims.size(); ++axis) {
        matches = !dims[axis].is_known() || dims[axis].value == (*inputs[i].shape)[axis].value;
      }
    }
    if (!matches) {
      throw Error(ErrorCode::type_mismatch,
                  "the input is " + inputs[i].text() + " but the model takes " + wanted.type.text(),
                  "input '" + wanted.name + "'", "give an array of that dtype and shape");
    }
  }
}

ops::NodeTypes types_of(const Graph& graph, const Node& node) {
  ops::NodeTypes types;
  for (const ValueId id : node.inputs) {
    types.present.push_back(id != kNoValue);
    types.inputs.push_back(id == kNoValue ? TensorType{} : graph.value(id).type);
    types.constants.push_back(id != kNoValue && graph.value(id).constant ? &*graph.value(id).constant : nullptr);
  }
  for (const ValueId id : node.outputs) {
    if (id == kNoValue) {
      types.outputs.emplace_back();
      continue;
    }
    const Value& value = graph.value(id);
    if (!value.type.static_shape()) {
      throw Error(ErrorCode::unsupported,
                  "the shape of output '" + value.name + "' depends on data: " + value.type.text(), node.place());
    }
    types.outputs.push_back(value.type);
  }
  return types;
}

// The chosen kernel of a node and its report: the cheapest of those that can, by the fixed price list. Measured prices
// differ between runs and thread counts, and two kernels differ in the last bits: results must not depend on either.
struct KernelChoice {
  const ops::KernelRow* row = nullptr;
  StepReport report;
};

KernelChoice choose_kernel(const Node& node, const ops::OpRecord& record, const ops::NodeTypes& types,
                           const kernels::Rates& rates) {
  static const kernels::Rates kPriceList = kernels::fallback_rates(1);
  KernelChoice choice;
  std::size_t best = 0;
  double best_price = 0.0;
  for (const ops::KernelRow& row : record.kernels) {
    Candidate candidate;
    candidate.name = row.name;
    const auto work = row.can(node, types);
    if (work) {
      candidate.seconds = kernels::seconds(*work, rates) + rates[kernels::Rate::step];
    } else {
      candidate.reason = work.error();
    }
    choice.report.candidates.push_back(candidate);
    if (!work) continue;
    const double price = kernels::seconds(*work, kPriceList);
    if (choice.row != nullptr && best_price <= price) continue;
    best_price = price;
    choice.row = &row;
    best = choice.report.candidates.size() - 1;
  }
  for (std::size_t i = 0; i < choice.report.candidates.size(); ++i) {
    Candidate& candidate = choice.report.candidates[i];
    candidate.chosen = choice.row != nullptr && i == best;
    if (!candidate.chosen && candidate.reason.empty()) candidate.reason = "costs more by the price list";
  }
  if (choice.row == nullptr) {
    std::string reasons;
    for (const auto& candidate : choice.report.candidates) reasons += "; " + candidate.name + ": " + candidate.reason;
    throw Error(ErrorCode::unsupported, "no kernel computes " + node.op + " here" + reasons, node.place());
  }
  choice.report.kernel = choice.row->name;
  choice.report.seconds = choice.report.candidates[best].seconds;
  return choice;
}

StepReport circuit_step(const Node& node, const Graph& graph, const Limits& limits, Step& step, MemoryReport& memory) {
  const base::Weighing in_truth(false);
  ops::CircuitNode decoded = ops::decode_circuit_node(node);
  decoded.options.limits.threads = limits.threads;
  decoded.options.limits.max_memory_bytes = limits.max_memory_bytes;
  step.circuit = std::make_shared<const CircuitPlan>(plan_circuit(*decoded.circuit, decoded.options));
  const auto elements = graph.value(node.outputs[0]).type.static_shape()->elements();
  const auto rows = decoded.row_elements == 0 ? 0 : elements / decoded.row_elements;
  memory.state = std::max(memory.state, step.circuit->report.peak_bytes);
  StepReport report;
  report.kernel = step.circuit->report.method;
  report.candidates = step.circuit->report.candidates;
  report.seconds = step.circuit->report.seconds * static_cast<double>(rows);
  return report;
}

using PackedInputs = std::vector<std::vector<std::size_t>>;

// Bytes of constants that running the steps brings into memory. A table that is only looked up is paged in by row; what
// kernels have packed (by node) is read no more.
std::uint64_t weight_bytes(const Graph& graph, const PackedInputs& packed) {
  constexpr std::uint64_t kPage = 4096;
  std::vector<std::uint64_t> touched(graph.values().size(), 0);
  for (NodeId node_id = 0; node_id < graph.nodes().size(); ++node_id) {
    const Node& node = graph.node(node_id);
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const ValueId id = node.inputs[i];
      if (id == kNoValue || !graph.value(id).constant) continue;
      if (node_id < packed.size() && std::ranges::find(packed[node_id], i) != packed[node_id].end()) continue;
      const TensorView& view = graph.value(id).constant->view();
      std::uint64_t bytes = view.bytes();
      if (node.op == "Gather" && i == 0 && node.integer("axis", 0) == 0 && view.shape().rank() > 0 &&
          view.shape()[0] > 0) {
        const auto rows = static_cast<std::uint64_t>(graph.value(node.inputs[1]).type.static_shape()->elements());
        bytes = std::min(bytes, rows * (bytes / static_cast<std::uint64_t>(view.shape()[0]) + kPage));
      }
      touched[id] = std::max(touched[id], bytes);
    }
  }
  std::uint64_t total = 0;
  for (const std::uint64_t bytes : touched) total += bytes;
  return total;
}

// Gives back the constants that a kernel has packed, once no other node wants them. Memory of the mapped file goes back
// at once, that of a copy with its last owner.
class Releaser {
 public:
  explicit Releaser(Graph& graph) : graph_(graph), uses_(graph.use_counts()) {}
  void packed(const Node& node, std::span<const std::size_t> inputs) {
    for (const std::size_t i : inputs) {
      const ValueId id = i < node.inputs.size() ? node.inputs[i] : kNoValue;
      if (id == kNoValue || !graph_.value(id).constant || --uses_[id] > 0) continue;
      const TensorView view = graph_.value(id).constant->view();
      base::release_mapped({view.data(), view.bytes()});
      released_.emplace_back(view.data(), view.bytes());
      graph_.value(id).constant.reset();
    }
  }

  // Once more, and neighbours as one: a read brings in pages around it, and a page may belong to several small ones.
  void finish() {
    std::ranges::sort(released_, {}, [](const auto& bytes) { return bytes.data(); });
    std::span<const std::byte> run;
    for (const auto& bytes : released_) {
      if (!run.empty() && bytes.data() - (run.data() + run.size()) < kGap) {
        run = {run.data(), std::max(run.data() + run.size(), bytes.data() + bytes.size())};
      } else {
        base::release_mapped(run);
        run = bytes;
      }
    }
    base::release_mapped(run);
  }

 private:
  static constexpr std::ptrdiff_t kGap = 128;  // what files put between tensors

  Graph& graph_;
  std::vector<std::uint32_t> uses_;
  std::vector<std::span<const std::byte>> released_;
};

std::string output_types(const Graph& graph, const Node& node) {
  std::string text;
  for (const ValueId id : node.outputs) {
    if (id != kNoValue) text += (text.empty() ? "" : ", ") + graph.value(id).type.text();
  }
  return text;
}

// Shapes are known only as the graph runs: what is left to say is what the weights and the known values take.
void plan_by_value(GraphPlan& plan) {
  const Graph& graph = plan.graph;
  plan.by_value = true;
  check_sizes(graph);
  for (const Value& value : graph.values()) {
    const auto shape = value.type.static_shape();
    if (value.constant) plan.report.memory.weights += value.constant->view().bytes();
    if (value.producer != kNoNode && shape) plan.report.memory.arena += tensor_bytes(value.type.dtype, *shape);
  }
  plan.report.peak_bytes = plan.report.memory.weights + plan.report.memory.arena;
  for (const Node& node : graph.nodes()) {
    if (node.op == "circuit")
      throw Error(ErrorCode::unsupported, "a circuit beside shapes that depend on data", node.place());
    StepReport step;
    step.kernel = "by value";
    step.node = node.name;
    step.op = node.op;
    step.output = output_types(graph, node);
    plan.report.steps.push_back(std::move(step));
  }
}

}  // namespace

TensorType callers_type(const GraphPlan& plan, ValueId id) {
  TensorType type = plan.graph.value(id).type;
  if (plan.slices > 1) type.shape->front() = Dim(type.shape->front().value * plan.slices);
  return type;
}

GraphPlan plan_graph(const Graph& graph, std::span<const TensorType> inputs, const Limits& limits) {
  const base::TraceSpan span("plan_graph", "plan");
  check_limits(limits);
  check_inputs(graph, inputs);

  const base::Obey obey(&limits.control);
  GraphPlan plan;
  plan.graph = ops::specialize(graph, inputs);
  Plan& report = plan.report;
  report.kind = report.method = "graph";
  report.threads = planned_threads(limits);
  report.max_memory_bytes = limits.max_memory_bytes;
  if (limits.max_execution_time) report.max_seconds = limits.max_execution_time->count();

  if (ops::depends_on_data(plan.graph)) {
    plan_by_value(plan);
    enforce(report, limits, "raise max_memory_mb, or use smaller inputs");
    return plan;
  }
  if (auto slices = batch_slices(graph, plan.graph, inputs)) {
    plan.graph = std::move(slices->graph);
    plan.slices = slices->count;
    report.candidates.push_back(
        {.name = std::to_string(slices->count) + " slices of the batch, one after the other", .chosen = true});
  }
  const auto layout = lay_out_memory(plan.graph, report.threads);
  plan.placements = layout.placements;
  plan.copies = layout.copies;
  plan.arena_bytes = layout.arena_bytes;
  report.memory.arena = layout.arena_bytes;
  report.memory.outputs = layout.output_bytes * static_cast<std::uint64_t>(plan.slices);
  report.memory.weights = weight_bytes(plan.graph, {});
  const auto total = [&report] {
    const MemoryReport& m = report.memory;
    report.peak_bytes = m.weights + m.packed + m.arena + m.scratch + m.outputs + m.state;
  };
  constexpr const char* kHint = "raise max_memory_mb, use a smaller batch, or quantise the model";
  total();
  enforce({.method = "graph", .peak_bytes = report.peak_bytes}, limits, kHint);

  kernels::Rates rates = machine_rates(report.threads, limits.max_execution_time.has_value(), limits.control);
  const auto choose_all = [&](std::vector<KernelChoice>& choices) {
    choices.clear();
    double seconds = 0.0;
    for (const Node& node : plan.graph.nodes()) {
      const ops::OpRecord* record = ops::find_op(node.op);
      choices.emplace_back();
      if (node.op == "circuit" || record->is_view) continue;
      choices.back() = choose_kernel(node, *record, types_of(plan.graph, node), rates);
      choices.back().report.seconds *= static_cast<double>(plan.slices);
      seconds += choices.back().report.seconds;
    }
    return seconds;
  };
  std::vector<KernelChoice> choices;
  if (choose_all(choices) > kModelWorthMeasuring && !rates.measured) {
    rates = machine_rates(report.threads, true, limits.control);
    choose_all(choices);
  }
  report.rates_measured = rates.measured;

  const base::ThreadLimit threads(report.threads);  // a kernel asks for scratch for each thread
  PackedInputs packed(plan.graph.nodes().size());
  Releaser releaser(plan.graph);
  for (NodeId id = 0; id < plan.graph.nodes().size(); ++id) {
    const Node& node = plan.graph.node(id);
    Step step;
    step.node = id;
    StepReport step_report = std::move(choices[id].report);
    if (node.op == "circuit") {
      step_report = circuit_step(node, plan.graph, limits, step, report.memory);
    } else if (choices[id].row == nullptr) {
      step_report.kernel = "view";
    } else {
      ops::align_constants(plan.graph, id);
      ops::Prepared prepared = choices[id].row->prepare(node, types_of(plan.graph, node));
      step.kernel = std::move(prepared.run);
      plan.scratch_bytes = std::max(plan.scratch_bytes, prepared.scratch_bytes);
      report.memory.packed += prepared.packed_bytes;
      releaser.packed(node, prepared.packed_inputs);
      packed[id] = std::move(prepared.packed_inputs);
      if (!packed[id].empty()) report.memory.weights = weight_bytes(plan.graph, packed);
    }
    report.memory.scratch = plan.scratch_bytes;
    const std::uint64_t agreed = report.peak_bytes;
    total();
    // Asking what the machine has reads a dozen files.
    if (report.peak_bytes > agreed) enforce({.method = "graph", .peak_bytes = report.peak_bytes}, limits, kHint);
    step_report.node = node.name;
    step_report.op = node.op;
    step_report.output = output_types(plan.graph, node);
    report.seconds += step_report.seconds;
    report.steps.push_back(std::move(step_report));
    if (step.kernel || step.circuit) plan.steps.push_back(std::move(step));
  }
  releaser.finish();
  enforce(report, limits, kHint);
  return plan;
}

}  // namespace skerry::planning
