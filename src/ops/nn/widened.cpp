#include "ops/nn/widened.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/memory.hpp"
#include "kernels/tensor/convert.hpp"
#include "ops/nn/kernel_rows.hpp"

namespace skerry::ops {
namespace {

constexpr std::size_t kMostInputs = 8, kMostOutputs = 4;

bool is_half(const TensorType& type) {
  return type.dtype == DType::f16 || type.dtype == DType::bf16;
}

std::uint64_t whole_lines(std::uint64_t bytes) {
  return std::max<std::uint64_t>(bytes + base::Buffer::kAlignment - 1, base::Buffer::kAlignment) /
         base::Buffer::kAlignment * base::Buffer::kAlignment;
}

// Where an input or output stands in scratch.
struct Slot {
  std::size_t index = 0;
  std::uint64_t offset = 0;
  Shape shape;
};

Tensor as_f32(const Tensor& half) {
  const Tensor aligned = aligned_copy(half);
  Tensor wide(DType::f32, half.shape());
  if (half.shape().elements() > 0) kernels::cast(aligned.view(), wide.mutable_view());
  return wide;
}

}  // namespace

Prepared prepare_widened(const NodeTypes& types, const std::function<Prepared(const NodeTypes&)>& prepare) {
  NodeTypes wide = types;
  std::vector<Tensor> constants(types.inputs.size());
  for (std::size_t i = 0; i < types.inputs.size(); ++i) {
    if (!types.present[i] || !is_half(types.inputs[i])) continue;
    wide.inputs[i].dtype = DType::f32;
    if (types.constants[i] == nullptr) continue;
    constants[i] = as_f32(*types.constants[i]);
    wide.constants[i] = &constants[i];
  }
  for (TensorType& type : wide.outputs) type.dtype = is_half(type) ? DType::f32 : type.dtype;
  Prepared inner = prepare(wide);

  std::uint64_t end = whole_lines(inner.scratch_bytes);
  const auto slot_of = [&end](std::size_t index, const TensorType& type) {
    const Slot slot{index, end, *type.static_shape()};
    end += whole_lines(tensor_bytes(DType::f32, slot.shape));
    return slot;
  };
  std::vector<Slot> in, out;
  for (std::size_t i = 0; i < types.inputs.size(); ++i) {
    const bool packed = std::ranges::find(inner.packed_inputs, i) != inner.packed_inputs.end();
    if (types.present[i] && is_half(types.inputs[i]) && !packed) in.push_back(slot_of(i, types.inputs[i]));
  }
  for (std::size_t i = 0; i < types.outputs.size(); ++i) {
    if (is_half(types.outputs[i]) && types.outputs[i].shape) out.push_back(slot_of(i, types.outputs[i]));
  }
  Prepared made;
  made.scratch_bytes = end;
  made.packed_bytes = inner.packed_bytes;
  made.packed_inputs = inner.packed_inputs;
  made.run = [run = std::move(inner.run), inner_bytes = inner.scratch_bytes, in = std::move(in),
              out = std::move(out)](const KernelArguments& a) {
    std::array<TensorView, kMostInputs> inputs;
    std::array<MutableTensorView, kMostOutputs> outputs;
    std::ranges::copy(a.inputs, inputs.begin());
    std::ranges::copy(a.outputs, outputs.begin());
    const auto room = [&a](const Slot& slot) {
      return MutableTensorView(DType::f32, slot.shape, a.scratch.data() + slot.offset);
    };
    for (const Slot& slot : in) {
      if (slot.shape.elements() > 0) kernels::cast(a.inputs[slot.index], room(slot));
      inputs[slot.index] = room(slot);
    }
    for (const Slot& slot : out) {
      if (!a.outputs[slot.index].empty()) outputs[slot.index] = room(slot);
    }
    run({std::span(inputs).first(a.inputs.size()), std::span(outputs).first(a.outputs.size()),
         a.scratch.first(inner_bytes)});
    for (const Slot& slot : out) {
      if (!a.outputs[slot.index].empty() && slot.shape.elements() > 0)
        kernels::cast(outputs[slot.index], a.outputs[slot.index]);
    }
  };
  return made;
}

}  // namespace skerry::ops
