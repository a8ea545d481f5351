#include "kernels/tensor/conv.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "base/memory.hpp"
#include "base/threads.hpp"
#include "kernels/tensor/pool.hpp"
#include "kernels/tensor/slide.hpp"
#include "kernels/testing/conv_cases.hpp"
#include "kernels/testing/targets.hpp"

namespace skerry::kernels {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace)

std::vector<float> packed(const ConvShape& s, const Data& d, bool constant, int threads) {
  const base::ThreadLimit limit(threads);
  const ConvF32 conv(s, constant ? std::span<const float>(d.w) : std::span<const float>());
  auto scratch = base::Buffer::allocate(conv.scratch_bytes() + 64, base::MemoryBudget(), "scratch");
  std::vector<float> y(d.expected.size());
  conv.run(d.x.data(), d.w.data(), d.bias.data(), y.data(), scratch.as<std::byte>().first(conv.scratch_bytes()));
  return y;
}

// Scratch full of what must not matter.
std::span<std::byte> room(const SlideF32& slide) {
  static std::vector<float> scratch;
  scratch.assign(slide.scratch_bytes() / sizeof(float), std::numeric_limits<float>::quiet_NaN());
  return std::as_writable_bytes(std::span(scratch));
}

TEST(Conv, PackedAgreesWithTheFormulaForAnyWindowGroupAndThreadCount) {
  testing::for_each_target([](const char* target) {
    SCOPED_TRACE(target);
    std::mt19937 random(7);
    for (int trial = 0; trial < 80; ++trial) {
      ConvShape s;
      s.window = random_window(random);
      s.groups = 1 + trial % 3;
      s.batch = 1 + trial % 2;
      s.channels = s.groups * (1 + trial % 5);
      s.outputs = s.groups * (1 + trial % 11);
      const Data d = data_for(s);
      const auto one = packed(s, d, trial % 2 == 0, 1);
      EXPECT_EQ(one, packed(s, d, trial % 2 == 0, 2));
      expect_near(s, one, d.expected);
    }
  });
}

TEST(Conv, PackedAgreesWhereDepthAndOutputsAreCutIntoBlocks) {
  testing::for_each_target([](const char* target) {
    SCOPED_TRACE(target);
    ConvShape s{1, 70, 150, 1, {}};
    s.window.input = s.window.output = {1, 7, 9};
    s.window.kernel = {1, 3, 3};
    s.window.pad_begin = s.window.pad_end = {0, 1, 1};
    const Data d = data_for(s);
    const auto one = packed(s, d, true, 1);
    EXPECT_EQ(one, packed(s, d, true, 2));
    expect_near(s, one, d.expected);
  });
}

TEST(Conv, DepthwiseAgreesWithTheFormula) {
  testing::for_each_target([](const char* target) {
    SCOPED_TRACE(target);
    std::mt19937 random(8);
    for (int trial = 0; trial < 80; ++trial) {
      ConvShape s;
      s.window = random_window(random);
      s.batch = 1 + trial % 2;
      s.groups = s.channels = 2 + trial % 4;
      s.outputs = s.groups * (1 + trial % 2);
      const Data d = data_for(s);
      for (const int threads : {1, 2}) {
        const base::ThreadLimit limit(threads);
        std::vector<float> y(d.expected.size());
        const SlideF32 slide(s.window, s.batch * s.outputs);
        slide.convolve(s.outputs, s.group_outputs(), d.x.data(), d.w.data(), d.bias.data(), y.data(), room(slide));
        expect_near(s, y, d.expected);
      }
    }
  });
}

TEST(Pool, VectorsAgreeWithTheFormulaForAnyWindow) {
  testing::for_each_target([](const char* target) {
    SCOPED_TRACE(target);
    std::mt19937 random(9);
    for (int trial = 0; trial < 80; ++trial) {
      const Window w = random_window(random);
      constexpr std::int64_t kPlanes = 3;
      const auto x = random_floats(kPlanes * w.inputs(), 4);
      std::vector<float> expected(static_cast<std::size_t>(kPlanes * w.outputs())), y(expected.size());
      max_pool_ref(w, kPlanes, false, view(x), view(expected), {});
      const SlideF32 slide(w, kPlanes);
      slide.max(x.data(), y.data(), room(slide));
      EXPECT_EQ(y, expected);
      for (const bool count_padding : {false, true}) {
        average_pool_ref(w, kPlanes, count_padding, view(x), view(expected));
        slide.average(count_padding, x.data(), y.data(), room(slide));
        for (std::size_t i = 0; i < y.size(); ++i) {
          if (std::isnan(expected[i])) continue;  // padding alone has no mean
          ASSERT_NEAR(y[i], expected[i], 1e-5);
        }
      }
    }
  });
}

TEST(Pool, IndicesPointAtTheFirstLargestElementOfTheWholeTensor) {
  Window w;
  w.input = {1, 2, 3};
  w.kernel = {1, 2, 2};
  w.output = {1, 1, 2};
  const std::vector<float> x = {0, 5, 5, 5, 1, 2, /* second plane */ 9, 1, 1, 1, 1, 8};
  std::vector<float> y(4);
  std::vector<std::int64_t> indices(4);
  const MutableTensorView out(DType::i64, Shape{4}, reinterpret_cast<std::byte*>(indices.data()));
  max_pool_ref(w, 2, false, view(x), view(y), out);
  EXPECT_EQ(y, (std::vector<float>{5, 5, 9, 8}));
  EXPECT_EQ(indices, (std::vector<std::int64_t>{1, 1, 6, 11}));
  max_pool_ref(w, 2, true, view(x), view(y), out);
  EXPECT_EQ(indices, (std::vector<std::int64_t>{2, 2, 6, 11}));
}

TEST(Pool, PaddingCountsInTheMeanOnlyWhenAskedAndNothingBeyondItEver) {
  Window
      w;  // 1 1 with one zero on each side; windows of 3 at stride 3: [0 1 1] and [0 . .], the dots beyond the padding
  w.input = {1, 1, 2};
  w.kernel = {1, 1, 3};
  w.stride = {1, 1, 3};
  w.pad_begin = w.pad_end = {0, 0, 1};
  w.output = {1, 1, 2};
  const std::vector<float> x = {1, 1};
  std::vector<float> y(2);
  average_pool_ref(w, 1, true, view(x), view(y));
  EXPECT_FLOAT_EQ(y[0], 2.0F / 3.0F);
  EXPECT_FLOAT_EQ(y[1], 0.0F);
  average_pool_ref(w, 1, false, view(x), view(y));
  EXPECT_FLOAT_EQ(y[0], 1.0F);
}

}  // namespace
}  // namespace skerry::kernels
