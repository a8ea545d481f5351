#include "ops/nn/widened.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/lines.hpp"
#include "base/memory.hpp"
#include "base/weighing.hpp"
#include "kernels/tensor/convert.hpp"
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

}  // namespace

Prepared prepare_widened(const NodeTypes& types, const std::function<Prepared(const NodeTypes&)>& prepare) {
  NodeTypes wide = types;
  std::array<Tensor, kMostInputs> constants;
  for (std::size_t i = 0; i < types.inputs.size(); ++i) {
    if (!types.present[i] || !is_half(types.inputs[i])) continue;
    wide.inputs[i].dtype = DType::f32;
    if (types.constants[i] == nullptr) continue;
    constants[i] = Tensor(DType::f32, types.constants[i]->shape());
    if (!base::is_weighing) kernels::cast(types.constants[i]->view(), constants[i].mutable_view());
    wide.constants[i] = &constants[i];
  }
  for (TensorType& type : wide.outputs) type.dtype = DType::f32;
  Prepared made = prepare(wide);

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
