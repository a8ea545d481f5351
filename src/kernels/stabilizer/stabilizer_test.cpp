#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "kernels/stabilizer/frames.hpp"
#include "kernels/stabilizer/pauli.hpp"
#include "kernels/testing/targets.hpp"

namespace skerry::kernels {
namespace {

using Words = std::vector<std::uint64_t>;

Words random_words(std::size_t count, std::mt19937_64& random) {
  Words words(count);
  for (auto& word : words) word = random();
  return words;
}

TEST(MultiplyPauli, EqualsTheProductLetterByLetterOnEveryInstructionSet) {
  testing::for_each_target([](const char* target) {
    std::mt19937_64 random(1);
    for (const std::size_t words : {8U, 16U, 40U}) {
      for (int round = 0; round < 20; ++round) {
        const Words a = random_words(2 * words, random), b = random_words(2 * words, random);
        Words fast = a, slow = a;
        EXPECT_EQ(multiply_pauli(fast.data(), b.data(), words), multiply_pauli_ref(slow.data(), b.data(), words))
            << target;
        EXPECT_EQ(fast, slow) << target;
      }
    }
  });
}

TEST(MultiplyPauli, OfAStringWithItselfIsOne) {
  std::mt19937_64 random(2);
  const Words a = random_words(16, random);
  Words b = a;
  EXPECT_EQ(multiply_pauli(b.data(), a.data(), 8), 0U);
  EXPECT_EQ(b, Words(16, 0));
}

TEST(MultiplyRowsWhere, TouchesTheListedRowsWhoseBitIsSet) {
  testing::for_each_target([](const char* target) {
    std::mt19937_64 random(3);
    constexpr std::size_t words = 8, wire = 77;
    const Words factor = random_words(2 * words, random);
    const Words before = random_words(2 * words * 6, random);
    Words table = before;
    std::vector<std::uint8_t> signs = {0, 1, 0, 1, 0, 1};
    const std::vector<std::uint8_t> signs_before = signs;
    const std::vector<std::uint32_t> rows = {5, 0, 2, 3};
    multiply_rows_where(table.data(), words, rows, wire, factor.data(), 1, signs);
    for (std::uint32_t row = 0; row < 6; ++row) {
      Words expected(before.begin() + std::ptrdiff_t{16} * row, before.begin() + std::ptrdiff_t{16} * (row + 1));
      std::uint8_t sign = signs_before[row];
      const bool listed = row != 1 && row != 4;
      if (listed && (expected[wire / 64] >> (wire % 64) & 1) != 0)
        sign ^= static_cast<std::uint8_t>((multiply_pauli_ref(expected.data(), factor.data(), words) + 1) >> 1 & 1);
      EXPECT_EQ(Words(table.begin() + std::ptrdiff_t{16} * row, table.begin() + std::ptrdiff_t{16} * (row + 1)),
                expected)
          << target << row;
      EXPECT_EQ(signs[row], sign) << target << row;
    }
  });
}

TEST(RunFrames, EqualsTheReferenceOnEveryInstructionSet) {
  testing::for_each_target([](const char* target) {
    for (const std::size_t words : {8U, 16U, 24U}) {
      std::mt19937_64 random(words);
      std::vector<FrameStep> steps;
      for (std::uint32_t i = 0; i < 300; ++i) {
        const auto a = static_cast<std::uint32_t>(random() % 5);
        const auto b = (a + 1 + static_cast<std::uint32_t>(random() % 4)) % 5;
        const auto op = static_cast<FrameOp>(random() % 11);
        steps.push_back({op, a, b});  // five records, so that b is one whatever the step
      }
      Words x = random_words(5 * words, random), z = random_words(5 * words, random);
      Words record = random_words(5 * words, random);
      Words x_ref = x, z_ref = z, record_ref = record;
      FrameView fast{x.data(), z.data(), record.data(), words, 0x123456789abcdefULL, 6, 0xfffffffeU};
      FrameView slow{x_ref.data(), z_ref.data(), record_ref.data(), words, 0x123456789abcdefULL, 6, 0xfffffffeU};
      run_frames(steps, fast);
      run_frames_ref(steps, slow);
      EXPECT_EQ(x, x_ref) << target;
      EXPECT_EQ(z, z_ref) << target;
      EXPECT_EQ(record, record_ref) << target;
      EXPECT_EQ(fast.event, slow.event);
    }
  });
}

TEST(RandomRow, IsTheSameHoweverTheShotsAreCut) {
  Words whole(64), part(8);
  random_row(whole.data(), 64, 7, 3, 0);
  for (std::size_t first = 0; first < 64; first += 8) {
    random_row(part.data(), 8, 7, 3, first);
    EXPECT_EQ(part, Words(whole.begin() + static_cast<std::ptrdiff_t>(first),
                          whole.begin() + static_cast<std::ptrdiff_t>(first + 8)));
  }
}

}  // namespace
}  // namespace skerry::kernels
