#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "base/threads.hpp"
#include "kernels/tensor/broadcast.hpp"
#include "kernels/tensor/halves.hpp"
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

// A block of elements of one type. Only this depends on the function, so that a function costs a loop for each type
// that is computed in, and not the threads' part too.
using Block = void (*)(UnaryParameters p, const std::byte* x, std::byte* y, std::size_t count);

template <Unary F, class T>
void block(UnaryParameters p, const std::byte* x, std::byte* y, std::size_t count) {
  const T* in = reinterpret_cast<const T*>(x);
  T* out = reinterpret_cast<T*>(y);
  for (std::size_t i = 0; i < count; ++i) {
    if constexpr (is_real<T>) {
      out[i] = formula<F, T>(in[i], p.a, p.b);
    } else {
      out[i] = integer_formula<F, T>(in[i]);
    }
  }
}

void run(Block block, UnaryParameters p, TensorView x, MutableTensorView y) {
  const std::size_t width = static_cast<std::size_t>(dtype_bits(x.dtype())) / 8;
  base::parallel_for(0, static_cast<std::size_t>(x.elements()), kElementGrain, [&](std::size_t begin, std::size_t end) {
    block(p, x.data() + begin * width, y.data() + begin * width, end - begin);
  });
}

// Short floats are widened a piece at a time.
template <class T>
void run_widened(Block block, UnaryParameters p, TensorView x, MutableTensorView y) {
  const auto in = x.as<T>();
  const auto out = y.as<T>();
  base::parallel_for(0, in.size(), kElementGrain, [&](std::size_t begin, std::size_t end) {
    std::array<float, 256> wide;
    for (std::size_t at = begin; at < end; at += wide.size()) {
      const std::size_t count = std::min(wide.size(), end - at);
      for (std::size_t i = 0; i < count; ++i) wide[i] = static_cast<float>(in[at + i]);
      auto* bytes = reinterpret_cast<std::byte*>(wide.data());
      block(p, bytes, bytes, count);
      for (std::size_t i = 0; i < count; ++i) out[at + i] = T(wide[i]);
    }
  });
}

template <Unary F>
void run(UnaryParameters p, TensorView x, MutableTensorView y) {
  visit(Numbers{}, x.dtype(), [&]<class T>() {
    if constexpr (is_half<T>) {
      run_widened<T>(block<F, float>, p, x, y);
    } else if constexpr (is_real<T> || takes_integers(F)) {
      run(block<F, T>, p, x, y);
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
  // A bool is a byte of 0 or 1, eight of them a word.
  constexpr std::size_t kWord = sizeof(std::uint64_t);
  base::parallel_for(0, static_cast<std::size_t>(x.elements()), 4 * kElementGrain,
                     [&](std::size_t begin, std::size_t end) {
                       for (; begin + kWord <= end; begin += kWord) {
                         std::uint64_t word = 0;
                         std::memcpy(&word, x.data() + begin, kWord);
                         word ^= 0x0101010101010101U;
                         std::memcpy(y.data() + begin, &word, kWord);
                       }
                       for (; begin < end; ++begin) y.data()[begin] = x.data()[begin] ^ std::byte{1};
                     });
}

void is_nan(TensorView x, MutableTensorView y) {
  if (x.dtype() == DType::f32) {
    compare_f32(Comparison::equal, x, x, y);
    return logical_not(y, y);
  }
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
