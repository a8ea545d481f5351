#include "ops/nn/kernel_rows.hpp"

#include <algorithm>

namespace skerry::ops {
namespace {

// What a core's second-level cache holds beside other things.
constexpr std::uint64_t kCachedBytes = std::uint64_t{1} << 20;

// Of a reference loop's, for a row of a plane that is copied: 2.5 ns where a step took 0.5.
constexpr double kStepsPerRow = 5;
// Numbers of scalar steps, here and in the records, are fitted to what the kernels took for 10^3 to 4 10^6 elements on
// one core of a Xeon (AVX-512): most lie within 1.5 of the measurement, where caches end within 2.
constexpr double kStepsOfARow = 13.0;
constexpr double kHalfSteps = 4.5;

}  // namespace

std::int64_t elements(const TensorType& type) {
  const auto shape = type.static_shape();
  return shape ? shape->elements() : 0;
}

double rows_of(const TensorType& type) {
  const Shape shape = *type.static_shape();
  double rows = 1.0;
  for (int axis = 0; axis + 1 < shape.rank(); ++axis) rows *= static_cast<double>(shape[axis]);
  return rows;
}

std::uint64_t bytes(const TensorType& type) {
  const auto shape = type.static_shape();
  return shape ? tensor_bytes(type.dtype, *shape) : 0;
}

bool is_f32(const NodeTypes& types, std::size_t input) {
  return types.inputs[input].dtype == DType::f32;
}

std::vector<kernels::Work> stream_all(const NodeTypes& types) {
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < types.inputs.size(); ++i) total += types.present[i] ? bytes(types.inputs[i]) : 0;
  for (const TensorType& output : types.outputs) total += bytes(output);
  return {{total <= kCachedBytes ? kernels::Rate::stream_cached : kernels::Rate::stream, static_cast<double>(total)}};
}

std::vector<kernels::Work> transcendental(const NodeTypes& types, double per_element) {
  auto work = stream_all(types);
  work.push_back({kernels::Rate::transcendental, per_element * static_cast<double>(elements(types.outputs[0]))});
  return work;
}

std::vector<kernels::Work> scalar_steps(const NodeTypes& types, double steps) {
  auto work = stream_all(types);
  work.push_back({kernels::Rate::scalar, steps});
  return work;
}

std::vector<kernels::Work> serial_steps(const NodeTypes& types, double steps) {
  auto work = stream_all(types);
  work.push_back({kernels::Rate::serial, steps});
  return work;
}

std::vector<kernels::Work> slide(const NodeTypes& types, const kernels::Window& window, std::int64_t planes) {
  // Rows run into each other, so what lies between them is computed too.
  auto work = stream_all(types);
  const auto stretched = [&window](std::size_t axis) {
    return window.output[axis] + (window.kernel[axis] - 1) * window.dilation[axis] / window.stride[axis];
  };
  const double outputs = static_cast<double>(stretched(1) * stretched(2)) * static_cast<double>(window.output[0]);
  const double copied = 2.0 * static_cast<double>(window.inputs()) + 2.0 * outputs;
  const double loaded = outputs * static_cast<double>(window.taps());
  work.push_back({kernels::Rate::stream_cached, 4.0 * static_cast<double>(planes) * (copied + loaded)});
  // Copying short rows costs by the row; with a stride each is read for every phase.
  const double rows =
      static_cast<double>(window.input[0] * window.input[1] * std::min<std::int64_t>(window.stride[2], 2) +
                          window.output[0] * window.output[1]);
  work.push_back({kernels::Rate::scalar, kStepsPerRow * static_cast<double>(planes) * rows});
  return work;
}

std::vector<kernels::Work> element_steps(const NodeTypes& types, double per_element) {
  return scalar_steps(types, per_element * static_cast<double>(elements(types.outputs[0])));
}

std::vector<kernels::Work> row_copies(const NodeTypes& types, double rows) {
  return scalar_steps(types, kStepsOfARow * rows);
}

double half_steps(DType dtype) {
  return dtype == DType::f16 || dtype == DType::bf16 ? kHalfSteps : 0.0;
}

double width_factor(DType dtype) {
  return dtype_bits(dtype) == 64 ? 2.0 : 1.0;
}

Unexpected no_kernel(DType dtype) {
  return {"no kernel for " + std::string(dtype_name(dtype))};
}

Cost can_move(const Node&, const NodeTypes& types) {
  for (std::size_t i = 0; i < types.inputs.size(); ++i) {
    if (types.present[i] && dtype_bits(types.inputs[i].dtype) < 8) return no_kernel(types.inputs[i].dtype);
  }
  return stream_all(types);
}

}  // namespace skerry::ops
