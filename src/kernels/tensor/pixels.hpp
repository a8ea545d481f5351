/// \file
/// Convolutions and pools of float32 with channels last: x [batch, space, channels], one pixel's channels side by side.
/// A row of the window then sees neighbouring numbers, so nothing of x is repacked, and vectors hold channels.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/memory.hpp"
#include "kernels/tensor/conv.hpp"
#include "kernels/tensor/gemm.hpp"
#include "kernels/tensor/pixels_loops.hpp"

namespace skerry::kernels {

/// Calls f(first, last) for the rows [begin, end), `most` at a time and the last ones first. Whoever works towards rows
/// of another thread fetches ahead what that one writes; of two threads the first goes away from the second: 4 % of
/// DS-CNN.
template <class F>
void from_the_end(std::size_t begin, std::size_t end, std::size_t most, F&& f) {
  for (std::size_t last = end; last > begin;) {
    const std::size_t first = last - std::min(most, last - begin);
    f(first, last);
    last = first;
  }
}

/// How the work of a convolution over two spatial axes is cut: output rows, pixels of the only row, and panels of
/// outputs; and what is read of x, in place or (where there is padding) from copies of a few rows. Immutable.
class PixelPieces {
 public:
  struct Piece {
    std::size_t image, row, rows, pixel, pixels, panel, panels;
    bool copied;    ///< whether its slot holds its copy already: of other panels of the same place
    bool from_end;  ///< whether to go through its rows from the end
  };
  /// panel: outputs that are computed together. copies: x is read from padded copies. planes_in: x stands with channels
  /// first; then the copies are rows of [channels, width], of which the window sees runs of its width.
  PixelPieces(const ConvShape& shape, bool copies, bool planes_in, std::size_t panel, std::size_t element_bytes);

  bool copies() const noexcept { return copies_; }
  std::size_t panels() const noexcept { return panels_; }
  /// Elements between rows and between pixels of the output, as far as what they read.
  std::size_t x_row() const noexcept { return x_row_ * static_cast<std::size_t>(shape_.window.stride[1]); }
  std::size_t x_pixel() const noexcept { return x_pixel_; }
  /// Where weight [channel, tap] of an output comes in the runs, one after the other.
  std::size_t place(std::size_t channel, std::size_t tap) const noexcept;
  /// Where the runs of neighbours that a window sees begin, and how long each is.
  std::span<const std::size_t> segments() const noexcept { return segments_; }
  std::size_t segment_length() const noexcept { return length_; }
  std::uint64_t scratch_bytes() const noexcept { return slots_ * slot_bytes_; }

  /// Calls f(piece, bytes for its copy), the pieces shared among the threads.
  template <class F>
  void for_each(std::span<std::byte> scratch, F&& f) const {
    run(scratch, [&f](const Piece& piece, std::byte* slot) { f(piece, slot); });
  }
  /// The first element that a piece reads of x: copied, or where it stands.
  template <class T>
  const T* input(const Piece& piece, const T* x, T padding, std::byte* slot) const;

 private:
  using Call = std::function<void(const Piece&, std::byte*)>;
  void cut(std::size_t threads, std::size_t element_bytes);
  /// tile: an image of one row is cut at multiples of so many pixels.
  void cut_places(std::size_t places, std::size_t tile);
  void share_evenly(std::size_t threads, std::size_t places, std::size_t wanted);
  void run(std::span<std::byte> scratch, const Call& call) const;

