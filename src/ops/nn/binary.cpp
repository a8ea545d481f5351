#include "ops/nn/binary.hpp"

#include <algorithm>
#include <cstring>

#include "kernels/tensor/halves.hpp"
#include "kernels/tensor/narrow.hpp"
#include "ops/nn/kernel_rows.hpp"
#include "ops/nn/typing.hpp"

namespace skerry::ops {
namespace {

using kernels::Binary;

// Unit axes that belong behind the second input's own.
std::size_t units_behind(const Node& node, std::size_t first_rank, std::size_t second_rank) {
  if (node.find("axis") == nullptr) return 0;
  const std::size_t axis = normal_axis(node, node.integer("axis", 0), first_rank);
  if (axis + second_rank > first_rank)
    refuse(node, "an input of " + std::to_string(second_rank) + " axes does not fit from axis " + std::to_string(axis) +
                     " of an input of " + std::to_string(first_rank));
  return first_rank - axis - second_rank;
}

// One extent that flows as data. A product, sum, ... of unknowns is known only where the other side is neutral.
Dim combine(Binary f, const Dim& a, const Dim& b) {
  const auto neutral = [](const Dim& d, std::int64_t value) { return d.is_known() && d.value == value; };
  if (a.is_known() && b.is_known()) {
    std::int64_t out = -1;
    if (f == Binary::add && !__builtin_add_overflow(a.value, b.value, &out)) return out;
    if (f == Binary::sub) out = a.value - b.value;
    if (f == Binary::mul && __builtin_mul_overflow(a.value, b.value, &out)) out = -1;
    if (f == Binary::div && b.value != 0) out = a.value / b.value;
    if (f == Binary::maximum) out = std::max(a.value, b.value);
    if (f == Binary::minimum) out = std::min(a.value, b.value);
    if ((f == Binary::floor_mod || f == Binary::truncated_mod) && b.value != 0) out = a.value % b.value;
    return out >= 0 ? Dim(out) : Dim();
  }
  if ((f == Binary::add || f == Binary::sub) && neutral(b, 0)) return a;
  if (f == Binary::add && neutral(a, 0)) return b;
  if ((f == Binary::mul || f == Binary::div) && neutral(b, 1)) return a;
  if (f == Binary::mul && neutral(a, 1)) return b;
  if (f == Binary::maximum && neutral(b, 0)) return a;
  if (f == Binary::div && a.same_as(b)) return 1;
  return {};
}

void follow_data(Binary f, TypeContext& context) {
  if (!context.outputs[0].shape || context.outputs[0].shape->size() > 1) return;
  const Dims* first = context.dims[0];
  if (first == nullptr) return;
  Dims out = *first;
  for (std::size_t i = 1; i < context.inputs.size(); ++i) {
    const Dims* next = context.dims[i];
    if (next == nullptr || (next->size() != out.size() && next->size() != 1 && out.size() != 1)) return;
    if (next->empty() || out.empty()) return;
    Dims combined;
    for (std::size_t k = 0; k < std::max(out.size(), next->size()); ++k)
      combined.push_back(combine(f, out[out.size() == 1 ? 0 : k], (*next)[next->size() == 1 ? 0 : k]));
    out = std::move(combined);
  }
  context.output_dims[0] = std::move(out);
}

// Scalar steps for each pair.
double steps_of(Binary f, DType dtype) {
  const bool real = kernels::Reals::contains(dtype);
  const bool remainder = f == Binary::floor_mod || f == Binary::truncated_mod;
  if (remainder || (f == Binary::div && !real)) return (real ? 13.0 : 3.3) + 1.5 * half_steps(dtype);
  if (!real) return dtype_bits(dtype) == 64 ? 0.8 : 1.7;
  return (f == Binary::prelu ? 0.6 : 0.2) * width_factor(dtype) + 1.5 * half_steps(dtype);
}

}  // namespace

void upgrade_binary(UpgradeContext& context) {
  Node& node = context.node;
  if (context.from_opset < 7 && node.integer("broadcast", 0) == 0) node.erase("axis");
  node.erase("broadcast");
  node.erase("consumed_inputs");
}

std::optional<Dims> aligned(const Node& node, const TensorType& first, const TensorType& second) {
  if (!second.shape || node.find("axis") == nullptr) return second.shape;
  if (!first.shape) return std::nullopt;
  Dims dims = *second.shape;
  dims.insert(dims.end(), units_behind(node, first.shape->size(), dims.size()), Dim(1));
  return dims;
}

TensorView aligned(const Node& node, TensorView first, TensorView second) {
  const std::size_t units = units_behind(node, first.shape().dims().size(), second.shape().dims().size());
  if (units == 0) return second;
  std::array<std::int64_t, Shape::kMaxRank> dims{};
  const auto own = second.shape().dims();
  std::ranges::copy(own, dims.begin());
  std::fill_n(dims.begin() + static_cast<std::ptrdiff_t>(own.size()), units, 1);
  return {second.dtype(), Shape(std::span(dims).first(own.size() + units)), second.data()};
}

void infer_broadcast(TypeContext& context, DType result, Arity arity) {
  if (arity == Arity::two && context.inputs.size() != 2)
    refuse(context.node, context.node.op + " takes 2 inputs, not " + std::to_string(context.inputs.size()));
  std::optional<Dims> shape = input(context, 0).shape;
  for (std::size_t i = 1; i < context.inputs.size(); ++i) {
    require_same(context, 0, i);
    shape = broadcast(context.node, shape, aligned(context.node, input(context, 0), input(context, i)));
  }
  set_output(context, 0, result, std::move(shape));
}

void infer_binary(Binary f, TypeContext& context, Arity arity) {
  require(context, 0, kernels::Numbers{});
  infer_broadcast(context, input(context, 0).dtype, arity);
  follow_data(f, context);
}

Cost can_binary_f32(Binary, const NodeTypes& types) {
  if (!is_f32(types)) return no_kernel(types.inputs[0].dtype);
  return stream_all(types);
}

Cost can_binary_half(Binary, const NodeTypes& types) {
  if (!kernels::is_half_dtype(types.inputs[0].dtype)) return no_kernel(types.inputs[0].dtype);
  const auto passes = static_cast<double>(std::max<std::size_t>(types.inputs.size(), 2) - 1);
  return element_steps(types, 1.5 * kernels::kStepsOfAHalf * passes);
}

Cost can_binary_ref(Binary f, const NodeTypes& types) {
  const DType dtype = types.inputs[0].dtype;
  if (!kernels::Numbers::contains(dtype)) return no_kernel(dtype);
  const auto passes = static_cast<double>(std::max<std::size_t>(types.inputs.size(), 2) - 1);
  return element_steps(types, passes * steps_of(f, dtype));
}

Prepared prepare_binary(ApplyBinary apply, Binary f, const Node& node) {
  return {[f, apply, node](const KernelArguments& a) {
    const TensorView& first = a.inputs[0];
    const MutableTensorView& out = a.outputs[0];
    if (a.inputs.size() == 1) {
      if (first.data() != out.data()) std::memcpy(out.data(), first.data(), first.bytes());
      return;
    }
    apply(f, first, aligned(node, first, a.inputs[1]), out);
    for (std::size_t i = 2; i < a.inputs.size(); ++i) apply(f, out, a.inputs[i], out);
  }};
}

}  // namespace skerry::ops
