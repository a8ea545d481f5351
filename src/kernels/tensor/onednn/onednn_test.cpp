#include "kernels/tensor/onednn/onednn.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "base/memory.hpp"
#include "base/threads.hpp"

namespace skerry::kernels {
namespace {

std::vector<float> floats_of(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(-1.0F, 1.0F);
  std::vector<float> values(count);
  for (float& value : values) value = uniform(random);
  return values;
}

std::vector<float> run(const OnednnPrimitive& primitive, const std::vector<float>& x, std::size_t outputs,
                       int threads) {
  const base::ThreadLimit limit(threads);
  auto scratch = base::Buffer::allocate(primitive.scratch_bytes() + 64, base::MemoryBudget(), "scratch");
  std::vector<float> out(outputs);
  primitive.run(x.data(), out.data(), scratch.as<std::byte>());
  return out;
}

double convolution(const skerry_onednn_conv& c, const std::vector<float>& x, const std::vector<float>& w,
                   std::int64_t o, std::int64_t row, std::int64_t column) {
  const std::int64_t per_group = c.channels / c.groups, first = o / (c.outputs / c.groups) * per_group;
  double sum = 0;
  for (std::int64_t i = 0; i < per_group; ++i) {
    for (std::int64_t ky = 0; ky < c.kernel[0]; ++ky) {
      for (std::int64_t kx = 0; kx < c.kernel[1]; ++kx) {
        const std::int64_t y = row * c.stride[0] - c.pad_begin[0] + ky * c.dilation[0];
        const std::int64_t z = column * c.stride[1] - c.pad_begin[1] + kx * c.dilation[1];
        if (y < 0 || z < 0 || y >= c.input[0] || z >= c.input[1]) continue;
        sum += static_cast<double>(x[static_cast<std::size_t>(((first + i) * c.input[0] + y) * c.input[1] + z)]) *
               static_cast<double>(
                   w[static_cast<std::size_t>(((o * per_group + i) * c.kernel[0] + ky) * c.kernel[1] + kx)]);
      }
    }
  }
  return sum;
}

class Onednn : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!onednn_available()) GTEST_SKIP() << onednn_available().error();
  }
};

TEST_F(Onednn, ConvolvesAsTheFormulaDoesForAnyThreadCount) {
  for (const std::int64_t groups : {1, 2}) {
    const skerry_onednn_conv shape{1, 8, 12, groups, {11, 9}, {3, 3}, {2, 1}, {1, 2}, {1, 2}, {1, 2}, {6, 9}};
    const auto x = floats_of(std::size_t{8} * 11 * 9, 1);
    const auto w = floats_of(std::size_t{12} * 8 / static_cast<std::size_t>(groups) * 9, 2);
    const auto bias = floats_of(12, 3);
    const auto made = OnednnPrimitive::convolution(shape, w, bias);
    ASSERT_TRUE(made) << made.error();
    const auto one = run(**made, x, std::size_t{12} * 6 * 9, 1), two = run(**made, x, std::size_t{12} * 6 * 9, 2);
    EXPECT_EQ(one, two);
    for (std::int64_t o = 0; o < 12; ++o) {
      for (std::int64_t i = 0; i < std::int64_t{6} * 9; ++i) {
        const double expected =
            convolution(shape, x, w, o, i / 9, i % 9) + static_cast<double>(bias[static_cast<std::size_t>(o)]);
        EXPECT_NEAR(one[static_cast<std::size_t>(o * 54 + i)], expected, 1e-5);
      }
    }
  }
}

}  // namespace
}  // namespace skerry::kernels
