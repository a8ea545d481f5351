#include <cstddef>
#include <cstdint>
#include <skerry/error.hpp>

#include "frontend/noise/noise.hpp"

// Any bytes are a noise model, whose text reads back as one that acts alike, or a typed error.
// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer calls it so
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const skerry::NoiseModel model = skerry::frontend::read_noise(text, "fuzz", {.max_qubits = 64});
    const std::string written = skerry::frontend::write_noise(model);
    const skerry::NoiseModel again = skerry::frontend::read_noise(written, "written", {.max_qubits = 64});
    if (skerry::frontend::write_noise(again) != written) __builtin_trap();
  } catch (const skerry::Error& e) {
    if (e.code() == skerry::ErrorCode::internal) __builtin_trap();
  }
  return 0;
}
