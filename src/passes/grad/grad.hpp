/// \file
/// Reverse-mode differentiation as a pass: a graph that also computes gradients, in the same operators.
#pragma once

#include <skerry/graph.hpp>
#include <span>
#include <string>
#include <string_view>

namespace skerry::passes::grad {

/// The graph with a cotangent `grad:NAME` as further input for each output NAME, and the gradient `grad:NAME` of
/// L = sum over outputs of <cotangent, output> as further output for each NAME of `by`, which are inputs. What the
/// reverse pass reads again is computed once. Types must be concrete (ops::specialize); outputs and `by` are f32 or
/// f64. At kinks the derivative is that of the side of smaller x; Round has that of what it rounds
/// (straight through: Bengio et al. 2013, arXiv:1308.3432). Errors: not_found (`by`), unsupported (an operator
/// without a rule on the way, an axis that is no constant, an output or input of another type), type_mismatch (a shape
/// that is not known).
Graph differentiate(const Graph& graph, std::span<const std::string> by);

/// Operators that have a rule.
std::span<const std::string_view> operators() noexcept;

}  // namespace skerry::passes::grad
