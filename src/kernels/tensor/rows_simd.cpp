// Row-wise f32 work in vectors: reductions, softmax, layer normalisation. Compiled once for every instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/tensor/rows_simd.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// after highway.h
#include "kernels/tensor/functions_simd.hpp"
//
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/threads.hpp"
#include "kernels/tensor/attention.hpp"
#include "kernels/tensor/broadcast.hpp"
#include "kernels/tensor/normalize.hpp"
#include "kernels/tensor/reduce.hpp"

HWY_BEFORE_NAMESPACE();
namespace skerry::kernels::HWY_NAMESPACE {
enum class Fold { sum, squares, magnitudes, max, min };

template <Fold F>
HWY_INLINE V fold(V sum, V x) {
  if constexpr (F == Fold::sum) return hn::Add(sum, x);
  if constexpr (F == Fold::squares) return hn::MulAdd(x, x, sum);
  if constexpr (F == Fold::magnitudes) return hn::Add(sum, hn::Abs(x));
  // Comparisons that keep a NaN once it has come (which Highway's Ne() does not see with AVX).
  if constexpr (F == Fold::max) return hn::IfThenElse(hn::Or(hn::Gt(x, sum), hn::IsNaN(x)), x, sum);
  if constexpr (F == Fold::min) return hn::IfThenElse(hn::Or(hn::Lt(x, sum), hn::IsNaN(x)), x, sum);
}

template <Fold F>
float fold_scalar(float sum, float x) {
  if constexpr (F == Fold::sum) return sum + x;
  if constexpr (F == Fold::squares) return sum + x * x;
  if constexpr (F == Fold::magnitudes) return sum + std::abs(x);
  if constexpr (F == Fold::max) return x > sum || x != x ? x : sum;
  if constexpr (F == Fold::min) return x < sum || x != x ? x : sum;
}

template <Fold F>
constexpr float neutral() {
  if constexpr (F == Fold::max) return -std::numeric_limits<float>::infinity();
  if constexpr (F == Fold::min) return std::numeric_limits<float>::infinity();
  return 0.0F;
}

// Four accumulators hide the latency of an addition; they are joined in a fixed order.
template <Fold F>
float fold_row(const float* x, std::size_t count) {
  const D d;
  const std::size_t lanes = hn::Lanes(d);
  V s0 = hn::Set(d, neutral<F>()), s1 = s0, s2 = s0, s3 = s0;
  std::size_t i = 0;
  for (; i + 4 * lanes <= count; i += 4 * lanes) {
    s0 = fold<F>(s0, hn::LoadU(d, x + i));
    s1 = fold<F>(s1, hn::LoadU(d, x + i + lanes));
    s2 = fold<F>(s2, hn::LoadU(d, x + i + 2 * lanes));
    s3 = fold<F>(s3, hn::LoadU(d, x + i + 3 * lanes));
  }
  for (; i + lanes <= count; i += lanes) s0 = fold<F>(s0, hn::LoadU(d, x + i));
  constexpr Fold kJoin = F == Fold::squares || F == Fold::magnitudes ? Fold::sum : F;
  s0 = fold<kJoin>(fold<kJoin>(s0, s1), fold<kJoin>(s2, s3));
  if constexpr (F == Fold::max || F == Fold::min) {
    // No branch that depends on the numbers. Those behind the last whole vector are seen with some before them again.
    if (count >= lanes) {
      if (i < count) s0 = fold<F>(s0, hn::LoadU(d, x + count - lanes));
      if (!hn::AllTrue(d, hn::Eq(s0, s0))) return std::numeric_limits<float>::quiet_NaN();
      return hn::GetLane(F == Fold::max ? hn::MaxOfLanes(d, s0) : hn::MinOfLanes(d, s0));
    }
  }
  HWY_ALIGN float parts[hn::MaxLanes(d)];
  hn::Store(s0, d, parts);
  // Halves on halves: a chain of sixteen would take longer than a short row.
  for (std::size_t half = lanes / 2; half > 0; half /= 2) {
    for (std::size_t k = 0; k < half; ++k) parts[k] = fold_scalar<kJoin>(parts[k], parts[k + half]);
  }
  float sum = parts[0];
  for (; i < count; ++i) sum = fold_scalar<F>(sum, x[i]);
  return sum;
}

float fold_row_of(int f, const float* x, std::size_t count) {
  switch (static_cast<Fold>(f)) {
    case Fold::sum:
      return fold_row<Fold::sum>(x, count);
    case Fold::squares:
      return fold_row<Fold::squares>(x, count);
    case Fold::magnitudes:
      return fold_row<Fold::magnitudes>(x, count);
    case Fold::max:
      return fold_row<Fold::max>(x, count);
    case Fold::min:
      break;
  }
  return fold_row<Fold::min>(x, count);
}

// Column-wise: `width` neighbouring results, each over `length` rows that lie `stride` apart.
template <Fold F>
void fold_columns(const float* x, std::size_t length, std::size_t stride, float* y, std::size_t width) {
  const D d;
  const std::size_t lanes = hn::Lanes(d);
  for (std::size_t i = 0; i < width; ++i) y[i] = neutral<F>();
  for (std::size_t k = 0; k < length; ++k) {
    const float* row = x + k * stride;
    std::size_t i = 0;
    for (; i + lanes <= width; i += lanes) hn::StoreU(fold<F>(hn::LoadU(d, y + i), hn::LoadU(d, row + i)), d, y + i);
    for (; i < width; ++i) y[i] = fold_scalar<F>(y[i], row[i]);
  }
}

void fold_columns_of(int f, const float* x, std::size_t length, std::size_t stride, float* y, std::size_t width) {
  switch (static_cast<Fold>(f)) {
    case Fold::sum:
      return fold_columns<Fold::sum>(x, length, stride, y, width);
    case Fold::squares:
      return fold_columns<Fold::squares>(x, length, stride, y, width);
    case Fold::magnitudes:
      return fold_columns<Fold::magnitudes>(x, length, stride, y, width);
    case Fold::max:
      return fold_columns<Fold::max>(x, length, stride, y, width);
    case Fold::min:
      break;
  }
  return fold_columns<Fold::min>(x, length, stride, y, width);
}

// y = exp(x - shift) for x <= shift; gives the sum of y.
float exp_row(const float* x, float shift, float* y, std::size_t count) {
  const D d;
  const std::size_t lanes = hn::Lanes(d);
  const V offset = hn::Set(d, shift);
  const auto exp_of = [&](V v) HWY_ATTR { return exp_below_zero(d, hn::Sub(v, offset)); };
  V sum = hn::Zero(d);
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const V e = exp_of(hn::LoadU(d, x + i));
    hn::StoreU(e, d, y + i);
    sum = hn::Add(sum, e);
  }
  HWY_ALIGN float buffer[hn::MaxLanes(d)];
  float total = hn::GetLane(hn::SumOfLanes(d, sum));
  if (i < count) {
    std::fill_n(buffer, lanes, shift);
    std::copy_n(x + i, count - i, buffer);
    hn::Store(exp_of(hn::Load(d, buffer)), d, buffer);
    for (std::size_t k = 0; k < count - i; ++k) {
      y[i + k] = buffer[k];
      total += buffer[k];
    }
  }
  return total;
}

