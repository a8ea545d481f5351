#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <random>
#include <vector>

#include "base/memory.hpp"
#include "base/threads.hpp"
#include "kernels/tensor/pixels.hpp"
#include "kernels/testing/conv_cases.hpp"

namespace skerry::kernels {
namespace {

using Piece = PixelPieces::Piece;
constexpr std::size_t kPanel = 32;

base::Buffer scratch_of(const PixelPieces& pieces) {
  return base::Buffer::allocate(pieces.scratch_bytes() + 64, base::MemoryBudget(), "scratch");
}

std::vector<Piece> pieces_of(const PixelPieces& pieces) {
  std::mutex mutex;
  std::vector<Piece> all;
  auto scratch = scratch_of(pieces);
  pieces.for_each(scratch.as<std::byte>(), [&](const Piece& piece, std::byte*) {
    const std::lock_guard lock(mutex);
    all.push_back(piece);
  });
  return all;
}

ConvShape square(std::int64_t batch, std::int64_t channels, std::int64_t outputs, std::int64_t side,
                 std::int64_t kernel, std::int64_t stride) {
  ConvShape s{batch, channels, outputs, 1, {}};
  s.window.kernel = {1, kernel, kernel};
  s.window.stride = {1, stride, stride};
  s.window.pad_begin = s.window.pad_end = {0, kernel / 2, kernel / 2};
  s.window.output = {1, side, side};
  s.window.input = {1, side * stride, side * stride};
  return s;
}

TEST(PixelPieces, CoverEachPanelOfEachPixelOnce) {
  std::mt19937 random(41);
  for (int trial = 0; trial < 120; ++trial) {
    const ConvShape s{1 + trial % 3, 1 + trial * 11 % 200, 1 + trial * 37 % 700, 1, testing::flat_window(random)};
    const base::ThreadLimit limit(1 + trial % 5);
    const PixelPieces pieces(s, s.window.has_padding(), false, kPanel, sizeof(float));
    const auto width = static_cast<std::size_t>(s.window.output[2]),
               height = static_cast<std::size_t>(s.window.output[1]);
    std::vector<int> times(static_cast<std::size_t>(s.batch) * height * width * pieces.panels());
    for (const Piece& p : pieces_of(pieces)) {
      for (std::size_t y = p.row; y < p.row + p.rows; ++y) {
        for (std::size_t x = p.pixel; x < p.pixel + p.pixels; ++x) {
          for (std::size_t panel = p.panel; panel < p.panel + p.panels; ++panel)
            ++times[((p.image * height + y) * width + x) * pieces.panels() + panel];
        }
      }
    }
    EXPECT_TRUE(std::ranges::all_of(times, [](int n) { return n == 1; })) << testing::describe(s);
  }
}

TEST(PixelPieces, OfLittleWorkAndFewWeightsArePartsOfTheImage) {
  const base::ThreadLimit limit(2);
  const auto parts = [](std::int64_t channels, std::int64_t outputs, std::int64_t side) {
    const ConvShape s = square(1, channels, outputs, side, 1, 1);
    return pieces_of(PixelPieces(s, false, false, kPanel, sizeof(float)));
  };
  for (const Piece& piece : parts(128, 128, 6)) {  // each thread wrote these rows in the layer before
    EXPECT_EQ(piece.panels, 4U);
    EXPECT_LE(piece.rows, 3U);
  }
  for (const Piece& piece : parts(512, 256, 4)) {  // half a megabyte of weights is read once
    EXPECT_EQ(piece.panels, 4U);
    EXPECT_EQ(piece.rows, 4U);
  }
}

// The layers of ResNet-50: [channels, outputs, side of the result, window, stride].
TEST(PixelPieces, ThreadsHaveAsMuchToDoAsEachOther) {
  constexpr std::array<std::array<std::int64_t, 5>, 14> kLayers = {{{64, 64, 56, 3, 1},
                                                                    {64, 256, 56, 1, 1},
                                                                    {256, 128, 56, 1, 1},
                                                                    {128, 128, 28, 3, 2},
                                                                    {256, 512, 28, 1, 2},
                                                                    {128, 128, 28, 3, 1},
                                                                    {512, 256, 28, 1, 1},
                                                                    {256, 256, 14, 3, 1},
                                                                    {512, 1024, 14, 1, 2},
                                                                    {1024, 256, 14, 1, 1},
                                                                    {512, 512, 7, 3, 2},
                                                                    {1024, 2048, 7, 1, 2},
                                                                    {512, 512, 7, 3, 1},
                                                                    {2048, 512, 7, 1, 1}}};
  for (const std::size_t threads : {2U, 4U}) {
    const base::ThreadLimit limit(static_cast<int>(threads));
    for (const auto& [channels, outputs, side, kernel, stride] : kLayers) {
      const ConvShape s = square(1, channels, outputs, side, kernel, stride);
      const PixelPieces pieces(s, kernel > 1, false, kPanel, sizeof(float));
      std::vector<Piece> all = pieces_of(pieces);
      std::ranges::sort(all, {}, [](const Piece& p) { return std::array{p.row, p.pixel, p.panel}; });
      // Each thread begins with a run of neighbours, as many as the others have.
      std::vector<std::size_t> work(threads);
      for (std::size_t i = 0; i < all.size(); ++i)
        work[i * threads / all.size()] += all[i].rows * all[i].pixels * all[i].panels;
      const double mean = static_cast<double>(side * side * outputs) / kPanel / static_cast<double>(threads);
      EXPECT_LE(static_cast<double>(std::ranges::max(work)), mean * (threads == 2 ? 1.04 : 1.15))
          << testing::describe(s) << ", " << threads << " threads, " << all.size() << " pieces";
    }
  }
}

// A slot keeps the copy of a place for the panels that come next; what is read must be that of the place all the same.
TEST(PixelPieces, ReadTheCopyOfTheirOwnPlace) {
  std::mt19937 random(42);
  for (int trial = 0; trial < 60; ++trial) {
    const ConvShape s{1 + trial % 3, 1 + trial * 7 % 40, 33 + trial * 37 % 300, 1, testing::flat_window(random)};
    const base::ThreadLimit limit(1 + trial % 4);
    const PixelPieces pieces(s, true, false, kPanel, sizeof(float));
    const auto x = testing::random_floats(s.batch * s.channels * s.window.inputs(), static_cast<unsigned>(trial));
    auto scratch = scratch_of(pieces);
    std::atomic<int> wrong = 0;
    pieces.for_each(scratch.as<std::byte>(), [&](Piece piece, std::byte* slot) {
      const float* found = pieces.input(piece, x.data(), 0.5F, slot);
      piece.copied = false;
      auto fresh = scratch_of(pieces);
      const float* wanted = pieces.input(piece, x.data(), 0.5F, fresh.as<std::byte>().data());
      for (std::size_t at = 0; at < piece.rows * piece.pixels; ++at) {  // nothing is read but what windows see
        const std::size_t pixel = at / piece.pixels * pieces.x_row() + at % piece.pixels * pieces.x_pixel();
        for (const std::size_t segment : pieces.segments()) {
          const float* run = found + pixel + segment;
          wrong += std::equal(run, run + pieces.segment_length(), wanted + pixel + segment) ? 0 : 1;
        }
      }
    });
    EXPECT_EQ(wrong, 0) << testing::describe(s);
  }
}

TEST(PixelPieces, OfOnePlaceAreCopiedOnceByEachThread) {
  const ConvShape s = square(1, 512, 512, 7, 3, 1);
  const base::ThreadLimit limit(2);
  const auto all = pieces_of(PixelPieces(s, true, false, kPanel, sizeof(float)));
  EXPECT_GE(all.size(), 8U);
  EXPECT_LE(std::ranges::count(all, false, &Piece::copied), 2);
}

}  // namespace
}  // namespace skerry::kernels
