#include "ops/nn/reduction.hpp"

#include <algorithm>

#include "kernels/tensor/halves.hpp"
#include "kernels/tensor/narrow.hpp"
#include "ops/nn/kernel_rows.hpp"
#include "ops/nn/typing.hpp"
#include "ops/nn/upgrading.hpp"

namespace skerry::ops {
namespace {

using kernels::Reduction;
using Flags = std::vector<std::uint8_t>;

constexpr std::uint64_t kLargeInput = std::uint64_t{4} << 20;

bool takes(Reduction f, DType dtype) {
  const bool extreme = f == Reduction::max || f == Reduction::min;
  return kernels::Numbers::contains(dtype) || (extreme && dtype == DType::boolean);
}

// One flag per axis: 1 where it goes away. None as long as the axes are known neither by value nor by their number: no
// axis, or all of them.
std::optional<Flags> flags_of(const Node& node, std::size_t rank, const Tensor* axes, const TensorType* type) {
  std::vector<std::int64_t> named;
  if (axes != nullptr) {
    named = integers_of(node, *axes);
  } else if (type != nullptr) {
    const bool counted = type->shape && type->shape->size() == 1 && type->shape->front().is_known();
    const std::int64_t count = counted ? type->shape->front().value : -1;
    if (count > 0 && count == static_cast<std::int64_t>(rank)) return Flags(rank, 1);
    if (count != 0) return std::nullopt;
  }
  if (named.empty()) return Flags(rank, node.integer("noop_with_empty_axes", 0) != 0 ? 0 : 1);
  Flags flags(rank, 0);
  for (const std::size_t axis : normal_axes(node, named, rank)) flags[axis] = 1;
  return flags;
}

std::optional<Flags> flags_of(const Node& node, const NodeTypes& types) {
  const bool given = has_input(node, 1);
  return flags_of(node, types.inputs[0].shape->size(), given ? types.constants[1] : nullptr,
                  given ? &types.inputs[1] : nullptr);
}

// When the axes are not known yet, but perhaps their number.
std::optional<Dims> open_shape(const TypeContext& context, bool keeps) {
  const std::size_t rank = input(context, 0).shape->size();
  if (keeps) return Dims(rank);
  const auto& shape = input(context, 1).shape;
  if (!shape || shape->size() != 1 || !shape->front().is_known()) return std::nullopt;
  const std::int64_t count = shape->front().value;
  if (count > static_cast<std::int64_t>(rank)) return std::nullopt;
  return Dims(rank - static_cast<std::size_t>(count));
}

Unexpected axes_unknown() {
  return {"the axes are known only when it runs"};
}

}  // namespace

void infer_reduction(Reduction f, TypeContext& context) {
  const Node& node = context.node;
  const TensorType& x = input(context, 0);
  if (!takes(f, x.dtype)) refuse(node, node.op + " does not take " + x.text());
  if (!x.shape) return set_output(context, 0, x.dtype, std::nullopt);
  const bool keeps = node.integer("keepdims", 1) != 0;
  const bool given = has_input(node, 1);
  const auto flags =
      flags_of(node, x.shape->size(), given ? context.constants[1] : nullptr, given ? &input(context, 1) : nullptr);
  if (!flags) return set_output(context, 0, x.dtype, open_shape(context, keeps));
  Dims out;
  for (std::size_t axis = 0; axis < flags->size(); ++axis) {
    if ((*flags)[axis] == 0) {
      out.push_back((*x.shape)[axis]);
    } else if (keeps) {
      out.emplace_back(1);
    }
  }
  set_output(context, 0, x.dtype, std::move(out));
}

// What the first step takes; those behind it have less to do.
std::vector<kernels::Work> vector_price(const NodeTypes& types, const kernels::ReduceF32& reduction, Reduction f) {
  const auto total = static_cast<double>(elements(types.inputs[0]));
  const kernels::ReduceF32::Step& first = reduction.first();
  // A little for each element, and the end of each row.
  constexpr double kOfAnElement = 0.05, kOfARow = 12.0;
  const double rows = first.inner == 1 ? static_cast<double>(first.outer) : 0.0;
  auto work = scalar_steps(types, kOfAnElement * total + kOfARow * rows);
  if (f == Reduction::log_sum_exp) work.push_back({kernels::Rate::transcendental, total});
  return work;
}

Cost can_reduce_f32(Reduction f, const Node& node, const NodeTypes& types) {
  const DType dtype = types.inputs[0].dtype;
  if (dtype != DType::f32 && !kernels::is_half_dtype(dtype)) return no_kernel(dtype);
  const auto flags = flags_of(node, types);
  if (!flags) return axes_unknown();
  if (elements(types.inputs[0]) == 0) return Unexpected{"no elements"};
  auto work = vector_price(types, {f, *types.inputs[0].static_shape(), *flags}, f);
  if (dtype != DType::f32)
    work.push_back({kernels::Rate::scalar, kernels::kStepsOfAHalf * static_cast<double>(elements(types.inputs[0]))});
  return work;
}

Cost can_reduce_ref(Reduction f, const Node& node, const NodeTypes& types) {
  const DType dtype = types.inputs[0].dtype;
  if (!takes(f, dtype)) return no_kernel(dtype);
  const auto flags = flags_of(node, types);
  if (!flags) return axes_unknown();
  // Along columns of what no cache holds each element is a miss.
  constexpr double kOfExponentials = 10.0;
  const bool by_columns = !flags->empty() && flags->back() == 0 && bytes(types.inputs[0]) > kLargeInput;
  const double per_element =
      2.0 * (by_columns ? 3.0 : 1.0) + half_steps(dtype) / 4.0 + (f == Reduction::log_sum_exp ? kOfExponentials : 0.0);
  return scalar_steps(types, per_element * static_cast<double>(elements(types.inputs[0])));
}

Prepared prepare_reduce_f32(Reduction f, const Node& node, const NodeTypes& types) {
  const kernels::ReduceF32 reduction(f, *types.inputs[0].static_shape(), *flags_of(node, types));
  if (is_f32(types)) {
    return {[reduction](const KernelArguments& a) {
              reduction.run(a.inputs[0].as<float>().data(), a.outputs[0].as<float>().data(), a.scratch);
            },
            reduction.scratch_bytes()};
  }
  // Short floats become f32 before, and the results what they were.
  const auto count = static_cast<std::size_t>(elements(types.inputs[0])),
             results = static_cast<std::size_t>(elements(types.outputs[0]));
  return {[reduction, count, results](const KernelArguments& a) {
            auto* const x = reinterpret_cast<float*>(a.scratch.data());
            kernels::widen_all(a.inputs[0], {x, count});
            reduction.run(x, x + count, a.scratch.subspan((count + results) * sizeof(float)));
            kernels::narrow_all({x + count, results}, a.outputs[0]);
          },
          (count + results) * sizeof(float) + reduction.scratch_bytes()};
}

Prepared prepare_reduce_ref(Reduction f, const Node& node, const NodeTypes& types) {
  return {[f, flags = *flags_of(node, types)](const KernelArguments& a) {
    kernels::reduce(f, a.inputs[0], flags, a.outputs[0]);
  }};
}

void upgrade_reduction(UpgradeContext& context) {
  integers_to_input(context, "axes", 1);
}

}  // namespace skerry::ops
