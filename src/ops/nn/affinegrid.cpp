#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  require(context, 0, kernels::Reals{});
  const auto size = constant_integers(context, 1);
  if (!size) return set_output(context, 0, input(context, 0).dtype, std::nullopt);
  if (size->size() != 4 && size->size() != 5) refuse(context.node, "size has 4 or 5 numbers");
  Dims out = {Dim(size->front())};
  for (std::size_t i = 2; i < size->size(); ++i) out.emplace_back((*size)[i]);
  out.emplace_back(static_cast<std::int64_t>(size->size()) - 2);
  set_output(context, 0, input(context, 0).dtype, std::move(out));
}

void run(const Node& node, const KernelArguments& a) {
  const auto theta = doubles(a.inputs[0]);
  const Shape shape = a.outputs[0].shape();
  const auto axes = static_cast<std::size_t>(shape.rank() - 2);
  if (theta.size() < static_cast<std::size_t>(shape[0]) * axes * (axes + 1)) outside("theta is too small for the grid");
  const bool corners = node.integer("align_corners", 0) != 0;
  Doubles y;
  const Shape points(shape.dims().first(axes + 1));
  Position at(points);
  for (std::int64_t i = 0; i < points.elements(); ++i, at.next()) {
    for (std::size_t row = 0; row < axes; ++row) {
      const double* t = theta.data() + (static_cast<std::size_t>(at[0]) * axes + row) * (axes + 1);
      double sum = t[axes];
      for (std::size_t k = 0; k < axes; ++k) {
        // x is the last axis.
        const std::size_t axis = axes - k;
        const auto extent = static_cast<double>(shape[static_cast<int>(axis)]), place = static_cast<double>(at[axis]);
        const double coordinate =
            corners ? (extent > 1.0 ? 2.0 * place / (extent - 1.0) - 1.0 : 0.0) : (2.0 * place + 1.0) / extent - 1.0;
        sum += t[k] * coordinate;
      }
      y.push_back(sum);
    }
  }
  store(y, a.outputs[0]);
}

}  // namespace

extern const OpRecord affinegrid_record;
const OpRecord affinegrid_record = {
    .name = "AffineGrid",
    .since_opset = 20,
    .help =
        "theta [N, 2, 3] (or [N, 3, 4]) applied to the points of a grid over [-1, 1]: [N, H, W, 2] (or [N, D, H, W, "
        "3]). Reals.",
    .inputs = 2,
    .infer = infer,
    .kernels = kReference<run, can_reference<21>>,
};

}  // namespace skerry::ops
