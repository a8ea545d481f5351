/// \file
/// What kernel rows are written with: prices of common kinds of work, and rows for kernels that need no preparation.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/tensor/numeric.hpp"
#include "kernels/tensor/window.hpp"
#include "ops/nn/op_record.hpp"

namespace skerry::ops {

using Cost = Expected<std::vector<kernels::Work>>;

/// Bytes of all inputs and outputs through memory, or through the cache where they fit.
std::vector<kernels::Work> stream_all(const NodeTypes& types);
/// The same plus `per_element` transcendental functions for each element of output 0.
std::vector<kernels::Work> transcendental(const NodeTypes& types, double per_element = 1.0);
/// Loops that threads share, in pieces: the bytes and `steps` scalar operations.
std::vector<kernels::Work> scalar_steps(const NodeTypes& types, double steps);
/// Loops of one thread.
std::vector<kernels::Work> serial_steps(const NodeTypes& types, double steps);
/// Shared loops with so many scalar operations for each element of output 0.
std::vector<kernels::Work> element_steps(const NodeTypes& types, double per_element);
/// Copies of `rows` runs: the bytes and a little for each run.
std::vector<kernels::Work> row_copies(const NodeTypes& types, double rows);
/// A window slid over `planes` planes in vectors: a copy, and one load for each tap of each output.
std::vector<kernels::Work> slide(const NodeTypes& types, const kernels::Window& window, std::int64_t planes);

/// Scalar operations by which one element of a narrow real costs more than an f32: it is widened and rounded again.
double half_steps(DType dtype);
/// 2 for elements of 8 bytes, of which a vector holds half as many as of f32; else 1.
double width_factor(DType dtype);

std::int64_t elements(const TensorType& type);
/// Of all axes but the last.
double rows_of(const TensorType& type);
/// Bytes of a type with a static shape.
std::uint64_t bytes(const TensorType& type);
bool is_f32(const NodeTypes& types, std::size_t input = 0);

/// "no kernel for <dtype>"
Unexpected no_kernel(DType dtype);

/// Takes input 0 of the list's dtypes at the price of moving its bytes.
template <class List>
Cost can_stream(const Node&, const NodeTypes& types) {
  if (!List::contains(types.inputs[0].dtype)) return no_kernel(types.inputs[0].dtype);
  return stream_all(types);
}
/// Takes any dtype of whole bytes.
Cost can_move(const Node& node, const NodeTypes& types);

}  // namespace skerry::ops
