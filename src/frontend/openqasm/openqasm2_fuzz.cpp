#include <cstddef>
#include <cstdint>
#include <skerry/error.hpp>
#include <string>

#include "frontend/frontend.hpp"
#include "ir/verify.hpp"

namespace skerry::frontend {
extern const Frontend openqasm_frontend;
}

// Any bytes behind the header of the language are a program or a typed error with a place.
// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer calls it so
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string text = "OPENQASM 2.0;include \"qelib1.inc\";";
  text.append(reinterpret_cast<const char*>(data), size);
  skerry::frontend::Source source;
  source.bytes = std::as_bytes(std::span(text));
  try {
    const skerry::frontend::Imported imported = skerry::frontend::openqasm_frontend.import(
        source, {.max_qubits = 64, .max_bits = 256, .max_instructions = 20'000});
    skerry::ir::verify(std::get<skerry::Circuit>(imported));
  } catch (const skerry::Error& e) {
    if (e.code() == skerry::ErrorCode::internal || e.where().empty()) __builtin_trap();
  }
  return 0;
}
