#include <algorithm>
#include <cmath>

#include "base/threads.hpp"
#include "kernels/tensor/broadcast.hpp"
#include "kernels/tensor/normalize.hpp"
#include "kernels/tensor/numeric.hpp"

namespace skerry::kernels {
namespace {

std::size_t rows_per_piece(std::int64_t length) {
  return std::max<std::size_t>(1, kElementGrain / static_cast<std::size_t>(std::max<std::int64_t>(length, 1)));
}

double element(TensorView x, std::int64_t i) {
  double out = 0.0;
  visit(Reals{}, x.dtype(), [&]<class T>() { out = convert<double>(reinterpret_cast<const T*>(x.data())[i]); });
  return out;
}

void set_element(MutableTensorView x, std::int64_t i, double value) {
  visit(Reals{}, x.dtype(), [&]<class T>() { reinterpret_cast<T*>(x.data())[i] = convert<T>(value); });
}

template <class T>
void softmax_line(const T* x, std::int64_t length, std::int64_t inner, bool logarithm, T* y) {
  double highest = convert<double>(x[0]);
  for (std::int64_t k = 1; k < length; ++k) highest = std::max(highest, convert<double>(x[k * inner]));
  double sum = 0.0;
  for (std::int64_t k = 0; k < length; ++k) sum += std::exp(convert<double>(x[k * inner]) - highest);
  for (std::int64_t k = 0; k < length; ++k) {
    const double shifted = convert<double>(x[k * inner]) - highest;
    y[k * inner] = convert<T>(logarithm ? shifted - std::log(sum) : std::exp(shifted) / sum);
  }
}

}  // namespace

void softmax(TensorView x, std::int64_t outer, std::int64_t length, std::int64_t inner, bool logarithm,
             MutableTensorView y) {
  if (length == 0) return;
  visit(Reals{}, x.dtype(), [&]<class T>() {
    const T* in = reinterpret_cast<const T*>(x.data());
    T* out = reinterpret_cast<T*>(y.data());
    base::parallel_for(0, static_cast<std::size_t>(outer * inner), rows_per_piece(length),
                       [&](std::size_t begin, std::size_t end) {
                         for (std::size_t i = begin; i < end; ++i) {
                           const auto at = static_cast<std::int64_t>(i);
                           const std::int64_t start = at / inner * length * inner + at % inner;
                           softmax_line(in + start, length, inner, logarithm, out + start);
                         }
                       });
  });
}

void batch_normalization(TensorView x, TensorView scale, TensorView bias, TensorView mean, TensorView variance,
                         double epsilon, MutableTensorView y) {
  const std::int64_t channels = x.shape().rank() < 2 ? 1 : x.shape()[1];
  const std::int64_t planes = x.shape().rank() == 0 ? 1 : x.shape()[0] * channels;
  const std::int64_t size = planes == 0 ? 0 : x.elements() / planes;
  visit(Reals{}, x.dtype(), [&]<class T>() {
    const T* in = reinterpret_cast<const T*>(x.data());
    T* out = reinterpret_cast<T*>(y.data());
    base::parallel_for(0, static_cast<std::size_t>(planes), rows_per_piece(size),
                       [&](std::size_t begin, std::size_t end) {
                         for (std::size_t plane = begin; plane < end; ++plane) {
                           const std::int64_t c = static_cast<std::int64_t>(plane) % channels;
                           using C = Compute<T>;
                           const double slope = element(scale, c) / std::sqrt(element(variance, c) + epsilon);
                           const auto factor = static_cast<C>(slope);
                           const auto shift = static_cast<C>(element(bias, c) - element(mean, c) * slope);
                           const T* from = in + static_cast<std::int64_t>(plane) * size;
                           T* to = out + static_cast<std::int64_t>(plane) * size;
                           if constexpr (std::is_same_v<T, float>) {
                             affine_f32(from, size, factor, shift, to);
                           } else {
                             for (std::int64_t i = 0; i < size; ++i)
                               to[i] = T(static_cast<C>(from[i]) * factor + shift);
                           }
                         }
                       });
  });
}

void layer_normalization(TensorView x, std::int64_t length, TensorView scale, TensorView bias, double epsilon,
                         MutableTensorView y, MutableTensorView mean, MutableTensorView inverse) {
  if (length == 0) return;
  visit(Reals{}, x.dtype(), [&]<class T>() {
    const T* in = reinterpret_cast<const T*>(x.data());
    T* out = reinterpret_cast<T*>(y.data());
    const auto rows = static_cast<std::size_t>(x.elements() / length);
    base::parallel_for(0, rows, rows_per_piece(length), [&](std::size_t begin, std::size_t end) {
      for (std::size_t row = begin; row < end; ++row) {
        const auto r = static_cast<std::int64_t>(row);
        const T* from = in + r * length;
        double sum = 0.0;
        for (std::int64_t i = 0; i < length; ++i) sum += convert<double>(from[i]);
        const double centre = sum / static_cast<double>(length);
        double squares = 0.0;
        for (std::int64_t i = 0; i < length; ++i) {
          const double distance = convert<double>(from[i]) - centre;
          squares += distance * distance;
        }
        const double factor = 1.0 / std::sqrt(squares / static_cast<double>(length) + epsilon);
        if (!mean.empty()) set_element(mean, r, centre);
        if (!inverse.empty()) set_element(inverse, r, factor);
        for (std::int64_t i = 0; i < length; ++i) {
          const double normal = (convert<double>(from[i]) - centre) * factor;
          out[r * length + i] = convert<T>(normal * element(scale, i) + (bias.empty() ? 0.0 : element(bias, i)));
        }
      }
    });
  });
}

}  // namespace skerry::kernels
