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
  const TensorType &x = input(context, 0), &indices = input(context, 1);
  require(context, 1, kernels::Types<std::int32_t, std::int64_t>{});
  if (x.shape && indices.shape && x.shape->size() != indices.shape->size())
    refuse(context.node, "x and indices differ in rank");
  same_as_input(context);
}

void run(const Node& node, const KernelArguments& a) {
  std::memcpy(a.outputs[0].data(), a.inputs[0].data(), a.inputs[0].bytes());
  const MutableTensorView& y = a.outputs[0];
  const auto indices = longs(a.inputs[1]);
  const std::string reduction = node.text("reduction", "none");
  const Shape shape = a.inputs[1].shape();
  const auto axis = normal_axis(node, node.integer("axis", 0), static_cast<std::size_t>(y.shape().rank()));
  const Longs strides = strides_of(y.shape());
  Position at(shape);
  for (std::size_t i = 0; i < indices.size(); ++i, at.next()) {
    const std::int64_t k = within(indices[i], y.shape()[static_cast<int>(axis)]);
    combine(y, at.in(strides) + (k - at[axis]) * strides[axis], a.inputs[2], static_cast<std::int64_t>(i), reduction);
  }
}

}  // namespace

extern const OpRecord scatter_record;
const OpRecord scatter_record = {
    .name = "Scatter",
    .since_opset = 11,
    .help =
        "x with updates[i] put where i, its place along `axis` (default 0) replaced by indices[i], points; reduction "
        "none, add, mul, max or min. Deprecated: ScatterElements.",
    .infer = infer,
    .kernels = kReference<run, can_reference_bytes>,
};

}  // namespace skerry::ops
