#include "kernels/tensor/pixels_i8.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "base/memory.hpp"
#include "base/threads.hpp"
#include "kernels/tensor/pixels_i8_loops.hpp"
#include "kernels/testing/conv_cases.hpp"
#include "kernels/testing/targets.hpp"

namespace skerry::kernels {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes random_bytes(std::mt19937& random, std::int64_t count) {
  Bytes bytes(static_cast<std::size_t>(count));
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
  return bytes;
}

struct I8Case {
  ConvShape shape;
  bool x_signed = false, w_signed = true;
  std::int32_t x_zero = 0;
  EndI8 end;
  Bytes x, w;  // x with channels last
  std::vector<std::int32_t> bias;
  std::vector<float> scale;

  I8Case(const ConvShape& s, std::mt19937& random, int trial)
      : shape(s), x_signed(trial % 2 == 0), w_signed(trial % 3 != 0), x_zero(x_signed ? -7 : 121) {
    end.zero = 3;
    end.high = trial % 5 == 0 ? 200 : 255;
    x = random_bytes(random, s.batch * s.channels * s.window.inputs());
    w = random_bytes(random, s.outputs * s.depth());
    for (std::int64_t o = 0; o < s.outputs; ++o) {
      bias.push_back(static_cast<std::int32_t>(random() % 4000) - 2000);
      scale.push_back(0.001F + 1e-4F * static_cast<float>(random() % 20));
    }
  }
  QuantisedConvI8 conv() const { return {{w.data(), w_signed}, x_signed, x_zero, bias, scale}; }
};

std::int32_t number(std::uint8_t byte, bool is_signed) {
  return is_signed ? static_cast<std::int8_t>(byte) : static_cast<std::int32_t>(byte);
}

// What the definition says of one output.
std::uint8_t expected_at(const I8Case& c, std::int64_t image, std::int64_t oy, std::int64_t ox, std::int64_t o) {
  const ConvShape& s = c.shape;
  const Window& w = s.window;
  std::int64_t sum = c.bias[static_cast<std::size_t>(o)];
  for (std::int64_t i = 0; i < s.group_channels(); ++i) {
    for (std::int64_t tap = 0; tap < w.taps(); ++tap) {
      const std::int64_t y = w.position(1, oy, tap / w.kernel[2]), x = w.position(2, ox, tap % w.kernel[2]);
      if (y < 0 || x < 0 || y >= w.input[1] || x >= w.input[2]) continue;
      const std::int64_t channel = o / s.group_outputs() * s.group_channels() + i;
      const std::int64_t pixel = (image * w.input[1] + y) * w.input[2] + x;
      const auto value = number(c.x[static_cast<std::size_t>(pixel * s.channels + channel)], c.x_signed) - c.x_zero;
      const std::uint8_t weight = c.w[static_cast<std::size_t>(o * s.depth() + i * w.taps() + tap)];
      sum += static_cast<std::int64_t>(value) * (number(weight, c.w_signed) - (c.w_signed ? 0 : 128));
    }
  }
  const float real = std::nearbyint(static_cast<float>(sum) * c.scale[static_cast<std::size_t>(o)]);
  const auto q = static_cast<std::int64_t>(std::clamp(real, -1e6F, 1e6F)) + c.end.zero;
  return static_cast<std::uint8_t>(std::clamp<std::int64_t>(q, c.end.low, c.end.high));
}

Bytes expected(const I8Case& c) {
  Bytes y;
  for (std::int64_t i = 0; i < c.shape.batch * c.shape.window.outputs(); ++i) {
    const std::int64_t image = i / c.shape.window.outputs(), p = i % c.shape.window.outputs();
    const std::int64_t width = c.shape.window.output[2];
    for (std::int64_t o = 0; o < c.shape.outputs; ++o) y.push_back(expected_at(c, image, p / width, p % width, o));
  }
  return y;
}

TEST(PixelsI8, ConvolutionAgreesWithTheDefinitionBitForBit) {
  std::mt19937 random(27);
  for (int trial = 0; trial < 60; ++trial) {
    ConvShape s{1 + trial % 2, 1 + trial % 9, 1 + trial * 7 % 70, 1, testing::flat_window(random)};
    const I8Case c(s, random, trial);
    for (const int threads : {1, 2}) {
      const base::ThreadLimit limit(threads);
      const PixelConvI8 conv(s, c.conv(), false);
      auto scratch = base::Buffer::allocate(conv.scratch_bytes() + 64, base::MemoryBudget(), "scratch");
      Bytes y(static_cast<std::size_t>(s.batch * s.outputs * s.window.outputs()));
      conv.run(c.x.data(), y.data(), scratch.as<std::byte>().first(conv.scratch_bytes()), c.end);
      EXPECT_EQ(y, expected(c)) << testing::describe(s);
    }
  }
}

// The sum as a step of its own, which is compared with ONNX Runtime's elsewhere.
Bytes added(const Bytes& a, QuantI8 of_a, const Bytes& b, QuantI8 of_b, QuantI8 of_sum, bool is_signed) {
  const DType dtype = is_signed ? DType::i8 : DType::u8;
  const Shape shape{static_cast<std::int64_t>(a.size())};
  Bytes sum(a.size());
  quantized_add(TensorView(dtype, shape, reinterpret_cast<const std::byte*>(a.data())), of_a,
                TensorView(dtype, shape, reinterpret_cast<const std::byte*>(b.data())), of_b,
                MutableTensorView(dtype, shape, reinterpret_cast<std::byte*>(sum.data())), of_sum);
  return sum;
}

// Scales far enough apart that the order of the sum shows in its last bit.
struct SumCase {
  bool is_signed, left;
  QuantI8 of_result, of_residual, of_sum;