// The sum of exp(x - shift) for x <= shift.
float sum_exp_row(const float* x, float shift, std::size_t count) {
  const D d;
  const std::size_t lanes = hn::Lanes(d);
  const V offset = hn::Set(d, shift);
  V sum = hn::Zero(d);
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) sum = hn::Add(sum, exp_below_zero(d, hn::Sub(hn::LoadU(d, x + i), offset)));
  if (i < count) {
    HWY_ALIGN float rest[hn::MaxLanes(d)];
    std::fill_n(rest, lanes, -std::numeric_limits<float>::infinity());
    std::copy_n(x + i, count - i, rest);
    sum = hn::Add(sum, exp_below_zero(d, hn::Sub(hn::Load(d, rest), offset)));
  }
  return hn::GetLane(hn::SumOfLanes(d, sum));
}

// ln of the sum of e^x; what is infinite or no number is not taken from itself.
float log_sum_exp_row(const float* x, std::size_t count) {
  const float highest = fold_row<Fold::max>(x, count);
  if (!(std::abs(highest) <= std::numeric_limits<float>::max())) return highest;
  return highest + std::log(sum_exp_row(x, highest, count));
}

void scale_rows(float* y, std::size_t row, std::size_t rows, std::size_t columns, const float* factors) {
  const D d;
  const std::size_t lanes = hn::Lanes(d);
  for (std::size_t r = 0; r < rows; ++r) {
    float* to = y + r * row;
    const V factor = hn::Set(d, factors[r]);
    std::size_t i = 0;
    for (; i + lanes <= columns; i += lanes) hn::StoreU(hn::Mul(hn::LoadU(d, to + i), factor), d, to + i);
    for (; i < columns; ++i) to[i] *= factors[r];
  }
}

