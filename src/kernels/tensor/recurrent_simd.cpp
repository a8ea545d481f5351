// A row times a matrix and the gates of a step in vectors: what recurrent layers are made of. Compiled once for every
// instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/tensor/recurrent_simd.cpp"
#ifndef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#endif
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// after highway.h
#include "kernels/tensor/functions_simd.hpp"
//
#include <algorithm>
#include <cstddef>

#include "kernels/tensor/recurrent.hpp"
#include "kernels/tensor/recurrent_gates.hpp"

HWY_BEFORE_NAMESPACE();
namespace skerry::kernels::HWY_NAMESPACE {

// Sums of N vectors of columns stay in registers over all rows.
template <std::size_t N>
HWY_INLINE void columns_of(const float* x, const float* a, std::size_t rows, std::size_t stride, float* out) {
  const hn::ScalableTag<float> d;
  const std::size_t lanes = hn::Lanes(d);
  hn::Vec<decltype(d)> sum[N];
  _Pragma("GCC unroll 8") for (std::size_t n = 0; n < N; ++n) sum[n] = hn::LoadU(d, out + n * lanes);
  for (std::size_t k = 0; k < rows; ++k) {
    const auto factor = hn::Set(d, x[k]);
    _Pragma("GCC unroll 8") for (std::size_t n = 0; n < N; ++n) sum[n] =
        hn::MulAdd(factor, hn::LoadU(d, a + k * stride + n * lanes), sum[n]);
  }
  _Pragma("GCC unroll 8") for (std::size_t n = 0; n < N; ++n) hn::StoreU(sum[n], d, out + n * lanes);
}

void row_times_matrix(const float* x, const float* a, std::size_t rows, std::size_t columns, std::size_t stride,
                      float* out) {
  const std::size_t lanes = hn::Lanes(hn::ScalableTag<float>());
  std::size_t j = 0;
  for (; j + 8 * lanes <= columns; j += 8 * lanes) columns_of<8>(x, a + j, rows, stride, out + j);
  for (; j + lanes <= columns; j += lanes) columns_of<1>(x, a + j, rows, stride, out + j);
  for (; j < columns; ++j) {
    float sum = out[j];
    for (std::size_t k = 0; k < rows; ++k) sum += x[k] * a[k * stride + j];
    out[j] = sum;
  }
}

// Vectors of a row that may end before a whole one does: the rest goes through a buffer.
class Row {
 public:
  Row(std::size_t at, std::size_t count) : at_(at), count_(std::min(hn::Lanes(D()), count - at)) {}
  V load(const float* from) const {
    if (count_ == hn::Lanes(D())) return hn::LoadU(D(), from + at_);
    HWY_ALIGN float buffer[hn::MaxLanes(D())] = {};
    std::copy_n(from + at_, count_, buffer);
    return hn::Load(D(), buffer);
  }
  void store(V v, float* to) const {
    if (count_ == hn::Lanes(D())) return hn::StoreU(v, D(), to + at_);
    HWY_ALIGN float buffer[hn::MaxLanes(D())];
    hn::Store(v, D(), buffer);
    std::copy_n(buffer, count_, to + at_);
  }

 private:
  std::size_t at_, count_;
};

void lstm_step(const float* gates, float* c, float* h, std::size_t hidden) {
  const D d;
  for (std::size_t j = 0; j < hidden; j += hn::Lanes(d)) {
    const Row row(j, hidden);
    const V in = sigmoid(d, row.load(gates)), forget = sigmoid(d, row.load(gates + 2 * hidden));
    const V fresh = tanh(d, row.load(gates + 3 * hidden));
    const V state = hn::MulAdd(forget, row.load(c), hn::Mul(in, fresh));
    row.store(state, c);
    row.store(hn::Mul(sigmoid(d, row.load(gates + hidden)), tanh(d, state)), h);
  }
}

void reset_step(const float* r, const float* h, float* reset_h, std::size_t hidden) {
  const D d;
  for (std::size_t j = 0; j < hidden; j += hn::Lanes(d)) {
    const Row row(j, hidden);
    row.store(hn::Mul(sigmoid(d, row.load(r)), row.load(h)), reset_h);
  }
}

void gru_step(const float* gates, const float* linear, float* h, std::size_t hidden) {
  const D d;
  for (std::size_t j = 0; j < hidden; j += hn::Lanes(d)) {
    const Row row(j, hidden);
    V candidate = row.load(gates + 2 * hidden);
    if (linear != nullptr) candidate = hn::MulAdd(sigmoid(d, row.load(gates + hidden)), row.load(linear), candidate);
    candidate = tanh(d, candidate);
    const V update = sigmoid(d, row.load(gates));
    row.store(hn::MulAdd(update, hn::Sub(row.load(h), candidate), candidate), h);
  }
}

}  // namespace skerry::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace skerry::kernels {
HWY_EXPORT(row_times_matrix);

void add_row_times_matrix(const float* x, const float* a, std::size_t rows, std::size_t columns, std::size_t stride,
                          float* out) {
  HWY_DYNAMIC_DISPATCH(row_times_matrix)(x, a, rows, columns, stride, out);
}

HWY_EXPORT(lstm_step);
HWY_EXPORT(reset_step);
HWY_EXPORT(gru_step);

void lstm_gates(const float* gates, float* c, float* h, std::size_t hidden) {
  HWY_DYNAMIC_DISPATCH(lstm_step)(gates, c, h, hidden);
}
void gru_reset(const float* r, const float* h, float* reset_h, std::size_t hidden) {
  HWY_DYNAMIC_DISPATCH(reset_step)(r, h, reset_h, hidden);
}
void gru_gates(const float* gates, const float* linear, float* h, std::size_t hidden) {
  HWY_DYNAMIC_DISPATCH(gru_step)(gates, linear, h, hidden);
}

}  // namespace skerry::kernels
#endif
