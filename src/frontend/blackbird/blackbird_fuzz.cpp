#include <cstddef>
#include <cstdint>
#include <skerry/error.hpp>
#include <string>

#include "frontend/blackbird/parser.hpp"
#include "ir/verify.hpp"

// Any bytes are a circuit of bounded size or a typed error with a line.
// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer calls it so
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size), name = "fuzz.xbb";
  const skerry::ImportLimits limits{.max_qubits = 64, .max_instructions = 4'000, .max_nesting = 16};
  try {
    const skerry::Circuit circuit = skerry::frontend::blackbird::parse(text, limits, name);
    if (circuit.num_wires() > 64 || circuit.body().size() > 5'000) __builtin_trap();
    skerry::ir::verify(circuit);
  } catch (const skerry::Error& e) {
    if (e.code() == skerry::ErrorCode::internal || !e.where().starts_with("fuzz.xbb:")) __builtin_trap();
    for (const char c : std::string(e.what()))
      if (c < ' ' || c > '~') __builtin_trap();
  }
  return 0;
}
