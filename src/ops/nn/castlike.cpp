#include "ops/nn/cast.hpp"
#include "ops/nn/kernel_rows.hpp"
#include "ops/nn/typing.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  set_output(context, 0, input(context, 1).dtype, input(context, 0).shape);
  const Dims* dims = known_dims(context, 0);
  const auto is_shape = [](DType dtype) { return dtype == DType::i64 || dtype == DType::i32; };
  if (dims != nullptr && is_shape(input(context, 0).dtype) && is_shape(input(context, 1).dtype))
    context.output_dims[0] = *dims;
}

template <std::size_t I>
constexpr KernelRow kRow = {
    "cast", [](const Node& node, const NodeTypes& types) { return cast_kernels()[I].can(node, types); },
    [](const Node& node, const NodeTypes& types) { return cast_kernels()[I].prepare(node, types); }};
constexpr KernelRow kKernels[] = {kRow<0>};

}  // namespace

extern const OpRecord castlike_record;
const OpRecord castlike_record = {
    .name = "CastLike",
    .since_opset = 25,
    .help = "Cast of input 0 to the dtype of input 1, whose elements do not matter.",
    .infer = infer,
    .kernels = kKernels,
    .carry_out = cast_texts,
};

}  // namespace skerry::ops
