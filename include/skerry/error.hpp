/// \file
/// The one exception family: what went wrong, where, and what to change.
#pragma once

#include <cstdint>
#include <exception>
#include <string>
#include <string_view>

namespace skerry {

/// Every way in which work can end without a result. Rows, sentences and mappings: `src/base/errors.def`.
enum class ErrorCode : std::uint8_t {
  invalid_argument,
  not_found,
  io_error,
  syntax_error,
  semantic_error,
  unsupported,
  limit_exceeded,
  type_mismatch,
  out_of_range,
  corrupt,
  version_too_new,
  budget_exceeded,
  deadline_exceeded,
  cancelled,
  unavailable,
  permission_denied,
  bad_signature,
  internal,
};

/// What an ErrorCode means at every edge of the product; one row of the table, never mapped elsewhere.
struct ErrorInfo {
  std::string_view name;      ///< spelling of the enumerator, used in JSON
  std::string_view sentence;  ///< one full sentence for reference pages
  int exit_code;              ///< of the CLI
  int http_status;
  int grpc_status;
  std::string_view python_exception;  ///< class name below skerry.Error
};

/// The row of `code`. Never fails.
const ErrorInfo& error_info(ErrorCode code) noexcept;

/// Thrown for whatever the caller must fix; a "no" that is an ordinary answer is an Expected instead.
///
/// `what()` is `where: message; hint` with the empty parts left out:
/// `ghz.qasm:7:12: wire 9 is outside q[8]; declare a larger register`.
class Error : public std::exception {
 public:
  /// message: lower case, no full stop, with both numbers where two disagree. where: `file:line:column`, a node name or
  /// `gate 17`. hint: what to change.
  Error(ErrorCode code, std::string message, std::string where = {}, std::string hint = {});

  ErrorCode code() const noexcept { return code_; }
  const std::string& message() const noexcept { return message_; }
  const std::string& where() const noexcept { return where_; }
  const std::string& hint() const noexcept { return hint_; }
  const char* what() const noexcept override { return text_.c_str(); }

  /// The same error with a place put in front of its own: a parser that knows only `4:10` is told its file's name.
  [[nodiscard]] Error at(std::string_view outer) const;

 private:
  ErrorCode code_;
  std::string message_, where_, hint_, text_;
};

}  // namespace skerry
