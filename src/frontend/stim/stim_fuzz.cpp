#include <cstddef>
#include <cstdint>
#include <skerry/error.hpp>
#include <string>

#include "frontend/stim/reader.hpp"

// Any bytes are a stabilizer circuit of bounded size or a typed error.
// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer calls it so
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const skerry::ImportLimits limits{.max_qubits = 64, .max_bits = 256, .max_instructions = 20'000, .max_nesting = 8};
  (void)skerry::frontend::stim::looks_like_stim(text);
  try {
    const auto circuit = skerry::frontend::stim::read_stim(text, limits, "fuzz.stim");
    if (circuit.num_qubits() > 64 || circuit.num_measurements() > 256 + 20'000) __builtin_trap();
  } catch (const skerry::Error& e) {
    if (e.code() == skerry::ErrorCode::internal) __builtin_trap();
  }
  return 0;
}
