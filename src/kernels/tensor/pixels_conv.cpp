// A convolution with channels last is a product of rows of pixels and panels of weights:
//
//     y[p, o] = sum over rows of the window s, neighbours k:  x[p * stride + s, k] * w[s, k, o]
//
// where the neighbours k of one row of the window are kernel width x channels numbers that stand side by side. Only
// where there is padding is x copied, a few rows at a time, so that no edge is special.

#include <algorithm>
#include <array>
#include <cstring>

#include "base/threads.hpp"
#include "kernels/tensor/pixels.hpp"
#include "kernels/tensor/pixels_loops.hpp"
#include "kernels/tensor/scratch_slots.hpp"

namespace skerry::kernels {
namespace {

// What a piece reads of x again for each panel stays in the second-level cache, beside a panel.
constexpr std::size_t kPieceBytes = 384 * 1024;
// Less work than this is not shared out; more is cut into several pieces for each thread, so that none ends late.
constexpr double kSharedFlops = 6e6;
constexpr std::size_t kPiecesPerThread = 6;

std::size_t whole_lines(std::size_t bytes) {
  return (bytes + 63) / 64 * 64;
}
std::size_t blocks(std::size_t extent, std::size_t size) {
  return (extent + size - 1) / size;
}
std::size_t at(std::int64_t extent) {
  return static_cast<std::size_t>(extent);
}

}  // namespace

/// Output rows, pixels of them, and panels.
struct PixelConvF32::Piece {
  std::size_t row, rows, pixel, pixels, panel, panels;
};

PixelConvF32::PixelConvF32(const ConvShape& shape, std::span<const float> weights, std::span<const float> bias,
                           bool planes_in)
    : shape_(shape),
      planes_in_(planes_in),
      copies_(planes_in || shape.window.has_padding()),
      panel_(pixel_panel_width()),
      depth_(at(shape.depth())) {
  const Window& w = shape.window;
  const std::size_t outputs = at(shape.outputs), taps = at(w.taps()), channels = at(shape.channels);
  panels_ = blocks(outputs, panel_);
  cut(static_cast<std::size_t>(base::thread_budget()));
  const std::size_t row_length =
      copies_ ? (pixels_ - 1) * at(w.stride[2]) + at((w.kernel[2] - 1) * w.dilation[2]) + 1 : at(w.input[2]);
  x_row_ = row_length * channels;
  for (std::size_t ky = 0; ky < at(w.kernel[1]); ++ky) {
    const std::size_t row = ky * at(w.dilation[1]) * x_row_;
    if (w.dilation[2] == 1) {
      segments_.push_back(row);
      continue;
    }
    for (std::size_t kx = 0; kx < at(w.kernel[2]); ++kx) segments_.push_back(row + kx * at(w.dilation[2]) * channels);
  }
  if (copies_) {
    const std::size_t rows = (rows_ - 1) * at(w.stride[1]) + at((w.kernel[1] - 1) * w.dilation[1]) + 1;
    slot_bytes_ = whole_lines(rows * x_row_ * sizeof(float));
  }

  packed_ =
      base::Buffer::allocate((panels_ * panel_ * (depth_ + 1)) * sizeof(float), base::MemoryBudget(), "packed weights");
  const auto packed = packed_.as<float>();
  std::ranges::fill(packed, 0.0F);
  const std::size_t lanes = pixel_lanes();
  for (std::size_t o = 0; o < outputs; ++o) {
    const std::size_t first = o / panel_ * panel_, width = outputs - first <= lanes ? lanes : panel_;
    float* to = packed.data() + first * depth_ + (o - first);
    const float* from = weights.data() + o * depth_;
    for (std::size_t tap = 0; tap < taps; ++tap) {
      for (std::size_t c = 0; c < channels; ++c) to[(tap * channels + c) * width] = from[c * taps + tap];
    }
  }
  std::ranges::copy(bias, packed.data() + panels_ * panel_ * depth_);
}

void PixelConvF32::cut(std::size_t threads) {
  const Window& w = shape_.window;
  const std::size_t height = at(w.output[1]), width = at(w.output[2]);
  pixels_ = std::max<std::size_t>(width, 1);
  piece_panels_ = panels_;
  if (height == 0 || width == 0 || shape_.batch == 0) {
    slots_ = 1;
    return;
  }
  const std::size_t pixel_bytes = at(shape_.channels * w.stride[2]) * sizeof(float);
  const std::size_t row_bytes = std::max<std::size_t>(1, width * pixel_bytes * at(w.stride[1]));
  if (height > 1) {
    row_blocks_ = blocks(height, std::clamp<std::size_t>(kPieceBytes / row_bytes, 1, height));
    rows_ = blocks(height, row_blocks_);
    row_blocks_ = blocks(height, rows_);
  } else {
    pixel_blocks_ = blocks(width, std::max<std::size_t>(kPieceBytes / pixel_bytes, 56));
    pixels_ = std::min(blocks(blocks(width, pixel_blocks_), 14) * 14, width);
    pixel_blocks_ = blocks(width, pixels_);
  }
  const std::size_t pieces = at(shape_.batch) * row_blocks_ * pixel_blocks_;
  if (threads > 1 && shape_.flops() >= kSharedFlops) {
    const std::size_t wanted = blocks(threads * kPiecesPerThread, pieces);
    piece_panels_ = blocks(panels_, std::min(panels_, wanted));
  }
  panel_blocks_ = blocks(panels_, piece_panels_);
  slots_ = std::clamp<std::size_t>(pieces * panel_blocks_, 1, std::min(threads, ScratchSlots::kMost));
}

void PixelConvF32::copy_padded(const Piece& piece, const float* image, float* to) const {
  const Window& w = shape_.window;
  const std::int64_t channels = shape_.channels;
  const auto rows = static_cast<std::int64_t>(piece.rows - 1) * w.stride[1] + (w.kernel[1] - 1) * w.dilation[1] + 1;
  const auto length = static_cast<std::int64_t>(piece.pixels - 1) * w.stride[2] + (w.kernel[2] - 1) * w.dilation[2] + 1;
  const std::int64_t top = static_cast<std::int64_t>(piece.row) * w.stride[1] - w.pad_begin[1];
  const std::int64_t left = static_cast<std::int64_t>(piece.pixel) * w.stride[2] - w.pad_begin[2];
  const std::int64_t first = std::clamp<std::int64_t>(-left, 0, length);
  const std::int64_t last = std::clamp<std::int64_t>(w.input[2] - left, first, length);
  for (std::int64_t row = 0; row < rows; ++row, to += x_row_) {
    const std::int64_t y = top + row;
    if (y < 0 || y >= w.input[1]) {
      std::fill_n(to, length * channels, 0.0F);
      continue;
    }
    std::fill_n(to, first * channels, 0.0F);
    std::fill_n(to + last * channels, (length - last) * channels, 0.0F);
    const std::int64_t from = y * w.input[2] + left + first;
    if (!planes_in_) {
      std::copy_n(image + from * channels, (last - first) * channels, to + first * channels);
      continue;
    }
    for (std::int64_t c = 0; c < channels; ++c) {
      const float* plane = image + c * w.inputs() + from;
      float* pixel = to + first * channels + c;
      for (std::int64_t x = 0; x < last - first; ++x) pixel[x * channels] = plane[x];
    }
  }
}

void PixelConvF32::run_piece(const Piece& piece, const float* image, float* y, float* padded,
                             const BlockEnd& end) const {
  const Window& w = shape_.window;
  const std::size_t outputs = at(shape_.outputs), channels = at(shape_.channels), lanes = pixel_lanes();
  const float* x = padded;
  if (copies_) {
    copy_padded(piece, image, padded);
  } else {
    x = image + piece.row * at(w.stride[1]) * x_row_ + piece.pixel * at(w.stride[2]) * channels;
  }
  const float* weights = packed_.as<float>().data();
  const float* bias = weights + panels_ * panel_ * depth_;
  const std::size_t length = depth_ / segments_.size();
  const std::ptrdiff_t to_residual = end.residual == nullptr ? 0 : end.residual - y;
  for (std::size_t panel = piece.panel; panel < piece.panel + piece.panels; ++panel) {
    const std::size_t column = panel * panel_, columns = std::min(panel_, outputs - column);
    for (std::size_t row = 0; row < piece.rows; ++row) {
      float* to = y + ((piece.row + row) * at(w.output[2]) + piece.pixel) * outputs + column;
      run_pixel_row({.x = x + row * at(w.stride[1]) * x_row_,
                     .x_pixel = at(w.stride[2]) * channels,
                     .segments = segments_,
                     .length = length,
                     .w = weights + column * depth_,
                     .bias = bias + column,
                     .residual = end.residual == nullptr ? nullptr : to + to_residual,
                     .y = to,
                     .y_pixel = outputs,
                     .pixels = piece.pixels,
                     .columns = columns,
                     .wide = columns > lanes,
                     .low = end.low,
                     .high = end.high});
    }
  }
}

void PixelConvF32::run(const float* x, float* y, std::span<std::byte> scratch, const BlockEnd& end) const {
  const Window& w = shape_.window;
  if (w.outputs() == 0 || shape_.outputs == 0) return;
  const std::size_t places = row_blocks_ * pixel_blocks_, image_pieces = places * panel_blocks_;
  ScratchSlots slots(scratch.first(scratch_bytes()), slots_);
  base::parallel_for(0, at(shape_.batch) * image_pieces, 1, [&](std::size_t begin, std::size_t last) {
    const ScratchSlots::Slot slot(slots);
    for (std::size_t i = begin; i < last; ++i) {
      const std::size_t image = i / image_pieces, place = i % image_pieces / panel_blocks_;
      Piece piece{};
      piece.row = place / pixel_blocks_ * rows_;
      piece.rows = std::min(rows_, at(w.output[1]) - piece.row);
      piece.pixel = place % pixel_blocks_ * pixels_;
      piece.pixels = std::min(pixels_, at(w.output[2]) - piece.pixel);
      piece.panel = i % panel_blocks_ * piece_panels_;
      piece.panels = std::min(piece_panels_, panels_ - piece.panel);
      BlockEnd own = end;
      const std::size_t offset = image * at(w.outputs() * shape_.outputs);
      if (own.residual != nullptr) own.residual += offset;
      run_piece(piece, x + image * at(w.inputs() * shape_.channels), y + offset, reinterpret_cast<float*>(slot.data()),
                own);
    }
  });
}

}  // namespace skerry::kernels
