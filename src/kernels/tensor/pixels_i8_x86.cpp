// The inner loops of 8-bit convolutions with channels last in AVX-512 VNNI and in AVX2. Highway of this distribution
// has no four-wide dot product, so they are intrinsics; everything with a target attribute is local to this file.

#include "kernels/tensor/pixels_i8_loops.hpp"
#include "kernels/tensor/tile_pixels.hpp"

#if defined(__x86_64__)
#include <immintrin.h>

#include <cstring>

#if !defined(__clang__)
// g++ 12 takes the undefined vectors inside its own intrinsics for uninitialised variables.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#pragma GCC diagnostic ignored "-Wuninitialized"

namespace skerry::kernels {
namespace {

#define SKERRY_VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")))
#define SKERRY_AVX2 __attribute__((target("avx2,fma")))

std::int32_t four_at(const std::uint8_t* x) {
  std::int32_t four;
  std::memcpy(&four, x, sizeof four);
  return four;
}

// Sixteen sums to bytes.
SKERRY_VNNI inline void store_vnni(std::uint8_t* y, __m512i sum, __m512 scale, __mmask16 mask, const RequantI8& end) {
  const __m512 low = _mm512_set1_ps(static_cast<float>(end.low - end.zero));
  const __m512 high = _mm512_set1_ps(static_cast<float>(end.high - end.zero));
  __m512 f = _mm512_mul_ps(_mm512_cvtepi32_ps(sum), scale);
  f = _mm512_min_ps(_mm512_max_ps(f, low), high);
  const __m512i q = _mm512_add_epi32(_mm512_cvtps_epi32(f), _mm512_set1_epi32(end.zero));
  _mm512_mask_cvtepi32_storeu_epi8(y, mask, q);
}

SKERRY_VNNI inline __mmask16 first_lanes(std::size_t count) {
  return static_cast<__mmask16>(count >= 16 ? 0xFFFFU : (1U << count) - 1U);
}

// sum += the products of fours. The instruction as such, because g++ 12 moves sums about for its intrinsic, and spills.
SKERRY_VNNI inline void dot(__m512i& sum, __m512i left, __m512i right) {
  asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(left), "v"(right));
}

// The end of a tile of `pixels` pixels and `vectors` vectors of outputs whose results a residual is added to: sums as
// the tile has them, [pixel][vector]; the first pixel's outputs stand `first` behind row.y, those of the eighth of
// fourteen `half` further. Out of line, so that the tiles stay small.
[[gnu::noinline]] SKERRY_VNNI void put_sums_vnni(const PixelRowsI8& row, const __m512i* sums, std::size_t pixels,
                                                 std::size_t vectors, std::size_t half, std::size_t first) {
  const RequantI8& end = row.end;
  const SumI8& add = row.sum;
  const __m512 low = _mm512_set1_ps(static_cast<float>(end.low - end.zero));
  const __m512 high = _mm512_set1_ps(static_cast<float>(end.high - end.zero));
  const __m512 zero = _mm512_set1_ps(static_cast<float>(end.zero));
  const __m512 left = _mm512_set1_ps(add.left), right = _mm512_set1_ps(add.right), fixed = _mm512_set1_ps(add.fixed);
  const __m512 least = _mm512_set1_ps(add.is_signed ? -128.0F : 0.0F);
  const __m512 most = _mm512_set1_ps(add.is_signed ? 127.0F : 255.0F);
  const __mmask16 swap = add.residual_left ? 0xFFFF : 0;
  for (std::size_t n = 0; n < vectors; ++n) {
    const __mmask16 mask = first_lanes(row.columns - n * 16);
    const __m512 scale = _mm512_loadu_ps(end.scale + n * 16);
    for (std::size_t r = 0; r < pixels; ++r) {
      const bool second = pixels == 14 && r >= 7;
      const std::size_t to = first + n * 16 + (second ? half + (r - 7) * row.y_pixel : r * row.y_pixel);
      __m512 mine = _mm512_mul_ps(_mm512_cvtepi32_ps(sums[r * vectors + n]), scale);
      mine = _mm512_min_ps(_mm512_max_ps(mine, low), high);
      mine = _mm512_add_ps(_mm512_roundscale_ps(mine, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC), zero);
      const __m128i bytes = _mm_maskz_loadu_epi8(mask, row.residual + to);
      const __m512 other =
          _mm512_cvtepi32_ps(add.is_signed ? _mm512_cvtepi8_epi32(bytes) : _mm512_cvtepu8_epi32(bytes));
      const __m512 a = _mm512_mask_blend_ps(swap, mine, other), b = _mm512_mask_blend_ps(swap, other, mine);
      __m512 real = _mm512_fmadd_ps(a, left, _mm512_fmadd_ps(b, right, fixed));
      real = _mm512_min_ps(_mm512_max_ps(real, least), most);
      _mm512_mask_cvtepi32_storeu_epi8(row.y + to, mask, _mm512_cvtps_epi32(real));
    }
  }
}

// R pixels and N vectors of outputs, beginning at a row and a pixel. Fourteen are twice seven: side by side, or
// (paired) of two rows.
template <std::size_t R, std::size_t N, bool flips>
SKERRY_VNNI void tile_vnni(const PixelRowsI8& row, std::size_t first, std::size_t at, const std::int8_t* ahead,
                           bool paired = false) {
  using Pixels = TilePixels<R, R == 14>;
  const std::size_t pixel = row.x_pixel;
  const std::size_t x_half = paired ? row.x_row : 7 * pixel, y_half = paired ? row.y_row : 7 * row.y_pixel;
  const std::uint8_t* x = row.x + first * row.x_row + at * pixel;
  const std::int8_t* w = row.w;
  const __m512i flip = _mm512_set1_epi8(static_cast<char>(0x80));
  __m512i sum[R][N];
  _Pragma("GCC unroll 2") for (std::size_t n = 0; n < N; ++n) {
    const __m512i add = _mm512_loadu_si512(row.add + n * 16);
    _Pragma("GCC unroll 16") for (std::size_t r = 0; r < R; ++r) sum[r][n] = add;
  }
  const std::uint8_t* begin[Pixels::kBases];
  _Pragma("GCC unroll 16") for (std::size_t b = 0; b < Pixels::kBases; ++b) begin[b] =
      x + Pixels::base_row(b) * x_half + Pixels::base_pixel(b) * pixel;
  const std::uint8_t* base[Pixels::kBases];
  for (const std::size_t segment : row.segments) {
    _Pragma("GCC unroll 16") for (std::size_t b = 0; b < Pixels::kBases; ++b) base[b] = begin[b] + segment;
    std::size_t g = 0;
    do {
      // Opaque to the compiler, which would otherwise keep an address for every pixel and spill most of them.
      _Pragma("GCC unroll 16") for (std::size_t b = 0; b < Pixels::kBases; ++b) asm("" : "+r"(base[b]));
      __m512i right[N];
      _Pragma("GCC unroll 2") for (std::size_t n = 0; n < N; ++n) right[n] = _mm512_loadu_si512(w + n * 64);
      w += N * 64;
      _mm_prefetch(reinterpret_cast<const char*>(ahead), _MM_HINT_T1);
      ahead += 64;
      _Pragma("GCC unroll 16") for (std::size_t r = 0; r < R; ++r) {
        __m512i left = _mm512_set1_epi32(four_at(base[Pixels::base(r)] + Pixels::pixel(r) % 3 * pixel));
        if constexpr (flips) left = _mm512_xor_si512(left, flip);
        _Pragma("GCC unroll 2") for (std::size_t n = 0; n < N; ++n) dot(sum[r][n], left, right[n]);
      }
      _Pragma("GCC unroll 16") for (std::size_t b = 0; b < Pixels::kBases; ++b) base[b] += 4;
    } while (++g < row.groups);
  }
  if (row.residual != nullptr) {
    // A copy, so that the sums themselves need no address and stay in registers.
    __m512i sums[R * N];
    _Pragma("GCC unroll 16") for (std::size_t r = 0; r < R; ++r) {
      _Pragma("GCC unroll 2") for (std::size_t n = 0; n < N; ++n) sums[r * N + n] = sum[r][n];
    }
    return put_sums_vnni(row, sums, R, N, y_half, first * row.y_row + at * row.y_pixel);
  }
  std::uint8_t* y = row.y + first * row.y_row + at * row.y_pixel;
  _Pragma("GCC unroll 2") for (std::size_t n = 0; n < N; ++n) {
    const __mmask16 mask = first_lanes(row.columns - n * 16);
    const __m512 scale = _mm512_loadu_ps(row.end.scale + n * 16);
    _Pragma("GCC unroll 16") for (std::size_t r = 0; r < R; ++r) {
      std::uint8_t* to = y + Pixels::row(r) * y_half + Pixels::pixel(r) * row.y_pixel + n * 16;
      store_vnni(to, sum[r][n], scale, mask, row.end);
    }
  }
}

template <std::size_t N, bool flips>
void rows_vnni(const PixelRowsI8& row) {
  // The first N tiles fetch the panel that comes next, a line in each step; others their own, which is there.
  std::size_t fetched = row.next == nullptr ? N : 0;
  const auto ahead = [&] { return fetched < N ? row.next + row.segments.size() * row.groups * 64 * fetched++ : row.w; };
  std::size_t r = 0;
  if (row.pixels == 7) {
    for (; r + 2 <= row.rows; r += 2) tile_vnni<14, N, flips>(row, r, 0, ahead(), true);
  }
  for (; r < row.rows; ++r) {
    std::size_t at = 0;
    // Sixteen go as two tiles of eight.
    for (; row.pixels - at >= 14 && row.pixels - at != 16; at += 14) tile_vnni<14, N, flips>(row, r, at, ahead());
    for (; row.pixels - at >= 8; at += 8) tile_vnni<8, N, flips>(row, r, at, ahead());
    for (; row.pixels - at >= 7; at += 7) tile_vnni<7, N, flips>(row, r, at, ahead());
    for (; row.pixels - at >= 4; at += 4) tile_vnni<4, N, flips>(row, r, at, ahead());
    for (; row.pixels - at >= 2; at += 2) tile_vnni<2, N, flips>(row, r, at, ahead());
    for (; row.pixels - at >= 1; at += 1) tile_vnni<1, N, flips>(row, r, at, ahead());
  }
}

void pixel_rows_vnni(const PixelRowsI8& row) {
  if (row.flip != 0) return row.wide ? rows_vnni<2, true>(row) : rows_vnni<1, true>(row);
  row.wide ? rows_vnni<2, false>(row) : rows_vnni<1, false>(row);
}

// The lower halves of 32-bit weights; upper halves of signed elements are not zero.
template <bool x_signed>
SKERRY_VNNI inline __m512i weights_vnni(__mmask16 mask, const std::int32_t* w) {
  const __m512i weights = _mm512_maskz_loadu_epi32(mask, w);
  return x_signed ? _mm512_and_si512(weights, _mm512_set1_epi32(0xFFFF)) : weights;
}

// R vectors of 16 channels: of neighbouring pixels, or (across) of neighbouring channels. Of products of 16-bit pairs
// the upper ones give nothing.
template <std::size_t R, bool across, bool x_signed, bool whole>
SKERRY_VNNI inline void window_tile_vnni(const WindowRowI8& row, std::size_t pixel, std::size_t c, __mmask16 mask) {
  const std::size_t x_step = across ? 16 : row.x_pixel, y_step = across ? 16 : row.y_pixel;
  __m512i sum[R];
  _Pragma("GCC unroll 8") for (std::size_t r = 0; r < R; ++r) sum[r] =
      _mm512_maskz_loadu_epi32(mask, row.start + c + (across ? r * 16 : 0));
  const std::uint8_t* x = row.x + pixel * row.x_pixel + c;
  for (std::size_t i = 0; i < row.taps_y; ++i) {
    for (std::size_t j = 0; j < row.taps_x; ++j) {
      const std::uint8_t* from = x + i * row.x_row + j * row.tap;
      const std::int32_t* w = row.w + i * row.w_row + j * row.w_tap + c;
      __m512i weight = weights_vnni<x_signed>(mask, w);
      _Pragma("GCC unroll 8") for (std::size_t r = 0; r < R; ++r) {
        if constexpr (across) weight = weights_vnni<x_signed>(mask, w + r * 16);
        const std::uint8_t* at = from + r * x_step;
        const __m128i bytes =
            whole ? _mm_loadu_si128(reinterpret_cast<const __m128i*>(at)) : _mm_maskz_loadu_epi8(mask, at);
        const __m512i wide = x_signed ? _mm512_cvtepi8_epi32(bytes) : _mm512_cvtepu8_epi32(bytes);
        sum[r] = _mm512_dpwssd_epi32(sum[r], wide, weight);
      }
    }
  }
  std::uint8_t* y = row.y + pixel * row.y_pixel + c;
  _Pragma("GCC unroll 8") for (std::size_t r = 0; r < R; ++r) {
    const __m512 scale = _mm512_maskz_loadu_ps(mask, row.end.scale + c + (across ? r * 16 : 0));
    store_vnni(y + r * y_step, sum[r], scale, mask, row.end);
  }
}

template <bool x_signed, bool whole>
SKERRY_VNNI void window_channels_vnni(const WindowRowI8& row, std::size_t c) {
  const __mmask16 mask = first_lanes(row.channels - c);
  std::size_t p = 0;
  for (; p + 8 <= row.pixels; p += 8) window_tile_vnni<8, false, x_signed, whole>(row, p, c, mask);
  for (; p + 4 <= row.pixels; p += 4) window_tile_vnni<4, false, x_signed, whole>(row, p, c, mask);
  for (; p < row.pixels; ++p) window_tile_vnni<1, false, x_signed, whole>(row, p, c, mask);
}

template <bool x_signed>
SKERRY_VNNI void window_vnni(const WindowRowI8& row) {
  std::size_t c = 0;
  if (row.pixels < 4) {
    for (; c + 64 <= row.channels; c += 64) {
      for (std::size_t p = 0; p < row.pixels; ++p) window_tile_vnni<4, true, x_signed, true>(row, p, c, 0xFFFF);
    }
  }
  for (; c + 16 <= row.channels; c += 16) window_channels_vnni<x_signed, true>(row, c);
  if (c < row.channels) window_channels_vnni<x_signed, false>(row, c);
}

void window_row_vnni(const WindowRowI8& row) {
  row.x_signed ? window_vnni<true>(row) : window_vnni<false>(row);
}

// Eight outputs of up to four pixels: bytes are widened to 16 bits, of which pmaddwd adds pairs without loss.
SKERRY_AVX2 void tile_avx2(const PixelRowsI8& row, std::size_t first, std::size_t at, std::size_t pixels,
                           std::size_t column) {
  const std::size_t width = row.wide ? kPixelPanelI8 : kPixelPanelI8 / 2;
  const std::uint8_t* x[4];
  for (std::size_t r = 0; r < 4; ++r) x[r] = row.x + first * row.x_row + (at + (r < pixels ? r : 0)) * row.x_pixel;
  const std::int8_t* w = row.w + column * 4;
  const __m128i flip = _mm_set1_epi8(static_cast<char>(row.flip));
  __m256i sum[4][2];
  for (auto& pair : sum) pair[0] = pair[1] = _mm256_setzero_si256();
  for (const std::size_t segment : row.segments) {
    for (std::size_t g = 0; g < row.groups; ++g, w += width * 4) {
      const __m256i b0 = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(w)));
      const __m256i b1 = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(w + 16)));
      _Pragma("GCC unroll 4") for (std::size_t r = 0; r < 4; ++r) {
        const __m128i four = _mm_xor_si128(_mm_set1_epi32(four_at(x[r] + segment + g * 4)), flip);
        const __m256i a = _mm256_cvtepu8_epi16(four);
        sum[r][0] = _mm256_add_epi32(sum[r][0], _mm256_madd_epi16(a, b0));
        sum[r][1] = _mm256_add_epi32(sum[r][1], _mm256_madd_epi16(a, b1));
      }
    }
  }
  for (std::size_t r = 0; r < pixels; ++r) {
    // Neighbours are the two halves of one output; the halves of the vector stand crosswise afterwards.
    alignas(32) std::int32_t sums[8];
    const __m256i both = _mm256_permute4x64_epi64(_mm256_hadd_epi32(sum[r][0], sum[r][1]), 0xD8);
    _mm256_store_si256(reinterpret_cast<__m256i*>(sums), both);
    const std::size_t to = first * row.y_row + (at + r) * row.y_pixel;
    for (std::size_t o = column; o < column + 8 && o < row.columns; ++o)
      put_output<true>(row, sums[o - column], o, to + o);
  }
}

