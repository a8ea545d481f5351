#include "kernels/tensor/binary.hpp"
#include "kernels/tensor/broadcast.hpp"
#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  require(context, 0, kernels::Reals{});
  std::optional<Dims> shape = input(context, 0).shape;
  for (std::size_t i = 1; i < context.inputs.size(); ++i) {
    require_same(context, 0, i);
    shape = broadcast(context.node, shape, input(context, i).shape);
  }
  set_output(context, 0, input(context, 0).dtype, std::move(shape));
}

void run(const Node&, const KernelArguments& a) {
  Doubles sum(static_cast<std::size_t>(a.outputs[0].elements()), 0.0);
  for (const TensorView& x : a.inputs) {
    const auto values = doubles(x);
    kernels::BroadcastLoops<1> loops(a.outputs[0].shape(), {x.shape()});
    loops.for_each_run(0, a.outputs[0].elements(), [&](std::int64_t at, const auto& from, std::int64_t count) {
      for (std::int64_t i = 0; i < count; ++i)
        sum[static_cast<std::size_t>(at + i)] += values[static_cast<std::size_t>(from[0] + i * loops.inner_stride(0))];
    });
  }
  for (double& v : sum) v /= static_cast<double>(a.inputs.size());
  store(sum, a.outputs[0]);
}

Cost can_f32(const Node&, const NodeTypes& types) {
  if (!is_f32(types)) return no_kernel(types.inputs[0].dtype);
  return element_steps(types, 0.2 * static_cast<double>(types.inputs.size()));
}

// Added up from left to right, then divided.
void mean_f32(const KernelArguments& a) {
  using kernels::Binary;
  const MutableTensorView& out = a.outputs[0];
  const float none = 0.0F, count = static_cast<float>(a.inputs.size());
  const auto number = [](const float& x) {
    return TensorView(DType::f32, Shape(), reinterpret_cast<const std::byte*>(&x));
  };
  kernels::binary_f32(Binary::add, a.inputs[0], a.inputs.size() > 1 ? a.inputs[1] : number(none), out);
  for (std::size_t i = 2; i < a.inputs.size(); ++i) kernels::binary_f32(Binary::add, out, a.inputs[i], out);
  if (a.inputs.size() > 1) kernels::binary_f32(Binary::div, out, number(count), out);
}

constexpr KernelRow kKernels[] = {
    {"mean_f32", can_f32, [](const Node&, const NodeTypes&) -> Prepared { return {mean_f32}; }},
    kReference<run>[0],
};

}  // namespace

extern const OpRecord mean_record;
const OpRecord mean_record = {
    .name = "Mean",
    .since_opset = 13,
    .help = "The mean of one or more inputs under broadcasting. Reals.",
    .inputs = 1,
    .infer = infer,
    .kernels = kKernels,
};

}  // namespace skerry::ops
