#include "kernels/tensor/winograd.hpp"

#include <algorithm>
#include <array>

#include "base/threads.hpp"
#include "base/weighing.hpp"
#include "kernels/tensor/pixels_loops.hpp"
#include "kernels/tensor/scratch_slots.hpp"
#include "kernels/tensor/winograd_loops.hpp"

namespace skerry::kernels {
namespace {

// Weights of larger tiles are 36 numbers for each 9: only so many are worth it. At 128 x 128 channels they gained 1 %
// of ResNet-50's time for 4 MB.
constexpr std::int64_t kMostWeights = std::int64_t{64} * 64;
// Tiles that are transformed together: two register tiles of pixels, and what is transformed stays in the cache.
constexpr std::size_t kBlockTiles = 28, kSmallBlockTiles = 16;
// Of fewer channels the transforms are most of the work, and smaller blocks stay nearer.
constexpr std::int64_t kFewChannels = 32;

std::size_t at(std::int64_t extent) {
  return static_cast<std::size_t>(extent);
}
std::size_t blocks(std::size_t extent, std::size_t size) {
  return (extent + size - 1) / size;
}

// Rows of G: the transformed window is G g G^T.
constexpr std::array<std::array<double, 3>, 6> kG4 = {{{1.0 / 4, 0, 0},
                                                       {-1.0 / 6, -1.0 / 6, -1.0 / 6},
                                                       {-1.0 / 6, 1.0 / 6, -1.0 / 6},
                                                       {1.0 / 24, 1.0 / 12, 1.0 / 6},
                                                       {1.0 / 24, -1.0 / 12, 1.0 / 6},
                                                       {0, 0, 1}}};
constexpr std::array<std::array<double, 3>, 4> kG2 = {{{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}}};

// Outputs whose windows are transformed side by side.
constexpr std::size_t kSideBySide = 16;

// to[position * stride + i] = (G g G^T)[position] of the window at g + i * apart, for i < count <= kSideBySide; in f64,
// since weights are rounded once and used often.
template <std::size_t Side>
void transform_windows(const std::array<std::array<double, 3>, Side>& rows, const float* g, std::size_t apart,
                       std::size_t count, float* to, std::size_t stride) {
  using Line = std::array<double, kSideBySide>;
  std::array<Line, 9> window{};
  for (std::size_t k = 0; k < 9; ++k) {
    for (std::size_t i = 0; i < count; ++i) window[k][i] = static_cast<double>(g[i * apart + k]);
  }
  for (std::size_t p = 0; p < Side; ++p) {
    std::array<Line, 3> half;
    for (std::size_t j = 0; j < 3; ++j) {
      for (std::size_t i = 0; i < kSideBySide; ++i)
        half[j][i] = rows[p][0] * window[j][i] + rows[p][1] * window[3 + j][i] + rows[p][2] * window[6 + j][i];
    }
    for (std::size_t q = 0; q < Side; ++q) {
      std::array<float, kSideBySide> whole;
      for (std::size_t i = 0; i < kSideBySide; ++i)
        whole[i] = static_cast<float>(half[0][i] * rows[q][0] + half[1][i] * rows[q][1] + half[2][i] * rows[q][2]);
      std::copy_n(whole.data(), count, to + (p * Side + q) * stride);
    }
  }
}

// What a product of so many pixels takes, in products of single ones: by register tiles of 14, 8, 7, 4, 2 and 1, each
// of which waits a little for its first numbers.
std::size_t product_cost(std::size_t pixels) {
  std::size_t cost = pixels / 14 * 15;
  pixels %= 14;
  for (const std::size_t tile : {std::size_t{8}, std::size_t{7}, std::size_t{4}, std::size_t{2}, std::size_t{1}}) {
    for (; pixels >= tile; pixels -= tile) cost += tile + 2;
  }
  return cost;
}

// So many tiles in a block that threads end together: two register tiles or one, or what makes a block for each.
std::size_t even_block(std::size_t tiles, std::size_t threads, std::size_t most) {
  const std::size_t shared = blocks(tiles, blocks(blocks(tiles, most), threads) * threads);
  std::size_t best = std::max<std::size_t>(shared, 1), least = ~std::size_t{0};
  for (const std::size_t block : {most, most / 2, best}) {
    const std::size_t cost = blocks(blocks(tiles, block), threads) * product_cost(std::min(block, tiles));
    if (cost < least) best = block, least = cost;
  }
  return best;
}

double tile_count(const ConvShape& s) {
  const std::int64_t m = WinogradF32::tile_of(s.channels, s.outputs);
  const auto along = [m](std::int64_t extent) { return (extent + m - 1) / m; };
  return static_cast<double>(s.batch * along(s.window.output[1]) * along(s.window.output[2]));
}
double position_count(const ConvShape& s) {
  const std::int64_t side = WinogradF32::tile_of(s.channels, s.outputs) + 2;
  return static_cast<double>(side * side);
}

}  // namespace

bool WinogradF32::takes(const ConvShape& s) noexcept {
  const Window& w = s.window;
  return s.groups == 1 && w.kernel == Window::Extents{1, 3, 3} && w.stride == Window::kOnes &&
         w.dilation == Window::kOnes && w.input[0] == 1 && s.channels % 16 == 0 && s.outputs % 16 == 0;
}

std::int64_t WinogradF32::tile_of(std::int64_t channels, std::int64_t outputs) noexcept {
  return channels * outputs <= kMostWeights ? 4 : 2;
}

double WinogradF32::flops(const ConvShape& s) noexcept {
  return 2.0 * position_count(s) * tile_count(s) * static_cast<double>(s.channels * s.outputs);
}

double WinogradF32::moved_bytes(const ConvShape& s) noexcept {
  const double weights = static_cast<double>(s.channels * s.outputs);
  return 4.0 * position_count(s) * (2.0 * tile_count(s) * static_cast<double>(s.channels + s.outputs) + weights);
}

WinogradF32::WinogradF32(const ConvShape& shape, std::span<const float> weights, std::span<const float> bias)
    : shape_(shape),
      m_(at(tile_of(shape.channels, shape.outputs))),
      positions_((m_ + 2) * (m_ + 2)),
      panel_(pixel_panel_width()) {
  const std::size_t channels = at(shape.channels), outputs = at(shape.outputs);
  const auto threads = static_cast<std::size_t>(base::thread_budget());
  tiles_x_ = blocks(at(shape.window.output[2]), m_);
  tiles_ = at(shape.batch) * blocks(at(shape.window.output[1]), m_) * tiles_x_;
  block_ = even_block(tiles_, threads,
                      std::max(shape.channels, shape.outputs) <= kFewChannels ? kSmallBlockTiles : kBlockTiles);
  panels_ = blocks(outputs, panel_);
  slots_ = std::clamp<std::size_t>(blocks(tiles_, block_), 1, std::min(threads, ScratchSlots::kMost));
  const std::size_t floats = positions_ * block_ * (channels + outputs);
  slot_bytes_ = blocks(floats * sizeof(float), 64) * 64;

  const std::size_t position_floats = panels_ * panel_ * channels, places = panels_ * panel_;
  packed_ = base::Buffer::allocate((positions_ * position_floats + 2 * places) * sizeof(float), base::MemoryBudget(),
                                   "packed weights");
  if (base::is_weighing) return;
  const auto packed = packed_.as<float>();
  std::ranges::fill(packed, 0.0F);
  base::parallel_for(0, panels_, 1, [&](std::size_t begin, std::size_t last) {
    for (std::size_t panel = begin; panel < last; ++panel) {
      const std::size_t first = panel * panel_, end = std::min(first + panel_, outputs);
      const std::size_t width = outputs - first <= pixel_lanes() ? pixel_lanes() : panel_;
      for (std::size_t o = first; o < end; o += kSideBySide) {
        const std::size_t count = std::min(kSideBySide, end - o);
        for (std::size_t c = 0; c < channels; ++c) {
          const float* const g = weights.data() + (o * channels + c) * 9;
          float* const to = packed.data() + first * channels + c * width + (o - first);
          if (m_ == 4) {
            transform_windows(kG4, g, channels * 9, count, to, position_floats);
          } else {
            transform_windows(kG2, g, channels * 9, count, to, position_floats);
          }
        }
      }
    }
  });
  std::ranges::copy(bias, packed.data() + positions_ * position_floats);
}

void WinogradF32::transform_input(std::size_t tile, const float* x, float* v, std::size_t stride) const {
  const Window& w = shape_.window;
  const std::size_t image_tiles = tiles_ / at(shape_.batch);
  const auto m = static_cast<std::int64_t>(m_), side = m + 2;
  const auto in_image = static_cast<std::int64_t>(tile % image_tiles), across = static_cast<std::int64_t>(tiles_x_);
  const std::int64_t top = in_image / across * m - w.pad_begin[1], left = in_image % across * m - w.pad_begin[2];
  const float* image = x + static_cast<std::int64_t>(tile / image_tiles) * w.inputs() * shape_.channels;
  // What the padding gives is not read.
  const auto first = [side](std::int64_t begin) { return at(std::clamp<std::int64_t>(-begin, 0, side)); };
  const auto last = [side](std::int64_t begin, std::int64_t extent) {
    return at(std::clamp<std::int64_t>(extent - begin, 0, side));
  };
  winograd_input(m_, {.d = image + (top * w.input[2] + left) * shape_.channels,
                      .d_row = at(w.input[2] * shape_.channels),
                      .channels = at(shape_.channels),
                      .first_row = first(top),
                      .last_row = last(top, w.input[1]),
                      .first_column = first(left),
                      .last_column = last(left, w.input[2]),
                      .v = v,
                      .v_position = stride});
}

void WinogradF32::run_block(std::size_t first, std::size_t count, const float* x, float* y, float* scratch,
                            const BlockEnd& end) const {
  const Window& w = shape_.window;
  const std::size_t channels = at(shape_.channels), outputs = at(shape_.outputs);
  const std::size_t image_tiles = tiles_ / at(shape_.batch);
  float* v = scratch;
  float* sums = v + positions_ * block_ * channels;
  for (std::size_t i = 0; i < count; ++i) transform_input(first + i, x, v + i * channels, block_ * channels);

  const float* weights = packed_.as<float>().data();
  const std::size_t position_floats = panels_ * panel_ * channels;
  const float* bias = weights + positions_ * position_floats;
  const std::size_t segment = 0;
  for (std::size_t p = 0; p < positions_; ++p) {
    for (std::size_t panel = 0; panel < panels_; ++panel) {
      const std::size_t column = panel * panel_;
      run_pixel_rows(
          {.x = v + p * block_ * channels,
           .x_row = 0,
           .x_pixel = channels,
           .segments = {&segment, 1},
           .length = channels,
           .w = weights + p * position_floats + column * channels,
           .bias = bias + panels_ * panel_,
           .next = weights + std::min((p * panels_ + panel + 1), positions_ * panels_ - 1) * panel_ * channels,
           .residual = nullptr,
           .y = sums + p * block_ * outputs + column,
           .y_row = 0,
           .y_pixel = outputs,
           .rows = 1,
           .pixels = count,
           .columns = std::min(panel_, outputs - column),
           .wide = outputs - column > pixel_lanes(),
           .low = -BlockEnd::kUnbounded,
           .high = BlockEnd::kUnbounded});
    }
  }

  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t tile = (first + i) % image_tiles, image = (first + i) / image_tiles;
    const std::size_t row = tile / tiles_x_ * m_, column = tile % tiles_x_ * m_;
    const std::size_t to = ((image * at(w.output[1]) + row) * at(w.output[2]) + column) * outputs;
    winograd_output(m_, {.s = sums + i * outputs,
                         .s_position = block_ * outputs,
                         .outputs = outputs,
                         .bias = bias,
                         .residual = end.residual == nullptr ? nullptr : end.residual + to,
                         .y = y + to,
                         .y_row = at(w.output[2]) * outputs,
                         .rows = std::min(m_, at(w.output[1]) - row),
                         .columns = std::min(m_, at(w.output[2]) - column),
                         .low = end.low,
                         .high = end.high});
  }
}

void WinogradF32::run(const float* x, float* y, std::span<std::byte> scratch, const BlockEnd& end) const {
  if (tiles_ == 0) return;
  ScratchSlots slots(scratch.first(scratch_bytes()), slots_);
  base::parallel_for(0, blocks(tiles_, block_), 1, [&](std::size_t begin, std::size_t last) {
    const ScratchSlots::Slot slot(slots);
    for (std::size_t b = begin; b < last; ++b) {
      const std::size_t first = b * block_;
      run_block(first, std::min(block_, tiles_ - first), x, y, reinterpret_cast<float*>(slot.data()), end);
    }
  });
}

}  // namespace skerry::kernels
