#include "ops/nn/global_pool.hpp"

#include <array>

#include "ops/nn/typing.hpp"

namespace skerry::ops {

void infer_global_pool(TypeContext& context) {
  require(context, 0, kernels::Reals{});
  const TensorType& x = input(context, 0);
  std::optional<Dims> out;
  if (require_rank(context, 0, 2, Shape::kMaxRank)) {
    out = Dims(x.shape->size(), Dim(1));
    (*out)[0] = (*x.shape)[0];
    (*out)[1] = (*x.shape)[1];
  }
  set_output(context, 0, x.dtype, out);
}

Cost can_global_pool_f32(const Node&, const NodeTypes& types) {
  if (!is_f32(types)) return no_kernel(types.inputs[0].dtype);
  return stream_all(types);
}

Cost can_global_pool_ref(const Node&, const NodeTypes& types) {
  if (!kernels::Reals::contains(types.inputs[0].dtype)) return no_kernel(types.inputs[0].dtype);
  return scalar_steps(types, static_cast<double>(elements(types.inputs[0])));
}

Prepared prepare_global_pool_f32(kernels::Reduction reduction, const NodeTypes& types) {
  const std::int64_t planes = elements(types.outputs[0]);
  const std::int64_t size = planes == 0 ? 0 : elements(types.inputs[0]) / planes;
  return {[=](const KernelArguments& arguments) {
    kernels::reduce_f32(reduction, arguments.inputs[0].as<float>().data(), planes, size, 1,
                        arguments.outputs[0].as<float>().data());
  }};
}

Prepared prepare_global_pool_ref(kernels::Reduction reduction, const NodeTypes& types) {
  std::array<std::uint8_t, Shape::kMaxRank> reduced{};
  const std::size_t rank = types.inputs[0].shape->size();
  for (std::size_t axis = 2; axis < rank; ++axis) reduced[axis] = 1;
  return {[=](const KernelArguments& arguments) {
    kernels::reduce(reduction, arguments.inputs[0], std::span(reduced).first(rank), arguments.outputs[0]);
  }};
}

}  // namespace skerry::ops
