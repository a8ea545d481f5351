#include "ops/nn/bitwise.hpp"

namespace skerry::ops {

void infer_bitwise(TypeContext& context) {
  require(context, 0, kernels::Integers{});
  require_same(context, 0, 1);
  set_output(context, 0, input(context, 0).dtype,
             broadcast(context.node, input(context, 0).shape, input(context, 1).shape));
}

}  // namespace skerry::ops
