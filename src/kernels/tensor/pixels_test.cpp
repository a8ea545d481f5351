#include "kernels/tensor/pixels.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "base/memory.hpp"
#include "base/threads.hpp"
#include "kernels/tensor/pool.hpp"
#include "kernels/tensor/winograd.hpp"
#include "kernels/testing/conv_cases.hpp"
#include "kernels/testing/targets.hpp"

namespace skerry::kernels {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace)

// [batch, channels, space] to [batch, space, channels], or back.
std::vector<float> turned(const std::vector<float>& x, std::int64_t batch, std::int64_t channels, bool to_last) {
  std::vector<float> y(x.size());
  if (x.empty()) return y;
  const auto space = static_cast<std::int64_t>(x.size()) / (batch * channels);
  for (std::int64_t n = 0; n < batch; ++n) {
    for (std::int64_t c = 0; c < channels; ++c) {
      for (std::int64_t p = 0; p < space; ++p) {
        const auto plane = static_cast<std::size_t>((n * channels + c) * space + p);
        const auto pixel = static_cast<std::size_t>((n * space + p) * channels + c);
        (to_last ? y[pixel] : y[plane]) = to_last ? x[plane] : x[pixel];
      }
    }
  }
  return y;
}

std::vector<float> convolved(const ConvShape& s, const Data& d, bool planes_in, int threads, const BlockEnd& end = {}) {
  const base::ThreadLimit limit(threads);
  const PixelConvF32 conv(s, d.w, d.bias, planes_in);
  auto scratch = base::Buffer::allocate(conv.scratch_bytes() + 64, base::MemoryBudget(), "scratch");
  std::vector<float> y(d.expected.size());
  const auto x = planes_in ? d.x : turned(d.x, s.batch, s.channels, true);
  conv.run(x.data(), y.data(), scratch.as<std::byte>().first(conv.scratch_bytes()), end);
  return turned(y, s.batch, s.outputs, false);
}

TEST(Pixels, ConvolutionAgreesWithTheFormulaForAnyWindowAndThreadCount) {
  for_each_target([](const char* target) {
    SCOPED_TRACE(target);
    std::mt19937 random(17);
    for (int trial = 0; trial < 80; ++trial) {
      ConvShape s;
      s.window = flat_window(random);
      s.batch = 1 + trial % 2;
      s.channels = 1 + trial % 5;
      s.outputs = 1 + trial * 7 % 50;
      const Data d = data_for(s);
      const auto one = convolved(s, d, trial % 3 == 0, 1);
      EXPECT_EQ(one, convolved(s, d, trial % 3 == 0, 2));
      expect_near(s, one, d.expected);
    }
  });
}

// Pixels 4 KiB apart, rows and pixels cut into pieces, panels shared among threads.
TEST(Pixels, ConvolutionsThatAreCutIntoPiecesAgree) {
  for (const auto& [channels, height, width, kernel] : {std::array<std::int64_t, 4>{1024, 1, 130, 1},
                                                        {64, 40, 29, 3},
                                                        {96, 9, 17, 3},
                                                        {48, 1, 3000, 1},
                                                        {64, 25, 5, 1},
                                                        {64, 25, 5, 3}}) {
    ConvShape s{1, channels, 72, 1, {}};
    s.window.input = s.window.output = {1, height, width};
    s.window.kernel = {1, kernel, kernel};
    s.window.pad_begin = s.window.pad_end = {0, kernel / 2, kernel / 2};
    const Data d = data_for(s);
    const auto residual = random_floats(static_cast<std::int64_t>(d.expected.size()), 9);
    const auto last = turned(residual, s.batch, s.outputs, true);
    std::vector<float> sum = d.expected;
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += residual[i];
    for_each_target([&](const char* target) {
      SCOPED_TRACE(target);
      const auto one = convolved(s, d, false, 1);
      EXPECT_EQ(one, convolved(s, d, false, 2));
      expect_near(s, one, d.expected);
      BlockEnd end;
      end.residual = last.data();
      const auto two = convolved(s, d, false, 2, end);
      EXPECT_EQ(two, convolved(s, d, false, 1, end));
      expect_near(s, two, sum);
    });
  }
}

TEST(Pixels, ResidualIsAddedBeforeTheResultIsBounded) {
  for_each_target([](const char* target) {
    SCOPED_TRACE(target);
    std::mt19937 random(18);
    for (const std::int64_t channels : {3, 16, 40}) {
      ConvShape s{2, channels, channels, 1, flat_window(random)};
      Data d = data_for(s);
      const auto residual = random_floats(static_cast<std::int64_t>(d.expected.size()), 9);
      for (std::size_t i = 0; i < residual.size(); ++i)
        d.expected[i] = std::clamp(d.expected[i] + residual[i], -0.25F, 0.5F);
      const auto last = turned(residual, s.batch, s.outputs, true);
      BlockEnd end;
      end.residual = last.data();
      end.low = -0.25F;
      end.high = 0.5F;
      expect_near(s, convolved(s, d, false, 1, end), d.expected);
    }
  });
}

