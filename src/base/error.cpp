#include <array>
#include <skerry/error.hpp>
#include <utility>

namespace skerry {
namespace {

constexpr std::array kTable = {
#define SKERRY_ERROR(code, sentence, exit_code, http, grpc, python) \
  ErrorInfo{#code, sentence, exit_code, http, grpc, python},
#include "base/errors.def"
#undef SKERRY_ERROR
};

#define SKERRY_ERROR(code, sentence, exit_code, http, grpc, python)              \
  static_assert(kTable[static_cast<std::size_t>(ErrorCode::code)].name == #code, \
                "errors.def and ErrorCode differ in order");
#include "base/errors.def"
#undef SKERRY_ERROR

}  // namespace

const ErrorInfo& error_info(ErrorCode code) noexcept {
  return kTable[static_cast<std::size_t>(code)];
}

Error::Error(ErrorCode code, std::string message, std::string where, std::string hint)
    : code_(code), message_(std::move(message)), where_(std::move(where)), hint_(std::move(hint)) {
  if (!where_.empty()) text_ = where_ + ": ";
  text_ += message_;
  if (!hint_.empty()) text_ += "; " + hint_;
}

Error Error::at(std::string_view outer) const {
  return Error(code_, message_, where_.empty() ? std::string(outer) : std::string(outer) + ":" + where_, hint_);
}

}  // namespace skerry
