#include "kernels/stabilizer/pauli.hpp"

namespace skerry::kernels {
namespace {

/// i^e in front of the product of two letters, each 0 I, 1 X, 2 Z, 3 Y: X Y = i Z and its cyclic permutations.
unsigned letter_phase(unsigned a, unsigned b) {
  constexpr unsigned kX = 1, kZ = 2, kY = 3;
  if (a == 0 || b == 0 || a == b) return 0;
  const bool is_cyclic = (a == kX && b == kY) || (a == kY && b == kZ) || (a == kZ && b == kX);
  return is_cyclic ? 1 : 3;
}

}  // namespace

unsigned multiply_pauli_ref(std::uint64_t* dst, const std::uint64_t* src, std::size_t words) {
  unsigned phase = 0;
  for (std::size_t wire = 0; wire < 64 * words; ++wire) {
    const auto letter = [&](const std::uint64_t* row) {
      const std::uint64_t x = row[wire / 64] >> (wire % 64) & 1, z = row[words + wire / 64] >> (wire % 64) & 1;
      return static_cast<unsigned>(x | z << 1);
    };
    phase += letter_phase(letter(dst), letter(src));
  }
  for (std::size_t i = 0; i < 2 * words; ++i) dst[i] ^= src[i];
  return phase & 3;
}

}  // namespace skerry::kernels
