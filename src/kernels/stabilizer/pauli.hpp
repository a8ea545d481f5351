/// \file
/// Products of Pauli strings that are kept as rows of bits.
///
/// A row of n wires is `words` words of x bits, then as many of z bits; bit w % 64 of word w / 64 stands for wire w.
/// The letter is X if only x is set, Z if only z, Y = i X Z if both; what multiplies the letters is kept by the caller
/// as a power of i. `words` is a multiple of kRowWords, so that no vector needs a tail.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace skerry::kernels {

/// Words of x bits (and of z bits) are handed out in multiples of this: one cache line.
inline constexpr std::size_t kRowWords = 8;

/// Words of a row of so many wires, x part or z part.
constexpr std::size_t row_words(std::size_t wires) noexcept {
  return (wires + 64 * kRowWords - 1) / (64 * kRowWords) * kRowWords;
}

/// dst <- letters of dst * src; gives e in 0..3 with (product of the letters) = i^e * (letters written).
/// dst and src: 2 * words words each, and not the same row. Source: Gidney, arXiv:2103.02202, section 3.
unsigned multiply_pauli(std::uint64_t* dst, const std::uint64_t* src, std::size_t words);

/// For each listed row of `table` (row r begins at 2 * words * r) whose x bit of `wire` is set:
/// row <- row * i^phase * factor, where the product is Hermitian; signs[r] is flipped when it is negative.
/// factor must not be a row of the table.
void multiply_rows_where(std::uint64_t* table, std::size_t words, std::span<const std::uint32_t> rows, std::size_t wire,
                         const std::uint64_t* factor, unsigned phase, std::span<std::uint8_t> signs);

/// The same by the definition, one wire after the other; what the tests compare with.
unsigned multiply_pauli_ref(std::uint64_t* dst, const std::uint64_t* src, std::size_t words);

}  // namespace skerry::kernels
