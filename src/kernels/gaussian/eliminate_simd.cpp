#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/gaussian/eliminate_simd.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <skerry/error.hpp>
#include <string>

#include "kernels/gaussian/eliminate.hpp"

HWY_BEFORE_NAMESPACE();
namespace skerry::kernels::gaussian {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr std::size_t kTogether = 4;

/// row[j] -= sum over k of weights[k] * pivots[k][j], for begin <= j < end.
template <std::size_t Count>
void subtract(const double* const (&pivots)[kTogether], const double (&weights)[kTogether], std::size_t begin,
              std::size_t end, double* row) {
  const hn::ScalableTag<double> d;
  hn::Vec<decltype(d)> w[Count];
  for (std::size_t k = 0; k < Count; ++k) w[k] = hn::Set(d, weights[k]);
  std::size_t j = begin;
  for (; j + hn::Lanes(d) <= end; j += hn::Lanes(d)) {
    auto value = hn::LoadU(d, row + j);
    for (std::size_t k = 0; k < Count; ++k) value = hn::NegMulAdd(w[k], hn::LoadU(d, pivots[k] + j), value);
    hn::StoreU(value, d, row + j);
  }
  for (; j < end; ++j)
    for (std::size_t k = 0; k < Count; ++k) row[j] -= weights[k] * pivots[k][j];
}

/// False where a pivot is not positive.
bool run(std::size_t size, std::size_t count, double* matrix, double* vector) {
  const double* pivots[kTogether] = {};
  double inverse[kTogether] = {}, weights[kTogether] = {};
  for (std::size_t first = 0; first < count; first += kTogether) {
    const std::size_t here = std::min(kTogether, count - first), end = first + here;
    for (std::size_t k = first; k < end; ++k) {
      double* row = matrix + k * size;
      for (std::size_t p = first; p < k; ++p) {
        const double weight = matrix[p * size + k] * inverse[p - first];
        for (std::size_t j = k; j < size; ++j) row[j] -= weight * matrix[p * size + j];
        vector[k] -= weight * vector[p];
      }
      if (!(row[k] > 0)) return false;
      pivots[k - first] = row;
      inverse[k - first] = 1 / row[k];
    }
    for (std::size_t i = end; i < size; ++i) {
      for (std::size_t k = 0; k < here; ++k) {
        weights[k] = pivots[k][i] * inverse[k];
        vector[i] -= weights[k] * vector[first + k];
      }
      if (here == kTogether) {
        subtract<kTogether>(pivots, weights, i, size, matrix + i * size);
      } else {
        for (std::size_t k = 0; k < here; ++k)
          for (std::size_t j = i; j < size; ++j) matrix[i * size + j] -= weights[k] * pivots[k][j];
      }
    }
  }
  return true;
}

}  // namespace HWY_NAMESPACE
}  // namespace skerry::kernels::gaussian
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace skerry::kernels::gaussian {
HWY_EXPORT(run);

void eliminate(std::size_t size, std::size_t count, std::span<double> matrix, std::span<double> vector) {
  if (!HWY_DYNAMIC_DISPATCH(run)(size, count, matrix.data(), vector.data()))
    throw Error(ErrorCode::invalid_argument, "a covariance that is not positive definite", "Gaussian state",
                "pass the covariance of a state");
}
}  // namespace skerry::kernels::gaussian
#endif