// Both tile sizes, extents that no tile divides, and a residual with bounds.
TEST(Pixels, WinogradAgreesWithTheFormulaForAnyExtentAndThreadCount) {
  for_each_target([](const char* target) {
    SCOPED_TRACE(target);
    std::mt19937 random(21);
    for (int trial = 0; trial < 14; ++trial) {
      ConvShape s{1 + trial % 2, std::int64_t{16} * (1 + trial % 3), std::int64_t{16} * (1 + trial % 2), 1, {}};
      if (trial == 13) s = {1, 160, 144, 1, {}};
      s.window.kernel = {1, 3, 3};
      s.window.input = {1, 3 + trial, 4 + 3 * trial % 17};
      s.window.pad_begin = {0, trial % 2, 1};
      s.window.pad_end = {0, 1, trial % 3};
      for (const std::size_t axis : {1U, 2U})
        s.window.output[axis] = s.window.input[axis] + s.window.pad_begin[axis] + s.window.pad_end[axis] - 2;
      ASSERT_TRUE(WinogradF32::takes(s));
      Data d = data_for(s);
      const auto residual = random_floats(static_cast<std::int64_t>(d.expected.size()), 9);
      for (std::size_t i = 0; i < residual.size(); ++i) d.expected[i] = std::max(d.expected[i] + residual[i], -0.5F);
      const auto last = turned(residual, s.batch, s.outputs, true), x = turned(d.x, s.batch, s.channels, true);
      BlockEnd end;
      end.residual = last.data();
      end.low = -0.5F;
      std::vector<float> one;
      for (const int threads : {1, 2}) {
        const base::ThreadLimit limit(threads);
        const WinogradF32 conv(s, d.w, d.bias);
        auto scratch = base::Buffer::allocate(conv.scratch_bytes() + 64, base::MemoryBudget(), "scratch");
        std::vector<float> y(d.expected.size());
        conv.run(x.data(), y.data(), scratch.as<std::byte>().first(conv.scratch_bytes()), end);
        if (threads == 1) one = y;
        EXPECT_EQ(y, one);
      }
      const auto planes = turned(one, s.batch, s.outputs, false);
      // Ten times what adding up may err by.
      const double tolerance = 2e-5 * std::sqrt(static_cast<double>(s.depth()) + 1);
      for (std::size_t i = 0; i < planes.size(); ++i) ASSERT_NEAR(planes[i], d.expected[i], tolerance) << describe(s);
    }
  });
}

TEST(Pixels, DepthwiseAgreesWithTheFormulaForAnyNumberOfChannels) {
  for_each_target([](const char* target) {
    SCOPED_TRACE(target);
    std::mt19937 random(19);
    for (int trial = 0; trial < 80; ++trial) {
      ConvShape s;
      s.window = flat_window(random);
      s.batch = 1 + trial % 2;
      s.groups = s.channels = s.outputs = 1 + trial % 40;
      const Data d = data_for(s);
      PixelWindowF32 kernel(s.window, s.batch, s.channels);
      kernel.pack(d.w, d.bias);
      const auto x = turned(d.x, s.batch, s.channels, true);
      for (const int threads : {1, 2}) {
        const base::ThreadLimit limit(threads);
        std::vector<float> y(d.expected.size());
        kernel.convolve(x.data(), y.data());
        expect_near(s, turned(y, s.batch, s.outputs, false), d.expected);
      }
    }
  });
}

// Rows of a few pixels and of many, of as many channels as make two pixels fill a vector, with and without edges.
TEST(Pixels, DepthwiseRowsThreeWideAgreeForAnyWidth) {
  for_each_target([](const char* target) {
    SCOPED_TRACE(target);
    for (const std::int64_t channels : {2, 4, 8, 16, 64}) {
      for (const std::int64_t width : {3, 4, 5, 6, 7, 8, 9, 12, 25}) {
        for (const std::int64_t padding : {0, 1, 2, 3}) {
          ConvShape s{2, channels, channels, channels, {}};
          s.window.kernel = {1, 3, 3};
          s.window.input = {1, 5, width};
          s.window.pad_begin = {0, 1, padding & 1};
          s.window.pad_end = {0, 1, padding / 2};
          s.window.output = {1, 5, width + (padding & 1) + padding / 2 - 2};
          Data d = data_for(s);
          const auto residual = random_floats(static_cast<std::int64_t>(d.expected.size()), 9);
          for (std::size_t i = 0; i < residual.size(); ++i) d.expected[i] = std::min(d.expected[i] + residual[i], 0.5F);
          const auto x = turned(d.x, s.batch, channels, true), last = turned(residual, s.batch, channels, true);
          PixelWindowF32 kernel(s.window, s.batch, channels);
          kernel.pack(d.w, d.bias);
          BlockEnd end;
          end.residual = last.data();
          end.high = 0.5F;
          std::vector<float> y(d.expected.size());
          kernel.convolve(x.data(), y.data(), end);
          expect_near(s, turned(y, s.batch, channels, false), d.expected);
        }
      }
    }
  });
}

