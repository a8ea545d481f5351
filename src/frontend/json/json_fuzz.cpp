#include <cstddef>
#include <cstdint>
#include <skerry/error.hpp>
#include <string>

#include "frontend/frontend.hpp"
#include "ir/verify.hpp"

namespace skerry::frontend {
extern const Frontend json_frontend;
}

// Any bytes are a gate list or a typed error that names the entry.
// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer calls it so
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  skerry::frontend::Source source;
  source.bytes = std::as_bytes(std::span(text));
  try {
    const skerry::frontend::Imported imported =
        skerry::frontend::json_frontend.import(source, {.max_qubits = 64, .max_bits = 256, .max_instructions = 20'000});
    skerry::ir::verify(std::get<skerry::Circuit>(imported));
  } catch (const skerry::Error& e) {
    if (e.code() == skerry::ErrorCode::internal) __builtin_trap();
  }
  return 0;
}
