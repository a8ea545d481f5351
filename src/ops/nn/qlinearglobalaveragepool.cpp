#include "kernels/tensor/pixels_i8.hpp"
#include "ops/nn/quantized.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  require(context, 0, Bytes{});
  const TensorType& x = input(context, 0);
  require_quant(context, 1, x.dtype);
  require_quant(context, 3, x.dtype);
  if (!require_rank(context, 0, 3, Shape::kMaxRank)) return set_output(context, 0, x.dtype, std::nullopt);
  Dims out = *x.shape;
  const bool last = context.node.integer("channels_last", 0) != 0;
  for (std::size_t axis = last ? 1 : 2; axis < out.size() - (last ? 1 : 0); ++axis) out[axis] = 1;
  set_output(context, 0, x.dtype, std::move(out));
}

Cost can(const Node& node, const NodeTypes& types) {
  if (node.integer("channels_last", 0) != 0) return Unexpected{"channels stand last"};
  return stream_all(types);
}

Prepared prepare(const Node&, const NodeTypes& types) {
  const Shape x = *types.inputs[0].static_shape();
  const std::int64_t planes = x[0] * x[1], size = planes == 0 ? 0 : x.elements() / planes;
  return {[planes, size](const KernelArguments& a) {
    kernels::quantized_global_average(elements_of(a.inputs[0]), quant_of(a, 1), planes, size, quant_of(a, 3),
                                      bytes_of(a.outputs[0]));
  }};
}

Cost can_last(const Node& node, const NodeTypes& types) {
  if (node.integer("channels_last", 0) == 0) return Unexpected{"channels stand first"};
  return stream_all(types);
}

Prepared prepare_last(const Node&, const NodeTypes& types) {
  const Shape x = *types.inputs[0].static_shape();
  const std::int64_t images = x[0], channels = x[x.rank() - 1];
  const std::int64_t space = images * channels == 0 ? 0 : x.elements() / (images * channels);
  return {[images, channels, space](const KernelArguments& a) {
    kernels::quantized_pixel_mean(elements_of(a.inputs[0]), quant_of(a, 1), images, space, channels, quant_of(a, 3),
                                  bytes_of(a.outputs[0]));
  }};
}

constexpr KernelRow kKernels[] = {{"global_average_pool_i8_pixels", can_last, prepare_last},
                                  {"global_average_pool_i8", can, prepare}};

}  // namespace

extern const OpRecord qlinearglobalaveragepool_record;
const OpRecord qlinearglobalaveragepool_record = {
    .name = "com.microsoft.QLinearGlobalAveragePool",
    .since_opset = 1,
    .help =
        "Mean over all of space of the real values, summed as integers, rounded. Inputs x [N, C, space], x_scale, "
        "x_zero, y_scale, y_zero; u8 or i8. With channels_last x is [N, space, C].",
    .infer = infer,
    .kernels = kKernels,
};

}  // namespace skerry::ops
