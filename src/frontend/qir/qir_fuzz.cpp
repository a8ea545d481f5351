#include <cstddef>
#include <cstdint>
#include <skerry/error.hpp>
#include <string>

#include "frontend/qir/lower.hpp"
#include "frontend/qir/parser.hpp"
#include "ir/verify.hpp"

// Any bytes are a circuit of bounded size or a typed error.
// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer calls it so
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size), name = "fuzz.ll";
  const skerry::ImportLimits limits{.max_qubits = 64, .max_bits = 64, .max_instructions = 4'000, .max_nesting = 16};
  try {
    const auto module = skerry::frontend::qir::parse(text, limits, name);
    const skerry::Circuit circuit = skerry::frontend::qir::lower(module, text, limits, name);
    if (circuit.num_wires() > 64 || circuit.num_bits() > 64) __builtin_trap();
    skerry::ir::verify(circuit);
  } catch (const skerry::Error& e) {
    if (e.code() == skerry::ErrorCode::internal || e.where().empty()) __builtin_trap();
    for (const char c : std::string(e.what()))
      if (c < ' ' || c > '~') __builtin_trap();
  }
  return 0;
}
