// Normalisations of f32 over groups, and along an axis that has others behind it: a block of neighbouring columns is
// walked down together. Compiled once for every instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/tensor/columns.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// after highway.h
#include "kernels/tensor/functions_simd.hpp"
//
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/threads.hpp"
#include "kernels/tensor/broadcast.hpp"
#include "kernels/tensor/columns.hpp"
#include "kernels/tensor/normalize.hpp"
#include "kernels/tensor/reduce.hpp"

HWY_BEFORE_NAMESPACE();
namespace skerry::kernels::HWY_NAMESPACE {

// Calls f(d, i) for vectors of neighbours, and for single ones at the end. Not left to the compiler: what it makes of a
// loop takes ten times the room.
template <class F>
HWY_INLINE void lanes(std::size_t count, F&& f) {
  const D d;
  std::size_t i = 0;
  for (; i + hn::Lanes(d) <= count; i += hn::Lanes(d)) f(d, i);
  const hn::CappedTag<float, 1> one;
  for (; i < count; ++i) f(one, i);
}

// The sum of terms of x - shift; pieces in f32, so that vectors are full, their sum in f64.
double sum_of_terms(Term term, const float* x, std::size_t count, float shift) {
  constexpr std::size_t kPiece = 4096;
  const D d;
  const std::size_t n = hn::Lanes(d);
  const V offset = hn::Set(d, shift);
  const auto term_of = [&](const float* at) HWY_ATTR {
    const V v = hn::Sub(hn::LoadU(d, at), offset);
    return term == Term::value ? v : term == Term::square ? hn::Mul(v, v) : hn::Abs(v);
  };
  double total = 0.0;
  for (std::size_t begin = 0; begin < count; begin += kPiece) {
    const std::size_t end = std::min(begin + kPiece, count);
    V a = hn::Zero(d), b = a, c = a, e = a;
    std::size_t i = begin;
    for (; i + 4 * n <= end; i += 4 * n) {
      a = hn::Add(a, term_of(x + i));
      b = hn::Add(b, term_of(x + i + n));
      c = hn::Add(c, term_of(x + i + 2 * n));
      e = hn::Add(e, term_of(x + i + 3 * n));
    }
    for (; i + n <= end; i += n) a = hn::Add(a, term_of(x + i));
    total += static_cast<double>(hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(a, b), hn::Add(c, e)))));
    for (; i < end; ++i) {
      const float away = x[i] - shift;
      total += static_cast<double>(term == Term::value ? away : term == Term::square ? away * away : std::abs(away));
    }
  }
  return total;
}

// y = (x - shift) * factor * (scale[i] or 1) + bias
void affine(const float* x, std::size_t count, float shift, float factor, const float* scale, float bias, float* y) {
  lanes(count, [&](auto d, std::size_t i) HWY_ATTR {
    auto v = hn::Mul(hn::Sub(hn::LoadU(d, x + i), hn::Set(d, shift)), hn::Set(d, factor));
    if (scale != nullptr) v = hn::Mul(v, hn::LoadU(d, scale + i));
    hn::StoreU(hn::Add(v, hn::Set(d, bias)), d, y + i);
  });
}

// sum += the terms of one row of columns.
void add_row(Term term, const float* x, std::size_t count, float* sum) {
  lanes(count, [&](auto d, std::size_t i) HWY_ATTR {
    const auto v = hn::LoadU(d, x + i);
    hn::StoreU(hn::Add(hn::LoadU(d, sum + i), term == Term::square ? hn::Mul(v, v) : hn::Abs(v)), d, sum + i);
  });
}

// y = x * factors, which differ from column to column.
void scale_row(const float* x, const float* factors, std::size_t count, float* y) {
  lanes(count, [&](auto d, std::size_t i)
                   HWY_ATTR { hn::StoreU(hn::Mul(hn::LoadU(d, x + i), hn::LoadU(d, factors + i)), d, y + i); });
}

