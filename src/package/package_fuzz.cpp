// The reader on bytes whose hashes nobody looks at. The first byte chooses the door, the rest goes in: a whole file, or
// the bytes of a section `circuit` or `graph` (weights: a page of zeros). What is read must be written and read again
// as the same program.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <skerry/error.hpp>

#include "base/memory.hpp"
#include "ir/graph/same.hpp"
#include "package/reader.hpp"

namespace {

using namespace skerry;  // NOLINT(google-build-using-namespace): a program of one file

void check_round_trip(const package::Contents& contents) {
  const auto bytes = package::encode(contents);
  const package::Loaded again = package::read(bytes, nullptr);
  const bool is_same = contents.program.index() == again.contents.program.index() &&
                       (contents.program.index() == 0
                            ? std::get<Circuit>(contents.program) == std::get<Circuit>(again.contents.program)
                            : ir::same(std::get<Graph>(contents.program), std::get<Graph>(again.contents.program)));
  if (!is_same || contents.metadata != again.contents.metadata || contents.plans != again.contents.plans) std::abort();
}

package::Contents contents_behind(unsigned door, std::span<const std::byte> bytes) {
  alignas(64) static constexpr std::array<std::byte, 4096> kWeights{};
  if (door == 1) return {package::read_circuit(bytes), {}, {}};
  if (door == 2) return {package::read_graph(bytes, kWeights, nullptr), {}, {}};
  const package::ReadOptions options{.max_unpacked_bytes = std::uint64_t{64} << 20};
  return package::read_file(bytes, nullptr, options, "fuzz", package::Hashes::skip).contents;
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer calls it so
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  auto copy = base::Buffer::allocate(size, base::MemoryBudget(), "input");
  std::memcpy(copy.data(), data + 1, size - 1);
  try {
    check_round_trip(contents_behind(data[0] % 3U, {copy.data(), size - 1}));
  } catch (const Error& error) {
    if (error.code() == ErrorCode::internal) std::abort();
  }
  return 0;
}
