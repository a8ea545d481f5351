/// \file
/// What operators that draw random numbers are written with.
#pragma once

#include <cstdint>
#include <optional>

#include "base/legacy_random.hpp"
#include "ops/nn/kernel_rows.hpp"
#include "ops/nn/typing.hpp"

namespace skerry::ops {

/// Where a node's numbers come from: its attribute `seed`, the same in every run, or else the run's seed and the node's
/// name. A seed counts modulo 2^32 and without its fraction; one that is not a number is none, as in ONNX's reference.
struct Drawn {
  std::optional<std::uint32_t> seed;
  std::uint32_t name = 0;
  /// The numbers of one run, from the first. Nothing is allocated.
  base::LegacyRandom begin() const noexcept { return seed ? base::LegacyRandom(*seed) : base::RunDraws::of(name); }
};
/// Errors: type_mismatch for a seed of 2^63 or more.
Drawn drawn_by(const Node& node);
/// Whether a node draws random numbers (a circuit's shots are such), as its record's `draws` says.
bool draws_at_random(const Graph& graph, const Node& node);

/// Type rules: dtype and shape of the attributes; the first input's unless attribute dtype says otherwise.
void infer_drawn(TypeContext& context);
void infer_drawn_like(TypeContext& context);
/// A few tens of steps for each element.
Cost can_draw(const Node& node, const NodeTypes& types);
/// low + (high - low) * uniform number, and mean + scale * normal number, in the output's dtype, rounded at each step.
Prepared prepare_uniform(const Node& node, const NodeTypes& types);
Prepared prepare_normal(const Node& node, const NodeTypes& types);

inline constexpr KernelRow kUniform[] = {{"random_uniform", can_draw, prepare_uniform}};
inline constexpr KernelRow kNormal[] = {{"random_normal", can_draw, prepare_normal}};

}  // namespace skerry::ops
