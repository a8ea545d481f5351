#include "ops/nn/cumulated.hpp"

namespace skerry::ops {

void infer_cumulated(TypeContext& context) {
  require(context, 0, kernels::Numbers{});
  require(context, 1, kernels::Types<std::int32_t, std::int64_t>{});
  same_as_input(context);
}

}  // namespace skerry::ops
