// Entries as they come, and the same behind their right digest, so that what it guards is read too.
#include <cstdint>
#include <skerry/error.hpp>
#include <span>
#include <string>

#include "edge/outbox/record.hpp"
#include "package/digest.hpp"

namespace {

void read(std::string_view text) {
  using namespace skerry::edge::outbox;
  try {
    const Record record = decode_record(text);
    const Record again = decode_record(head_of(record) + record.body.bytes);
    if (again.body.bytes != record.body.bytes || again.question != record.question) __builtin_trap();
  } catch (const skerry::Error& error) {
    using skerry::ErrorCode;
    if (error.code() != ErrorCode::corrupt && error.code() != ErrorCode::version_too_new) __builtin_trap();
  }
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer calls it so
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  read(text);
  const auto digest = skerry::package::sha256(std::as_bytes(std::span(text)));
  read("skerry-outbox 1\n" + skerry::package::hex(digest) + "\n" + text);
  return 0;
}