void softmax_row(const float* x, float* y, std::size_t count, bool logarithm) {
  const float highest = fold_row<Fold::max>(x, count);
  if (!(std::abs(highest) <= std::numeric_limits<float>::max())) {
    std::fill_n(y, count, std::numeric_limits<float>::quiet_NaN());  // as inf - inf and NaN are in the formula
    return;
  }
  if (logarithm) {
    const float shift = highest + std::log(sum_exp_row(x, highest, count));
    const D d;
    std::size_t i = 0;
    for (; i + hn::Lanes(d) <= count; i += hn::Lanes(d))
      hn::StoreU(hn::Sub(hn::LoadU(d, x + i), hn::Set(d, shift)), d, y + i);
    for (; i < count; ++i) y[i] = x[i] - shift;
    return;
  }
  const float factor = 1.0F / exp_row(x, highest, y, count);
  scale_rows(y, count, 1, count, &factor);
}

// x = exp(scale * x + mask - highest), with zeros up to a whole vector; gives 1 / sum, or 0 where nothing is to be
// seen.
float attend_row(float* x, const float* mask, std::size_t mask_step, float scale, std::size_t count) {
  const D d;
  const std::size_t lanes = hn::Lanes(d), whole = (count + lanes - 1) / lanes * lanes;
  const float nothing = -std::numeric_limits<float>::infinity();
  const V factor = hn::Set(d, scale), same = hn::Set(d, mask == nullptr || mask_step == 1 ? 0.0F : *mask);
  const bool by_column = mask != nullptr && mask_step == 1;
  // Whether the largest of some with a not-a-number among them is one does not matter: its own exponential is.
  V highest = hn::Set(d, nothing);
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const V v = hn::MulAdd(hn::LoadU(d, x + i), factor, by_column ? hn::LoadU(d, mask + i) : same);
    hn::StoreU(v, d, x + i);
    highest = hn::Max(highest, v);
  }
  if (i < count) {
    HWY_ALIGN float rest[hn::MaxLanes(d)];
    std::fill_n(rest, lanes, nothing);
    for (std::size_t k = i; k < count; ++k) rest[k - i] = x[k] * scale + (mask == nullptr ? 0.0F : mask[k * mask_step]);
    const V v = hn::Load(d, rest);
    hn::StoreU(v, d, x + i);
    highest = hn::Max(highest, v);
  }
  const float shift = hn::GetLane(hn::MaxOfLanes(d, highest));
  if (shift == nothing) {
    // Where all are minus infinity, unless there is a not-a-number that the maximum passed over.
    const float sum = fold_row<Fold::sum>(x, count);
    std::fill_n(x, whole, 0.0F);
    return sum == nothing ? 0.0F : std::numeric_limits<float>::quiet_NaN();
  }
  return 1.0F / exp_row(x, shift, x, whole);
}

void attend_rows(const AttendRows& a, float* factors) {
  for (std::size_t r = 0; r < a.rows; ++r) {
    const std::size_t seen = a.causal ? std::min(a.columns, a.first + r + 1) : a.columns;
    float* row = a.scores + r * a.width;
    factors[r] = attend_row(row, a.mask == nullptr ? nullptr : a.mask + r * a.mask_row, a.mask_column, a.scale, seen);
    std::fill(row + seen, row + a.columns, 0.0F);
  }
}

void layer_norm_row(const float* x, float* y, std::size_t count, const float* scale, const float* bias, float epsilon,
                    float* mean, float* inverse) {
  const D d;
  const std::size_t lanes = hn::Lanes(d), whole = count / lanes * lanes;
  const float centre = fold_row<Fold::sum>(x, count) / static_cast<float>(count);
  const V centres = hn::Set(d, centre);
  for (std::size_t i = 0; i < whole; i += lanes) hn::StoreU(hn::Sub(hn::LoadU(d, x + i), centres), d, y + i);
  for (std::size_t i = whole; i < count; ++i) y[i] = x[i] - centre;
  const float variance = fold_row<Fold::squares>(y, count) / static_cast<float>(count);
  const float factor = 1.0F / std::sqrt(variance + epsilon);
  if (mean != nullptr) *mean = centre;
  if (inverse != nullptr) *inverse = factor;
  const V factors = hn::Set(d, factor);
  for (std::size_t i = 0; i < whole; i += lanes) {
    const V scaled = hn::Mul(hn::Mul(hn::LoadU(d, y + i), factors), hn::LoadU(d, scale + i));
    hn::StoreU(bias == nullptr ? scaled : hn::Add(scaled, hn::LoadU(d, bias + i)), d, y + i);
  }
  for (std::size_t i = whole; i < count; ++i) y[i] = y[i] * factor * scale[i] + (bias == nullptr ? 0.0F : bias[i]);
}

}  // namespace skerry::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace skerry::kernels {
namespace {

HWY_EXPORT(fold_row_of);
HWY_EXPORT(fold_columns_of);
HWY_EXPORT(log_sum_exp_row);
HWY_EXPORT(attend_rows);
HWY_EXPORT(scale_rows);
HWY_EXPORT(softmax_row);
HWY_EXPORT(layer_norm_row);

constexpr std::size_t kColumnBlock = 1024;

int fold_of(Reduction f) {
  if (f == Reduction::l2 || f == Reduction::sum_square) return 1;
  if (f == Reduction::l1) return 2;
  if (f == Reduction::max) return 3;
  return f == Reduction::min ? 4 : 0;
}

float finished(Reduction f, float sum, std::int64_t length) {
  if (f == Reduction::mean) return sum / static_cast<float>(length);
  if (f == Reduction::log_sum) return std::log(sum);
  return f == Reduction::l2 ? std::sqrt(sum) : sum;
}

std::size_t rows_per_piece(std::size_t length) {
  return std::max<std::size_t>(1, kElementGrain / std::max<std::size_t>(length, 1));
}

}  // namespace

