/// \file
/// The words that OpenQASM reserves.
#pragma once

#include <cstdint>
#include <string_view>

namespace skerry::frontend::openqasm {

enum class Keyword : std::uint8_t {
  none,
#define SKERRY_KEYWORD(word, in_version_2) word##_,
#include "frontend/openqasm/keywords.def"
#undef SKERRY_KEYWORD
};

/// The keyword that `word` is in version 2 or 3; `none` for a name.
Keyword keyword(std::string_view word, int version);

}  // namespace skerry::frontend::openqasm