void pixel_rows_avx2(const PixelRowsI8& row) {
  for (std::size_t r = 0; r < row.rows; ++r) {
    for (std::size_t at = 0; at < row.pixels; at += 4) {
      const std::size_t pixels = row.pixels - at < 4 ? row.pixels - at : 4;
      for (std::size_t column = 0; column < row.columns; column += 8) tile_avx2(row, r, at, pixels, column);
    }
  }
}

SKERRY_AVX2 void window_row_avx2(const WindowRowI8& row) {
  window_row_loops(row);
}

}  // namespace

const PixelLoopsI8* vnni_pixel_loops_i8() noexcept {
  static const PixelLoopsI8 kLoops = {pixel_rows_vnni, window_row_vnni};
  __builtin_cpu_init();
  const bool wide = __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
                    __builtin_cpu_supports("avx512vl") != 0 && __builtin_cpu_supports("avx512dq") != 0;
  return wide && __builtin_cpu_supports("avx512vnni") != 0 ? &kLoops : nullptr;
}

const PixelLoopsI8* avx2_pixel_loops_i8() noexcept {
  static const PixelLoopsI8 kLoops = {pixel_rows_avx2, window_row_avx2};
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0 ? &kLoops : nullptr;
}

}  // namespace skerry::kernels
#else
namespace skerry::kernels {
const PixelLoopsI8* vnni_pixel_loops_i8() noexcept {
  return nullptr;
}
const PixelLoopsI8* avx2_pixel_loops_i8() noexcept {
  return nullptr;
}
}  // namespace skerry::kernels
#endif
