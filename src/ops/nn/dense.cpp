#include "ops/nn/dense.hpp"

#include <algorithm>
#include <cstdio>
#include <limits>
#include <memory>
#include <skerry/error.hpp>
#include <utility>

#include "kernels/tensor/binary.hpp"
#include "kernels/tensor/convert.hpp"
#include "kernels/tensor/onednn/onednn.hpp"
#include "ops/nn/typing.hpp"

namespace skerry::ops {
namespace {

using kernels::ProductShape;
using kernels::Rate;

// Below this much work the provider's own overhead, and waking its threads, is what is measured.
constexpr double kOnednnFlops = 5e6;
// A core's second-level cache; what is larger comes from memory.
constexpr double kCachedBytes = 1 << 20;

double flops(const ProductShape& s) {
  return 2.0 * static_cast<double>(s.batch * s.rows) * static_cast<double>(s.columns) * static_cast<double>(s.depth);
}

kernels::Work moved(double bytes) {
  return {bytes <= kCachedBytes ? Rate::stream_cached : Rate::stream, bytes};
}

}  // namespace

std::span<const float> constant_floats(const NodeTypes& types, std::size_t index) {
  if (index >= types.constants.size() || types.constants[index] == nullptr) return {};
  const Tensor& constant = *types.constants[index];
  return constant.dtype() == DType::f32 ? constant.as<float>() : std::span<const float>();
}

void infer_matmul(TypeContext& context, std::size_t left, std::size_t right, DType result) {
  const Node& node = context.node;
  if (!require_rank(context, left, 1, Shape::kMaxRank) || !require_rank(context, right, 1, Shape::kMaxRank))
    return set_output(context, 0, result, std::nullopt);
  Dims a = *input(context, left).shape, b = *input(context, right).shape;
  const bool row_vector = a.size() == 1, column_vector = b.size() == 1;
  if (row_vector) a.insert(a.begin(), Dim(1));
  if (column_vector) b.emplace_back(1);
  const Dim& depth_a = a[a.size() - 1];
  const Dim& depth_b = b[b.size() - 2];
  if (depth_a.is_known() && depth_b.is_known() && depth_a.value != depth_b.value) {
    refuse(node, "rows of " + std::to_string(depth_a.value) + " elements meet columns of " +
                     std::to_string(depth_b.value) + " (" + input(context, left).text() + " times " +
                     input(context, right).text() + ")");
  }
  const Dim rows = a[a.size() - 2], columns = b[b.size() - 1];
  a.resize(a.size() - 2);
  b.resize(b.size() - 2);
  Dims out = *broadcast(node, a, b);
  if (!row_vector) out.push_back(rows);
  if (!column_vector) out.push_back(columns);
  set_output(context, 0, result, std::move(out));
}

FusedEnd::FusedEnd(const Node& node, std::size_t residual_input)
    : least(node.real("least", -std::numeric_limits<double>::infinity())),
      most(node.real("most", std::numeric_limits<double>::infinity())),
      residual(residual_input) {}

bool FusedEnd::any(const Node& node) const {
  return least > -std::numeric_limits<double>::infinity() || most < std::numeric_limits<double>::infinity() ||
         has_input(node, residual);
}

kernels::BlockEnd FusedEnd::f32(const KernelArguments& arguments) const {
  kernels::BlockEnd end;
  end.low = static_cast<float>(least);
  end.high = static_cast<float>(most);
  if (residual < arguments.inputs.size() && !arguments.inputs[residual].empty())
    end.residual = arguments.inputs[residual].as<float>().data();
  return end;
}

Prepared finished(Prepared prepared, const Node& node, std::size_t residual_input) {
  const FusedEnd end(node, residual_input);
  if (!end.any(node)) return prepared;
  prepared.run = [run = std::move(prepared.run), end](const KernelArguments& arguments) {
    run(arguments);
    const MutableTensorView& y = arguments.outputs[0];
    if (y.dtype() == DType::f32)
      return kernels::finish_tensor(y.as<float>().data(), static_cast<std::size_t>(y.elements()), end.f32(arguments));
    if (end.residual < arguments.inputs.size() && !arguments.inputs[end.residual].empty())
      kernels::binary(kernels::Binary::add, y, arguments.inputs[end.residual], y);
    const auto low = static_cast<float>(end.least), high = static_cast<float>(end.most);
    kernels::clip(y, {DType::f32, Shape{}, reinterpret_cast<const std::byte*>(&low)},
                  {DType::f32, Shape{}, reinterpret_cast<const std::byte*>(&high)}, y);
  };
  return prepared;
}

Cost can_product_packed(const ProductShape& s, const NodeTypes& types, std::size_t right) {
  if (!is_f32(types)) return no_kernel(types.inputs[0].dtype);
  const auto batch = static_cast<double>(s.batch);
  const bool packed = types.constants[right] != nullptr && s.shared_right;
  const double right_bytes = 4.0 * static_cast<double>(s.columns * s.depth);
  const double left_bytes = 4.0 * static_cast<double>(s.rows * s.depth);
  // Packing reads and writes; a packed right side is still read once.
  auto work = moved(right_bytes * (packed ? 1 : 3));
  work.units = batch * (work.units + 2 * left_bytes);
  return std::vector<kernels::Work>{{Rate::gemm_f32, batch * kernels::gemm_effective_flops(s.rows, s.columns, s.depth)},
                                    work};
}

Cost can_product_ref(const ProductShape& s, const NodeTypes& types) {
  if (!kernels::Numbers::contains(types.inputs[0].dtype)) return no_kernel(types.inputs[0].dtype);
  return scalar_steps(types, flops(s) / 2);
}

Expected<bool> onednn_takes(const NodeTypes& types, std::size_t weights, double work) {
  const auto available = kernels::onednn_available();
  if (!available) return Unexpected{available.error()};
  if (!is_f32(types)) return no_kernel(types.inputs[0].dtype);
  if (constant_floats(types, weights).empty()) return Unexpected{"the weights are not constant"};
  if (work < kOnednnFlops) {
    char text[64];
    std::snprintf(text, sizeof text, "%.2g floating-point operations are too few", work);
    return Unexpected{text};
  }
  return true;
}

Cost can_product_onednn(const ProductShape& s, const NodeTypes& types, std::size_t right) {
  const auto takes = onednn_takes(types, right, flops(s));
  if (!takes) return Unexpected{takes.error()};
  if (s.batch != 1) return Unexpected{"a stack of products"};
  if (s.left_column != 1 || s.left_row != s.depth) return Unexpected{"the left side is transposed"};
  // Measured against own kernels on AVX-512: the same speed within its noise, so the price is theirs.
  return std::vector<kernels::Work>{{Rate::gemm_f32, flops(s)}, moved(4.0 * static_cast<double>(s.columns * s.depth))};
}

Prepared prepare_product_onednn(const ProductShape& s, const NodeTypes& types, std::size_t right,
                                std::span<const float> bias) {
  const auto weights = constant_floats(types, right);
  // oneDNN takes [depth, columns]; alpha and a transposition are put into the copy.
  std::vector<float> dense(s.depth * s.columns);
  for (std::size_t k = 0; k < s.depth; ++k) {
    for (std::size_t j = 0; j < s.columns; ++j)
      dense[k * s.columns + j] = static_cast<float>(s.alpha) * weights[k * s.right_row + j * s.right_column];
  }
  const skerry_onednn_product shape = {static_cast<std::int64_t>(s.rows), static_cast<std::int64_t>(s.columns),
                                       static_cast<std::int64_t>(s.depth)};
  const auto made = kernels::OnednnPrimitive::product(shape, dense, bias);
  if (!made) throw Error(ErrorCode::internal, made.error(), "gemm_onednn", "set SKERRY_ONEDNN=off");
  return {[primitive = *made](const KernelArguments& arguments) {
            primitive->run(arguments.inputs[0].as<float>().data(), arguments.outputs[0].as<float>().data(),
                           arguments.scratch);
          },
          (*made)->scratch_bytes(), (*made)->packed_bytes()};
}

}  // namespace skerry::ops
