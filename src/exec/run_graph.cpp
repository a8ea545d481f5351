#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <memory>
#include <skerry/error.hpp>
#include <unordered_set>
#include <utility>

#include "base/account.hpp"
#include "base/legacy_random.hpp"
#include "base/obey.hpp"
#include "base/threads.hpp"
#include "base/trace.hpp"
#include "exec/executor.hpp"
#include "ops/hybrid/circuit.hpp"
#include "ops/nn/evaluate.hpp"

namespace skerry::exec {
namespace {

using Kind = planning::Placement::Kind;

double element(const TensorView& view, std::size_t i) {
  return view.dtype() == DType::f32 ? static_cast<double>(view.as<float>()[i]) : view.as<double>()[i];
}

void set_element(const MutableTensorView& view, std::size_t i, double value) {
  if (view.dtype() == DType::f32) {
    view.as<float>()[i] = static_cast<float>(value);
  } else {
    view.as<double>()[i] = value;
  }
}

// Relative frequencies of the bits' values, dense.
void write_counts(const Counts& counts, std::size_t row_start, const MutableTensorView& out) {
  const auto shots = static_cast<double>(counts.shots());
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const std::size_t index = counts.outcome(i).empty() ? 0 : counts.outcome(i)[0];
    set_element(out, row_start + index, static_cast<double>(counts.times(i)) / shots);
  }
}

// Row by row: the parameters of row b give row b of the output.
void run_circuit_node(const Node& node, const planning::CircuitPlan& plan, std::span<const TensorView> inputs,
                      const MutableTensorView& out, base::MemoryBudget& budget, const RunControl& control) {
  const ops::CircuitNode decoded = ops::decode_circuit_node(node);
  const std::size_t width = decoded.circuit->parameters().size();
  const auto row_elements = static_cast<std::size_t>(decoded.row_elements);
  const std::size_t rows = row_elements == 0 ? 0 : static_cast<std::size_t>(out.elements()) / row_elements;
  std::memset(out.data(), 0, out.bytes());
  std::vector<double> parameters(width);
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t i = 0; i < width; ++i) parameters[i] = element(inputs[0], row * width + i);
    const CircuitResult result = plan.program->run(parameters, {budget, control});
    const std::size_t start = row * row_elements;
    if (decoded.output == "counts") {
      write_counts(result.counts, start, out);
      continue;
    }
    for (std::size_t i = 0; i < row_elements; ++i) {
      set_element(out, start + i,
                  decoded.output == "expectations" ? result.expectations[i] : result.probabilities->as<double>()[i]);
    }
  }
}

bool has_shape(const TensorType& type, const Shape& shape, std::int64_t slices) {
  if (!type.shape) return false;
  const std::vector<Dim>& dims = *type.shape;
  if (dims.size() != static_cast<std::size_t>(shape.rank())) return false;
  for (std::size_t i = 0; i < dims.size(); ++i)
    if (dims[i].value * (i == 0 ? slices : 1) != shape[static_cast<int>(i)]) return false;
  return true;
}

// Rows of one of `count` equal parts.
template <class View>
View part_of(const View& view, std::int64_t count, std::int64_t part) {
  std::array<std::int64_t, Shape::kMaxRank> dims{};
  std::ranges::copy(view.shape().dims(), dims.begin());
  dims[0] /= count;
  const auto bytes = static_cast<std::int64_t>(view.bytes()) / count;
  return {view.dtype(), Shape(std::span<const std::int64_t>(dims).first(view.shape().dims().size())),
          view.data() + part * bytes};
}

void check_views(const planning::GraphPlan& plan, std::span<const ValueId> ids, const auto& views, const char* what) {
  const Graph& graph = plan.graph;
  if (views.size() != ids.size()) {
    throw Error(ErrorCode::invalid_argument,
                "the plan has " + std::to_string(ids.size()) + " " + what + "s but " + std::to_string(views.size()) +
                    " were given",
                graph.name);
  }
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const Value& value = graph.value(ids[i]);
    if (views[i].dtype() != value.type.dtype || !value.type.is_tensor() ||
        !has_shape(value.type, views[i].shape(), plan.slices)) {
      throw Error(ErrorCode::type_mismatch,
                  "the " + std::string(what) + " buffer is " +
                      TensorType::of(views[i].dtype(), views[i].shape()).text() + " but the plan has " +
                      callers_type(plan, ids[i]).text(),
                  "'" + value.name + "'");
    }
    const auto element_bytes = static_cast<std::uintptr_t>(std::max(8, dtype_bits(views[i].dtype())) / 8);
    if (reinterpret_cast<std::uintptr_t>(views[i].data()) % element_bytes != 0) {
      throw Error(ErrorCode::invalid_argument,
                  "the " + std::string(what) + " buffer does not start at a multiple of " +
                      std::to_string(element_bytes) + " bytes",
                  "'" + value.name + "'", "copy it to aligned memory");
    }
  }
}

