/// \file
/// What type rules are written with: inputs that are surely there, attributes that are surely in range, broadcasting.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/tensor/numeric.hpp"
#include "ops/nn/op_record.hpp"

namespace skerry::ops {

using Dims = std::vector<Dim>;

/// Throws type_mismatch at the node.
[[noreturn]] void refuse(const Node& node, const std::string& message, const std::string& hint = {});

/// Type of an input that must be there. Errors: type_mismatch.
const TensorType& input(const TypeContext& context, std::size_t index);
/// Null when input `index` is left out.
const TensorType* optional_input(const TypeContext& context, std::size_t index);
bool has_input(const Node& node, std::size_t index);
/// Sets output `index` if the node wants it.
void set_output(TypeContext& context, std::size_t index, DType dtype, std::optional<Dims> shape);

/// Throws unless input `index` has a dtype of the list.
template <class List>
void require(const TypeContext& context, std::size_t index, List) {
  if (List::contains(input(context, index).dtype)) return;
  refuse(context.node,
         context.node.op + " does not take " + input(context, index).text() + " as input " + std::to_string(index));
}
/// Throws unless inputs a and b (if both are there) have one dtype.
void require_same(const TypeContext& context, std::size_t a, std::size_t b);
/// Throws unless the rank is known to be right or not known; gives true when the shape is known.
bool require_rank(const TypeContext& context, std::size_t index, std::size_t least, std::size_t most);

/// The dtype that an attribute names by its number in onnx.TensorProto.DataType. Errors: type_mismatch.
DType dtype_attribute(const Node& node, std::string_view attribute, DType otherwise);

/// axis in [-rank, rank) made non-negative. Errors: type_mismatch.
std::size_t normal_axis(const Node& node, std::int64_t axis, std::size_t rank);
/// Every axis normal and none twice.
std::vector<std::size_t> normal_axes(const Node& node, const std::vector<std::int64_t>& axes, std::size_t rank);

/// The integers of a constant i32 or i64 tensor (any other integer type too). Errors: type_mismatch.
std::vector<std::int64_t> integers_of(const Node& node, const Tensor& tensor);
/// Input `index` as integers if its value is known.
std::optional<std::vector<std::int64_t>> constant_integers(const TypeContext& context, std::size_t index);

/// One extent under NumPy broadcasting. Errors: type_mismatch when both are known and disagree.
Dim broadcast(const Node& node, const Dim& a, const Dim& b);
std::optional<Dims> broadcast(const Node& node, const std::optional<Dims>& a, const std::optional<Dims>& b);
/// Product of extents [begin, end), unknown if one of them is.
Dim product(const Dims& dims, std::size_t begin, std::size_t end);

/// total / rest as a product of extents, where known factors and equal names cancel; unknown where they do not. Nothing
/// when it is surely not whole.
std::optional<Dim> quotient(const Dims& total, const Dims& rest);

/// The elements of input `index` if they flow as data (dims()), else null.
const Dims* known_dims(const TypeContext& context, std::size_t index);
/// The extents that the integer vector in input `index` asks for, unknown ones where only their number is known.
std::optional<Dims> wanted_dims(const TypeContext& context, std::size_t index);

/// Output 0 has input 0's type.
void same_as_input(TypeContext& context);

}  // namespace skerry::ops
