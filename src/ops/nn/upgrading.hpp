/// \file
/// What upgrades to the newest form are written with: attributes that became inputs.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "ops/nn/op_record.hpp"

namespace skerry::ops {

/// Makes input `index` an i64 vector of these values.
void set_integers_input(UpgradeContext& context, std::size_t index, std::span<const std::int64_t> values);
/// Moves a list of integers from an attribute to input `index`; does nothing when the node has no such attribute.
void integers_to_input(UpgradeContext& context, std::string_view attribute, std::size_t index);
/// Moves a real attribute to a f32 scalar in input `index` likewise.
void real_to_input(UpgradeContext& context, std::string_view attribute, std::size_t index);

}  // namespace skerry::ops
