#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>

#include "base/threads.hpp"
#include "kernels/tensor/binary.hpp"
#include "kernels/tensor/broadcast.hpp"
#include "kernels/tensor/halves.hpp"
#include "kernels/tensor/numeric.hpp"

namespace skerry::kernels {
namespace {

template <class T>
T integer_quotient(T a, T b) {
  using U = std::make_unsigned_t<T>;
  if (b == T(0)) return T(0);
  if constexpr (std::is_signed_v<T>) {
    if (b == T(-1)) return static_cast<T>(U(0) - static_cast<U>(a));  // the smallest number has no negative
  }
  return static_cast<T>(a / b);
}

template <class T>
T integer_remainder(T a, T b) {
  if (b == T(0)) return T(0);
  if constexpr (std::is_signed_v<T>) {
    if (b == T(-1)) return T(0);
  }
  return static_cast<T>(a % b);
}

// The sign of the divisor, as Python's %.
template <class T>
T integer_modulus(T a, T b) {
  const T rest = integer_remainder(a, b);
  return rest != T(0) && (rest < T(0)) != (b < T(0)) ? static_cast<T>(rest + b) : rest;
}

// The same of reals, infinite divisors included.
template <class T>
T floored_remainder(T a, T b) {
  const T rest = std::fmod(a, b);
  if (rest == T(0)) return std::copysign(rest, b);
  return (rest < T(0)) != (b < T(0)) ? rest + b : rest;
}

// One run of pairs: the strides are 0 or 1. All that depends on element types is here, so that a type costs a loop and
// not the walk over shapes and threads too.
class PairRun {
 public:
  template <class F>
  PairRun(const F& run)  // NOLINT(google-explicit-constructor): a view of a callable that outlives it
      : object_(&run),
        call_([](const void* object, const std::byte* a, std::int64_t sa, const std::byte* b, std::int64_t sb,
                 std::byte* out, std::int64_t count) { (*static_cast<const F*>(object))(a, sa, b, sb, out, count); }) {}
  void operator()(const std::byte* a, std::int64_t sa, const std::byte* b, std::int64_t sb, std::byte* out,
                  std::int64_t count) const {
    call_(object_, a, sa, b, sb, out, count);
  }