TEST(Pixels, APixelOutsideTheRowIsNeitherReadNorMultiplied) {
  for_each_target([](const char* target) {
    SCOPED_TRACE(target);
    const float infinite = std::numeric_limits<float>::infinity();
    for (const std::int64_t channels : {2, 4, 8, 16}) {
      // Infinite weights in the first column and numbers that are none in the last: each is seen by all pixels but one.
      Window w;
      w.kernel = {1, 3, 3};
      w.input = w.output = {1, 3, 6};
      w.pad_begin = w.pad_end = {0, 1, 1};
      std::vector<float> weights(static_cast<std::size_t>(channels) * 9, 1.0F);
      for (std::size_t i = 0; i < weights.size(); i += 3) weights[i] = infinite;
      PixelWindowF32 kernel(w, 1, channels);
      kernel.pack(weights, {});
      const std::vector<float> x(static_cast<std::size_t>(channels * 18), 1.0F);
      std::vector<float> y(x.size());
      kernel.convolve(x.data(), y.data());
      for (std::size_t i = 0; i < y.size(); ++i) {
        const bool first = i / static_cast<std::size_t>(channels) % 6 == 0;
        EXPECT_EQ(std::isfinite(y[i]), first) << i;
        EXPECT_FALSE(std::isnan(y[i])) << i;
      }
    }
  });
}

// First layers, whose inputs stand with channels first: few outputs, strides, extents that no vector divides.
TEST(Pixels, FewOutputsOfPlanesAgreeForAnyExtentAndThreadCount) {
  for_each_target([](const char* target) {
    SCOPED_TRACE(target);
    int trial = 0;
    for (const std::int64_t outputs : {3, 4, 8, 12}) {
      for (const std::int64_t width : {7, 15, 16, 17, 31, 32, 48, 67}) {
        ++trial;
        const std::int64_t stride = 1 + trial % 2, kernel = 1 + trial % 4;
        ConvShape s{1 + trial % 2, 1 + trial % 3, outputs, 1, {}};
        s.window.kernel = {1, kernel, kernel};
        s.window.stride = {1, stride, stride};
        s.window.dilation = {1, 1, 1 + trial % 5 / 4};
        s.window.pad_begin = {0, trial % 3 % 2, trial % 2};
        s.window.pad_end = {0, 1, trial % 3};
        const std::int64_t reach = (kernel - 1) * s.window.dilation[2] + 1;
        s.window.input = {1, 20 + trial % 4,
                          (width - 1) * stride + reach - s.window.pad_begin[2] - s.window.pad_end[2]};
        if (s.window.input[2] < 1) continue;
        for (const std::size_t axis : {1U, 2U}) {
          const std::int64_t seen = (kernel - 1) * s.window.dilation[axis] + 1;
          s.window.output[axis] =
              (s.window.input[axis] + s.window.pad_begin[axis] + s.window.pad_end[axis] - seen) / stride + 1;
        }
        Data d = data_for(s);
        const auto one = convolved(s, d, true, 1);
        EXPECT_EQ(one, convolved(s, d, true, 2));
        expect_near(s, one, d.expected);
        const auto residual = random_floats(static_cast<std::int64_t>(d.expected.size()), 9);
        for (std::size_t i = 0; i < residual.size(); ++i) d.expected[i] = std::max(d.expected[i] + residual[i], -0.25F);
        const auto last = turned(residual, s.batch, s.outputs, true);
        BlockEnd end;
        end.residual = last.data();
        end.low = -0.25F;
        expect_near(s, convolved(s, d, true, 1, end), d.expected);
      }
    }
  });
}

TEST(Pixels, PoolsAgreeWithTheFormulaForAnyWindow) {
  for_each_target([](const char* target) {
    SCOPED_TRACE(target);
    std::mt19937 random(20);
    for (int trial = 0; trial < 80; ++trial) {
      const Window w = flat_window(random);
      const std::int64_t channels = 1 + trial % 37;
      const auto x = random_floats(channels * w.inputs(), 4);
      std::vector<float> expected(static_cast<std::size_t>(channels * w.outputs())), y(expected.size());
      const auto last = turned(x, 1, channels, true);
      PixelWindowF32 kernel(w, 1, channels);
      max_pool_ref(w, channels, false, view(x), view(expected), {});
      kernel.begin_with(-std::numeric_limits<float>::infinity());
      kernel.max(last.data(), y.data());
      EXPECT_EQ(turned(y, 1, channels, false), expected);
      kernel.begin_with(0.0F);
      for (const bool count_padding : {false, true}) {
        average_pool_ref(w, channels, count_padding, view(x), view(expected));
        kernel.average(count_padding, last.data(), y.data());
        const auto planes = turned(y, 1, channels, false);
        for (std::size_t i = 0; i < y.size(); ++i) {
          if (std::isnan(expected[i])) continue;  // padding alone has no mean
          ASSERT_NEAR(planes[i], expected[i], 1e-5);
        }
      }
    }
  });
}

}  // namespace
}  // namespace skerry::kernels