// A tensor of a result that is an input or a constant, or stands in the results twice, is the caller's to write, so it
// gets bytes of its own.
Datum callers_own(Datum datum, std::unordered_set<const std::byte*>& seen) {
  if (auto* tensor = std::get_if<Tensor>(&datum.value)) {
    const bool first = seen.insert(tensor->view().data()).second;
    if (first && tensor->owner() != nullptr && tensor->owner().use_count() == 1) return datum;
    Tensor copy(tensor->dtype(), tensor->shape());
    if (tensor->view().bytes() > 0)
      std::memcpy(copy.mutable_view().data(), tensor->view().data(), tensor->view().bytes());
    return copy;
  }
  if (auto* map = std::get_if<Map>(&datum.value)) {
    if (auto* values = std::get_if<Tensor>(&map->values)) *values = *callers_own(*values, seen).as<Tensor>();
    return datum;
  }
  if (const auto* optional = datum.as<Optional>()) {
    if (optional->item == nullptr) return datum;
    return Optional{std::make_shared<const Datum>(callers_own(*optional->item, seen))};
  }
  if (const auto* sequence = datum.as<Sequence>()) {
    auto items = std::make_shared<std::vector<Datum>>();
    items->reserve(sequence->size());
    for (std::size_t i = 0; i < sequence->size(); ++i) items->push_back(callers_own((*sequence->items)[i], seen));
    return Sequence{std::move(items)};
  }
  return datum;
}

}  // namespace

void Workspace::fit(std::uint64_t arena_bytes, std::uint64_t scratch_bytes) {
  // One cache line at least: a tensor without elements still has an address, which tells it from an absent one.
  arena_bytes = std::max<std::uint64_t>(arena_bytes, base::Buffer::kAlignment);
  if (arena_.bytes() == arena_bytes && scratch_.bytes() == scratch_bytes) return;
  ++generation_;
  if (arena_.bytes() != arena_bytes) {
    arena_ = {};  // before the new one is taken: they are never needed at once
    arena_ = base::Buffer::allocate(arena_bytes, base::MemoryBudget(), "intermediate tensors");
  }
  if (scratch_.bytes() != scratch_bytes) {
    scratch_ = {};
    scratch_ = base::Buffer::allocate(scratch_bytes, base::MemoryBudget(), "kernel scratch");
  }
}

GraphExecutor::GraphExecutor(std::shared_ptr<const planning::GraphPlan> plan, const Limits& limits)
    : GraphExecutor(std::move(plan), limits, std::make_shared<Workspace>()) {
  workspace_->need(plan_->arena_bytes, plan_->scratch_bytes);
}

GraphExecutor::GraphExecutor(std::shared_ptr<const planning::GraphPlan> plan, const Limits& limits,
                             std::shared_ptr<Workspace> workspace)
    : plan_(std::move(plan)),
      limits_(limits),
      budget_(base::budget_beside(limits.max_memory_bytes.value_or(base::MemoryBudget::kUnlimited),
                                  plan_->report.memory.weights + plan_->report.memory.packed +
                                      std::max<std::uint64_t>(plan_->arena_bytes, base::Buffer::kAlignment) +
                                      plan_->scratch_bytes,
                                  "weights and intermediate tensors")),
      workspace_(std::move(workspace)) {}

void GraphExecutor::make_views() {
  const Graph& graph = plan_->graph;
  input_views_.clear();
  output_views_.clear();
  step_views_.clear();
  callers_views_.clear();
  const auto view_of = [&](ValueId id, std::size_t at, bool is_input) {
    if (id == kNoValue) return MutableTensorView();
    const TensorType& type = graph.value(id).type;
    const Kind kind = plan_->placements[id].kind;
    const bool callers = kind == Kind::input || kind == Kind::output;
    if (callers) callers_views_.push_back({at, id, is_input});
    return MutableTensorView(type.dtype, *type.static_shape(), callers ? nullptr : address(id, {}, {}));
  };
  for (const planning::Step& step : plan_->steps) {
    const Node& node = graph.node(step.node);
    step_views_.push_back({input_views_.size(), output_views_.size()});
    for (const ValueId id : node.inputs) input_views_.emplace_back(view_of(id, input_views_.size(), true));
    for (const ValueId id : node.outputs) output_views_.push_back(view_of(id, output_views_.size(), false));
  }
}

const base::SpanName* GraphExecutor::step_name(std::size_t step) {
  if (step_names_.empty()) {
    for (const planning::Step& each : plan_->steps)
      step_names_.push_back(base::span_name(plan_->graph.node(each.node).op, "step"));
  }
  return step_names_[step];
}