// sum += exp(x - highest), which is stored where y is not null.
void exp_columns(const float* x, const float* highest, std::size_t count, float* sum, float* y) {
  const D d;
  const std::size_t n = hn::Lanes(d);
  HWY_ALIGN float part[hn::MaxLanes(d)];
  for (std::size_t i = 0; i < count; i += n) {
    const std::size_t here = std::min(n, count - i);
    std::copy_n(x + i, here, part);
    std::fill(part + here, part + n, 0.0F);
    const V e =
        exp_below_zero(d, hn::Sub(here == n ? hn::LoadU(d, x + i) : hn::Load(d, part), hn::LoadU(d, highest + i)));
    hn::StoreU(hn::Add(hn::LoadU(d, sum + i), e), d, sum + i);
    if (y == nullptr) continue;
    if (here == n) {
      hn::StoreU(e, d, y + i);
    } else {
      hn::Store(e, d, part);
      std::copy_n(part, here, y + i);
    }
  }
}

// The largest of each column, of kColumns that are not all there; not-a-number where one of them is none.
void highest_of_columns(const Columns& c, float* highest) {
  std::fill_n(highest, kColumns, -std::numeric_limits<float>::infinity());
  for (std::size_t k = 0; k < c.length; ++k) {
    const float* x = c.x + k * c.stride;
    lanes(c.count, [&](auto d, std::size_t i) HWY_ATTR {
      const auto v = hn::LoadU(d, x + i), most = hn::LoadU(d, highest + i);
      hn::StoreU(hn::IfThenElse(hn::Or(hn::Gt(v, most), hn::IsNaN(v)), v, most), d, highest + i);
    });
  }
}

// y[i] = ln of the sum of e^x over column i; what is infinite or no number is not taken from itself.
void log_sum_exp_columns(const Columns& c, float* y) {
  float highest[kColumns], sum[kColumns] = {};
  highest_of_columns(c, highest);
  for (std::size_t k = 0; k < c.length; ++k) exp_columns(c.x + k * c.stride, highest, c.count, sum, nullptr);
  for (std::size_t i = 0; i < c.count; ++i)
    y[i] = std::abs(highest[i]) <= std::numeric_limits<float>::max() ? highest[i] + std::log(sum[i]) : highest[i];
}

void softmax_columns(const Columns& c, bool logarithm) {
  float highest[kColumns], sum[kColumns] = {};
  highest_of_columns(c, highest);
  for (std::size_t k = 0; k < c.length; ++k)
    exp_columns(c.x + k * c.stride, highest, c.count, sum, logarithm ? nullptr : c.y + k * c.stride);
  for (std::size_t i = 0; i < c.count; ++i) sum[i] = logarithm ? highest[i] + std::log(sum[i]) : 1.0F / sum[i];
  for (std::size_t k = 0; k < c.length; ++k) {
    const float* x = c.x + k * c.stride;
    float* y = c.y + k * c.stride;
    if (!logarithm) {
      scale_row(y, sum, c.count, y);
      continue;
    }
    lanes(c.count, [&](auto d, std::size_t i)
                       HWY_ATTR { hn::StoreU(hn::Sub(hn::LoadU(d, x + i), hn::LoadU(d, sum + i)), d, y + i); });
  }
}

void lp_columns(const Columns& c, bool squares) {
  float sum[kColumns] = {};
  for (std::size_t k = 0; k < c.length; ++k)
    add_row(squares ? Term::square : Term::magnitude, c.x + k * c.stride, c.count, sum);
  for (std::size_t i = 0; i < c.count; ++i) {
    const float norm = squares ? std::sqrt(sum[i]) : sum[i];
    sum[i] = norm == 0.0F ? 0.0F : 1.0F / norm;
  }
  for (std::size_t k = 0; k < c.length; ++k) scale_row(c.x + k * c.stride, sum, c.count, c.y + k * c.stride);
}

