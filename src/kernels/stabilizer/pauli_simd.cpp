// Pauli products on vector units, one source for every instruction set.
//
// Two letters multiply to a power of i that is odd where they anticommute. The powers of 64 wires times the lanes of a
// vector are summed modulo 4 in two bit planes, `ones` and `twos`, and counted once at the end of a row.

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/stabilizer/pauli_simd.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/stabilizer/pauli.hpp"

HWY_BEFORE_NAMESPACE();
namespace skerry::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::CappedTag<std::uint64_t, kRowWords>;

HWY_INLINE unsigned multiply(std::uint64_t* HWY_RESTRICT dst, const std::uint64_t* HWY_RESTRICT src,
                             std::size_t words) {
  const D d;
  auto ones = hn::Zero(d), twos = hn::Zero(d);
  for (std::size_t i = 0; i < words; i += hn::Lanes(d)) {
    const auto x1 = hn::LoadU(d, dst + i), z1 = hn::LoadU(d, dst + words + i);
    const auto x2 = hn::LoadU(d, src + i), z2 = hn::LoadU(d, src + words + i);
    const auto x = hn::Xor(x1, x2), z = hn::Xor(z1, z2);
    const auto x1z2 = hn::And(x1, z2);
    const auto anticommutes = hn::Xor(x1z2, hn::And(x2, z1));
    // An anticommuting pair adds 1 or 3 to the power: 3 where x ^ z ^ x1z2 is set; twos also takes the carry of ones.
    const auto carry = hn::Xor(hn::Xor(ones, x1z2), hn::Xor(x, z));
    twos = hn::Xor(twos, hn::And(carry, anticommutes));
    ones = hn::Xor(ones, anticommutes);
    hn::StoreU(x, d, dst + i);
    hn::StoreU(z, d, dst + words + i);
  }
  const auto power = hn::Add(hn::PopulationCount(ones), hn::ShiftLeft<1>(hn::PopulationCount(twos)));
  return static_cast<unsigned>(hn::GetLane(hn::SumOfLanes(d, power)) & 3);
}

unsigned multiply_one(std::uint64_t* dst, const std::uint64_t* src, std::size_t words) {
  return multiply(dst, src, words);
}

void multiply_where(std::uint64_t* table, std::size_t words, std::span<const std::uint32_t> rows, std::size_t wire,
                    const std::uint64_t* factor, unsigned phase, std::span<std::uint8_t> signs) {
  const std::size_t word = wire / 64, shift = wire % 64;
  for (const std::uint32_t row : rows) {
    std::uint64_t* const begin = table + 2 * words * row;
    if ((begin[word] >> shift & 1) == 0) continue;
    signs[row] = static_cast<std::uint8_t>(signs[row] ^ ((multiply(begin, factor, words) + phase) >> 1 & 1));
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace skerry::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace skerry::kernels {
HWY_EXPORT(multiply_one);
HWY_EXPORT(multiply_where);

unsigned multiply_pauli(std::uint64_t* dst, const std::uint64_t* src, std::size_t words) {
  return HWY_DYNAMIC_DISPATCH(multiply_one)(dst, src, words);
}

void multiply_rows_where(std::uint64_t* table, std::size_t words, std::span<const std::uint32_t> rows, std::size_t wire,
                         const std::uint64_t* factor, unsigned phase, std::span<std::uint8_t> signs) {
  HWY_DYNAMIC_DISPATCH(multiply_where)(table, words, rows, wire, factor, phase, signs);
}

}  // namespace skerry::kernels
#endif
