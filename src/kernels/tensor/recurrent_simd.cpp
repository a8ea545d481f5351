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

// What a vector has beyond the end of a row goes through a buffer.
HWY_NOINLINE V load_some(const float* from, std::size_t count) {
  HWY_ALIGN float buffer[hn::MaxLanes(D())] = {};
  std::copy_n(from, count, buffer);
  return hn::Load(D(), buffer);
}
HWY_NOINLINE void store_some(V v, float* to, std::size_t count) {
  HWY_ALIGN float buffer[hn::MaxLanes(D())];
  hn::Store(v, D(), buffer);
  std::copy_n(buffer, count, to);
}

// Vectors of a row that may end before a whole one does.
class Row {
 public:
  Row(std::size_t at, std::size_t count) : at_(at), count_(std::min(hn::Lanes(D()), count - at)) {}
  V load(const float* from) const {
    return count_ == hn::Lanes(D()) ? hn::LoadU(D(), from + at_) : load_some(from + at_, count_);
  }
  void store(V v, float* to) const {
    if (count_ == hn::Lanes(D())) return hn::StoreU(v, D(), to + at_);
    store_some(v, to + at_, count_);
  }

 private:
  std::size_t at_, count_;
};

// Units [first, last).
void lstm_units(const float* gates, float* c, float* h, std::size_t hidden, std::size_t first, std::size_t last) {
  const D d;
  for (std::size_t j = first; j < last; j += hn::Lanes(d)) {
    const Row row(j, hidden);
    const V in = sigmoid(d, row.load(gates)), forget = sigmoid(d, row.load(gates + 2 * hidden));
    const V fresh = tanh(d, row.load(gates + 3 * hidden));
    const V state = hn::MulAdd(forget, row.load(c), hn::Mul(in, fresh));
    row.store(state, c);
    row.store(hn::Mul(sigmoid(d, row.load(gates + hidden)), tanh(d, state)), h);
  }
}
void lstm_step(const float* gates, float* c, float* h, std::size_t hidden) {
  lstm_units(gates, c, h, hidden, 0, hidden);
}

void reset_step(const float* r, const float* h, float* reset_h, std::size_t hidden) {
  const D d;
  for (std::size_t j = 0; j < hidden; j += hn::Lanes(d)) {
    const Row row(j, hidden);
    row.store(hn::Mul(sigmoid(d, row.load(r)), row.load(h)), reset_h);
  }
}

void gru_units(const float* gates, const float* linear, const float* h, float* next_h, std::size_t hidden,
               std::size_t first, std::size_t last) {
  const D d;
  for (std::size_t j = first; j < last; j += hn::Lanes(d)) {
    const Row row(j, hidden);
    V candidate = row.load(gates + 2 * hidden);
    if (linear != nullptr) candidate = hn::MulAdd(sigmoid(d, row.load(gates + hidden)), row.load(linear), candidate);
    candidate = tanh(d, candidate);
    const V update = sigmoid(d, row.load(gates));
    row.store(hn::MulAdd(update, hn::Sub(row.load(h), candidate), candidate), next_h);
  }
}
void gru_step(const float* gates, const float* linear, float* h, std::size_t hidden) {
  gru_units(gates, linear, h, h, hidden, 0, hidden);
}

// G vectors of products, of depths [0, depth): even and odd ones are added apart, so that no addition waits for
// another.
template <std::size_t G>
HWY_NOINLINE void multiply_units(const float* HWY_RESTRICT h, const float* HWY_RESTRICT w, std::size_t depth,
                                 float* HWY_RESTRICT out) {
  const D d;
  const std::size_t lanes = hn::Lanes(d);
  V sum[2][G];
  _Pragma("GCC unroll 4") for (std::size_t g = 0; g < G; ++g) sum[0][g] = sum[1][g] = hn::Zero(d);
  const auto add = [&](std::size_t k, std::size_t s) {
    const V left = hn::Set(d, h[k]);
    _Pragma("GCC unroll 4") for (std::size_t g = 0; g < G; ++g) sum[s][g] =
        hn::MulAdd(left, hn::LoadU(d, w + g * lanes), sum[s][g]);
    w += G * lanes;
  };
  std::size_t k = 0;
  for (; k + 2 <= depth; k += 2) {
    add(k, 0);
    add(k + 1, 1);
  }
  if (k < depth) add(k, 0);
  _Pragma("GCC unroll 4") for (std::size_t g = 0; g < G; ++g)
      hn::StoreU(hn::Add(sum[0][g], sum[1][g]), d, out + g * lanes);
}