void neighbour_columns(const Columns& c, const NeighbourNorm& n) {
  float sum[kColumns];
  const auto length = static_cast<std::int64_t>(c.length);
  for (std::int64_t k = 0; k < length; ++k) {
    std::fill_n(sum, kColumns, 0.0F);
    for (std::int64_t j = std::max<std::int64_t>(0, k - n.before); j <= std::min(length - 1, k + n.behind); ++j)
      add_row(Term::square, c.x + static_cast<std::size_t>(j) * c.stride, c.count, sum);
    const std::size_t at = static_cast<std::size_t>(k) * c.stride;
    const float* x = c.x + at;
    float* y = c.y + at;
    if (n.beta != 0.75F) {
      for (std::size_t i = 0; i < c.count; ++i) y[i] = x[i] / std::pow(n.bias + n.alpha * sum[i], n.beta);
      continue;
    }
    lanes(c.count, [&](auto d, std::size_t i) HWY_ATTR {
      const auto root = hn::Sqrt(hn::MulAdd(hn::Set(d, n.alpha), hn::LoadU(d, sum + i), hn::Set(d, n.bias)));
      hn::StoreU(hn::Div(hn::LoadU(d, x + i), hn::Mul(root, hn::Sqrt(root))), d, y + i);
    });
  }
}

void cumulate_columns(const Columns& c, bool exclusive, bool reverse) {
  double total[kColumns] = {};
  for (std::size_t turn = 0; turn < c.length; ++turn) {
    const std::size_t at = (reverse ? c.length - 1 - turn : turn) * c.stride;
    const hn::ScalableTag<double> d;
    const hn::Rebind<float, decltype(d)> narrow;
    std::size_t i = 0;
    for (; i + hn::Lanes(d) <= c.count; i += hn::Lanes(d)) {
      const auto before = hn::LoadU(d, total + i);
      const auto after = hn::Add(before, hn::PromoteTo(d, hn::LoadU(narrow, c.x + at + i)));
      hn::StoreU(after, d, total + i);
      hn::StoreU(hn::DemoteTo(narrow, exclusive ? before : after), narrow, c.y + at + i);
    }
    for (; i < c.count; ++i) {
      const double before = total[i];
      total[i] += static_cast<double>(c.x[at + i]);
      c.y[at + i] = static_cast<float>(exclusive ? before : total[i]);
    }
  }
}

// Of `count` elements, each against the best of its column, all of them times `sign`: places[i] = first + each * i
// where one is better, or as good and `last` counts.
void better_of(const float* x, float sign, bool last, std::int32_t first, std::int32_t each, std::size_t count,
               float* best, std::int32_t* places) {
  lanes(count, [&](auto d, std::size_t i) HWY_ATTR {
    const hn::RebindToSigned<decltype(d)> di;
    const auto v = hn::Mul(hn::LoadU(d, x + i), hn::Set(d, sign)), old = hn::LoadU(d, best + i);
    const auto better = last ? hn::Ge(v, old) : hn::Gt(v, old);
    const auto at =
        hn::Add(hn::Set(di, first + each * static_cast<std::int32_t>(i)), hn::Mul(hn::Iota(di, 0), hn::Set(di, each)));
    hn::StoreU(hn::IfThenElse(better, v, old), d, best + i);
    hn::StoreU(hn::IfThenElse(hn::RebindMask(di, better), at, hn::LoadU(di, places + i)), di, places + i);
  });
}

// A row is folded: the first number of all, unless it is none, then the best of every 64th element, then of these.
std::int64_t arg_row(const float* x, std::size_t count, float sign, bool last) {
  constexpr std::size_t kFold = 64;
  float best[kFold];
  std::int32_t places[kFold] = {};
  if (x[0] != x[0]) return 0;
  std::fill_n(best, kFold, sign * x[0]);
  for (std::size_t k = 0; k < count; k += kFold)
    better_of(x + k, sign, last, static_cast<std::int32_t>(k), 1, std::min(kFold, count - k), best, places);
  const D d;
  const hn::RebindToSigned<D> di;
  V most = hn::Set(d, best[0]);
  for (std::size_t i = 0; i < kFold; i += hn::Lanes(d)) most = hn::Max(most, hn::LoadU(d, best + i));
  most = hn::MaxOfLanes(d, most);
  // The place nearest to the end that counts; the others are as far from it as can be.
  auto nearest = hn::Set(di, last ? -1 : std::numeric_limits<std::int32_t>::max());
  for (std::size_t i = 0; i < kFold; i += hn::Lanes(d)) {
    const auto is_best = hn::RebindMask(di, hn::Eq(hn::LoadU(d, best + i), most));
    const auto at = hn::LoadU(di, places + i), nearer = last ? hn::Max(nearest, at) : hn::Min(nearest, at);
    nearest = hn::IfThenElse(is_best, nearer, nearest);
  }
  return hn::GetLane(last ? hn::MaxOfLanes(di, nearest) : hn::MinOfLanes(di, nearest));
}