void reduce_f32(Reduction f, const float* x, std::int64_t outer, std::int64_t length, std::int64_t inner, float* y) {
  const int fold = fold_of(f);
  const auto n = static_cast<std::size_t>(length);
  const auto width = static_cast<std::size_t>(inner);
  if (width == 1) {
    base::parallel_for(0, static_cast<std::size_t>(outer), rows_per_piece(n), [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) {
        y[i] = f == Reduction::log_sum_exp ? HWY_DYNAMIC_DISPATCH(log_sum_exp_row)(x + i * n, n)
                                           : finished(f, HWY_DYNAMIC_DISPATCH(fold_row_of)(fold, x + i * n, n), length);
      }
    });
    return;
  }
  if (f == Reduction::log_sum_exp) return log_sum_exp_columns_f32(x, outer, length, inner, y);
  // Long columns are cut into narrow blocks, so that there are pieces for every thread.
  const std::size_t block = std::clamp<std::size_t>(kElementGrain / std::max<std::size_t>(n, 1), 128, kColumnBlock);
  const std::size_t blocks = (width + block - 1) / block;
  base::parallel_for(0, static_cast<std::size_t>(outer) * blocks, rows_per_piece(n * std::min(width, block)),
                     [&](std::size_t begin, std::size_t end) {
                       for (std::size_t i = begin; i < end; ++i) {
                         const std::size_t o = i / blocks;
                         const std::size_t column = i % blocks * block;
                         const std::size_t count = std::min(block, width - column);
                         float* out = y + o * width + column;
                         HWY_DYNAMIC_DISPATCH(fold_columns_of)(fold, x + o * n * width + column, n, width, out, count);
                         for (std::size_t k = 0; k < count; ++k) out[k] = finished(f, out[k], length);
                       }
                     });
}

void attend_rows_f32(const AttendRows& rows, float* factors) {
  HWY_DYNAMIC_DISPATCH(attend_rows)(rows, factors);
}
void scale_rows_f32(float* y, std::size_t row, std::size_t rows, std::size_t columns, const float* factors) {
  HWY_DYNAMIC_DISPATCH(scale_rows)(y, row, rows, columns, factors);
}

void softmax_f32(const float* x, std::int64_t rows, std::int64_t length, bool logarithm, float* y) {
  const auto n = static_cast<std::size_t>(length);
  if (n == 0) return;
  const auto function = HWY_DYNAMIC_DISPATCH(softmax_row);
  base::parallel_for(0, static_cast<std::size_t>(rows), rows_per_piece(4 * n), [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) function(x + i * n, y + i * n, n, logarithm);
  });
}

void layer_normalization_f32(const float* x, std::int64_t rows, std::int64_t length, const float* scale,
                             const float* bias, float epsilon, float* y, float* mean, float* inverse) {
  const auto n = static_cast<std::size_t>(length);
  if (n == 0) return;
  const auto function = HWY_DYNAMIC_DISPATCH(layer_norm_row);
  // A piece for each thread as long as they are short: rows are alike, and what a thread takes besides, another one
  // wrote.
  const auto count = static_cast<std::size_t>(rows);
  const auto threads = static_cast<std::size_t>(base::thread_budget());
  const std::size_t useful = std::clamp<std::size_t>(count * n / kElementGrain, 1, threads);
  const std::size_t pieces = useful * std::max<std::size_t>(1, count * n / (useful * 16 * kElementGrain));
  base::parallel_for(0, count, std::max<std::size_t>(1, (count + pieces - 1) / pieces),
                     [&](std::size_t begin, std::size_t end) {
                       for (std::size_t i = begin; i < end; ++i)
                         function(x + i * n, y + i * n, n, scale, bias, epsilon, mean == nullptr ? nullptr : mean + i,
                                  inverse == nullptr ? nullptr : inverse + i);
                     });
}

}  // namespace skerry::kernels
#endif
