/// \file
/// What readers say of a value that they cannot take; who called them adds its place.
#pragma once

#include <skerry/error.hpp>
#include <string>
#include <string_view>
#include <utility>

namespace skerry::frontend {

[[noreturn]] inline void refuse(std::string message, std::string hint = {},
                                ErrorCode code = ErrorCode::semantic_error) {
  throw Error(code, std::move(message), {}, std::move(hint));
}

/// A word of the input for a message: in quotes, cut after 60 bytes.
inline std::string quoted(std::string_view text) {
  return "'" + std::string(text.substr(0, 60)) + "'";
}

}  // namespace skerry::frontend
