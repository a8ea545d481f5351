// What a worker process sends may be anybody's: tensors and what is known of them are read or refused.
#include <cstdint>
#include <skerry/error.hpp>
#include <string_view>

#include "serve/sandbox/tensors.hpp"

namespace {

template <class F>
void refused_or_read(F read) {
  try {
    read();
  } catch (const skerry::Error& error) {
    if (error.code() != skerry::ErrorCode::corrupt) __builtin_trap();
  }
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer calls it so
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  refused_or_read([&] {
    if (skerry::serve::pack(skerry::serve::unpack_tensors(bytes)) != bytes) __builtin_trap();
  });
  refused_or_read([&] {
    std::string_view rest = bytes;
    skerry::serve::unpack_infos(rest);
  });
  return 0;
}