// The products of the units from j on are added to the gates. The weights of the state's two halves are read in either
// order, and added in one.
template <std::size_t G>
void add_units(const RecurrentRow& p, std::size_t j, float* const (&gates)[G]) {
  const D d;
  const std::size_t lanes = hn::Lanes(d), half = p.hidden / 2;
  HWY_ALIGN float sums[2][G * hn::MaxLanes(D())];
  const float* const w = p.recurrence + j * p.hidden * G;
  for (std::size_t turn = 0; turn < 2; ++turn) {
    const bool upper = (turn == 1) != p.backwards;
    const std::size_t first = upper ? half : 0, depth = upper ? p.hidden - half : half;
    multiply_units<G>(p.h + first, w + first * G * lanes, depth, sums[upper ? 1 : 0]);
  }
  const Row row(j, p.hidden);
  for (std::size_t g = 0; g < G; ++g) {
    const V product = hn::Add(hn::LoadU(d, sums[0] + g * lanes), hn::LoadU(d, sums[1] + g * lanes));
    row.store(hn::Add(row.load(gates[g]), product), gates[g]);
  }
}

// f(first unit) for each vector of units. While the gates of one are computed, the weights of the next come.
void for_each_vector(const RecurrentRow& p, auto f) {
  const std::size_t lanes = hn::Lanes(D()), count = (p.hidden + lanes - 1) / lanes;
  for (std::size_t i = 0; i < count; ++i) f((p.backwards ? count - 1 - i : i) * lanes);
}

void lstm_of_row(const RecurrentRow& p, float* gates, float* c, float* next_h) {
  float* const each[] = {gates, gates + p.hidden, gates + 2 * p.hidden, gates + 3 * p.hidden};
  for_each_vector(p, [&](std::size_t j) {
    add_units<4>(p, j, each);
    lstm_units(gates, c, next_h, p.hidden, j, j + 1);
  });
}

void gru_of_row(const RecurrentRow& p, float* gates, float* linear, float* next_h) {
  float* const each[] = {gates, gates + p.hidden, linear};
  for_each_vector(p, [&](std::size_t j) {
    add_units<3>(p, j, each);
    gru_units(gates, linear, p.h, next_h, p.hidden, j, j + 1);
  });
}

std::size_t row_lanes() {
  return hn::Lanes(D());
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

HWY_EXPORT(lstm_of_row);
HWY_EXPORT(gru_of_row);
HWY_EXPORT(row_lanes);

void lstm_row(const RecurrentRow& row, float* gates, float* c, float* next_h) {
  HWY_DYNAMIC_DISPATCH(lstm_of_row)(row, gates, c, next_h);
}
void gru_row(const RecurrentRow& row, float* gates, float* linear, float* next_h) {
  HWY_DYNAMIC_DISPATCH(gru_of_row)(row, gates, linear, next_h);
}

std::size_t recurrent_row_floats(std::size_t gates, std::size_t hidden) noexcept {
  const std::size_t lanes = HWY_DYNAMIC_DISPATCH(row_lanes)();
  return (hidden + lanes - 1) / lanes * lanes * gates * hidden;
}

void pack_recurrent_row(const float* recurrence, std::size_t gates, std::size_t hidden, float* packed) {
  const std::size_t lanes = HWY_DYNAMIC_DISPATCH(row_lanes)();
  for (std::size_t first = 0; first < hidden; first += lanes) {
    for (std::size_t k = 0; k < hidden; ++k) {
      for (std::size_t g = 0; g < gates; ++g) {
        for (std::size_t unit = first; unit < first + lanes; ++unit)
          *packed++ = unit < hidden ? recurrence[(g * hidden + unit) * hidden + k] : 0.0F;
      }
    }
  }
}

}  // namespace skerry::kernels
#endif
