/// \file
/// Inner loops over images with channels last, chosen for the instruction set at run time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace skerry::kernels {

/// Outputs that stand side by side in a panel of packed weights; a last panel of at most half of them is half as wide.
std::size_t pixel_panel_width() noexcept;
/// Elements of a vector of f32.
std::size_t pixel_lanes() noexcept;

/// Some rows of outputs of one panel: for `rows` rows r, `pixels` pixels p and `columns` outputs o, with
/// to = r * y_row + p * y_pixel + o,
///   y[to] = clamp(bias[o] + residual[to] + sum over segments s and k < length of
///                 x[r * x_row + p * x_pixel + segments[s] + k] * w[(s * length + k) * width + o]).
struct PixelRows {
  const float* x;
  std::size_t x_row, x_pixel;
  std::span<const std::size_t> segments;
  std::size_t length;
  const float *w, *bias;  ///< bias: as many numbers as the panel is wide
  const float* next;      ///< weights that are wanted after these, or null where all of them stay in the cache
  const float* residual;  ///< or null
  float* y;
  std::size_t y_row, y_pixel, rows, pixels, columns;
  bool wide;  ///< whether the panel is of full width
  float low, high;
};
void run_pixel_rows(const PixelRows& rows);

/// The same from planes (neighbouring pixels of x are `x_pixel` <= 2 apart, length is 1) for so few outputs that they
/// would leave half a vector idle: weights are then as wide as there are columns, and there is no residual. Reads up to
/// a vector past what the last pixel of a row sees.
bool takes_plane_rows(std::size_t outputs, std::size_t pixels, std::size_t stride) noexcept;
void run_plane_rows(const PixelRows& rows);

/// What a window makes of the elements it sees of one channel.
enum class WindowFold : std::uint8_t { convolve, max, sum };

/// One row of outputs, each channel by itself: `taps_y` x `taps_x` elements x[p * x_pixel + i * x_row + j * tap + c]
/// fold into y[p * y_pixel + c], beginning with start[c], for `channels` channels (a vector at least).
struct WindowRow {
  const float* x;
  std::size_t x_pixel, x_row, tap, taps_y, taps_x;
  const float* w;  ///< of tap (i, j): w[i * w_row + j * w_tap + c]; only to convolve
  std::size_t w_row, w_tap;
  const float* start;
  const float* residual;  ///< or null
  float* y;
  std::size_t y_pixel, pixels, channels;
  float scale;  ///< of the sum before it is kept within low and high
  float low, high;
};
void run_window_row(WindowFold fold, const WindowRow& row);

/// Whole rows of outputs of a depthwise window three wide, edges included: for `rows` rows r,
/// y[r * y_next + p * channels + c] = start[c] + sum over i < taps_y and j < 3 of
/// x[r * x_next + i * x_row + (p * stride - pad + j) * x_pixel + c] * w[(i * 3 + j) * channels + c], without the
/// columns outside: the outputs [0, inner) see none at j = 0, those from `after` on none at j = 2, the others all.
/// Stride 1 or 2, taps_y 2 or 3, at least a vector of channels.
///
/// pairs: a vector holds the channels of two pixels that neighbour each other, and `pixels` counts such pairs; only one
/// half of a pair at an edge sees a column less. Then channels is a vector's, x_pixel half of it, and stride 2.
struct DepthwiseRows {
  const float* x;
  std::size_t x_next, x_row, x_pixel, taps_y, stride, pad;
  const float* w;
  const float* start;
  std::ptrdiff_t to_residual;  ///< from an element of y to that of the residual; 0 where there is none
  float* y;
  std::size_t y_next, rows, pixels, inner, after, channels;
  float low, high;
  bool pairs = false;
};
void run_depthwise_rows(const DepthwiseRows& rows);
/// Whether pairs are taken on this machine.
bool depthwise_takes_pairs() noexcept;

}  // namespace skerry::kernels