void arg_extreme(const Columns& c, bool largest, bool last, std::int64_t* y) {
  const float sign = largest ? 1.0F : -1.0F;
  if (c.stride == 1) {
    y[0] = arg_row(c.x, c.length, sign, last);
    return;
  }
  float best[kColumns];
  std::int32_t places[kColumns] = {};
  for (std::size_t i = 0; i < c.count; ++i) best[i] = sign * c.x[i];
  for (std::size_t k = 1; k < c.length; ++k)
    better_of(c.x + k * c.stride, sign, last, static_cast<std::int32_t>(k), 0, c.count, best, places);
  for (std::size_t i = 0; i < c.count; ++i) y[i] = places[i];
}

}  // namespace skerry::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace skerry::kernels {
namespace {

HWY_EXPORT(sum_of_terms);
HWY_EXPORT(affine);
HWY_EXPORT(softmax_columns);
HWY_EXPORT(log_sum_exp_columns);
HWY_EXPORT(lp_columns);
HWY_EXPORT(neighbour_columns);
HWY_EXPORT(cumulate_columns);
HWY_EXPORT(arg_extreme);

std::size_t pieces(std::int64_t elements) {
  return std::max<std::size_t>(1, kElementGrain / static_cast<std::size_t>(std::max<std::int64_t>(elements, 1)));
}

double sum_of(Term term, const float* x, std::int64_t count, float shift = 0.0F) {
  return HWY_DYNAMIC_DISPATCH(sum_of_terms)(term, x, static_cast<std::size_t>(count), shift);
}

// Calls run(columns, where they begin) for blocks of columns of x as [outer, length, inner].
template <class Run>
void for_columns(const float* x, std::int64_t outer, std::int64_t length, std::int64_t inner, float* y, Run&& run) {
  const auto width = static_cast<std::size_t>(inner), rows = static_cast<std::size_t>(length);
  const std::size_t blocks = (width + kColumns - 1) / kColumns;
  base::parallel_for(
      0, static_cast<std::size_t>(outer) * blocks,
      pieces(length * static_cast<std::int64_t>(std::min(width, kColumns))), [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) {
          const std::size_t column = i % blocks * kColumns, o = i / blocks;
          const std::size_t at = o * rows * width + column;
          run(Columns{x + at, rows, width, std::min(kColumns, width - column), y == nullptr ? nullptr : y + at},
              o * width + column);
        }
      });
}

}  // namespace

void softmax_columns_f32(const float* x, std::int64_t outer, std::int64_t length, std::int64_t inner, bool logarithm,
                         float* y) {
  for_columns(x, outer, length, inner, y, [&](const Columns& c, std::size_t) {
    HWY_DYNAMIC_DISPATCH(softmax_columns)(c, logarithm);
  });
}

void log_sum_exp_columns_f32(const float* x, std::int64_t outer, std::int64_t length, std::int64_t inner, float* y) {
  for_columns(x, outer, length, inner, nullptr, [&](const Columns& c, std::size_t at) {
    HWY_DYNAMIC_DISPATCH(log_sum_exp_columns)(c, y + at);
  });
}

