/// \file
/// Operators that are seldom the slow part of a model: their formula as plain loops over f64 or i64 copies of the
/// inputs. Such kernels allocate while they run: what they copy is told as their scratch.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "base/obey.hpp"
#include "ops/nn/kernel_rows.hpp"
#include "ops/nn/typing.hpp"

namespace skerry::ops {

/// A vector whose elements are looked up with a check: what a model says about its inputs may not be so. Errors of
/// these loops become type_mismatch at the node.
template <class T>
class Checked : public std::vector<T> {
 public:
  using std::vector<T>::vector;
  Checked(const std::vector<T>& values) : std::vector<T>(values) {}        // NOLINT(google-explicit-constructor)
  Checked(std::vector<T>&& values) : std::vector<T>(std::move(values)) {}  // NOLINT(google-explicit-constructor)
  T& operator[](std::size_t i) { return this->at(i); }
  const T& operator[](std::size_t i) const { return this->at(i); }
};
using Doubles = Checked<double>;
using Longs = Checked<std::int64_t>;

/// All elements of a view of numbers or bools; nothing of an empty one.
Doubles doubles(const TensorView& view);
Longs longs(const TensorView& view);
/// Written in y's dtype: integers wrap, reals are rounded.
void store(const Doubles& values, const MutableTensorView& y);
void store(const Longs& values, const MutableTensorView& y);

/// Input (output) `index` of a run, empty where it is left out (not wanted).
TensorView in_view(const KernelArguments& arguments, std::size_t index);
MutableTensorView out_view(const KernelArguments& arguments, std::size_t index);

/// Row-major strides in elements.
Longs strides_of(const Shape& shape);
/// Counts through all positions of a shape in row-major order.
class Position {
 public:
  explicit Position(const Shape& shape) : shape_(shape), at_(static_cast<std::size_t>(shape.rank()), 0) {}
  const Longs& at() const noexcept { return at_; }
  std::int64_t operator[](std::size_t axis) const { return at_[axis]; }
  /// Errors: those of check_stop(), asked every few thousand steps.
  void next();
  /// Where this position stands in a tensor of other strides.
  std::int64_t in(std::span<const std::int64_t> strides) const noexcept;

 private:
  Shape shape_;
  Longs at_;
};

/// For loops that are no Position's: asks check_stop() once in some thousand of the steps that it is told of.
class Pace {
 public:
  void operator()(std::int64_t steps = 1) {
    if ((left_ -= steps) > 0) return;
    left_ = kSteps;
    base::check_stop();
  }

 private:
  static constexpr std::int64_t kSteps = 4096;
  std::int64_t left_ = kSteps;
};

/// x as [outer, length, inner] around an axis.
struct AxisLoops {
  std::int64_t outer = 1, length = 1, inner = 1;
  AxisLoops(const Shape& shape, std::size_t axis);
};

std::size_t width_of(DType dtype);
/// Copies `count` elements from `from` on of x to y from `to` on; one dtype of whole bytes. Errors: out_of_range; those
/// of check_stop().
void copy_elements(const TensorView& x, std::int64_t from, const MutableTensorView& y, std::int64_t to,
                   std::int64_t count);
inline void copy_element(const TensorView& x, std::int64_t from, const MutableTensorView& y, std::int64_t to) {
  copy_elements(x, from, y, to, 1);
}
/// index, or index + extent below 0. Errors: out_of_range.
std::int64_t within(std::int64_t index, std::int64_t extent);
/// The integer of a coordinate; one that is no number or lies beyond 2^40 is as far outside of every tensor.
std::int64_t place_of(double coordinate) noexcept;
/// Throws out_of_range.
[[noreturn]] void outside(const std::string& message);

using Reference = void (*)(const Node& node, const KernelArguments& arguments);
/// f(node, arguments), where an element that is not there is a type_mismatch at the node, and memory that is not a
/// budget_exceeded.
void guarded(Reference f, const Node& node, const KernelArguments& arguments);
/// Numbers and bools on all sides, at a price of so many steps for each element of the outputs and inputs.
Cost can_reference_at(const NodeTypes& types, const Node& node, double steps);
/// Any dtypes of whole bytes.
Cost can_move_at(const NodeTypes& types, const Node& node, double steps);
/// The same as what a row asks, Steps being what was measured on one core; where a loop's length is more than its
/// elements, the record has a price of its own.
template <int Steps = 10>
Cost can_reference(const Node& node, const NodeTypes& types) {
  return can_reference_at(types, node, Steps);
}
template <int Steps = 10>
Cost can_reference_bytes(const Node& node, const NodeTypes& types) {
  return can_move_at(types, node, Steps);
}

/// Bytes of the f64 and i64 copies of all inputs and outputs.
std::uint64_t bytes_of_copies(const NodeTypes& types);
/// Of the integers among the inputs from the second on: the places that a mover of elements reads.
std::uint64_t bytes_of_places(const NodeTypes& types);

using Price = Cost (*)(const Node&, const NodeTypes&);
/// The copies are the kernel's own to allocate; the plan charges them as scratch.
template <Reference F, Price Can = can_reference<>, std::uint64_t (*Bytes)(const NodeTypes&) = bytes_of_copies>
inline constexpr KernelRow kReference[] = {
    {"reference", Can, [](const Node& node, const NodeTypes& types) -> Prepared {
       return {[node](const KernelArguments& a) { guarded(F, node, a); }, Bytes(types)};
     }}};
/// Of movers of elements, which copy no more than the places.
template <Reference F, int Steps = 10>
inline constexpr auto& kMover = kReference<F, can_reference_bytes<Steps>, bytes_of_places>;

/// The static shape of an input if it is known.
std::optional<Shape> known_shape(const TypeContext& context, std::size_t index);

}  // namespace skerry::ops
