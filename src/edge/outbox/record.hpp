/// \file
/// One file of an outbox: a request or its answer, with what is known of it, bound together by a digest.
#pragma once

#include <string>
#include <string_view>

#include "wire/body.hpp"

namespace skerry::edge::outbox {

/// A text of lines `name value`, an empty line, the body; in front of it name and version of the format, and the
/// SHA-256 of all that follows.
struct Record {
  std::string question;  ///< equal where answers must be; empty: they may differ
  std::string circuit_id, endpoint;
  double kept = 0.0, answered = 0.0;  ///< seconds since 1970
  wire::Body body;                    ///< a request, an answer, or the JSON of an error
};

/// Everything before the body. Errors: invalid_argument for a value with a line break.
std::string head_of(const Record& record);
/// Errors: corrupt (another digest, a line that is missing or wrong), version_too_new.
Record decode_record(std::string_view text);

}  // namespace skerry::edge::outbox
