#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>

#include "base/threads.hpp"
#include "kernels/tensor/broadcast.hpp"
#include "kernels/tensor/convert.hpp"
#include "kernels/tensor/narrow.hpp"
#include "kernels/tensor/numeric.hpp"

namespace skerry::kernels {
namespace {

// convert() without a branch that a processor would have to foresee.
template <class To, class From>
To cut(From value) {
  if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To> && !std::is_same_v<To, bool>) {
    using Limits = std::numeric_limits<To>;
    const From low = static_cast<From>(Limits::min()), high = std::ldexp(From(1), Limits::digits);
    const From number = value == value ? value : From(0), raised = number > low ? number : low;
    const bool past = raised >= high;
    const To kept = static_cast<To>(past ? From(0) : raised);
    return past ? Limits::max() : kept;
  } else {
    return convert<To>(value);
  }
}

template <class To, class From>
void cast_as(TensorView x, MutableTensorView y) {
  const auto in = x.as<From>();
  const auto out = y.as<To>();
  base::parallel_for(0, in.size(), kElementGrain, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) out[i] = cut<To>(in[i]);
  });
}

// Pieces that stay in the cache.
void cast_through_f32(TensorView x, MutableTensorView y) {
  if (x.dtype() == DType::f32) return narrow_all(x.as<float>(), y);
  if (y.dtype() == DType::f32) return widen_all(x, y.as<float>());
  const auto from = static_cast<std::size_t>(dtype_bits(x.dtype()) / 8),
             to = static_cast<std::size_t>(dtype_bits(y.dtype()) / 8);
  base::parallel_for(0, static_cast<std::size_t>(x.elements()), kElementGrain, [&](std::size_t begin, std::size_t end) {
    std::array<float, 1024> floats;
    for (; begin < end; begin += floats.size()) {
      const std::size_t count = std::min(floats.size(), end - begin);
      widen(x.dtype(), x.data() + begin * from, count, floats.data());
      narrow(y.dtype(), floats.data(), count, y.data() + begin * to);
    }
  });
}

template <class T>
std::optional<T> number_in(TensorView bound) {
  if (bound.empty()) return std::nullopt;
  std::optional<T> out;
  visit(Numbers{}, bound.dtype(), [&]<class B>() { out = convert<T>(bound.as<B>()[0]); });
  return out;
}

template <class T>
void clip_as(TensorView x, std::optional<Compute<T>> low, std::optional<Compute<T>> high, MutableTensorView y) {
  using C = Compute<T>;
  constexpr bool kReal = is_real<T>;
  using Limits = std::numeric_limits<C>;
  const C least = low.value_or(kReal ? -Limits::infinity() : Limits::lowest());
  const C most = high.value_or(kReal ? Limits::infinity() : Limits::max());
  const auto in = x.as<T>();
  const auto out = y.as<T>();
  base::parallel_for(0, in.size(), kElementGrain, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      const C v = static_cast<C>(in[i]);
      const C raised = v < least ? least : v;
      out[i] = T(raised > most ? most : raised);
    }
  });
}

template <class T>
T sum_of_steps(T start, T delta, std::size_t i) {
  if constexpr (is_half<T>) {
    return T(static_cast<float>(start) + static_cast<float>(i) * static_cast<float>(delta));
  } else if constexpr (std::is_floating_point_v<T>) {
    return start + static_cast<T>(i) * delta;
  } else {
    return static_cast<T>(static_cast<std::uint64_t>(start) + i * static_cast<std::uint64_t>(delta));
  }
}

}  // namespace

void cast(TensorView x, MutableTensorView y) {
  if (converts_through_f32(x.dtype(), y.dtype())) return cast_through_f32(x, y);
  visit(NumbersAndBool{}, x.dtype(), [&]<class From>() {
    visit(NumbersAndBool{}, y.dtype(), [&]<class To>() {
      if constexpr (!converts_through_f32(dtype_of<From>(), dtype_of<To>())) cast_as<To, From>(x, y);
    });
  });
}

void clip(TensorView x, TensorView low, TensorView high, MutableTensorView y) {
  if (x.dtype() == DType::f32) {
    constexpr float kUnbounded = std::numeric_limits<float>::infinity();
    return clip_f32(x.as<float>(), number_in<float>(low).value_or(-kUnbounded),
                    number_in<float>(high).value_or(kUnbounded), y.as<float>());
  }
  visit(Join<Types<double, Float16, BFloat16>, Integers>{}, x.dtype(),
        [&]<class T>() { clip_as<T>(x, number_in<Compute<T>>(low), number_in<Compute<T>>(high), y); });
}

void fill(TensorView value, MutableTensorView y) {
  const std::size_t width = static_cast<std::size_t>(dtype_bits(y.dtype())) / 8;
  const auto count = static_cast<std::size_t>(y.elements());
  base::parallel_for(0, count, 4 * kElementGrain, [&](std::size_t begin, std::size_t end) {
    std::byte* out = y.data() + begin * width;
    const std::size_t bytes = (end - begin) * width;
    std::memcpy(out, value.data(), width);
    // What is filled is copied behind itself, twice as much each time.
    for (std::size_t done = width; done < bytes; done *= 2) std::memcpy(out + done, out, std::min(done, bytes - done));
  });
}

void range(TensorView start, TensorView delta, MutableTensorView y) {
  visit(Numbers{}, y.dtype(), [&]<class T>() {
    const T first = start.as<T>()[0];
    const T step = delta.as<T>()[0];
    const auto out = y.as<T>();
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = sum_of_steps(first, step, i);
  });
}

}  // namespace skerry::kernels
