#include "ops/nn/quantized_pair.hpp"

namespace skerry::ops {

void infer_quantized_pair(TypeContext& context) {
  require(context, 0, Bytes{});
  require_same(context, 0, 3);
  const DType dtype = input(context, 0).dtype;
  for (const std::size_t at : {std::size_t{1}, std::size_t{4}, std::size_t{6}}) require_quant(context, at, dtype);
  set_output(context, 0, dtype, broadcast(context.node, input(context, 0).shape, input(context, 3).shape));
}

}  // namespace skerry::ops
