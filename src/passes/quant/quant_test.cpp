#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "kernels/tensor/quantize.hpp"
#include "passes/quant/channels.hpp"
#include "passes/quant/quantize.hpp"
#include "passes/quant/ranges.hpp"
#include "passes/quant/weights.hpp"

namespace skerry::passes::quant {
namespace {

Seen seen_of(std::span<const float> values) {
  Seen seen;
  seen.widen(values);
  seen.count(values);
  return seen;
}

double squared_error(std::span<const float> values, Range range) {
  const Levels l = levels_of(range);
  double sum = 0.0;
  for (const float x : values) {
    const float q = std::clamp(std::nearbyint(x / l.scale) + static_cast<float>(l.zero), 0.0F, 255.0F);
    const double off = static_cast<double>((q - static_cast<float>(l.zero)) * l.scale - x);
    sum += off * off;
  }
  return sum;
}

// Bell-shaped, with a few values a hundred times as far out.
std::vector<float> with_outliers(bool positive) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  std::vector<float> out(40'000);
  for (float& x : out) x = positive ? std::abs(normal(random)) : normal(random);
  out[17] = 100.0F;
  if (!positive) out[90] = -100.0F;
  return out;
}

RC_GTEST_PROP(Ranges, HoldZeroExactlyWhateverWasSeen, (const std::vector<float>& values)) {
  const Seen seen = seen_of(values);
  for (const Calibration method :
       {Calibration::min_max, Calibration::percentile, Calibration::entropy, Calibration::mse}) {
    const Range range = seen.range(method, 99.9);
    RC_ASSERT(range.low <= 0.0F && range.high >= 0.0F);
    const Levels levels = levels_of(range);
    RC_ASSERT(levels.scale > 0.0F && std::isfinite(levels.scale));
  }
}

TEST(Ranges, MinMaxHoldsAllAndPassesOverWhatIsNoNumber) {
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  const std::vector<float> values = {-1.5F, nan, 0.25F, inf, 3.0F, -inf};
  const Range range = seen_of(values).range(Calibration::min_max, 100);
  EXPECT_EQ(range.low, -1.5F);
  EXPECT_EQ(range.high, 3.0F);
}

TEST(Ranges, PercentileLeavesOutAsManyAsItSays) {
  std::vector<float> values(10'000);
  std::iota(values.begin(), values.end(), 1.0F);
  const Range range = seen_of(values).range(Calibration::percentile, 90);
  EXPECT_NEAR(range.high, 9000, 10'000.0 / Seen::kBins);
  EXPECT_EQ(range.low, 0.0F);
}

TEST(Ranges, OutliersAreCutWhereThatLosesLess) {
  for (const bool positive : {true, false}) {
    const auto values = with_outliers(positive);
    const Seen seen = seen_of(values);
    const Range all = seen.range(Calibration::min_max, 100), mse = seen.range(Calibration::mse, 100),
                entropy = seen.range(Calibration::entropy, 100), share = seen.range(Calibration::percentile, 99.9);
    EXPECT_LT(squared_error(values, mse), squared_error(values, all));
    EXPECT_LT(entropy.high, 20.0F);
    EXPECT_GT(entropy.high, 2.0F);
    EXPECT_LT(share.high, 5.0F);
  }
}

// The two ends of evenly spread values are worth keeping.
TEST(Ranges, EvenValuesKeepTheirEnds) {
  std::vector<float> values(50'000);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) / 50'000.0F - 0.3F;
  for (const Calibration method : {Calibration::entropy, Calibration::mse}) {
    const Range range = seen_of(values).range(method, 100);
    EXPECT_NEAR(range.high - range.low, 1.0, 0.03);
  }
}

Tensor random_weights(const Shape& shape) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<std::size_t>(shape.elements()));
  for (float& x : values) x = normal(random);
  return Tensor::from<float>(values, shape);
}

// Element by element from the definition of DequantizeLinear.
float real_of(const SmallWeights& w, std::int64_t row, std::int64_t column, std::int64_t columns) {
  const std::int64_t i = row * columns + column;
  const auto byte = static_cast<unsigned>(w.q.view().data()[w.q.dtype() == DType::i4 ? i / 2 : i]);
  // NOLINTNEXTLINE(bugprone-signed-char-misuse): a number, no letter
  int q = static_cast<std::int8_t>(byte);
  if (w.q.dtype() == DType::i4) {
    q = static_cast<int>(byte >> (4 * (i % 2)) & 0xFU);
    if (q > 7) q -= 16;
  }
  const auto scales = w.scale.as<float>();
  const std::int64_t at = w.block == 0  ? (w.axis == 0 ? row : column)
                          : w.axis == 0 ? row / w.block * columns + column
                                        : row * w.scale.shape()[1] + column / w.block;
  return static_cast<float>(q) * scales[static_cast<std::size_t>(scales.size() == 1 ? 0 : at)];
}

TEST(Weights, OfEightAndFourBitsAreWithinHalfALevelAndDequantiseByTheKernelToo) {
  constexpr std::int64_t kRows = 37, kColumns = 50;
  const Tensor w = random_weights({kRows, kColumns});
  for (const std::int64_t axis : {0, 1}) {
    for (const bool four : {false, true}) {
      const SmallWeights small = four ? four_bits(w, axis, 16) : eight_bits(w, axis, true);
      Tensor back(DType::f32, w.shape());
      kernels::ScaleLayout layout{.outer = axis == 0 ? 1 : kRows,
                                  .length = axis == 0 ? kRows : kColumns,
                                  .inner = axis == 0 ? kColumns : 1,
                                  .block = four ? 16 : 1,
                                  .scales = small.scale.shape()[four ? static_cast<int>(axis) : 0],
                                  .per_inner = four};
      kernels::dequantize(small.q.view(), small.scale.view(), {}, layout, back.mutable_view());
      double error = 0.0, power = 0.0;
      for (std::int64_t r = 0; r < kRows; ++r) {
        for (std::int64_t c = 0; c < kColumns; ++c) {
          const auto i = static_cast<std::size_t>(r * kColumns + c);
          const float real = real_of(small, r, c, kColumns), x = w.as<float>()[i];
          ASSERT_FLOAT_EQ(back.as<float>()[i], real);
          error += static_cast<double>((real - x) * (real - x));
          power += static_cast<double>(x * x);
        }
      }
      // A level of 2 max / 255 (or about 2 max / 16): its variance is a twelfth of its square.
      EXPECT_LT(error / power, four ? 0.012 : 1e-4);
    }
  }
}

TEST(Weights, OfShortAxesStayAtEightBits) {
  EXPECT_FALSE(fits_four_bits(random_weights({8, 1, 3, 3}), 1));
  EXPECT_TRUE(fits_four_bits(random_weights({8, 16, 3, 3}), 1));
}

TEST(Weights, OfNothingButZerosHaveAScale) {
  const Tensor zeros(DType::f32, {32, 32});
  for (const SmallWeights& small : {eight_bits(zeros, 0, true), four_bits(zeros, 1, 8)})
    for (const float scale : small.scale.as<float>()) EXPECT_EQ(scale, 1.0F);
}

TEST(ChannelGroups, StopAtInputsOutputsAndWhatIsNotUnderstood) {
  const TensorType image = TensorType::of(DType::f32, {1, 4, 5, 5});
  Graph graph;
  const ValueId x = graph.add_input("x", image);
  const auto conv = [&](ValueId from, const char* name) {
    const ValueId w = graph.add_constant(std::string(name) + ".w", random_weights({4, 4, 1, 1}));
    return graph.add("Conv", {from, w}, name, image);
  };
  const ValueId free = conv(x, "free"), turned = conv(free, "turned");
  const ValueId other = graph.add("Softmax", {turned}, "softmax", image);
  graph.mark_output(conv(other, "last"));
  const auto groups = channel_groups(graph);
  ASSERT_EQ(groups.size(), 1u);
  EXPECT_EQ(groups[0].makers, (std::vector<NodeId>{0}));
  EXPECT_EQ(groups[0].places.size(), 2u);
}

}  // namespace
}  // namespace skerry::passes::quant