void GraphExecutor::fill_views(std::span<const TensorView> inputs, std::span<const MutableTensorView> outputs) {
  for (const CallersView& view : callers_views_) {
    std::byte* const data = address(view.value, inputs, outputs);
    if (view.is_input) {
      TensorView& to = input_views_[view.at];
      to = TensorView(to.dtype(), to.shape(), data);
    } else {
      MutableTensorView& to = output_views_[view.at];
      to = MutableTensorView(to.dtype(), to.shape(), data);
    }
  }
}

std::byte* GraphExecutor::address(ValueId id, std::span<const TensorView> inputs,
                                  std::span<const MutableTensorView> outputs) const {
  const planning::Placement& placement = plan_->placements[id];
  switch (placement.kind) {
    case Kind::none:
      return nullptr;
    // Inputs and constants are only ever read: the plan never works in place on them.
    case Kind::input:
      return const_cast<std::byte*>(inputs[placement.offset].data());
    case Kind::constant: {
      // A kernel that has packed it does not look at it.
      const auto& constant = plan_->graph.value(static_cast<ValueId>(placement.offset)).constant;
      return constant ? const_cast<std::byte*>(constant->view().data()) : nullptr;
    }
    case Kind::arena:
      return workspace_->arena() + placement.offset;
    case Kind::output:
      return outputs[placement.offset].data();
  }
  return nullptr;
}

void GraphExecutor::time_steps(std::span<const TensorView> inputs, const RunControl& control,
                               std::span<double> seconds) {
  if (plan_->by_value)
    throw Error(ErrorCode::unsupported, "shapes depend on data, so there are no steps to time", plan_->graph.name);
  step_seconds_ = seconds;
  try {
    run(inputs, control);
  } catch (...) {
    step_seconds_ = {};
    throw;
  }
  step_seconds_ = {};
}

std::vector<Datum> GraphExecutor::run_data(std::vector<Datum> inputs, const RunControl& control) {
  if (!plan_->by_value)
    throw Error(ErrorCode::internal, "a plan of tensors alone is given other data", plan_->graph.name);
  const base::ThreadLimit threads(plan_->report.threads);
  const base::RunDraws draws;
  auto results = ops::evaluate(plan_->graph, std::move(inputs), {.budget = &budget_, .control = &control});
  std::unordered_set<const std::byte*> seen;
  for (Datum& result : results) result = callers_own(std::move(result), seen);
  return results;
}

std::vector<Tensor> GraphExecutor::run_by_value(std::span<const TensorView> inputs, const RunControl& control) {
  const Graph& graph = plan_->graph;
  for (const auto* ids : {&graph.inputs(), &graph.outputs()}) {
    for (const ValueId id : *ids) {
      const TensorType& type = graph.value(id).type;
      if (!type.is_tensor() || type.dtype == DType::string)
        throw Error(ErrorCode::unsupported, type.text() + " is no tensor of numbers", "'" + graph.value(id).name + "'",
                    "run it with Session::run_data, in Python Session.run");
    }
  }
  check_views(*plan_, graph.inputs(), inputs, "input");
  std::vector<Datum> data;
  for (const TensorView& view : inputs) data.emplace_back(Tensor(view, nullptr));
  std::vector<Tensor> tensors;
  for (Datum& result : run_data(std::move(data), control)) tensors.push_back(std::get<Tensor>(std::move(result.value)));
  return tensors;
}

// The buffer stays charged for as long as somebody holds the result. A small one that nobody holds any more is taken
// again: making one costs as much as a small model's layer.
std::shared_ptr<base::Buffer> GraphExecutor::output_buffer(std::size_t output, std::uint64_t bytes) {
  constexpr std::uint64_t kKept = 4096;
  std::shared_ptr<base::Buffer>& spare = spare_outputs_[output];
  if (spare != nullptr && spare.use_count() == 1) {
    // After the last look of whoever held it: a count that falls acquires. A fence would do, but ThreadSanitizer knows
    // none.
    std::shared_ptr<base::Buffer>(spare).reset();
    return spare;
  }
  auto made = std::make_shared<base::Buffer>(
      base::Buffer::allocate(std::max<std::uint64_t>(bytes, base::Buffer::kAlignment), budget_, "outputs"));
  if (bytes <= kKept) spare = made;
  return made;
}

