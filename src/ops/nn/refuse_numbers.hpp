/// \file
/// Refusals that tell numbers, small where they are called.
#pragma once

#include <cstdint>
#include <initializer_list>

#include "ops/nn/op_record.hpp"

namespace skerry::ops {

/// Throws type_mismatch at the node; each # of the message is the next number.
[[noreturn, gnu::cold]] void refuse_numbers(const Node& node, const char* message,
                                            std::initializer_list<std::int64_t> numbers);

}  // namespace skerry::ops
