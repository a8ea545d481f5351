#include <algorithm>
#include <cmath>

#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  require(context, 0, kernels::Reals{});
  if (!require_rank(context, 0, 2, Shape::kMaxRank))
    return set_output(context, 0, input(context, 0).dtype, std::nullopt);
  const Dims& x = *input(context, 0).shape;
  const Dim &rows = x[x.size() - 2], &columns = x.back();
  if (rows.is_known() && columns.is_known() && rows.value != columns.value)
    refuse(context.node, "the matrices are not square");
  set_output(context, 0, input(context, 0).dtype, Dims(x.begin(), x.end() - 2));
}

void run(const Node&, const KernelArguments& a) {
  auto x = doubles(a.inputs[0]);
  const auto n = static_cast<std::size_t>(a.inputs[0].shape()[a.inputs[0].shape().rank() - 1]);
  Doubles y;
  y.reserve(static_cast<std::size_t>(a.outputs[0].elements()));
  Pace pace;
  for (std::int64_t m = 0; m < a.outputs[0].elements(); ++m) {
    double* matrix = x.data() + static_cast<std::size_t>(m) * n * n;
    double determinant = 1.0;
    for (std::size_t k = 0; k < n; ++k) {
      std::size_t pivot = k;
      for (std::size_t i = k + 1; i < n; ++i)
        pivot = std::abs(matrix[i * n + k]) > std::abs(matrix[pivot * n + k]) ? i : pivot;
      if (pivot != k) {
        std::swap_ranges(matrix + k * n, matrix + (k + 1) * n, matrix + pivot * n);
        determinant = -determinant;
      }
      determinant *= matrix[k * n + k];
      if (matrix[k * n + k] == 0.0) break;
      for (std::size_t i = k + 1; i < n; ++i) {
        pace(static_cast<std::int64_t>(n - k));
        const double factor = matrix[i * n + k] / matrix[k * n + k];
        for (std::size_t j = k; j < n; ++j) matrix[i * n + j] -= factor * matrix[k * n + j];
      }
    }
    y.push_back(determinant);
  }
  store(y, a.outputs[0]);
}

// A third of n^3 products for each matrix.
Cost can(const Node& node, const NodeTypes& types) {
  if (auto takes = can_reference(node, types); !takes) return takes;
  const Shape x = *types.inputs[0].static_shape();
  constexpr double kOfAnElement = 4.0, kOfAProduct = 0.5;
  const double side = static_cast<double>(x[x.rank() - 1]) * kOfAProduct / 3.0;
  return serial_steps(types, (kOfAnElement + side) * static_cast<double>(x.elements()));
}

}  // namespace

extern const OpRecord det_record;
const OpRecord det_record = {
    .name = "Det",
    .since_opset = 22,
    .help = "The determinant of each matrix of the last two axes. Reals.",
    .inputs = 1,
    .infer = infer,
    .kernels = kReference<run, can>,
};

}  // namespace skerry::ops