  explicit SumCase(int trial)
      : is_signed(trial % 2 == 1),
        left(trial / 2 % 2 == 1),
        of_result{0.0173F, is_signed ? 3 - 128 : 3},
        of_residual{0.0211F + 1e-4F * static_cast<float>(trial), is_signed ? -9 : 141},
        of_sum{0.0267F, is_signed ? -128 + trial % 7 : trial % 5} {}
  SumI8 sum() const {
    return sum_with_residual(left ? of_residual : of_result, left ? of_result : of_residual, of_sum, left, is_signed);
  }
  Bytes expected(const Bytes& result, const Bytes& residual) const {
    return left ? added(residual, of_residual, result, of_result, of_sum, is_signed)
                : added(result, of_result, residual, of_residual, of_sum, is_signed);
  }
};

TEST(PixelsI8, AResidualIsAddedAsBySumsOfTheirOwn) {
  std::mt19937 random(33);
  for (int trial = 0; trial < 60; ++trial) {
    ConvShape s{1 + trial % 2, 1 + trial % 9, 1 + trial * 7 % 70, 1, testing::flat_window(random)};
    if (trial % 4 == 0) s.window.output[2] = s.window.input[2] = 7, s.window.kernel[2] = 1;
    if (trial % 4 == 0) s.window.stride[2] = s.window.dilation[2] = 1, s.window.pad_begin[2] = s.window.pad_end[2] = 0;
    I8Case c(s, random, trial);
    const SumCase sum(trial);
    c.end.zero = sum.of_result.zero;
    c.end.low = sum.is_signed ? -128 : 0;
    c.end.high = sum.is_signed ? 127 : 255;
    const Bytes residual = random_bytes(random, s.batch * s.outputs * s.window.outputs());
    for (const int threads : {1, 2}) {
      const base::ThreadLimit limit(threads);
      const PixelConvI8 conv(s, c.conv(), false);
      auto scratch = base::Buffer::allocate(conv.scratch_bytes() + 64, base::MemoryBudget(), "scratch");
      const auto slots = scratch.as<std::byte>().first(conv.scratch_bytes());
      Bytes plain(residual.size()), y(residual.size()), in_place = residual;
      conv.run(c.x.data(), plain.data(), slots, c.end);
      conv.run(c.x.data(), y.data(), slots, c.end, {residual.data(), sum.sum()});
      conv.run(c.x.data(), in_place.data(), slots, c.end, {in_place.data(), sum.sum()});
      EXPECT_EQ(y, sum.expected(plain, residual)) << testing::describe(s) << ", trial " << trial;
      EXPECT_EQ(in_place, y) << testing::describe(s);
    }
  }
}

// Seven pixels wide, as the last layers of many networks, and enough work that pieces are shared.
TEST(PixelsI8, RowsOfSevenPixelsAreTakenInPairs) {
  std::mt19937 random(28);
  ConvShape s{1, 256, 96, 1, {}};
  s.window.input = s.window.output = {1, 7, 7};
  s.window.kernel = {1, 3, 3};
  s.window.pad_begin = s.window.pad_end = {0, 1, 1};
  const I8Case c(s, random, 1);
  const base::ThreadLimit limit(2);
  const PixelConvI8 conv(s, c.conv(), false);
  auto scratch = base::Buffer::allocate(conv.scratch_bytes() + 64, base::MemoryBudget(), "scratch");
  Bytes y(static_cast<std::size_t>(s.outputs * s.window.outputs()));
  conv.run(c.x.data(), y.data(), scratch.as<std::byte>().first(conv.scratch_bytes()), c.end);
  EXPECT_EQ(y, expected(c));
}

TEST(PixelsI8, DepthwiseAgreesWithTheDefinitionBitForBit) {
  std::mt19937 random(29);
  for (int trial = 0; trial < 60; ++trial) {
    const std::int64_t channels = 1 + trial * 5 % 90;
    ConvShape s{1 + trial % 2, channels, channels, channels, testing::flat_window(random)};
    const I8Case c(s, random, trial);
    const PixelDepthwiseI8 conv(s, c.conv());
    Bytes y(static_cast<std::size_t>(s.batch * s.outputs * s.window.outputs()));
    conv.run(c.x.data(), y.data(), c.end);
    EXPECT_EQ(y, expected(c)) << testing::describe(s);
  }
}

// Every instruction set that this machine has gives what the plain loops give.
TEST(PixelsI8, EveryInstructionSetGivesTheSame) {
  std::mt19937 random(30);
  constexpr std::size_t kChannels = 20, kWidth = 45, kRows = 3;
  const Bytes x = random_bytes(random, kChannels * (kWidth + 2) * (kRows + 1) + 64);
  const Bytes w = random_bytes(random, std::int64_t{2} * 15 * 32 * 4);
  const std::vector<std::size_t> segments = {0, kChannels * (kWidth + 2)};
  std::vector<std::int32_t> add(32, 77), weights(9 * kChannels, -5);
  const std::vector<float> scale(32, 0.002F);
  for (const PixelLoopsI8* loops : {vnni_pixel_loops_i8(), avx2_pixel_loops_i8()}) {
    if (loops == nullptr) continue;
    for (std::size_t pixels = 1; pixels <= kWidth; ++pixels) {
      for (const std::size_t columns : {5U, 16U, 17U, 32U}) {
        Bytes fast(kRows * kWidth * 32, 9), plain = fast;
        PixelRowsI8 rows{x.data(),
                         kChannels * (kWidth + 2),
                         kChannels,
                         segments,
                         15,
                         reinterpret_cast<const std::int8_t*>(w.data()),
                         nullptr,
                         add.data(),
                         static_cast<std::uint8_t>(pixels % 2 == 0 ? 0x80 : 0),
                         fast.data(),
                         kWidth * 32,
                         32,
                         kRows,
                         pixels,
                         columns,
                         columns > 16,
                         {scale.data(), 4, 0, 255}};
        loops->pixel_rows(rows);
        rows.y = plain.data();
        portable_pixel_loops_i8().pixel_rows(rows);
        EXPECT_EQ(fast, plain) << pixels << " pixels, " << columns << " outputs";
      }
      Bytes fast(kWidth * kChannels, 9), plain = fast;
      WindowRowI8 row{x.data(),
                      pixels % 2 == 0,
                      kChannels,
                      kChannels * (kWidth + 2),
                      kChannels,
                      2,
                      2,
                      weights.data(),
                      3 * kChannels,
                      kChannels,
                      add.data(),
                      fast.data(),
                      kChannels,
                      pixels,
                      kChannels,
                      {scale.data(), 4, 0, 255}};
      loops->window_row(row);
      row.y = plain.data();
      portable_pixel_loops_i8().window_row(row);
      EXPECT_EQ(fast, plain) << pixels << " pixels";
    }
  }
}

// Products and sums are rounded once or twice as the instruction set has it, with a residual as in a sum of its own.
TEST(PixelsI8, EveryInstructionSetAddsResidualsAsItsOwnSumsDo) {
  std::mt19937 random(34);
  constexpr std::size_t kChannels = 20, kWidth = 31, kRows = 3, kOutputs = 32;
  const Bytes x = random_bytes(random, kChannels * (kWidth + 2) * (kRows + 1) + 64);
  const Bytes w = random_bytes(random, std::int64_t{2} * 15 * 32 * 4);
  const std::vector<std::size_t> segments = {0, kChannels * (kWidth + 2)};
  const std::vector<std::int32_t> add(32, -31);
  const std::vector<float> scale(32, 0.0007F);
  testing::for_each_target([&](const char* target) {
    const std::string name = target;
    const PixelLoopsI8* loops = &portable_pixel_loops_i8();
    if (name.starts_with("AVX3")) loops = vnni_pixel_loops_i8();
    if (name == "AVX2") loops = avx2_pixel_loops_i8();
    if (loops == nullptr) return;
    for (std::size_t pixels = 1; pixels <= kWidth; ++pixels) {
      const SumCase sum(static_cast<int>(pixels));
      for (const std::size_t columns : {1U, 5U, 16U, 17U, 32U}) {
        const Bytes residual = random_bytes(random, kRows * kWidth * kOutputs);
        Bytes plain(residual.size()), y(residual.size());
        PixelRowsI8 rows{
            .x = x.data(),
            .x_row = kChannels * (kWidth + 2),
            .x_pixel = kChannels,
            .segments = segments,
            .groups = 15,
            .w = reinterpret_cast<const std::int8_t*>(w.data()),
            .next = nullptr,
            .add = add.data(),
            .flip = 0,
            .y = plain.data(),
            .y_row = kWidth * kOutputs,
            .y_pixel = kOutputs,
            .rows = kRows,
            .pixels = pixels,
            .columns = columns,
            .wide = columns > 16,
            .end = {scale.data(), sum.of_result.zero, sum.is_signed ? -128 : 0, sum.is_signed ? 127 : 255}};
        loops->pixel_rows(rows);
        rows.y = y.data();
        rows.residual = residual.data();
        rows.sum = sum.sum();
        loops->pixel_rows(rows);
        const Bytes expected = sum.expected(plain, residual);
        for (std::size_t i = 0; i < y.size(); ++i) {
          const bool written = i % kOutputs < columns && i / kOutputs % kWidth < pixels;
          ASSERT_EQ(y[i], written ? expected[i] : 0)
              << target << ", " << pixels << " pixels, " << columns << " outputs, at " << i;
        }
      }
    }
  });
}

TEST(PixelsI8, PoolsAgreeWithTheirDefinition) {
  std::mt19937 random(31);
  for (int trial = 0; trial < 40; ++trial) {
    const Window w = testing::flat_window(random);
    const std::int64_t channels = 1 + trial * 7 % 150;
    const bool is_signed = trial % 2 == 0;
    const Bytes x = random_bytes(random, channels * w.inputs());
    Bytes y(static_cast<std::size_t>(channels * w.outputs()));
    PixelMaxI8(w, 1, channels).run({x.data(), is_signed}, y.data());
    for (std::int64_t o = 0; o < w.outputs(); ++o) {
      for (std::int64_t c = 0; c < channels; ++c) {
        std::int32_t best = is_signed ? -128 : 0;
        for (std::int64_t tap = 0; tap < w.taps(); ++tap) {
          const std::int64_t iy = w.position(1, o / w.output[2], tap / w.kernel[2]);
          const std::int64_t ix = w.position(2, o % w.output[2], tap % w.kernel[2]);
          if (iy < 0 || ix < 0 || iy >= w.input[1] || ix >= w.input[2]) continue;
          best = std::max(best, number(x[static_cast<std::size_t>((iy * w.input[2] + ix) * channels + c)], is_signed));
        }
        ASSERT_EQ(number(y[static_cast<std::size_t>(o * channels + c)], is_signed), best);
      }
    }
    Bytes mean(static_cast<std::size_t>(channels));
    quantized_pixel_mean({x.data(), is_signed}, {0.5F, 3}, 1, w.inputs(), channels, {0.25F, 5}, mean.data());
    for (std::int64_t c = 0; c < channels; ++c) {
      std::int64_t sum = 0;
      for (std::int64_t p = 0; p < w.inputs(); ++p)
        sum += number(x[static_cast<std::size_t>(p * channels + c)], is_signed) - 3;
      const float scaled = static_cast<float>(sum) * (0.5F / (0.25F * static_cast<float>(w.inputs())));
      const std::int64_t q = std::lround(std::nearbyint(scaled)) + 5;
      ASSERT_EQ(number(mean[static_cast<std::size_t>(c)], is_signed),
                std::clamp<std::int64_t>(q, is_signed ? -128 : 0, is_signed ? 127 : 255));
    }
  }
}

}  // namespace
}  // namespace skerry::kernels
