#include "ops/nn/reference.hpp"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <new>
#include <skerry/error.hpp>
#include <stdexcept>

namespace skerry::ops {
namespace {

// Elements that are converted between two questions whether to go on.
constexpr std::size_t kPiece = 65'536;

template <class To>
Checked<To> copy_as(const TensorView& view) {
  if (view.empty()) return {};
  if (!kernels::NumbersAndBool::contains(view.dtype()))
    throw Error(ErrorCode::type_mismatch, "numbers are needed but there is " + std::string(dtype_name(view.dtype())));
  Checked<To> out(static_cast<std::size_t>(view.elements()));
  To* to = out.data();
  kernels::visit(kernels::NumbersAndBool{}, view.dtype(), [&]<class T>() {
    for (auto rest = view.as<T>(); !rest.empty(); rest = rest.subspan(std::min(rest.size(), kPiece))) {
      base::check_stop();
      for (const T value : rest.first(std::min(rest.size(), kPiece))) *to++ = kernels::convert<To>(value);
    }
  });
  return out;
}

template <class From>
void store_from(const Checked<From>& values, const MutableTensorView& y) {
  if (y.empty()) return;
  kernels::visit(kernels::NumbersAndBool{}, y.dtype(), [&]<class T>() {
    const auto out = y.as<T>();
    const std::size_t count = std::min(out.size(), values.size());
    for (std::size_t i = 0; i < count; ++i) {
      if (i % kPiece == 0) base::check_stop();
      out[i] = kernels::convert<T>(values.data()[i]);
    }
  });
}

double all_elements(const NodeTypes& types) {
  double total = 0.0;
  for (std::size_t i = 0; i < types.inputs.size(); ++i)
    total += types.present[i] ? static_cast<double>(elements(types.inputs[i])) : 0.0;
  for (const TensorType& type : types.outputs) total += static_cast<double>(elements(type));
  return total;
}

}  // namespace

Doubles doubles(const TensorView& view) {
  return copy_as<double>(view);
}
Longs longs(const TensorView& view) {
  return copy_as<std::int64_t>(view);
}
void store(const Doubles& values, const MutableTensorView& y) {
  store_from(values, y);
}
void store(const Longs& values, const MutableTensorView& y) {
  store_from(values, y);
}

TensorView in_view(const KernelArguments& arguments, std::size_t index) {
  return index < arguments.inputs.size() ? arguments.inputs[index] : TensorView();
}
MutableTensorView out_view(const KernelArguments& arguments, std::size_t index) {
  return index < arguments.outputs.size() ? arguments.outputs[index] : MutableTensorView();
}

Longs strides_of(const Shape& shape) {
  Longs out(static_cast<std::size_t>(shape.rank()), 1);
  for (std::size_t i = out.size(); i-- > 1;) out[i - 1] = out[i] * shape[static_cast<int>(i)];
  return out;
}

void Position::next() {
  constexpr std::uint32_t kStepsBetweenChecks = 4096;
  constinit static thread_local std::uint32_t steps = 0;  // of loops in loops, each of them short
  if (++steps % kStepsBetweenChecks == 0) base::check_stop();
  for (std::size_t i = at_.size(); i-- > 0;) {
    if (++at_[i] < shape_[static_cast<int>(i)]) return;
    at_[i] = 0;
  }
}

std::int64_t Position::in(std::span<const std::int64_t> strides) const noexcept {
  std::int64_t out = 0;
  for (std::size_t i = 0; i < at_.size() && i < strides.size(); ++i) out += at_[i] * strides[i];
  return out;
}

AxisLoops::AxisLoops(const Shape& shape, std::size_t axis) {
  for (std::size_t i = 0; i < static_cast<std::size_t>(shape.rank()); ++i)
    (i < axis ? outer : i == axis ? length : inner) *= shape[static_cast<int>(i)];
}

std::size_t width_of(DType dtype) {
  return static_cast<std::size_t>(dtype_bits(dtype)) / 8;
}

void copy_elements(const TensorView& x, std::int64_t from, const MutableTensorView& y, std::int64_t to,
                   std::int64_t count) {
  constinit static thread_local Pace pace;
  pace(1 + count / 16);
  if (count < 0 || from < 0 || count > x.elements() - from || to < 0 || count > y.elements() - to ||
      x.dtype() != y.dtype())
    outside("element " + std::to_string(from) + " of " + x.shape().text() + " is asked for");
  const auto width = width_of(y.dtype());
  std::memcpy(y.data() + static_cast<std::size_t>(to) * width, x.data() + static_cast<std::size_t>(from) * width,
              static_cast<std::size_t>(count) * width);
}

std::int64_t place_of(double coordinate) noexcept {
  constexpr double kFar = 0x1p40;
  return static_cast<std::int64_t>(coordinate >= -kFar ? std::min(coordinate, kFar) : -kFar);  // NaN: the second
}

void outside(const std::string& message) {
  throw Error(ErrorCode::out_of_range, message);
}

std::int64_t within(std::int64_t index, std::int64_t extent) {
  if (index < -extent || index >= extent)
    outside("index " + std::to_string(index) + " is outside an axis of " + std::to_string(extent));
  return index < 0 ? index + extent : index;
}

void guarded(Reference f, const Node& node, const KernelArguments& arguments) {
  try {
    f(node, arguments);
  } catch (const std::logic_error&) {  // of Checked and of vectors without end
    refuse(node, "the inputs of " + node.op + " do not fit together");
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::budget_exceeded, "the system refused memory for copies of the tensors of " + node.op,
                node.place());
  }
}

std::uint64_t bytes_of_copies(const NodeTypes& types) {
  return static_cast<std::uint64_t>(all_elements(types)) * sizeof(double);
}

std::uint64_t bytes_of_places(const NodeTypes& types) {
  std::uint64_t total = 0;
  for (std::size_t i = 1; i < types.inputs.size(); ++i) {
    if (types.present[i] && kernels::Integers::contains(types.inputs[i].dtype))
      total += static_cast<std::uint64_t>(elements(types.inputs[i])) * sizeof(std::int64_t);
  }
  return total;
}

Cost can_reference_at(const NodeTypes& types, const Node& node, double steps) {
  for (std::size_t i = 0; i < types.inputs.size(); ++i) {
    if (types.present[i] && !kernels::NumbersAndBool::contains(types.inputs[i].dtype))
      return no_kernel(types.inputs[i].dtype);
  }
  for (std::size_t i = 0; i < types.outputs.size(); ++i) {
    if (node.outputs[i] != kNoValue && !kernels::NumbersAndBool::contains(types.outputs[i].dtype))
      return no_kernel(types.outputs[i].dtype);
  }
  return serial_steps(types, steps * all_elements(types));
}

Cost can_move_at(const NodeTypes& types, const Node& node, double steps) {
  if (auto movable = can_move(node, types); !movable) return movable;
  return serial_steps(types, steps * all_elements(types));
}

std::optional<Shape> known_shape(const TypeContext& context, std::size_t index) {
  return input(context, index).static_shape();
}

}  // namespace skerry::ops
