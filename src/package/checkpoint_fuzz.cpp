// Checkpoints as they come, and the same behind their right digest and the way that is asked for, so that what these
// guard is read too. What is read is written and read again as the same.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <skerry/error.hpp>
#include <string>

#include "package/checkpoint.hpp"
#include "package/digest.hpp"

namespace {

constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 22;

void read(std::string_view bytes, std::string_view way) {
  using namespace skerry;  // NOLINT(google-build-using-namespace): a program of one file
  try {
    const Checkpoint found = package::decode_checkpoint(bytes, way, kMostBytes);
    const Checkpoint again = package::decode_checkpoint(package::encode(found, way), way, kMostBytes);
    const auto same = [](const Tensor& x, const Tensor& y) {
      const TensorView a = x.view(), b = y.view();
      return a.dtype() == b.dtype() && a.shape() == b.shape() && a.bytes() <= kMostBytes &&
             std::memcmp(a.data(), b.data(), a.bytes()) == 0;
    };
    if (found.gates != again.gates || found.shots != again.shots || found.method != again.method ||
        !std::ranges::equal(found.parts, again.parts, same))
      __builtin_trap();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::corrupt && error.code() != ErrorCode::version_too_new &&
        error.code() != ErrorCode::limit_exceeded && error.code() != ErrorCode::invalid_argument)
      __builtin_trap();
  }
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer calls it so
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  read(text, "here");
  for (const std::string& rest : {text, "way here\n" + text}) {
    const auto digest = skerry::package::sha256(std::as_bytes(std::span(rest)));
    read("skerry-checkpoint 2\n" + skerry::package::hex(digest) + "\n" + rest, "here");
  }
  return 0;
}
