// The recurrences of gate elements, one gate in each lane, one source for every instruction set.

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/fock/gate_elements_simd.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>

#include "kernels/fock/elements.hpp"

HWY_BEFORE_NAMESPACE();
namespace skerry::kernels::fock {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Tag = hn::CappedTag<double, GateElements::kMaxWidth>;
using Vector = hn::Vec<Tag>;
using Numbers = std::array<double, GateElements::kMaxWidth>;
using Kind = GateElements::Kind;

/// row[i + 1] = row[i] * factor for `count` rows, the first of which is given.
void geometric(Tag d, Vector first, Vector factor, std::size_t count, double* row) {
  for (std::size_t i = 0; i < count; ++i, row += hn::Lanes(d)) {
    hn::Store(first, d, row);
    first = hn::Mul(first, factor);
  }
}

/// Fills the table of powers and gives the two numbers that the recurrences multiply by: the distances from either end,
/// or t² twice.
void fill_powers(Tag d, const GateElements& gate, std::span<const double> parameters, double* table, Numbers (&x)[2]) {
  const std::size_t lanes = hn::Lanes(d), first = gate.first_power(), rows = gate.rows_of_powers();
  Numbers base{}, factor{}, other{};
  for (std::size_t lane = 0; lane < lanes; ++lane) {
    const double p = parameters[lane < parameters.size() ? lane : 0];
    switch (gate.kind()) {
      case Kind::displacement:
        base[lane] = std::exp(-p * p / 2);
        factor[lane] = p;
        x[0][lane] = x[1][lane] = p * p;
        break;
      case Kind::beam_splitter:
        factor[lane] = std::cos(p);
        other[lane] = std::sin(p);
        x[0][lane] = 2 * other[lane] * other[lane];
        x[1][lane] = 2 * factor[lane] * factor[lane];
        break;
      case Kind::squeezing:
      case Kind::two_mode_squeezing: {
        const double u = std::expm1(2 * std::min(std::abs(p), 300.0));
        base[lane] = 2 * std::sqrt(u + 1) / (u + 2);  // sech
        other[lane] = std::copysign(u / (u + 2), p);  // tanh
        x[0][lane] = x[1][lane] = other[lane] * other[lane];
        break;
      }
    }
  }
  const auto one = hn::Set(d, 1.0), begin = hn::LoadU(d, base.data());
  const auto up = hn::LoadU(d, factor.data()), second = hn::LoadU(d, other.data());
  switch (gate.kind()) {
    case Kind::displacement: {
      auto row = begin;
      for (std::size_t k = 0; k + 1 < rows; ++k) {
        if (k > 0) row = hn::Mul(row, hn::Div(up, hn::Set(d, std::sqrt(static_cast<double>(k)))));
        hn::Store(row, d, table + k * lanes);
      }
      hn::Store(one, d, table + (rows - 1) * lanes);
      return;
    }
    case Kind::beam_splitter:
      geometric(d, one, up, first, table);
      geometric(d, one, second, rows - first, table + first * lanes);
      return;
    case Kind::squeezing:
      hn::Store(hn::Sqrt(begin), d, table);
      hn::Store(hn::Mul(hn::Sqrt(begin), begin), d, table + lanes);
      geometric(d, one, second, rows - first, table + first * lanes);
      return;
    case Kind::two_mode_squeezing:
      geometric(d, begin, begin, first, table);
      geometric(d, one, second, rows - first, table + first * lanes);
      return;
  }
}

/// Chains by differences. Ends: 0 and 1, or 2 when the lanes are not at one end.
template <bool Mirrors, int Ends>
void difference_chains(Tag d, const GateElements& gate, const double* table, const Numbers (&x)[2], double* out) {
  const std::size_t lanes = hn::Lanes(d);
  const auto at0 = hn::LoadU(d, x[0].data()), at1 = hn::LoadU(d, x[1].data());
  const auto is_second = hn::Lt(at1, at0);
  const auto distance = Ends == 0 ? at0 : (Ends == 1 ? at1 : hn::Min(at0, at1));
  const auto pick = [&](const double(&pair)[2]) HWY_ATTR {
    if constexpr (Ends < 2) return hn::Set(d, pair[Ends]);
    return hn::IfThenElse(is_second, hn::Set(d, pair[1]), hn::Set(d, pair[0]));
  };
  const GateElements::Step* steps = gate.steps().data();
  for (const GateElements::Chain& chain : gate.chains()) {
    const auto start = hn::Mul(hn::Load(d, table + chain.a * lanes), hn::Load(d, table + chain.b * lanes));
    auto p = hn::Mul(hn::Set(d, chain.start), start), difference = hn::Zero(d);
    const auto sign = hn::Set(d, chain.sign);
    hn::Store(p, d, out + chain.at * lanes);
    if constexpr (Mirrors) hn::Store(hn::Mul(sign, p), d, out + chain.mirror * lanes);
    const GateElements::Step* end = steps + chain.step + chain.steps;
    for (const GateElements::Step* step = steps + chain.step; step != end; ++step) {
      difference = hn::NegMulAdd(hn::Mul(pick(step->turn), distance), p, hn::Mul(pick(step->keep), difference));
      p = hn::Add(p, difference);
      const auto element = hn::Mul(pick(step->grown), p);
      hn::Store(element, d, out + step->at * lanes);
      if constexpr (Mirrors) hn::Store(hn::Mul(sign, element), d, out + step->mirror * lanes);
    }
  }
}

void squeezing_columns(Tag d, const GateElements& gate, const double* table, const Numbers (&x)[2], double* out) {
  const std::size_t lanes = hn::Lanes(d);
  const auto square = hn::LoadU(d, x[0].data());
  const GateElements::SqueezeStep* steps = gate.squeeze_steps().data();
  for (const GateElements::Chain& chain : gate.chains()) {
    auto before = hn::Zero(d), value = hn::Mul(hn::Set(d, chain.start), hn::Load(d, table + chain.a * lanes));
    const auto first = hn::Mul(value, hn::Load(d, table + chain.b * lanes));
    hn::Store(first, d, out + chain.at * lanes);
    hn::Store(hn::Mul(hn::Set(d, chain.sign), first), d, out + chain.mirror * lanes);
    const GateElements::SqueezeStep* end = steps + chain.step + chain.steps;
    for (const GateElements::SqueezeStep* step = steps + chain.step; step != end; ++step) {
      const auto rate = hn::NegMulAdd(square, hn::Set(d, step->sink), hn::Set(d, step->stay));
      const auto next = hn::NegMulAdd(hn::Mul(square, hn::Set(d, step->back)), before, hn::Mul(rate, value));
      before = value;
      value = next;
      const auto element = hn::Mul(value, hn::Load(d, table + step->power * lanes));
      hn::Store(element, d, out + step->at * lanes);
      hn::Store(hn::Mul(hn::Set(d, step->sign), element), d, out + step->mirror * lanes);
    }
  }
}

/// [element][lane] to one array for each lane that is asked for.
template <class T>
void spread(Tag d, std::size_t elements, const double* from, std::span<T* const> to) {
  const std::size_t lanes = hn::Lanes(d);
  std::size_t begin = 0;
  if constexpr (HWY_MAX_BYTES >= 32) {
    const auto store = [&](Vector v, std::size_t gate) HWY_ATTR {
      if (gate >= to.size()) return;
      if constexpr (sizeof(T) == sizeof(float)) {
        const hn::Rebind<float, Tag> narrow;
        hn::StoreU(hn::DemoteTo(narrow, v), narrow, to[gate] + begin);
      } else {
        hn::StoreU(v, d, to[gate] + begin);
      }
    };
    for (; begin + 4 <= elements; begin += 4) {
      Vector first, second, third, fourth;
      hn::LoadInterleaved4(d, from + 4 * begin, first, second, third, fourth);
      store(first, 0);
      store(second, 1);
      store(third, 2);
      store(fourth, 3);
    }
  }
  for (std::size_t gate = 0; gate < to.size(); ++gate)
    for (std::size_t i = begin; i < elements; ++i) to[gate][i] = static_cast<T>(from[i * lanes + gate]);
}

template <class T>
void evaluate(const GateElements& gate, std::span<const double> parameters, std::vector<double>& scratch,
              std::span<T* const> out) {
  const Tag d;
  const std::size_t lanes = hn::Lanes(d), table = gate.rows_of_powers() * lanes;
  const std::size_t numbers = table + (gate.elements() + 1) * lanes;
  if (scratch.size() < numbers + 8) scratch.resize(numbers + 8);
  void* begin = scratch.data();
  std::size_t left = scratch.size() * sizeof(double);
  auto* powers = static_cast<double*>(std::align(64, numbers * sizeof(double), begin, left));
  Numbers x[2] = {};
  fill_powers(d, gate, parameters, powers, x);
  double* elements = powers + table;
  if (gate.kind() == Kind::displacement) {
    difference_chains<true, 0>(d, gate, powers, x, elements);
  } else if (gate.kind() == Kind::beam_splitter) {
    std::size_t second = 0;
    for (std::size_t lane = 0; lane < lanes; ++lane) second += x[1][lane] < x[0][lane] ? 1 : 0;
    if (second == 0) {
      difference_chains<false, 0>(d, gate, powers, x, elements);
    } else if (second == lanes) {
      difference_chains<false, 1>(d, gate, powers, x, elements);
    } else {
      difference_chains<false, 2>(d, gate, powers, x, elements);
    }
  } else {
    squeezing_columns(d, gate, powers, x, elements);
  }
  spread(d, gate.elements(), elements, out);
}

void evaluate_f32(const GateElements& gate, std::span<const double> parameters, std::vector<double>& scratch,
                  std::span<float* const> out) {
  evaluate(gate, parameters, scratch, out);
}
void evaluate_f64(const GateElements& gate, std::span<const double> parameters, std::vector<double>& scratch,
                  std::span<double* const> out) {
  evaluate(gate, parameters, scratch, out);
}
template <class T>
void row(std::complex<double> factor, std::span<const double> re, std::span<const double> im, T* out_re, T* out_im) {
  const Tag d;
  const hn::Rebind<T, Tag> narrow;
  const auto fr = hn::Set(d, factor.real()), fi = hn::Set(d, factor.imag());
  const auto store = [&](Vector v, T* to) HWY_ATTR {
    if constexpr (sizeof(T) == sizeof(float)) {
      hn::StoreU(hn::DemoteTo(narrow, v), narrow, to);
    } else {
      hn::StoreU(v, d, to);
    }
  };
  std::size_t n = 0;
  for (; n + hn::Lanes(d) <= re.size(); n += hn::Lanes(d)) {
    const auto a = hn::LoadU(d, re.data() + n), b = hn::LoadU(d, im.data() + n);
    store(hn::NegMulAdd(fi, b, hn::Mul(fr, a)), out_re + n);
    store(hn::MulAdd(fi, a, hn::Mul(fr, b)), out_im + n);
  }
  for (; n < re.size(); ++n) {
    out_re[n] = static_cast<T>(factor.real() * re[n] - factor.imag() * im[n]);
    out_im[n] = static_cast<T>(factor.real() * im[n] + factor.imag() * re[n]);
  }
}

void row_f32(std::complex<double> factor, std::span<const double> re, std::span<const double> im, float* out_re,
             float* out_im) {
  row(factor, re, im, out_re, out_im);
}
void row_f64(std::complex<double> factor, std::span<const double> re, std::span<const double> im, double* out_re,
             double* out_im) {
  row(factor, re, im, out_re, out_im);
}
std::size_t lanes_of_doubles() {
  return hn::Lanes(Tag());
}

}  // namespace HWY_NAMESPACE
}  // namespace skerry::kernels::fock
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace skerry::kernels::fock {
HWY_EXPORT(evaluate_f32);
HWY_EXPORT(evaluate_f64);
HWY_EXPORT(row_f32);
HWY_EXPORT(row_f64);
HWY_EXPORT(lanes_of_doubles);

template <>
void turned_row(std::complex<double> factor, std::span<const double> re, std::span<const double> im, float* out_re,
                float* out_im) {
  HWY_DYNAMIC_DISPATCH(row_f32)(factor, re, im, out_re, out_im);
}
template <>
void turned_row(std::complex<double> factor, std::span<const double> re, std::span<const double> im, double* out_re,
                double* out_im) {
  HWY_DYNAMIC_DISPATCH(row_f64)(factor, re, im, out_re, out_im);
}

template <>
void GateElements::evaluate(std::span<const double> parameters, std::vector<double>& scratch,
                            std::span<float* const> out) const {
  HWY_DYNAMIC_DISPATCH(evaluate_f32)(*this, parameters, scratch, out);
}
template <>
void GateElements::evaluate(std::span<const double> parameters, std::vector<double>& scratch,
                            std::span<double* const> out) const {
  HWY_DYNAMIC_DISPATCH(evaluate_f64)(*this, parameters, scratch, out);
}
std::size_t GateElements::width() noexcept {
  return HWY_DYNAMIC_DISPATCH(lanes_of_doubles)();
}
}  // namespace skerry::kernels::fock
#endif
