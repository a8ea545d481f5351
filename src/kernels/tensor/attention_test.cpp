#include "kernels/tensor/attention.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "base/threads.hpp"
#include "kernels/testing/targets.hpp"

namespace skerry::kernels {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::vector<float> random_floats(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> out(count);
  for (float& value : out) value = normal(random);
  return out;
}

// The formula in f64, operands [batch, heads, rows, size].
std::vector<double> formula(const AttentionShape& s, const float* q, const float* k, const float* v,
                            const float* mask) {
  std::vector<double> y(s.batch * s.heads * s.rows * s.value_size);
  for (std::size_t line = 0; line < s.batch * s.heads * s.rows; ++line) {
    const std::size_t b = line / s.rows / s.heads, h = line / s.rows % s.heads, row = line % s.rows;
    const std::size_t kv = h / (s.heads / s.kv_heads);
    std::vector<double> shares(s.columns);
    double sum = 0.0;
    for (std::size_t j = 0; j < s.columns; ++j) {
      double score = 0.0;
      for (std::size_t i = 0; i < s.size; ++i)
        score += static_cast<double>(q[b * s.q.batch + h * s.q.head + row * s.q.row + i]) *
                 static_cast<double>(k[b * s.k.batch + kv * s.k.head + j * s.k.row + i]);
      score *= static_cast<double>(s.scale);
      if (mask != nullptr)
        score += static_cast<double>(
            mask[b * s.mask_steps[0] + h * s.mask_steps[1] + row * s.mask_steps[2] + j * s.mask_steps[3]]);
      shares[j] = s.causal && j > row ? 0.0 : std::exp(score);
      sum += shares[j];
    }
    for (std::size_t j = 0; j < s.columns; ++j) {
      for (std::size_t i = 0; i < s.value_size; ++i)
        y[b * s.y.batch + h * s.y.head + row * s.y.row + i] +=
            sum == 0.0 ? 0.0
                       : shares[j] / sum * static_cast<double>(v[b * s.v.batch + kv * s.v.head + j * s.v.row + i]);
    }
  }
  return y;
}

struct AttentionCase {
  std::size_t batch, heads, kv_heads, rows, columns, size, value_size;
  bool packed, causal, masked;
};

AttentionShape shape_of(const AttentionCase& c) {
  const auto layout = [&](std::size_t heads, std::size_t length, std::size_t width) -> HeadLayout {
    if (c.packed) return {heads * length * width, width, heads * width};
    return {heads * length * width, length * width, width};
  };
  AttentionShape s;
  s.batch = c.batch;
  s.heads = c.heads;
  s.kv_heads = c.kv_heads;
  s.rows = c.rows;
  s.columns = c.columns;
  s.size = c.size;
  s.value_size = c.value_size;
  s.q = layout(c.heads, c.rows, c.size);
  s.k = layout(c.kv_heads, c.columns, c.size);
  s.v = layout(c.kv_heads, c.columns, c.value_size);
  s.y = layout(c.heads, c.rows, c.value_size);
  s.scale = 0.3F;
  s.causal = c.causal;
  if (c.masked) s.mask_steps = {c.rows * c.columns, 0, c.columns, 1};
  return s;
}

std::vector<float> run(const AttentionShape& s, const float* q, const float* k, const float* v,
                       const AttentionMask& mask, int threads) {
  const base::ThreadLimit limit(threads);
  std::vector<float> y(s.batch * s.heads * s.rows * s.value_size);
  const auto slots = static_cast<std::size_t>(threads);
  std::vector<std::byte> scratch(attention_scratch(s, slots));
  attention_f32(s, q, k, v, mask, y.data(), scratch, slots);
  return y;
}

TEST(Attention, AgreesWithTheFormulaForOddExtentsGroupsMasksAndAnyThreadCount) {
  testing::for_each_target([](const char* target) {
    SCOPED_TRACE(target);
    for (const AttentionCase& c :
         {AttentionCase{1, 1, 1, 1, 1, 1, 1, true, false, false}, AttentionCase{2, 3, 3, 7, 7, 4, 4, true, false, true},
          AttentionCase{1, 4, 2, 33, 49, 17, 32, true, false, false},
          AttentionCase{2, 2, 1, 130, 130, 8, 16, false, true, false},
          AttentionCase{1, 2, 2, 5, 300, 40, 48, false, false, true},
          AttentionCase{1, 1, 1, 300, 20, 3, 5, true, false, true}}) {
      const AttentionShape s = shape_of(c);
      const auto q = random_floats(s.batch * s.q.batch, 1), k = random_floats(s.batch * s.k.batch, 2);
      const auto v = random_floats(s.batch * s.v.batch, 3);
      const auto mask = random_floats(c.batch * c.rows * c.columns, 4);
      const float* added = c.masked ? mask.data() : nullptr;
      const auto one = run(s, q.data(), k.data(), v.data(), added, 1);
      EXPECT_EQ(one, run(s, q.data(), k.data(), v.data(), added, 2));
      const auto wanted = formula(s, q.data(), k.data(), v.data(), added);
      for (std::size_t i = 0; i < one.size(); ++i)
        ASSERT_NEAR(one[i], wanted[i], 3e-6) << c.rows << " x " << c.columns << " x " << c.size << " at " << i;
    }
  });
}

TEST(Attention, HidesByTruthValuesWithTheBitsOfAddedInfinities) {
  testing::for_each_target([](const char* target) {
    SCOPED_TRACE(target);
    for (const std::size_t column_step : {std::size_t{1}, std::size_t{0}}) {
      AttentionShape s = shape_of({2, 3, 3, 200, 37, 8, 8, true, false, true});
      s.mask_steps = {200 * 37, 0, 37, column_step};
      const auto q = random_floats(s.batch * s.q.batch, 1), k = random_floats(s.batch * s.k.batch, 2);
      const auto v = random_floats(s.batch * s.v.batch, 3), draws = random_floats(std::size_t{2} * 200 * 37, 4);
      std::vector<float> added(draws.size());
      std::vector<std::uint8_t> chosen(draws.size());
      for (std::size_t i = 0; i < draws.size(); ++i) {
        const bool hidden = draws[i] > 0.5F || i / 37 % 9 == 4;
        added[i] = hidden ? -kInfinity : 0.0F;
        chosen[i] = hidden ? 1 : 0;
      }
      AttentionMask mask;
      mask.chosen = chosen.data();
      mask.hides = true;
      const auto found = run(s, q.data(), k.data(), v.data(), mask, 2);
      EXPECT_EQ(found, run(s, q.data(), k.data(), v.data(), added.data(), 1));
      EXPECT_EQ(found, run(s, q.data(), k.data(), v.data(), mask, 1));
    }
  });
}

TEST(Attention, GivesZeroWhereEverythingIsHiddenAndKeepsWhatIsNotANumber) {
  const AttentionShape s = shape_of({1, 1, 1, 3, 20, 4, 4, true, false, true});
  auto q = random_floats(12, 1);
  const auto k = random_floats(80, 2), v = random_floats(80, 3);
  std::vector<float> mask(60, 0.0F);
  std::fill_n(mask.begin(), 20, -kInfinity);  // row 0 sees nothing
  q[4] = std::numeric_limits<float>::quiet_NaN();
  const auto y = run(s, q.data(), k.data(), v.data(), mask.data(), 1);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(y[i], 0.0F);
    EXPECT_TRUE(std::isnan(y[4 + i]));
    EXPECT_TRUE(std::isfinite(y[8 + i]));
  }
}

}  // namespace
}  // namespace skerry::kernels