  ConvShape shape_;
  bool copies_, planes_in_;
  std::size_t panels_;
  std::size_t rows_ = 1, row_blocks_ = 1;      ///< output rows of a piece
  std::size_t pixels_ = 1, pixel_blocks_ = 1;  ///< of a row; cut only where there is but one row
  std::size_t piece_panels_ = 1, panel_blocks_ = 1;
  bool little_ = false;  ///< work, one piece for each thread
  std::size_t row_length_ = 0, x_row_ = 0, x_pixel_ = 0, length_ = 0;
  std::vector<std::size_t> segments_;
  std::size_t slots_ = 1;
  std::uint64_t slot_bytes_ = 0;
};

/// In which order PixelConvF32 reads weights [outputs, channels, kernel] of an image with channels last: panels of
/// `panel` outputs, the last of `lanes` where no more are left; in a panel, tap by tap and channel by channel, its
/// outputs side by side. Nothing is added, so outputs have to be a multiple of lanes.
struct PixelPanels {
  std::size_t panel, lanes;
  /// Those of this machine.
  static PixelPanels here() noexcept;
  bool operator==(const PixelPanels&) const = default;
  bool fit(std::int64_t outputs) const noexcept {
    return lanes > 0 && panel % lanes == 0 && outputs % static_cast<std::int64_t>(lanes) == 0;
  }
};
/// scale: a factor for each output, or empty. packed: as many floats as weights.
void pack_pixel_weights(const ConvShape& shape, const PixelPanels& panels, std::span<const float> weights,
                        std::span<const float> scale, std::span<float> packed);
/// Back, without factors.
void unpack_pixel_weights(const ConvShape& shape, const PixelPanels& panels, std::span<const float> packed,
                          std::span<float> weights);

/// y = conv_ref of the same numbers with channels last, for one group and two spatial axes. The weights [outputs,
/// channels, kernel] are packed once. Each output is summed in one order, whatever the number of threads. Immutable.
class PixelConvF32 {
 public:
  /// bias: one number per output, or empty. planes_in: x still stands with channels first.
  PixelConvF32(const ConvShape& shape, std::span<const float> weights, std::span<const float> bias, bool planes_in);
  /// packed: for PixelPanels::here(); used in place, so they must outlive this.
  static PixelConvF32 of_packed(const ConvShape& shape, std::span<const float> packed, std::span<const float> bias);
  std::uint64_t scratch_bytes() const noexcept { return pieces_.scratch_bytes(); }
  std::uint64_t packed_bytes() const noexcept { return packed_.bytes(); }
  void run(const float* x, float* y, std::span<std::byte> scratch, const BlockEnd& end = {}) const;

 private:
  PixelConvF32(const ConvShape& shape, bool planes_in);
  void take_bias(std::span<const float> bias, std::span<float> to);

  ConvShape shape_;
  std::size_t panel_, depth_;
  PixelPieces pieces_;
  bool few_outputs_;     ///< of planes, computed by run_plane_rows
  base::Buffer packed_;  ///< weights, panel by panel, if they were packed here, and the bias
  std::span<const float> weights_, bias_;
};

/// The taps [first, last) of one axis that see an existing input.
struct Taps {
  std::int64_t first, last;
  bool operator==(const Taps&) const = default;
};
/// Those of every output.
std::vector<Taps> seen_taps(const Window& window, std::size_t axis);

/// Windows that see each channel by itself, over two spatial axes: depthwise convolution and pools. Immutable once
/// pack() or begin_with() was called.
class PixelWindowF32 {
 public:
  PixelWindowF32(const Window& window, std::int64_t batch, std::int64_t channels);
  /// Depthwise weights [channels, 1, kernel]; bias may be empty.
  void pack(std::span<const float> weights, std::span<const float> bias);
  /// What a pool begins with: 0 for a mean, -infinity for the largest.
  void begin_with(float start);
  std::uint64_t packed_bytes() const noexcept { return packed_.bytes(); }

  void convolve(const float* x, float* y, const BlockEnd& end = {}) const;
  void max(const float* x, float* y) const;
  /// count_padding as in average_pool_ref().
  void average(bool count_padding, const float* x, float* y) const;

 private:
  struct Job {
    WindowFold fold;
    BlockEnd end = {};
    bool count_padding = false;
    std::ptrdiff_t to_residual = 0;  ///< from an element of y to that of the residual; 0 where there is none
  };
  std::size_t packed_channels() const noexcept {
    return static_cast<std::size_t>(channels_ * (repeat_ > 1 ? repeat_ : 1));
  }
  void run(Job job, const float* x, float* y) const;
  bool three_wide() const noexcept;
  void run_rows(const Job& job, std::int64_t oy, std::size_t rows, const float* image, float* y) const;
  void run_span(const Job& job, std::int64_t oy, std::int64_t first, std::int64_t last, const float* image,
                float* row) const;
  void few_channels(const Job& job, std::int64_t oy, std::int64_t ox, const float* image, float* y,
                    const float* residual, float scale) const;
  float scale_at(const Job& job, std::int64_t oy, std::int64_t ox) const;

  Window window_;
  std::int64_t batch_, channels_;
  std::int64_t repeat_;  ///< pixels in a vector; 0 where channels fill none
  std::vector<Taps> rows_, columns_;
  base::Buffer packed_;  ///< per tap: the channels' weights; then the bias, or what a pool begins with
};

}  // namespace skerry::kernels
