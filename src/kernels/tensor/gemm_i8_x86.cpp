// The inner loops of 8-bit products in AVX-512 VNNI and in AVX2. Highway of this distribution has no four-wide dot
// product, so they are intrinsics; everything with a target attribute is local to this file.

#include "kernels/tensor/gemm_i8_tiles.hpp"

#if defined(__x86_64__)
#include <immintrin.h>

#include <array>
#include <utility>

#if !defined(__clang__)
// g++ 12 takes the undefined vectors inside its own intrinsics for uninitialised variables.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

namespace skerry::kernels {
namespace {

#define SKERRY_VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")))
#define SKERRY_AVX2 __attribute__((target("avx2,fma")))

constexpr std::size_t kLeftStep = kRowsI8 * kGroupI8, kRightStep = kColumnsI8 * kGroupI8;

// One left element group of a row against 32 columns: `left` four bytes at every place, `right` two vectors.
template <std::size_t R, bool left_signed>
SKERRY_VNNI void tile_vnni(const std::uint8_t* left, const std::uint8_t* right, std::size_t groups,
                           std::int32_t* sums) {
  __m512i sum[R][2];
  _Pragma("GCC unroll 12") for (std::size_t r = 0; r < R; ++r) sum[r][0] = sum[r][1] = _mm512_setzero_si512();
  for (std::size_t g = 0; g < groups; ++g) {
    const __m512i b0 = _mm512_loadu_si512(right), b1 = _mm512_loadu_si512(right + 64);
    _Pragma("GCC unroll 12") for (std::size_t r = 0; r < R; ++r) {
      std::int32_t four;
      __builtin_memcpy(&four, left + r * kGroupI8, sizeof four);
      const __m512i a = _mm512_set1_epi32(four);
      if constexpr (left_signed) {
        sum[r][0] = _mm512_dpbusd_epi32(sum[r][0], b0, a);
        sum[r][1] = _mm512_dpbusd_epi32(sum[r][1], b1, a);
      } else {
        sum[r][0] = _mm512_dpbusd_epi32(sum[r][0], a, b0);
        sum[r][1] = _mm512_dpbusd_epi32(sum[r][1], a, b1);
      }
    }
    left += kLeftStep;
    right += kRightStep;
  }
  _Pragma("GCC unroll 12") for (std::size_t r = 0; r < R; ++r) {
    _mm512_storeu_si512(sums + r * kColumnsI8, sum[r][0]);
    _mm512_storeu_si512(sums + r * kColumnsI8 + 16, sum[r][1]);
  }
}

using FixedTile = void (*)(const std::uint8_t*, const std::uint8_t*, std::size_t, std::int32_t*);

template <bool left_signed, std::size_t... R>
constexpr std::array<FixedTile, sizeof...(R)> vnni_tiles(std::index_sequence<R...>) {
  return {tile_vnni<R + 1, left_signed>...};
}

template <bool left_signed>
void any_tile_vnni(const std::uint8_t* left, const std::uint8_t* right, std::size_t groups, std::size_t rows,
                   std::int32_t* sums) {
  static constexpr auto kTiles = vnni_tiles<left_signed>(std::make_index_sequence<kRowsI8>());
  kTiles[rows - 1](left, right, groups, sums);
}

// Sixteen columns of one row.
SKERRY_VNNI inline __m512i corrected(__m512i v, std::size_t i, std::size_t j, __mmask16 mask, const EndI8& end) {
  if (end.row_add != nullptr) v = _mm512_add_epi32(v, _mm512_set1_epi32(end.row_add[i]));
  if (end.column_add != nullptr) v = _mm512_add_epi32(v, _mm512_maskz_loadu_epi32(mask, end.column_add + j));
  if (end.row_mul != nullptr)
    v = _mm512_add_epi32(
        v, _mm512_mullo_epi32(_mm512_set1_epi32(end.row_mul[i]), _mm512_maskz_loadu_epi32(mask, end.column_mul + j)));
  return v;
}

SKERRY_VNNI void finish_vnni(const std::int32_t* sums, std::size_t row, std::size_t rows, std::size_t column,
                             std::size_t columns, void* y, std::size_t y_row, const EndI8& end) {
  const __m512 low = _mm512_set1_ps(static_cast<float>(end.low - end.zero));
  const __m512 high = _mm512_set1_ps(static_cast<float>(end.high - end.zero));
  const __m512i zero = _mm512_set1_epi32(end.zero);
  for (std::size_t c = 0; c < columns; c += 16) {
    const std::size_t count = columns - c < 16 ? columns - c : 16, j = column + c;
    const auto mask = static_cast<__mmask16>((1U << count) - 1U);
    __m512 scale = _mm512_set1_ps(end.scale);
    if (end.column_scale != nullptr) scale = _mm512_maskz_loadu_ps(mask, end.column_scale + j);
    for (std::size_t r = 0; r < rows; ++r) {
      const std::size_t i = row + r, at = r * y_row + c;
      const __m512i v = corrected(_mm512_loadu_si512(sums + r * kColumnsI8 + c), i, j, mask, end);
      if (end.to == EndI8::To::i32) {
        _mm512_mask_storeu_epi32(static_cast<std::int32_t*>(y) + at, mask, v);
        continue;
      }
      if (end.row_scale != nullptr) scale = _mm512_set1_ps(end.row_scale[i]);
      __m512 f = _mm512_mul_ps(_mm512_cvtepi32_ps(v), scale);
      if (end.to == EndI8::To::f32) {
        if (end.column_bias != nullptr) f = _mm512_add_ps(f, _mm512_maskz_loadu_ps(mask, end.column_bias + j));
        _mm512_mask_storeu_ps(static_cast<float*>(y) + at, mask, f);
        continue;
      }
      f = _mm512_min_ps(_mm512_max_ps(f, low), high);
      const __m512i q = _mm512_add_epi32(_mm512_cvtps_epi32(f), zero);
      _mm512_mask_cvtepi32_storeu_epi8(static_cast<std::uint8_t*>(y) + at, mask, q);
    }
  }
}

// Eight columns of four rows: bytes are widened to 16 bits, of which pmaddwd adds pairs without loss.
template <bool left_signed>
SKERRY_AVX2 void eight_columns_avx2(const std::uint8_t* left, const std::uint8_t* right, std::size_t groups,
                                    std::size_t rows, std::int32_t* sums) {
  __m256i sum[4][2];
  for (auto& pair : sum) pair[0] = pair[1] = _mm256_setzero_si256();
  for (std::size_t g = 0; g < groups; ++g) {
    const __m128i c0 = _mm_loadu_si128(reinterpret_cast<const __m128i*>(right));
    const __m128i c1 = _mm_loadu_si128(reinterpret_cast<const __m128i*>(right + 16));
    const __m256i b0 = left_signed ? _mm256_cvtepu8_epi16(c0) : _mm256_cvtepi8_epi16(c0);
    const __m256i b1 = left_signed ? _mm256_cvtepu8_epi16(c1) : _mm256_cvtepi8_epi16(c1);
    for (std::size_t r = 0; r < 4; ++r) {
      std::int32_t four;
      __builtin_memcpy(&four, left + r * kGroupI8, sizeof four);
      const __m128i bytes = _mm_set1_epi32(four);
      const __m256i a = left_signed ? _mm256_cvtepi8_epi16(bytes) : _mm256_cvtepu8_epi16(bytes);
      sum[r][0] = _mm256_add_epi32(sum[r][0], _mm256_madd_epi16(a, b0));
      sum[r][1] = _mm256_add_epi32(sum[r][1], _mm256_madd_epi16(a, b1));
    }
    left += kLeftStep;
    right += kRightStep;
  }
  for (std::size_t r = 0; r < rows; ++r) {
    // Neighbours are the two halves of one column; the halves of the vector stand crosswise afterwards.
    const __m256i both = _mm256_hadd_epi32(sum[r][0], sum[r][1]);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums + r * kColumnsI8), _mm256_permute4x64_epi64(both, 0xD8));
  }
}

