#include "ops/nn/widened.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/lines.hpp"
#include "base/memory.hpp"
#include "base/weighing.hpp"
#include "kernels/tensor/convert.hpp"
#include "kernels/tensor/halves.hpp"
#include "ops/nn/kernel_rows.hpp"

namespace skerry::ops {
namespace {

constexpr std::size_t kMostInputs = 8, kMostOutputs = 4;

bool is_half(const TensorType& type) {
  return type.dtype == DType::f16 || type.dtype == DType::bf16;
}

// Where an input or output stands in scratch.
struct Slot {
  std::uint64_t index = 0, offset = 0;
  bool is_output = false;
};
struct Slots {
  std::array<Slot, kMostInputs + kMostOutputs> slots = {};
  std::uint64_t count = 0, own_bytes = 0;
};

void run_widened(const KernelArguments& a, const PreparedKernel& run, const Slots& all) {
  const auto slots = std::span(all.slots).first(all.count);
  std::array<TensorView, kMostInputs> inputs;
  std::array<MutableTensorView, kMostOutputs> outputs;
  std::ranges::copy(a.inputs, inputs.begin());
  std::ranges::copy(a.outputs, outputs.begin());
  for (const Slot& slot : slots) {
    std::byte* room = a.scratch.data() + slot.offset;
    if (slot.is_output) {
      outputs[slot.index] = {DType::f32, a.outputs[slot.index].shape(), room};
    } else {
      const MutableTensorView wide(DType::f32, a.inputs[slot.index].shape(), room);
      kernels::cast(a.inputs[slot.index], wide);
      inputs[slot.index] = wide;
    }
  }
  run({std::span(inputs).first(a.inputs.size()), std::span(outputs).first(a.outputs.size()),
       a.scratch.first(all.own_bytes)});
  for (const Slot& slot : slots) {
    if (slot.is_output) kernels::cast(outputs[slot.index], a.outputs[slot.index]);
  }
}

// The types with f32 for every f16 and bf16, and the constants of such inputs; of large ones the shape alone where
// nothing is to be packed.
struct Widened {
  NodeTypes types;
  std::array<Tensor, kMostInputs> constants;

  Widened(const NodeTypes& narrow, bool packs) : types(narrow) {
    constexpr std::int64_t kFew = 1024;
    for (std::size_t i = 0; i < narrow.inputs.size(); ++i) {
      if (!narrow.present[i] || !is_half(narrow.inputs[i])) continue;
      types.inputs[i].dtype = DType::f32;
      if (narrow.constants[i] == nullptr) continue;
      constants[i] = Tensor(DType::f32, narrow.constants[i]->shape());
      if ((packs && !base::is_weighing) || constants[i].shape().elements() <= kFew)
        kernels::cast(narrow.constants[i]->view(), constants[i].mutable_view());
      types.constants[i] = &constants[i];
    }
    for (TensorType& type : types.outputs)
      if (is_half(type)) type.dtype = DType::f32;
  }
};

// Null where none takes them.
const KernelRow* row_of(const Node& node, const NodeTypes& wide) {
  for (const KernelRow& row : find_op(node.op)->kernels) {
    if (row.can != can_through_f32 && row.can(node, wide)) return &row;
  }
  return nullptr;
}

}  // namespace

Expected<std::vector<kernels::Work>> can_through_f32(const Node& node, const NodeTypes& types) {
  if (std::ranges::none_of(types.inputs, is_half)) return no_kernel(types.inputs[0].dtype);
  if (types.inputs.size() > kMostInputs || types.outputs.size() > kMostOutputs) return Unexpected{"too many inputs"};
  const Widened wide(types, false);
  const KernelRow* const row = row_of(node, wide.types);
  if (row == nullptr) return no_kernel(types.inputs[0].dtype);
  std::vector<kernels::Work> work = *row->can(node, wide.types);
  double converted = 0.0;
  for (std::size_t i = 0; i < types.inputs.size(); ++i)
    if (types.present[i] && is_half(types.inputs[i])) converted += static_cast<double>(elements(types.inputs[i]));
  for (const TensorType& type : types.outputs) converted += is_half(type) ? static_cast<double>(elements(type)) : 0.0;
  work.push_back({kernels::Rate::scalar, kernels::kStepsOfAHalf * converted});
  return work;
}

Prepared prepare_through_f32(const Node& node, const NodeTypes& types) {
  return prepare_widened(types, [&node](const NodeTypes& wide) { return row_of(node, wide)->prepare(node, wide); });
}

Prepared prepare_widened(const NodeTypes& types, const std::function<Prepared(const NodeTypes&)>& prepare) {
  const Widened widened(types, true);
  Prepared made = prepare(widened.types);

  Slots slots;
  slots.own_bytes = made.scratch_bytes;
  made.scratch_bytes = base::whole_lines(made.scratch_bytes);
  const std::size_t inputs = types.inputs.size();
  for (std::size_t i = 0; i < inputs + types.outputs.size(); ++i) {
    const bool is_output = i >= inputs;
    const TensorType& type = is_output ? types.outputs[i - inputs] : types.inputs[i];
    const bool packed = std::ranges::find(made.packed_inputs, i) != made.packed_inputs.end();
    // An output that is not wanted has no type, so none of a half.
    if (!is_half(type) || (!is_output && (packed || !types.present[i]))) continue;
    slots.slots[slots.count++] = {is_output ? i - inputs : i, made.scratch_bytes, is_output};
    made.scratch_bytes += base::whole_lines(tensor_bytes(DType::f32, *type.static_shape()));
  }
  made.run = [run = std::move(made.run), slots](const KernelArguments& a) { run_widened(a, run, slots); };
  return made;
}

}  // namespace skerry::ops
