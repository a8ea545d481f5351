#include "kernels/tensor/matvec.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "base/threads.hpp"
#include "kernels/tensor/gemm.hpp"
#include "kernels/testing/targets.hpp"

namespace skerry::kernels {
namespace {

std::vector<float> numbers(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(-1.0F, 1.0F);
  std::vector<float> out(count);
  for (float& value : out) value = uniform(random);
  return out;
}

enum class Begin { zero, bias, result };

// The row times the matrix by gemm_packed, whose inputs are as long as they have to be and no longer.
void expect_row(std::size_t depth, std::size_t columns, Begin begin, bool residual) {
  SCOPED_TRACE(std::to_string(depth) + " x " + std::to_string(columns));
  const auto x = numbers(depth, 1), b = numbers(depth * columns, 2), bias = numbers(columns, 3),
             added = numbers(columns, 4);
  std::vector<float> packed(packed_right_floats(depth, columns));
  pack_right({b.data(), columns, 1}, depth, columns, packed.data());
  BlockEnd end;
  end.residual = residual ? added.data() : nullptr;
  end.low = -0.75F;
  end.high = 2.0F;
  std::vector<float> one;
  for (const int threads : {1, 2, 3}) {
    const base::ThreadLimit limit(threads);
    std::vector<float> y = bias;
    gemm_packed(1, columns, depth, x.data(), depth, packed.data(),
                begin == Begin::zero   ? GemmStart::zero
                : begin == Begin::bias ? GemmStart::column_bias
                                       : GemmStart::accumulate,
                begin == Begin::bias ? bias.data() : nullptr, y.data(), end);
    if (threads == 1) one = y;
    EXPECT_EQ(y, one) << threads << " threads";
  }
  for (std::size_t j = 0; j < columns; ++j) {
    double sum = begin == Begin::zero ? 0.0 : static_cast<double>(bias[j]);
    for (std::size_t k = 0; k < depth; ++k) sum += static_cast<double>(x[k]) * static_cast<double>(b[k * columns + j]);
    if (residual) sum += static_cast<double>(added[j]);
    ASSERT_NEAR(one[j], std::clamp(sum, -0.75, 2.0), 1e-6 * std::sqrt(static_cast<double>(depth) + 1) + 1e-6) << j;
  }
}

TEST(MatVec, AgreesWithTheFormulaForOddExtentsAnyThreadCountAndInstructionSet) {
  testing::for_each_target([](const char* target) {
    SCOPED_TRACE(target);
    int trial = 0;
    for (const std::size_t columns : {1, 2, 7, 8, 15, 16, 17, 33, 47, 48, 49, 95, 130, 400}) {
      for (const std::size_t depth : {0, 1, 3, 4, 5, 255, 256, 257, 519}) {
        ++trial;
        expect_row(depth, columns, std::array{Begin::zero, Begin::bias, Begin::result}[trial % 3], trial % 2 == 0);
      }
    }
  });
}

TEST(MatVec, NotANumberStaysWhateverTheBounds) {
  testing::for_each_target([](const char* target) {
    SCOPED_TRACE(target);
    constexpr std::size_t kColumns = 20;
    std::vector<float> b(kColumns, 1.0F), packed(packed_right_floats(1, kColumns)), y(kColumns);
    b[3] = b[19] = std::numeric_limits<float>::quiet_NaN();
    pack_right({b.data(), kColumns, 1}, 1, kColumns, packed.data());
    const float x = -5.0F;
    BlockEnd end;
    end.low = 0.0F;
    end.high = 6.0F;
    gemm_packed(1, kColumns, 1, &x, 1, packed.data(), GemmStart::zero, nullptr, y.data(), end);
    for (std::size_t j = 0; j < kColumns; ++j) {
      EXPECT_EQ(std::isnan(y[j]), j == 3 || j == 19) << j;
      EXPECT_TRUE(std::isnan(y[j]) || y[j] == 0.0F) << y[j];
    }
  });
}

}  // namespace
}  // namespace skerry::kernels
