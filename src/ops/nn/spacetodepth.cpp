#include "ops/nn/channel_blocks.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  if (!require_rank(context, 0, 4, 4)) return set_output(context, 0, input(context, 0).dtype, std::nullopt);
  const std::int64_t b = block_size(context.node);
  const auto shape = input(context, 0).static_shape();
  if (!shape) return set_output(context, 0, input(context, 0).dtype, Dims(4));
  const Shape& x = *shape;
  if (x[2] % b != 0 || x[3] % b != 0)
    refuse(context.node, input(context, 0).text() + " does not divide into blocks of " + std::to_string(b));
  set_output(context, 0, input(context, 0).dtype, Dims{x[0], x[1] * b * b, x[2] / b, x[3] / b});
}

}  // namespace

extern const OpRecord spacetodepth_record;
const OpRecord spacetodepth_record = {
    .name = "SpaceToDepth",
    .since_opset = 28,
    .help =
        "Blocks of blocksize x blocksize pixels become channels; mode DCR (default) or CRD. [N, C, H, W], any dtype of "
        "whole bytes.",
    .inputs = 1,
    .infer = infer,
    .kernels = kBlockKernels<true>,
};

}  // namespace skerry::ops
