#include <algorithm>

#include "ops/nn/typing.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  const TensorType& type = input(context, 0);
  if (!type.shape) return set_output(context, 0, DType::i64, Dims(1));
  const auto rank = static_cast<std::int64_t>(type.shape->size());
  const auto clamp = [rank](std::int64_t at) { return std::clamp<std::int64_t>(at < 0 ? at + rank : at, 0, rank); };
  const std::int64_t begin = clamp(context.node.integer("start", 0));
  const std::int64_t end = std::max(begin, clamp(context.node.integer("end", rank)));
  set_output(context, 0, DType::i64, Dims{end - begin});
  context.output_dims[0] = Dims(type.shape->begin() + begin, type.shape->begin() + end);
}

}  // namespace

// It needs no kernel: when a plan is made every shape is known, and specialize() makes a constant of it.
extern const OpRecord shape_record;
const OpRecord shape_record = {
    .name = "Shape",
    .since_opset = 25,
    .help =
        "The extents of x from axis `start` (default 0) up to `end` (default the rank), an i64 vector. Negative "
        "ones count from the end, and both are clamped to the rank.",
    .infer = infer};

}  // namespace skerry::ops