std::vector<Tensor> GraphExecutor::run(std::span<const TensorView> inputs, const RunControl& control) {
  if (plan_->by_value) return run_by_value(inputs, control);
  std::vector<Tensor> tensors;
  std::vector<MutableTensorView> outputs;
  spare_outputs_.resize(plan_->graph.outputs().size());
  for (std::size_t i = 0; i < spare_outputs_.size(); ++i) {
    const TensorType& type = plan_->graph.value(plan_->graph.outputs()[i]).type;
    const Shape shape =
        plan_->slices == 1 ? *type.static_shape() : *callers_type(*plan_, plan_->graph.outputs()[i]).static_shape();
    const std::shared_ptr<base::Buffer> buffer = output_buffer(i, tensor_bytes(type.dtype, shape));
    tensors.emplace_back(TensorView(type.dtype, shape, buffer->data()), buffer);
    outputs.emplace_back(type.dtype, shape, buffer->data());
  }
  run(inputs, outputs, control);
  return tensors;
}

void GraphExecutor::run(std::span<const TensorView> inputs, std::span<const MutableTensorView> outputs,
                        const RunControl& control) {
  base::SpanSequence spans("run_graph", "exec");
  const base::ThreadLimit threads(plan_->report.threads);
  const base::RunDraws draws;
  const Graph& graph = plan_->graph;
  if (plan_->by_value) {
    const auto results = run_by_value(inputs, control);
    if (outputs.size() != results.size())
      throw Error(ErrorCode::invalid_argument,
                  "the plan has " + std::to_string(results.size()) + " outputs but " + std::to_string(outputs.size()) +
                      " were given",
                  graph.name);
    for (std::size_t i = 0; i < results.size(); ++i) {
      if (outputs[i].dtype() != results[i].dtype() || outputs[i].shape() != results[i].shape())
        throw Error(ErrorCode::type_mismatch,
                    "the result is " + TensorType::of(results[i].dtype(), results[i].shape()).text() +
                        " but its buffer is " + TensorType::of(outputs[i].dtype(), outputs[i].shape()).text(),
                    "'" + graph.value(graph.outputs()[i]).name + "'");
      std::memcpy(outputs[i].data(), results[i].view().data(), outputs[i].bytes());
    }
    return;
  }
  check_views(*plan_, graph.inputs(), inputs, "input");
  check_views(*plan_, graph.outputs(), outputs, "output");
  workspace_->need(plan_->arena_bytes, plan_->scratch_bytes);
  if (generation_ != workspace_->generation()) make_views();
  generation_ = workspace_->generation();
  const base::FlushSubnormals flush;  // once, rather than in each step's loop
  std::ranges::fill(step_seconds_, 0.0);
  if (plan_->slices == 1) return run_slice(inputs, outputs, control, 0, spans);
  for (std::int64_t slice = 0; slice < plan_->slices; ++slice) {
    slice_inputs_.clear();
    slice_outputs_.clear();
    for (const TensorView& input : inputs) slice_inputs_.push_back(part_of(input, plan_->slices, slice));
    for (const MutableTensorView& output : outputs) slice_outputs_.push_back(part_of(output, plan_->slices, slice));
    run_slice(slice_inputs_, slice_outputs_, control, slice, spans);
  }
}

void GraphExecutor::run_slice(std::span<const TensorView> inputs, std::span<const MutableTensorView> outputs,
                              const RunControl& control, std::int64_t slice, base::SpanSequence& spans) {
  const Graph& graph = plan_->graph;
  const auto all = static_cast<double>(plan_->steps.size()) * static_cast<double>(plan_->slices);
  const auto before = static_cast<double>(plan_->steps.size()) * static_cast<double>(slice);
  fill_views(inputs, outputs);
  std::size_t done = 0;
  const base::Obey obey(&control);
  for (const planning::Step& step : plan_->steps) {
    const Node& node = graph.node(step.node);
    control.check(node.name);
    if (spans.on()) [[unlikely]]
      spans.next(step_name(done));
    const StepViews& views = step_views_[done];
    const std::span<const TensorView> in(input_views_.data() + views.first_input, node.inputs.size());
    const std::span<const MutableTensorView> out(output_views_.data() + views.first_output, node.outputs.size());
    const auto begin =
        step_seconds_.empty() ? std::chrono::steady_clock::time_point() : std::chrono::steady_clock::now();
    if (step.circuit) {
      run_circuit_node(node, *step.circuit, in, out[0], budget_, control);
    } else {
      try {
        step.kernel({in, out, workspace_->scratch()});
      } catch (...) {
        ops::rethrow_at(node);
      }
    }
    if (!step_seconds_.empty())
      step_seconds_[done] += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    control.report((before + static_cast<double>(++done)) / all, node.op);
  }
  for (const planning::OutputCopy& copy : plan_->copies) {
    const MutableTensorView& out = outputs[copy.output];
    std::memcpy(out.data(), address(copy.from, inputs, outputs), out.bytes());
  }
}

}  // namespace skerry::exec
