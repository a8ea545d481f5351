// Whatever stands in a config.pbtxt is read as fields or refused, and so is what it says of an ensemble.
#include <cstdint>
#include <skerry/error.hpp>
#include <string_view>

#include "serve/ensemble/ensemble.hpp"

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer calls it so
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    skerry::serve::read_ensemble({reinterpret_cast<const char*>(data), size}, "config.pbtxt");
  } catch (const skerry::Error& error) {
    if (error.code() == skerry::ErrorCode::internal) __builtin_trap();
  }
  return 0;
}