 private:
  const void* object_;
  void (*call_)(const void*, const std::byte*, std::int64_t, const std::byte*, std::int64_t, std::byte*, std::int64_t);
};

void zip_runs(TensorView a, TensorView b, MutableTensorView out, const PairRun& run) {
  const BroadcastLoops<2> loops(out.shape(), {a.shape(), b.shape()});
  const auto bytes = [](DType dtype) { return static_cast<std::int64_t>(dtype_bits(dtype) / 8); };
  const std::int64_t wide_a = bytes(a.dtype()), wide_b = bytes(b.dtype()), wide_out = bytes(out.dtype());
  base::parallel_for(
      0, static_cast<std::size_t>(out.elements()), kElementGrain, [&](std::size_t begin, std::size_t end) {
        loops.for_each_run(static_cast<std::int64_t>(begin), static_cast<std::int64_t>(end),
                           [&](std::int64_t at, const std::array<std::int64_t, 2>& in, std::int64_t count) {
                             run(a.data() + in[0] * wide_a, loops.inner_stride(0), b.data() + in[1] * wide_b,
                                 loops.inner_stride(1), out.data() + at * wide_out, count);
                           });
      });
}

// Calls F, which has no state, on every pair. R: element type of the result.
template <class A, class B, class R, class F>
void zip(TensorView a, TensorView b, MutableTensorView out, F) {
  zip_runs(a, b, out,
           [](const std::byte* from_a, std::int64_t sa, const std::byte* from_b, std::int64_t sb, std::byte* to,
              std::int64_t count) {
             const A* pa = reinterpret_cast<const A*>(from_a);
             const B* pb = reinterpret_cast<const B*>(from_b);
             R* po = reinterpret_cast<R*>(to);
             for (std::int64_t i = 0; i < count; ++i) po[i] = F{}(pa[i * sa], pb[i * sb]);
           });
}

template <Binary F, class T>
T real_formula(T a, T b) {
#define SKERRY_BINARY(name, real, integer) \
  if constexpr (F == Binary::name) return real;
#include "kernels/tensor/binary.def"
#undef SKERRY_BINARY
}

template <Binary F, class T>
T integer_formula(T a, T b) {
  using U [[maybe_unused]] = std::make_unsigned_t<T>;
#define SKERRY_BINARY(name, real, integer) \
  if constexpr (F == Binary::name) return integer;
#include "kernels/tensor/binary.def"
#undef SKERRY_BINARY
}

template <Binary F>
void run(TensorView a, TensorView b, MutableTensorView out) {
  visit(Numbers{}, out.dtype(), [&]<class T>() {
    if constexpr (is_real<T>) {
      using C = Compute<T>;
      zip<T, T, T>(a, b, out, [](T x, T y) { return T(real_formula<F, C>(static_cast<C>(x), static_cast<C>(y))); });
    } else {
      zip<T, T, T>(a, b, out, [](T x, T y) { return integer_formula<F, T>(x, y); });
    }
  });
}

template <class T>
T integer_power(T base, std::int64_t exponent) {
  if (exponent < 0) {
    if (base == T(1)) return T(1);
    if constexpr (std::is_signed_v<T>) {
      if (base == T(-1)) return exponent % 2 == 0 ? T(1) : T(-1);
    }
    return T(0);
  }
  std::uint64_t result = 1;
  auto square = static_cast<std::uint64_t>(static_cast<std::int64_t>(base));  // the sign goes along
  for (auto bits = static_cast<std::uint64_t>(exponent); bits != 0; bits >>= 1) {
    if ((bits & 1U) != 0) result *= square;
    square *= square;
  }
  return static_cast<T>(result);
}

// Exponents of every type become one of two, a piece of a run at a time: a loop for each pair of types would be a
// hundred loops.
template <class E>
void load_exponents(const std::byte* from, std::int64_t stride, E* to, std::int64_t count, DType dtype) {
  visit(Numbers{}, dtype, [&]<class B>() {
    const B* in = reinterpret_cast<const B*>(from);
    for (std::int64_t i = 0; i < count; ++i) to[i] = convert<E>(in[i * stride]);
  });
}

template <class T, class E>
T any_power(T a, E b) {
  if constexpr (std::is_integral_v<T> && std::is_integral_v<E>) {
    return integer_power(a, b);
  } else if constexpr (std::is_same_v<T, float>) {
    return std::pow(a, static_cast<float>(b));
  } else {
    return convert<T>(std::pow(convert<double>(a), static_cast<double>(b)));
  }
}

template <class T, class E>
void power_as(TensorView a, TensorView b, MutableTensorView out) {
  static constexpr std::int64_t kPiece = 256;
  const std::int64_t width = dtype_bits(b.dtype()) / 8;
  zip_runs(a, b, out,
           [dtype = b.dtype(), width](const std::byte* from_a, std::int64_t sa, const std::byte* from_b,
                                      std::int64_t sb, std::byte* to, std::int64_t count) {
             const T* pa = reinterpret_cast<const T*>(from_a);
             T* po = reinterpret_cast<T*>(to);
             std::array<E, kPiece> exponents;
             for (std::int64_t begin = 0; begin < count; begin += kPiece) {
               const std::int64_t piece = std::min(kPiece, count - begin);
               load_exponents(from_b + begin * sb * width, sb, exponents.data(), piece, dtype);
               for (std::int64_t i = 0; i < piece; ++i)
                 po[begin + i] = any_power(pa[(begin + i) * sa], exponents[static_cast<std::size_t>(i)]);
             }
           });
}

}  // namespace

void binary(Binary f, TensorView a, TensorView b, MutableTensorView out) {
  switch (f) {
#define SKERRY_BINARY(name, real, integer) \
  case Binary::name:                       \
    return run<Binary::name>(a, b, out);
#include "kernels/tensor/binary.def"
#undef SKERRY_BINARY
  }
}

void compare(Comparison f, TensorView a, TensorView b, MutableTensorView out) {
  visit(NumbersAndBool{}, a.dtype(), [&]<class T>() {
    using C = Compute<T>;
    const auto run = [&]<class Relation>(Relation) {
      zip<T, T, bool>(a, b, out, [](T x, T y) { return Relation{}(static_cast<C>(x), static_cast<C>(y)); });
    };
    switch (f) {
      case Comparison::equal:
        return run([](C x, C y) { return x == y; });
      case Comparison::less:
        return run([](C x, C y) { return x < y; });
      case Comparison::less_or_equal:
        return run([](C x, C y) { return x <= y; });
      case Comparison::greater:
        return run([](C x, C y) { return x > y; });
      case Comparison::greater_or_equal:
        return run([](C x, C y) { return x >= y; });
    }
  });
}

namespace {

// A bool is a byte of 0 or 1, eight of them a word. F: has no state, takes words.
template <class F>
void zip_bools(TensorView a, TensorView b, MutableTensorView out, F) {
  zip_runs(
      a, b, out,
      [](const std::byte* x, std::int64_t sx, const std::byte* y, std::int64_t sy, std::byte* to, std::int64_t count) {
        const auto eight = [](const std::byte* from, std::int64_t stride) {
          std::uint64_t word = 0;
          if (stride == 0) return std::to_integer<std::uint64_t>(*from) * 0x0101010101010101U;
          std::memcpy(&word, from, sizeof word);
          return word;
        };
        constexpr std::int64_t kWord = sizeof(std::uint64_t);
        std::int64_t i = 0;
        for (; i + kWord <= count; i += kWord) {
          const std::uint64_t word = F{}(eight(x + i * sx, sx), eight(y + i * sy, sy));
          std::memcpy(to + i, &word, kWord);
        }
        for (; i < count; ++i) to[i] = F{}(x[i * sx], y[i * sy]);
      });
}

}  // namespace

void logic(Logic f, TensorView a, TensorView b, MutableTensorView out) {
  switch (f) {
    case Logic::logical_and:
      return zip_bools(a, b, out, std::bit_and<>());
    case Logic::logical_or:
      return zip_bools(a, b, out, std::bit_or<>());
    case Logic::logical_xor:
      return zip_bools(a, b, out, std::bit_xor<>());
  }
}

void power(TensorView a, TensorView b, MutableTensorView out) {
  visit(Numbers{}, a.dtype(), [&]<class T>() {
    // Squares and cubes dominate in practice (a variance, a Gelu written out), and pow() is fifty times a product.
    if constexpr (std::is_same_v<T, float>) {
      const float exponent = b.dtype() == DType::f32 && b.elements() == 1 ? b.as<float>()[0] : 0.0F;
      if (exponent == 2.0F && a.shape() == out.shape()) return binary_f32(Binary::mul, a, a, out);
      if (exponent == 2.0F) return zip<float, float, float>(a, b, out, [](float x, float) { return x * x; });
      if (exponent == 3.0F) return zip<float, float, float>(a, b, out, [](float x, float) { return x * x * x; });
    }
    if (Reals::contains(b.dtype())) {
      power_as<T, double>(a, b, out);
    } else {
      power_as<T, std::int64_t>(a, b, out);
    }
  });
}

namespace {

struct Wide {
  std::uint64_t words[2];
};

template <class T>
void choose(TensorView condition, TensorView a, TensorView b, MutableTensorView out) {
  const BroadcastLoops<3> loops(out.shape(), {condition.shape(), a.shape(), b.shape()});
  const auto* pc = reinterpret_cast<const bool*>(condition.data());
  const T* pa = reinterpret_cast<const T*>(a.data());
  const T* pb = reinterpret_cast<const T*>(b.data());
  T* po = reinterpret_cast<T*>(out.data());
  base::parallel_for(
      0, static_cast<std::size_t>(out.elements()), kElementGrain, [&](std::size_t begin, std::size_t end) {
        loops.for_each_run(
            static_cast<std::int64_t>(begin), static_cast<std::int64_t>(end),
            [&](std::int64_t at, const std::array<std::int64_t, 3>& in, std::int64_t count) {
              const std::int64_t c = loops.inner_stride(0), s = loops.inner_stride(1), t = loops.inner_stride(2);
              if constexpr (sizeof(T) == sizeof(std::uint32_t)) {
                const auto bytes = [](const auto* from) { return reinterpret_cast<const std::byte*>(from); };
                return choose_four_bytes(bytes(pc + in[0]), c, bytes(pa + in[1]), s, bytes(pb + in[2]), t,
                                         reinterpret_cast<std::byte*>(po + at), count);
              }
              for (std::int64_t i = 0; i < count; ++i) {
                const T yes = pa[in[1] + i * s], no = pb[in[2] + i * t];
                if constexpr (std::is_integral_v<T>) {  // no branch, which nobody could foresee
                  const auto mask = static_cast<T>(T{0} - static_cast<T>(pc[in[0] + i * c]));
                  po[at + i] = static_cast<T>((yes & mask) | (no & static_cast<T>(~mask)));
                } else {
                  po[at + i] = pc[in[0] + i * c] ? yes : no;
                }
              }
            });
      });
}

}  // namespace

void where(TensorView condition, TensorView a, TensorView b, MutableTensorView out) {
  switch (dtype_bits(out.dtype())) {
    case 8:
      return choose<std::uint8_t>(condition, a, b, out);
    case 16:
      return choose<std::uint16_t>(condition, a, b, out);
    case 32:
      return choose<std::uint32_t>(condition, a, b, out);
    case 64:
      return choose<std::uint64_t>(condition, a, b, out);
    case 128:
      return choose<Wide>(condition, a, b, out);
    default:
      throw Error(ErrorCode::internal, "where was given " + std::string(dtype_name(out.dtype())));
  }
}

}  // namespace skerry::kernels