void group_normalization_f32(const Groups& groups, const float* x, std::int64_t channels, const float* scale,
                             const float* bias, double epsilon, double offset, float* y) {
  const auto count = static_cast<double>(groups.runs * groups.length);
  base::parallel_for(0, static_cast<std::size_t>(groups.count), pieces(groups.runs * groups.length),
                     [&](std::size_t begin, std::size_t end) {
                       for (auto g = static_cast<std::int64_t>(begin); g < static_cast<std::int64_t>(end); ++g) {
                         const std::int64_t first = g * groups.step;
                         double sum = 0.0, squares = 0.0;
                         for (std::int64_t r = 0; r < groups.runs; ++r)
                           sum += sum_of(Term::value, x + first + r * groups.run_step, groups.length);
                         const auto mean = static_cast<float>(sum / count);
                         for (std::int64_t r = 0; r < groups.runs; ++r)
                           squares += sum_of(Term::square, x + first + r * groups.run_step, groups.length, mean);
                         const auto factor = static_cast<float>(1.0 / (std::sqrt(squares / count + epsilon) + offset));
                         for (std::int64_t r = 0; r < groups.runs; ++r) {
                           const std::int64_t at = first + r * groups.run_step, c = (g * groups.runs + r) % channels;
                           HWY_DYNAMIC_DISPATCH(affine)
                           (x + at, static_cast<std::size_t>(groups.length), mean,
                            scale == nullptr ? factor : factor * scale[c], nullptr, bias == nullptr ? 0.0F : bias[c],
                            y + at);
                         }
                       }
                     });
}

void affine_f32(const float* x, std::int64_t count, float factor, float offset, float* y) {
  HWY_DYNAMIC_DISPATCH(affine)(x, static_cast<std::size_t>(count), 0.0F, factor, nullptr, offset, y);
}

void rms_normalization_f32(const float* x, std::int64_t rows, std::int64_t length, const float* scale, double epsilon,
                           float* y) {
  base::parallel_for(0, static_cast<std::size_t>(rows), pieces(length), [&](std::size_t begin, std::size_t end) {
    for (std::size_t row = begin; row < end; ++row) {
      const float* from = x + row * static_cast<std::size_t>(length);
      const double squares = sum_of(Term::square, from, length) / static_cast<double>(length);
      HWY_DYNAMIC_DISPATCH(affine)
      (from, static_cast<std::size_t>(length), 0.0F, static_cast<float>(1.0 / std::sqrt(squares + epsilon)), scale,
       0.0F, y + row * static_cast<std::size_t>(length));
    }
  });
}

void lp_normalization_f32(const float* x, std::int64_t outer, std::int64_t length, std::int64_t inner, bool squares,
                          float* y) {
  if (inner != 1)
    return for_columns(x, outer, length, inner, y, [&](const Columns& c, std::size_t) {
      HWY_DYNAMIC_DISPATCH(lp_columns)(c, squares);
    });
  base::parallel_for(0, static_cast<std::size_t>(outer), pieces(length), [&](std::size_t begin, std::size_t end) {
    for (std::size_t row = begin; row < end; ++row) {
      const float* from = x + row * static_cast<std::size_t>(length);
      const double sum = sum_of(squares ? Term::square : Term::magnitude, from, length);
      const double norm = squares ? std::sqrt(sum) : sum;
      HWY_DYNAMIC_DISPATCH(affine)
      (from, static_cast<std::size_t>(length), 0.0F, norm == 0.0 ? 0.0F : static_cast<float>(1.0 / norm), nullptr, 0.0F,
       y + row * static_cast<std::size_t>(length));
    }
  });
}

void neighbour_normalization_f32(const NeighbourNorm& norm, const float* x, float* y) {
  for_columns(x, norm.outer, norm.length, norm.inner, y, [&](const Columns& c, std::size_t) {
    HWY_DYNAMIC_DISPATCH(neighbour_columns)(c, norm);
  });
}

void cumulative_sum_f32(const float* x, std::int64_t outer, std::int64_t length, std::int64_t inner, bool exclusive,
                        bool reverse, float* y) {
  for_columns(x, outer, length, inner, y, [&](const Columns& c, std::size_t) {
    HWY_DYNAMIC_DISPATCH(cumulate_columns)(c, exclusive, reverse);
  });
}

void arg_extreme_f32(const float* x, std::int64_t outer, std::int64_t length, std::int64_t inner, bool largest,
                     bool last, std::int64_t* y) {
  for_columns(x, outer, length, inner, nullptr, [&](const Columns& c, std::size_t at) {
    HWY_DYNAMIC_DISPATCH(arg_extreme)(c, largest, last, y + at);
  });
}

}  // namespace skerry::kernels
#endif
