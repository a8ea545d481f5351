// A convolution with channels last is a product of rows of pixels and panels of weights:
//
//     y[p, o] = sum over rows of the window s, neighbours k:  x[p * stride + s, k] * w[s, k, o]
//
// where the neighbours k of one row of the window are kernel width x channels numbers that stand side by side. Only
// where there is padding is x copied, a few rows at a time, so that no edge is special.

#include <algorithm>

#include "base/weighing.hpp"
#include "kernels/tensor/pixels.hpp"
#include "kernels/tensor/pixels_loops.hpp"

namespace skerry::kernels {
namespace {

// Weights beyond this come from memory or the last cache each time.
constexpr std::uint64_t kCachedBytes = std::uint64_t{512} * 1024;

std::size_t at(std::int64_t extent) {
  return static_cast<std::size_t>(extent);
}

}  // namespace

PixelPanels PixelPanels::here() noexcept {
  return {pixel_panel_width(), pixel_lanes()};
}

namespace {

// Calls visit(weight, place) for all weights, some channels of a panel's outputs at a time, so that the lines that are
// written stay in the cache.
template <class Visit>
void for_each_packed(const ConvShape& shape, const PixelPanels& panels, Visit visit) {
  constexpr std::size_t kChannels = 16;
  const std::size_t outputs = at(shape.outputs), channels = at(shape.channels), taps = at(shape.window.taps());
  const std::size_t depth = channels * taps;
  for (std::size_t first = 0; first < outputs; first += panels.panel) {
    const std::size_t width = outputs - first <= panels.lanes ? panels.lanes : panels.panel;
    const std::size_t count = std::min(width, outputs - first);
    for (std::size_t begin = 0; begin < channels; begin += kChannels) {
      const std::size_t end = std::min(channels, begin + kChannels);
      for (std::size_t o = 0; o < count; ++o) {
        for (std::size_t c = begin; c < end; ++c) {
          for (std::size_t tap = 0; tap < taps; ++tap)
            visit(first + o, (first + o) * depth + c * taps + tap, first * depth + (tap * channels + c) * width + o);
        }
      }
    }
  }
}

}  // namespace

void pack_pixel_weights(const ConvShape& shape, const PixelPanels& panels, std::span<const float> weights,
                        std::span<const float> scale, std::span<float> packed) {
  if (base::is_weighing) return;
  if (scale.empty()) {
    for_each_packed(shape, panels, [&](std::size_t, std::size_t from, std::size_t to) { packed[to] = weights[from]; });
    return;
  }
  for_each_packed(shape, panels,
                  [&](std::size_t o, std::size_t from, std::size_t to) { packed[to] = weights[from] * scale[o]; });
}

void unpack_pixel_weights(const ConvShape& shape, const PixelPanels& panels, std::span<const float> packed,
                          std::span<float> weights) {
  if (base::is_weighing) return;
  for_each_packed(shape, panels, [&](std::size_t, std::size_t to, std::size_t from) { weights[to] = packed[from]; });
}

PixelConvF32::PixelConvF32(const ConvShape& shape, bool planes_in)
    : shape_(shape),
      panel_(pixel_panel_width()),
      depth_(at(shape.depth())),
      pieces_(shape, shape.window.has_padding(), planes_in, panel_, sizeof(float)),
      few_outputs_(planes_in && shape.window.output[1] > 1 &&
                   takes_plane_rows(at(shape.outputs), at(shape.window.output[2]), at(shape.window.stride[2]))) {}

void PixelConvF32::take_bias(std::span<const float> bias, std::span<float> to) {
  std::ranges::copy(bias, to.data());
  bias_ = to;
}

PixelConvF32::PixelConvF32(const ConvShape& shape, std::span<const float> weights, std::span<const float> bias,
                           bool planes_in)
    : PixelConvF32(shape, planes_in) {
  const std::size_t outputs = at(shape.outputs), taps = at(shape.window.taps()), channels = at(shape.channels);
  const std::size_t places = pieces_.panels() * panel_;
  packed_ = base::Buffer::allocate(places * (depth_ + 1) * sizeof(float), base::MemoryBudget(), "packed weights");
  const auto packed = packed_.as<float>();
  weights_ = packed;
  take_bias(bias, packed.subspan(places * depth_));
  if (!planes_in) {
    pack_pixel_weights(shape, PixelPanels::here(), weights, {}, packed);
    return;
  }
  if (base::is_weighing) return;
  const std::size_t lanes = pixel_lanes();
  for (std::size_t o = 0; o < outputs; ++o) {
    const std::size_t first = o / panel_ * panel_;
    const std::size_t width = few_outputs_ ? outputs : outputs - first <= lanes ? lanes : panel_;
    float* to = packed.data() + first * depth_ + (o - first);
    const float* from = weights.data() + o * depth_;
    for (std::size_t tap = 0; tap < taps; ++tap) {
      for (std::size_t c = 0; c < channels; ++c) to[pieces_.place(c, tap) * width] = from[c * taps + tap];
    }
  }
}

PixelConvF32 PixelConvF32::of_packed(const ConvShape& shape, std::span<const float> packed,
                                     std::span<const float> bias) {
  PixelConvF32 out(shape, false);
  out.packed_ =
      base::Buffer::allocate_for<float>(out.pieces_.panels() * out.panel_, base::MemoryBudget(), "packed weights");
  out.weights_ = packed;
  out.take_bias(bias, out.packed_.as<float>());
  return out;
}

void PixelConvF32::run(const float* x, float* y, std::span<std::byte> scratch, const BlockEnd& given) const {
  BlockEnd end = given;
  if (few_outputs_ && given.residual != nullptr) end = {};  // added afterwards
  const Window& w = shape_.window;
  const std::size_t outputs = at(shape_.outputs), lanes = pixel_lanes();
  const float *weights = weights_.data(), *bias = bias_.data();
  const std::size_t last_panel = (pieces_.panels() - 1) * panel_;
  const bool fetches = weights_.size_bytes() > kCachedBytes;
  pieces_.for_each(scratch, [&](const PixelPieces::Piece& piece, std::byte* slot) {
    const float* from = pieces_.input(piece, x, 0.0F, slot);
    for (std::size_t panel = piece.panel; panel < piece.panel + piece.panels; ++panel) {
      const std::size_t column = panel * panel_;
      const std::size_t pixel = (piece.image * at(w.output[1]) + piece.row) * at(w.output[2]) + piece.pixel;
      const std::size_t to = pixel * outputs + column;
      const PixelRows rows = {.x = from,
                              .x_row = pieces_.x_row(),
                              .x_pixel = pieces_.x_pixel(),
                              .segments = pieces_.segments(),
                              .length = pieces_.segment_length(),
                              .w = weights + column * depth_,
                              .bias = bias + column,
                              .next = fetches ? weights + std::min(column + panel_, last_panel) * depth_ : nullptr,
                              .residual = end.residual == nullptr ? nullptr : end.residual + to,
                              .y = y + to,
                              .y_row = at(w.output[2]) * outputs,
                              .y_pixel = outputs,
                              .rows = piece.rows,
                              .pixels = piece.pixels,
                              .columns = std::min(panel_, outputs - column),
                              .wide = outputs - column > lanes,
                              .low = end.low,
                              .high = end.high};
      if (few_outputs_) {
        run_plane_rows(rows);
        continue;
      }
      from_the_end(0, rows.rows, piece.from_end ? 4 : rows.rows, [&rows](std::size_t first, std::size_t last) {
        PixelRows part = rows;
        part.x += first * rows.x_row;
        part.y += first * rows.y_row;
        if (part.residual != nullptr) part.residual += first * rows.y_row;
        part.rows = last - first;
        run_pixel_rows(part);
      });
    }
  });
  if (few_outputs_ && given.residual != nullptr) finish_tensor(y, at(shape_.batch * w.outputs()) * outputs, given);
}

}  // namespace skerry::kernels
