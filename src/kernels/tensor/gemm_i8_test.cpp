#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "kernels/tensor/gemm_i8_tiles.hpp"

namespace skerry::kernels {
namespace {

std::vector<std::uint8_t> bytes(std::mt19937& random, std::size_t count) {
  std::vector<std::uint8_t> out(count);
  for (auto& byte : out) byte = static_cast<std::uint8_t>(random());
  return out;
}

std::int32_t value(std::uint8_t byte, bool is_signed) {
  return is_signed ? static_cast<std::int8_t>(byte) : static_cast<std::int32_t>(byte);
}

// c = a b by its definition; the left side is i8 or u8 and the right one the other.
std::vector<std::int32_t> product(const std::vector<std::uint8_t>& a, const std::vector<std::uint8_t>& b,
                                  std::size_t rows, std::size_t columns, std::size_t depth, SignsI8 signs) {
  const bool left = signs == SignsI8::left_signed;
  std::vector<std::int32_t> c(rows * columns);
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < columns; ++j) {
      for (std::size_t k = 0; k < depth; ++k)
        c[i * columns + j] += value(a[i * depth + k], left) * value(b[k * columns + j], !left);
    }
  }
  return c;
}

TEST(GemmI8, IsTheProductOfEverySizeAndSign) {
  std::mt19937 random(1);
  for (const SignsI8 signs : {SignsI8::left_signed, SignsI8::left_unsigned}) {
    for (const std::size_t rows : {1U, 3U, 12U, 13U, 25U}) {
      for (const std::size_t columns : {1U, 16U, 31U, 32U, 65U}) {
        for (const std::size_t depth : {1U, 4U, 7U, 64U, 129U}) {
          const auto a = bytes(random, rows * depth), b = bytes(random, depth * columns);
          std::vector<std::uint8_t> left(packed_left_i8_bytes(rows, depth)),
              right(packed_right_i8_bytes(depth, columns));
          pack_left_i8(a.data(), depth, 1, rows, depth, 0, signs, left.data(), nullptr);
          pack_right_i8(b.data(), columns, 1, depth, columns, 0, signs, right.data(), nullptr);
          std::vector<std::int32_t> c(rows * columns);
          gemm_block_i8({0, rows, 0, columns, groups_i8(depth), left.data(), right.data(), signs, c.data(), columns},
                        EndI8());
          ASSERT_EQ(c, product(a, b, rows, columns, depth, signs)) << rows << " " << columns << " " << depth;
        }
      }
    }
  }
}

TEST(GemmI8, GivesTheSameSumsAndRoundingOnEveryCpu) {
  const TilesI8* chosen = x86_tiles_i8();
  if (chosen == nullptr) GTEST_SKIP() << "plain loops are all there is";
  std::mt19937 random(2);
  constexpr std::size_t kDepth = 52;
  const auto left = bytes(random, packed_left_i8_bytes(kRowsI8, kDepth));
  const auto right = bytes(random, packed_right_i8_bytes(kDepth, kColumnsI8));
  std::vector<std::int32_t> fast(kRowsI8 * kColumnsI8), plain(fast.size());
  for (std::size_t rows = 1; rows <= kRowsI8; ++rows) {
    chosen->left_signed(left.data(), right.data(), kDepth / kGroupI8, rows, fast.data());
    portable_tiles_i8().left_signed(left.data(), right.data(), kDepth / kGroupI8, rows, plain.data());
    ASSERT_EQ(fast, plain);
  }
  EndI8 end;
  end.to = EndI8::To::u8;
  end.scale = 0.0625F;  // a power of two: many results lie halfway
  end.zero = 3;
  end.high = 255;
  std::vector<std::uint8_t> y(fast.size()), wanted(fast.size());
  chosen->finish(fast.data(), 0, kRowsI8, 0, kColumnsI8, y.data(), kColumnsI8, end);
  portable_tiles_i8().finish(fast.data(), 0, kRowsI8, 0, kColumnsI8, wanted.data(), kColumnsI8, end);
  EXPECT_EQ(y, wanted);
}

}  // namespace
}  // namespace skerry::kernels