template <bool left_signed>
void tile_avx2(const std::uint8_t* left, const std::uint8_t* right, std::size_t groups, std::size_t rows,
               std::int32_t* sums) {
  for (std::size_t r = 0; r < rows; r += 4) {
    for (std::size_t c = 0; c < kColumnsI8; c += 8)
      eight_columns_avx2<left_signed>(left + r * kGroupI8, right + c * kGroupI8, groups, rows - r < 4 ? rows - r : 4,
                                      sums + r * kColumnsI8 + c);
  }
}

}  // namespace

const TilesI8* x86_tiles_i8() noexcept {
  static const TilesI8 kVnni = {any_tile_vnni<true>, any_tile_vnni<false>, finish_vnni};
  static const TilesI8 kAvx2 = {tile_avx2<true>, tile_avx2<false>, portable_tiles_i8().finish};
  __builtin_cpu_init();
  const bool wide = __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
                    __builtin_cpu_supports("avx512vl") != 0 && __builtin_cpu_supports("avx512dq") != 0;
  if (wide && __builtin_cpu_supports("avx512vnni") != 0) return &kVnni;
  if (__builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0) return &kAvx2;
  return nullptr;
}

}  // namespace skerry::kernels
#else
namespace skerry::kernels {
const TilesI8* x86_tiles_i8() noexcept {
  return nullptr;
}
}  // namespace skerry::kernels
#endif
