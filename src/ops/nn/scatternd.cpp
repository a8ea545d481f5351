#include <cstring>

#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

// What a scattered update does to what stands there.
void combine(const MutableTensorView& y, std::int64_t to, const TensorView& updates, std::int64_t from,
             const std::string& reduction) {
  if (reduction == "none") return copy_element(updates, from, y, to);
  kernels::visit(kernels::Numbers{}, y.dtype(), [&]<class T>() {
    using C = kernels::Compute<T>;
    T& target = y.as<T>()[static_cast<std::size_t>(to)];
    const C old = static_cast<C>(target), update = static_cast<C>(updates.as<T>()[static_cast<std::size_t>(from)]);
    if (reduction == "add") target = T(static_cast<C>(old + update));
    if (reduction == "mul") target = T(static_cast<C>(old * update));
    if (reduction == "max") target = T(old < update ? update : old);
    if (reduction == "min") target = T(update < old ? update : old);
  });
}

void infer(TypeContext& context) {
  require(context, 1, kernels::Types<std::int64_t>{});
  same_as_input(context);
}

void run(const Node& node, const KernelArguments& a) {
  std::memcpy(a.outputs[0].data(), a.inputs[0].data(), a.inputs[0].bytes());
  const MutableTensorView& y = a.outputs[0];
  const auto indices = longs(a.inputs[1]);
  const std::string reduction = node.text("reduction", "none");
  const Shape shape = a.inputs[1].shape();
  const auto depth = static_cast<std::size_t>(shape[shape.rank() - 1]);
  const Longs strides = strides_of(y.shape());
  if (depth == 0 || depth > strides.size()) return;
  const std::int64_t run_length = strides[depth - 1];
  for (std::size_t i = 0; i * depth < indices.size(); ++i) {
    std::int64_t to = 0;
    for (std::size_t k = 0; k < depth; ++k)
      to += within(indices[i * depth + k], y.shape()[static_cast<int>(k)]) * strides[k];
    for (std::int64_t k = 0; k < run_length; ++k)
      combine(y, to + k, a.inputs[2], static_cast<std::int64_t>(i) * run_length + k, reduction);
  }
}

}  // namespace

extern const OpRecord scatternd_record;
const OpRecord scatternd_record = {
    .name = "ScatterND",
    .since_opset = 18,
    .help =
        "x with slices of `updates` put where the last axis of indices points; reduction none, add, mul, max or min.",
    .infer = infer,
    .kernels = kReference<run, can_reference_bytes>,
};

}  // namespace skerry::ops
