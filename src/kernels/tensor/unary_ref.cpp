#include <algorithm>
#include <cmath>

#include "base/threads.hpp"
#include "kernels/tensor/broadcast.hpp"
#include "kernels/tensor/numeric.hpp"
#include "kernels/tensor/unary.hpp"

namespace skerry::kernels {
namespace {

using std::abs, std::acos, std::acosh, std::asin, std::asinh, std::atan, std::atanh, std::ceil, std::cos, std::cosh,
    std::erf, std::exp, std::expm1, std::floor, std::log, std::log1p, std::nearbyint, std::sin, std::sinh, std::sqrt,
    std::tan, std::tanh;

template <Unary F, class T>
T formula([[maybe_unused]] T x, [[maybe_unused]] double a, [[maybe_unused]] double b) {
#define SKERRY_UNARY(name, expression) \
  if constexpr (F == Unary::name) return expression;
#include "kernels/tensor/unary.def"
#undef SKERRY_UNARY
}

// Integers of every width: negation and absolute value wrap, as in two's complement hardware.
template <Unary F, class T>
T integer_formula(T x) {
  using U = std::make_unsigned_t<T>;
  if constexpr (F == Unary::neg) return static_cast<T>(U(0) - static_cast<U>(x));
  if constexpr (F == Unary::abs_) return x < T(0) ? static_cast<T>(U(0) - static_cast<U>(x)) : x;
  if constexpr (F == Unary::relu) return x < T(0) ? T(0) : x;
  if constexpr (F == Unary::sign) return static_cast<T>((T(0) < x) - (x < T(0)));
}

constexpr bool takes_integers(Unary f) {
  return f == Unary::abs_ || f == Unary::neg || f == Unary::relu || f == Unary::sign;
}

template <class T, class F>
void map(TensorView x, MutableTensorView y, F f) {
  using R = std::invoke_result_t<F, T>;
  const auto in = x.as<T>();
  const auto out = y.as<R>();
  base::parallel_for(0, in.size(), kElementGrain, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) out[i] = f(in[i]);
  });
}

template <Unary F>
void run(UnaryParameters p, TensorView x, MutableTensorView y) {
  visit(Numbers{}, x.dtype(), [&]<class T>() {
    if constexpr (is_real<T>) {
      map<T>(x, y, [p](T v) { return T(formula<F, Compute<T>>(static_cast<Compute<T>>(v), p.a, p.b)); });
    } else if constexpr (takes_integers(F)) {
      map<T>(x, y, [](T v) { return integer_formula<F, T>(v); });
    }
  });
}

}  // namespace

bool unary_takes(Unary f, DType dtype) noexcept {
  return Reals::contains(dtype) || (takes_integers(f) && Integers::contains(dtype));
}

void unary_ref(Unary f, UnaryParameters p, TensorView x, MutableTensorView y) {
  switch (f) {
#define SKERRY_UNARY(name, expression) \
  case Unary::name:                    \
    return run<Unary::name>(p, x, y);
#include "kernels/tensor/unary.def"
#undef SKERRY_UNARY
  }
}

void logical_not(TensorView x, MutableTensorView y) {
  map<bool>(x, y, [](bool v) { return !v; });
}

void is_nan(TensorView x, MutableTensorView y) {
  visit(Reals{}, x.dtype(),
        [&]<class T>() { map<T>(x, y, [](T v) { return std::isnan(static_cast<Compute<T>>(v)); }); });
}

void is_inf(TensorView x, MutableTensorView y, bool positive, bool negative) {
  visit(Reals{}, x.dtype(), [&]<class T>() {
    map<T>(x, y, [=](T v) {
      const auto wide = static_cast<Compute<T>>(v);
      return std::isinf(wide) && (wide > 0 ? positive : negative);
    });
  });
}

}  // namespace skerry::kernels
