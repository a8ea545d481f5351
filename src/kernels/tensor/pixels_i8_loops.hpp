/// \file
/// Inner loops of 8-bit convolutions with channels last, one set for each instruction set.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace skerry::kernels {

/// What becomes of a sum s of output o: saturate(round(scale[o] * s) + zero) within [low, high].
struct RequantI8 {
  const float* scale;
  std::int32_t zero, low, high;
};

/// What is added to a result once it is rounded: saturate(round(a * left + (b * right + fixed))), where one of a and b
/// is the result and the other one a residual of the same dtype, both as they stand, zero points included.
struct SumI8 {
  float left = 0.0F, right = 0.0F, fixed = 0.0F;
  bool residual_left = false;  ///< whether a is the residual
  bool is_signed = false;
};

/// Outputs of a panel of packed weights; a last panel of at most half of them is half as wide.
inline constexpr std::size_t kPixelPanelI8 = 32;

/// Some rows of outputs of one panel, as PixelRows; a segment is `groups` times four elements, each ^ flip.
struct PixelRowsI8 {
  const std::uint8_t* x;
  std::size_t x_row, x_pixel;
  std::span<const std::size_t> segments;
  std::size_t groups;
  const std::int8_t* w;     ///< [segment][group][output][4]
  const std::int8_t* next;  ///< weights that are wanted after these, or null where all of them stay in the cache
  const std::int32_t* add;  ///< what the sums begin with; as many as the panel is wide, as is the scale
  std::uint8_t flip;
  std::uint8_t* y;
  std::size_t y_row, y_pixel, rows, pixels, columns;
  bool wide;
  RequantI8 end;
  const std::uint8_t* residual = nullptr;  ///< where nothing is added null, else laid out as y; it may be y
  SumI8 sum = {};
};

/// One row of outputs, each channel by itself, as WindowRow; any number of channels.
struct WindowRowI8 {
  const std::uint8_t* x;
  bool x_signed;
  std::size_t x_pixel, x_row, tap, taps_y, taps_x;
  const std::int32_t* w;
  std::size_t w_row, w_tap;
  const std::int32_t* start;
  std::uint8_t* y;
  std::size_t y_pixel, pixels, channels;
  RequantI8 end;
};

struct PixelLoopsI8 {
  void (*pixel_rows)(const PixelRowsI8&);
  void (*window_row)(const WindowRowI8&);
};
/// Plain loops.
const PixelLoopsI8& portable_pixel_loops_i8() noexcept;
/// Those in AVX-512 VNNI or in AVX2, null where the CPU has not got it.
const PixelLoopsI8* vnni_pixel_loops_i8() noexcept;
const PixelLoopsI8* avx2_pixel_loops_i8() noexcept;
/// The fastest of this CPU.
const PixelLoopsI8& pixel_loops_i8() noexcept;

// The loops, for whichever instruction set they are inlined into.

[[gnu::always_inline]] inline std::int32_t rounded_within(float value, float low, float high) {
  // 1.5 * 2^23: adding it rounds a float below 2^22 to an integer, ties to even, which the low bits then hold.
  constexpr float kRounder = 12582912.0F;
  const float above = value > low ? value : low;
  const float inside = above < high ? above : high;
  return __builtin_bit_cast(std::int32_t, inside + kRounder) - 0x4B400000;
}

[[gnu::always_inline]] inline std::int32_t requantised_level(std::int32_t sum, float scale, const RequantI8& end) {
  const auto low = static_cast<float>(end.low - end.zero), high = static_cast<float>(end.high - end.zero);
  return rounded_within(static_cast<float>(sum) * scale, low, high) + end.zero;
}

inline std::uint8_t requantised(std::int32_t sum, float scale, const RequantI8& end) {
  return static_cast<std::uint8_t>(requantised_level(sum, scale, end));
}

/// One output of a row that stands `at` elements behind row.y. fused: products and sums are rounded once, as
/// quantized_add() does on this instruction set.
template <bool fused>
[[gnu::always_inline]] inline void put_output(const PixelRowsI8& row, std::int32_t sum, std::size_t o, std::size_t at) {
  const std::int32_t level = requantised_level(sum + row.add[o], row.end.scale[o], row.end);
  if (row.residual == nullptr) {
    row.y[at] = static_cast<std::uint8_t>(level);
    return;
  }
  const SumI8& s = row.sum;
  const std::uint8_t byte = row.residual[at];
  const auto mine = static_cast<float>(level);
  const auto other = static_cast<float>(s.is_signed ? static_cast<std::int8_t>(byte) : static_cast<std::int32_t>(byte));
  const float a = s.residual_left ? other : mine, b = s.residual_left ? mine : other;
  const float real =
      fused ? __builtin_fmaf(a, s.left, __builtin_fmaf(b, s.right, s.fixed)) : a * s.left + (b * s.right + s.fixed);
  row.y[at] =
      static_cast<std::uint8_t>(rounded_within(real, s.is_signed ? -128.0F : 0.0F, s.is_signed ? 127.0F : 255.0F));
}

template <bool x_signed>
[[gnu::always_inline]] inline void window_block(const WindowRowI8& row, std::size_t pixel, std::size_t c,
                                                std::size_t count) {
  std::int32_t sums[16];
  for (std::size_t i = 0; i < count; ++i) sums[i] = row.start[c + i];
  for (std::size_t ky = 0; ky < row.taps_y; ++ky) {
    for (std::size_t kx = 0; kx < row.taps_x; ++kx) {
      const std::uint8_t* x = row.x + pixel * row.x_pixel + ky * row.x_row + kx * row.tap + c;
      const std::int32_t* w = row.w + ky * row.w_row + kx * row.w_tap + c;
      for (std::size_t i = 0; i < count; ++i)
        sums[i] += (x_signed ? static_cast<std::int32_t>(static_cast<std::int8_t>(x[i])) : x[i]) * w[i];
    }
  }
  std::uint8_t* y = row.y + pixel * row.y_pixel + c;
  for (std::size_t i = 0; i < count; ++i) y[i] = requantised(sums[i], row.end.scale[c + i], row.end);
}

[[gnu::always_inline]] inline void window_row_loops(const WindowRowI8& row) {
  for (std::size_t p = 0; p < row.pixels; ++p) {
    std::size_t c = 0;
    for (; c + 16 <= row.channels; c += 16)
      row.x_signed ? window_block<true>(row, p, c, 16) : window_block<false>(row, p, c, 16);
    const std::size_t rest = row.channels - c;
    if (rest > 0) row.x_signed ? window_block<true>(row, p, c, rest) : window_block<false>(row, p, c, rest);
  }
}

}  // namespace skerry::kernels
