#include "ops/nn/cosine_window.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace skerry::ops {

void infer_window(TypeContext& context) {
  const auto size = constant_integers(context, 0);
  Dim extent;
  if (size) {
    if (size->size() != 1 || size->front() < 0) refuse(context.node, "the size is no extent");
    extent = Dim(size->front());
  }
  set_output(context, 0, dtype_attribute(context.node, "output_datatype", DType::f32), Dims{extent});
}

void cosine_window(const Cosines& of, const Node& node, const KernelArguments& arguments) {
  const std::int64_t size = arguments.outputs[0].elements();
  const std::int64_t period = node.integer("periodic", 1) != 0 ? size : std::max<std::int64_t>(size - 1, 1);
  Doubles y;
  y.reserve(static_cast<std::size_t>(size));
  for (std::int64_t i = 0; i < size; ++i) {
    const double turn = 2.0 * std::numbers::pi * static_cast<double>(i) / static_cast<double>(period);
    y.push_back(of.mean - of.first * std::cos(turn) + of.second * std::cos(2.0 * turn));
  }
  store(y, arguments.outputs[0]);
}

}  // namespace skerry::ops
