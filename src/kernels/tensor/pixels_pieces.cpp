#include <algorithm>
#include <array>
#include <utility>

#include "base/lines.hpp"
#include "base/threads.hpp"
#include "kernels/tensor/pixels.hpp"
#include "kernels/tensor/scratch_slots.hpp"

namespace skerry::kernels {
namespace {

// What a piece reads of x again for each panel stays in the second-level cache, beside a panel.
constexpr std::size_t kPieceBytes = std::size_t{384} << 10;
// Less work than this is not shared out, little is cut into a piece for each thread, and more into several for each, so
// that none ends late.
constexpr double kSharedFlops = 1.5e5, kLittleFlops = 5e6, kPieceFlops = 3e5;
constexpr std::size_t kPiecesPerThread = 6;
// Weights that every processor may well have a copy of, in its second-level cache.
constexpr std::int64_t kFewWeights = 20'000;
// Kernels of bytes read four at a time.
constexpr std::size_t kSlack = 64;
constexpr std::size_t kTilePixels = 14;  // of a register tile

std::size_t blocks(std::size_t extent, std::size_t size) {
  return (extent + size - 1) / size;
}
std::size_t at(std::int64_t extent) {
  return static_cast<std::size_t>(extent);
}

}  // namespace

PixelPieces::PixelPieces(const ConvShape& shape, bool copies, bool planes_in, std::size_t panel,
                         std::size_t element_bytes)
    : shape_(shape), copies_(copies || planes_in), planes_in_(planes_in), panels_(blocks(at(shape.outputs), panel)) {
  const Window& w = shape.window;
  cut(static_cast<std::size_t>(base::thread_budget()), element_bytes);
  const std::size_t channels = at(shape.channels), side = planes_in ? 1 : channels;
  row_length_ = copies_ ? (pixels_ - 1) * at(w.stride[2]) + at((w.kernel[2] - 1) * w.dilation[2]) + 1 : at(w.input[2]);
  x_row_ = row_length_ * channels;
  x_pixel_ = at(w.stride[2]) * side;
  // A run of a plane is too short for a loop of its own, except where four bytes are one product.
  const bool dense = w.dilation[2] == 1 && (!planes_in || element_bytes == 1);
  length_ = dense ? at(w.kernel[2]) * side : side;
  for (std::size_t ky = 0; ky < at(w.kernel[1]); ++ky) {
    for (std::size_t plane = 0; plane < channels / side; ++plane) {
      const std::size_t row = ky * at(w.dilation[1]) * x_row_ + plane * row_length_;
      for (std::size_t kx = 0; kx < (dense ? 1 : at(w.kernel[2])); ++kx)
        segments_.push_back(row + kx * at(w.dilation[2]) * side);
    }
  }
  if (!copies_) return;
  const std::size_t rows = (rows_ - 1) * at(w.stride[1]) + at((w.kernel[1] - 1) * w.dilation[1]) + 1;
  slot_bytes_ = base::whole_lines(rows * x_row_ * element_bytes + kSlack);
}

std::size_t PixelPieces::place(std::size_t channel, std::size_t tap) const noexcept {
  const std::size_t channels = at(shape_.channels), width = at(shape_.window.kernel[2]);
  if (planes_in_) return (tap / width * channels + channel) * width + tap % width;
  return tap * channels + channel;
}

void PixelPieces::cut(std::size_t threads, std::size_t element_bytes) {
  const Window& w = shape_.window;
  const std::size_t height = at(w.output[1]), width = at(w.output[2]);
  pixels_ = std::max<std::size_t>(width, 1);
  piece_panels_ = std::max<std::size_t>(panels_, 1);
  if (height == 0 || width == 0 || shape_.batch == 0 || panels_ == 0) return;
  // Of what a stride steps over nothing is read.
  const auto read = [&w](std::size_t axis) { return std::min(w.stride[axis], w.kernel[axis]); };
  const std::size_t pixel_bytes = std::max<std::size_t>(1, at(shape_.channels * read(2)) * element_bytes);
  const std::size_t row_bytes = width * pixel_bytes * at(read(1));
  const bool rows = height > 1;
  const std::size_t places = rows ? blocks(height, std::clamp<std::size_t>(kPieceBytes / row_bytes, 1, height))
                                  : blocks(width, std::max<std::size_t>(kPieceBytes / pixel_bytes, 56));
  const bool shared = threads > 1 && shape_.flops() >= kSharedFlops;
  little_ = shared && shape_.flops() < kLittleFlops && shape_.batch == 1;
  if (little_) {
    // Parts of the image rather than of the outputs, so that each thread finds most of what it wrote in the layer
    // before; unless they are smaller than the weights, many of which every thread would read then.
    const std::int64_t weights = shape_.depth() * shape_.outputs;
    const bool wide = weights < std::max(shape_.channels * w.inputs(), kFewWeights);
    if (!wide && panels_ >= threads) piece_panels_ = blocks(panels_, threads);
    // A few pixels are shared evenly, register tiles or not.
    cut_places(
        wide || panels_ < threads ? std::max(places, std::min(threads, rows ? height : blocks(width, 7))) : places, 1);
  } else if (shared) {
    const auto useful = static_cast<std::size_t>(shape_.flops() / kPieceFlops);
    share_evenly(threads, places, std::min(useful, threads * kPiecesPerThread));
  } else {
    cut_places(places, kTilePixels);
  }
  panel_blocks_ = blocks(panels_, piece_panels_);
  slots_ = std::clamp<std::size_t>(at(shape_.batch) * row_blocks_ * pixel_blocks_ * panel_blocks_, 1,
                                   std::min(threads, ScratchSlots::kMost));
}

void PixelPieces::cut_places(std::size_t places, std::size_t tile) {
  const std::size_t height = at(shape_.window.output[1]), width = at(shape_.window.output[2]);
  if (height > 1) {
    rows_ = blocks(height, places);
    row_blocks_ = blocks(height, rows_);
  } else {
    pixels_ = std::min(blocks(blocks(width, places), tile) * tile, width);
    pixel_blocks_ = blocks(width, pixels_);
  }
}

// Of all cuts into about as many pieces as wanted the one after which the threads end together; among those that are as
// good, the one of the fewest places, because pieces of other panels read other weights and those of other places the
// same again.
void PixelPieces::share_evenly(std::size_t threads, std::size_t least_places, std::size_t wanted) {
  const std::size_t height = at(shape_.window.output[1]), width = at(shape_.window.output[2]), batch = at(shape_.batch);
  const std::size_t most = std::max(height > 1 ? blocks(height, 2) : blocks(width, 28), least_places);
  double best = 0.0;
  std::size_t best_places = least_places, best_panels = panels_;
  for (std::size_t places = least_places > 1 ? least_places - 1 : 1; places <= most; ++places) {
    cut_places(places, kTilePixels);
    const std::size_t all = batch * row_blocks_ * pixel_blocks_;
    for (std::size_t cuts = 1; cuts <= panels_; ++cuts) {
      const std::size_t piece_panels = blocks(panels_, cuts), pieces = all * blocks(panels_, piece_panels);
      const std::size_t longest = blocks(pieces, threads) * rows_ * pixels_ * piece_panels;
      // Too few pieces leave a thread that was kept from working alone with its last one.
      const double few =
          pieces < wanted ? 0.05 * static_cast<double>(wanted - pieces) / static_cast<double>(wanted) : 0;
      const double share = static_cast<double>(batch * height * width * panels_) / static_cast<double>(threads);
      // Measured: of places that are a little too large for the cache.
      const double large = places < least_places ? 0.03 : 0.0;
      const double cost = static_cast<double>(longest) / share + few + large + 0.002 * static_cast<double>(places);
      if (best == 0.0 || cost < best) best = cost, best_places = places, best_panels = piece_panels;
      if (pieces > 2 * wanted) break;
    }
    if (all > 2 * wanted) break;
  }
  cut_places(best_places, kTilePixels);
  piece_panels_ = best_panels;
}

template <class T>
const T* PixelPieces::input(const Piece& piece, const T* x, T padding, std::byte* slot) const {
  const Window& w = shape_.window;
  const std::int64_t channels = shape_.channels, side = planes_in_ ? 1 : channels;
  const T* image = x + static_cast<std::int64_t>(piece.image) * w.inputs() * channels;
  const std::int64_t top = static_cast<std::int64_t>(piece.row) * w.stride[1] - w.pad_begin[1];
  const std::int64_t left = static_cast<std::int64_t>(piece.pixel) * w.stride[2] - w.pad_begin[2];
  if (!copies_) return image + (top * w.input[2] + left) * channels;
  T* to = reinterpret_cast<T*>(slot);
  if (piece.copied) return to;
  const auto rows = static_cast<std::int64_t>(piece.rows - 1) * w.stride[1] + (w.kernel[1] - 1) * w.dilation[1] + 1;
  const auto length = static_cast<std::int64_t>(piece.pixels - 1) * w.stride[2] + (w.kernel[2] - 1) * w.dilation[2] + 1;
  const std::int64_t first = std::clamp<std::int64_t>(-left, 0, length);
  const std::int64_t last = std::clamp<std::int64_t>(w.input[2] - left, first, length);
  const auto copy_row = [&](const T* row, T* begin) {
    std::fill_n(begin, first * side, padding);
    std::copy_n(row + (left + first) * side, (last - first) * side, begin + first * side);
    std::fill_n(begin + last * side, (length - last) * side, padding);
  };
  for (std::int64_t row = 0; row < rows; ++row, to += x_row_) {
    const std::int64_t y = top + row;
    if (y < 0 || y >= w.input[1]) {
      std::fill_n(to, x_row_, padding);
    } else if (!planes_in_) {
      copy_row(image + y * w.input[2] * channels, to);
    } else {
      for (std::int64_t c = 0; c < channels; ++c)
        copy_row(image + c * w.inputs() + y * w.input[2], to + c * static_cast<std::int64_t>(row_length_));
    }
  }
  return reinterpret_cast<const T*>(slot);
}

template const float* PixelPieces::input(const Piece&, const float*, float, std::byte*) const;
template const std::uint8_t* PixelPieces::input(const Piece&, const std::uint8_t*, std::uint8_t, std::byte*) const;

void PixelPieces::run(std::span<std::byte> scratch, const Call& call) const {
  const Window& w = shape_.window;
  if (w.outputs() == 0 || shape_.outputs == 0) return;
  const std::size_t image_pieces = row_blocks_ * pixel_blocks_ * panel_blocks_;
  ScratchSlots slots(scratch.first(scratch_bytes()), slots_);
  std::array<std::size_t, ScratchSlots::kMost> held{};  // one more than the place whose copy each slot holds
  base::parallel_for(0, at(shape_.batch) * image_pieces, 1, [&](std::size_t begin, std::size_t last) {
    const ScratchSlots::Slot slot(slots);
    for (std::size_t i = begin; i < last; ++i) {
      const std::size_t place = i % image_pieces / panel_blocks_;
      Piece piece{};
      piece.copied = std::exchange(held[slot.index()], i / panel_blocks_ + 1) == i / panel_blocks_ + 1;
      piece.image = i / image_pieces;
      piece.row = place / pixel_blocks_ * rows_;
      piece.rows = std::min(rows_, at(w.output[1]) - piece.row);
      piece.pixel = place % pixel_blocks_ * pixels_;
      piece.pixels = std::min(pixels_, at(w.output[2]) - piece.pixel);
      piece.from_end = little_ && row_blocks_ == 2 && piece.row == 0;
      piece.panel = i % panel_blocks_ * piece_panels_;
      piece.panels = std::min(piece_panels_, panels_ - piece.panel);
      call(piece, slot.data());
    }
  });
}

}  // namespace skerry::kernels
