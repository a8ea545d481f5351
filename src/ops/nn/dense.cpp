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
// Scalar steps' worth of a product that is called and of a tile that is begun and ended: small ones are little else.
constexpr double kStepsOfACall = 60.0, kStepsOfATile = 25.0;
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

std::optional<PackedRight> packed_right(const Node& node) {
  if (node.find("packed") == nullptr) return std::nullopt;
  constexpr std::int64_t kMost = std::int64_t{1} << 31, kWidest = 1 << 10;
  const auto extents = node.integers("packed");
  const bool sane = extents.size() == 3 && extents[0] >= 0 && extents[0] <= kMost && extents[1] >= 0 &&
                    extents[1] <= kMost && extents[2] > 0 && extents[2] <= kWidest;
  if (!sane) refuse(node, "packed is not the depth, the columns and the tile of a right side");
  const auto size = [&extents](std::size_t i) { return static_cast<std::size_t>(extents[i]); };
  return PackedRight{size(0), size(1), size(2)};
}

void check_packed_right(const TypeContext& context) {
  const auto packed = packed_right(context.node);
  if (!packed) return;
  const TensorType& type = input(context, 1);
  const auto floats = kernels::packed_right_floats(packed->depth, packed->columns, packed->width);
  const auto shape = type.static_shape();
  if (type.dtype != DType::f32 || !shape || shape->rank() != 1 || static_cast<std::uint64_t>((*shape)[0]) != floats ||
      context.constants[1] == nullptr)
    refuse(context.node, "a right side packed into " + std::to_string(floats) + " floats is " + type.text());
}

std::shared_ptr<const kernels::ProductF32> prepared_product(const Node& node, const ProductShape& shape,
                                                            const NodeTypes& types) {
  const auto packed = packed_right(node);
  const auto floats = constant_floats(types, 1);
  if (packed) return std::make_shared<const kernels::ProductF32>(shape, floats, packed->width);
  return std::make_shared<const kernels::ProductF32>(shape, floats);
}

void infer_matmul(TypeContext& context, std::size_t left, std::size_t right, DType result) {
  const Node& node = context.node;
  const auto packed = packed_right(node);
  check_packed_right(context);
  if (!require_rank(context, left, 1, Shape::kMaxRank) || !require_rank(context, right, 1, Shape::kMaxRank))
    return set_output(context, 0, result, std::nullopt);
  Dims a = *input(context, left).shape, b = *input(context, right).shape;
  if (packed) b = {static_cast<std::int64_t>(packed->depth), static_cast<std::int64_t>(packed->columns)};
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

namespace {

using kernels::Unary;

constexpr std::pair<std::string_view, Unary> kFunctions[] = {{"gelu", Unary::gelu},
                                                             {"gelu_tanh", Unary::gelu_tanh},
                                                             {"hard_swish", Unary::hard_swish},
                                                             {"sigmoid", Unary::sigmoid},
                                                             {"tanh", Unary::tanh_}};

std::optional<Unary> function_of(const Node& node) {
  const std::string name = node.text("activation", "");
  for (const auto& [known, function] : kFunctions) {
    if (name == known) return function;
  }
  if (!name.empty()) refuse(node, "activation is '" + name + "'", "use gelu, gelu_tanh, hard_swish, sigmoid or tanh");
  return std::nullopt;
}

}  // namespace

FusedEnd::FusedEnd(const Node& node, std::size_t residual_input)
    : least(node.real("least", -std::numeric_limits<double>::infinity())),
      most(node.real("most", std::numeric_limits<double>::infinity())),
      function(function_of(node)),
      residual(residual_input) {}

void check_fused_end(TypeContext& context, std::size_t residual_input) {
  function_of(context.node);
  const TensorType* residual = optional_input(context, residual_input);
  if (residual == nullptr) return;
  const TensorType& y = context.outputs[0];
  const bool known = residual->shape && y.shape;
  bool fits = residual->dtype == y.dtype && (!known || residual->shape->size() == y.shape->size());
  for (std::size_t i = 0; fits && known && i < y.shape->size(); ++i) {
    const Dim &a = (*residual->shape)[i], &b = (*y.shape)[i];
    fits = !a.is_known() || !b.is_known() || a.value == b.value;
  }
  if (!fits) refuse(context.node, "what is added is " + residual->text() + " but the result is " + y.text());
}

bool FusedEnd::any(const Node& node) const {
  return least > -std::numeric_limits<double>::infinity() || most < std::numeric_limits<double>::infinity() ||
         function || has_input(node, residual);
}

kernels::BlockEnd FusedEnd::f32(const KernelArguments& arguments) const {
  kernels::BlockEnd end;
  end.low = static_cast<float>(least);
  end.high = static_cast<float>(most);
  end.function = function;
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
    if (end.function) kernels::unary_ref(*end.function, {}, y, y);
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
  work.units = batch * (work.units + left_bytes);
  const kernels::GemmTile tile = kernels::gemm_tile();
  const std::size_t row_tiles = s.rows / tile.rows + 1, column_tiles = s.columns / tile.columns + 1;
  const auto tiles = static_cast<double>(row_tiles * column_tiles);
  // Of few rows each element of a large right side is used a few times, and the next waited for; fitted.
  constexpr double kWaitedRows = 12.0, kWaitedBytes = 1 << 16;
  const bool waits = s.rows >= tile.rows && right_bytes > kWaitedBytes;
  const double waiting = waits ? 1.0 + kWaitedRows / static_cast<double>(s.rows) : 1.0;
  const double products = waiting * kernels::gemm_effective_flops(s.rows, s.columns, s.depth);
  return std::vector<kernels::Work>{
      {Rate::gemm_f32, batch * products}, {Rate::scalar, batch * (kStepsOfACall + kStepsOfATile * tiles)}, work};
}

Cost can_product_ref(const Node& node, const ProductShape& s, const NodeTypes& types) {
  if (packed_right(node)) return Unexpected{"the weights are packed"};
  if (!kernels::Numbers::contains(types.inputs[0].dtype)) return no_kernel(types.inputs[0].dtype);
  return scalar_steps(types, flops(s) / 2);
}

Expected<bool> onednn_takes(const NodeTypes& types, std::size_t weights, double flops) {
  const auto available = kernels::onednn_available();
  if (!available) return Unexpected{available.error()};
  if (!is_f32(types)) return no_kernel(types.inputs[0].dtype);
  if (constant_floats(types, weights).empty()) return Unexpected{"the weights are not constant"};
  if (flops < kOnednnFlops) {
    char text[64];
    std::snprintf(text, sizeof text, "%.2g floating-point operations are too few", flops);
    return Unexpected{text};
  }
  return true;
}

}  // namespace skerry::ops
