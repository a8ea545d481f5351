/// \file
/// What is said of a text that is not JSON.
#pragma once

#include <simdjson.h>

#include <skerry/error.hpp>
#include <string>

namespace skerry::frontend {

[[noreturn]] inline void refuse_json(simdjson::error_code code) {
  const bool limit = code == simdjson::CAPACITY || code == simdjson::MEMALLOC || code == simdjson::DEPTH_ERROR;
  throw Error(limit ? ErrorCode::limit_exceeded : ErrorCode::syntax_error,
              std::string("this is not JSON: ") + simdjson::error_message(code), "1:1");
}

}  // namespace skerry::frontend
