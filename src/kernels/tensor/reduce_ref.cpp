#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "base/threads.hpp"
#include "kernels/tensor/broadcast.hpp"
#include "kernels/tensor/numeric.hpp"
#include "kernels/tensor/reduce.hpp"

namespace skerry::kernels {
namespace {

// The axes of one kind (kept or reduced) with their strides in x.
struct Axes {
  std::size_t rank = 0;
  std::array<std::int64_t, Shape::kMaxRank> dims{}, strides{};
  std::int64_t elements = 1;

  Axes(const Shape& shape, std::span<const std::uint8_t> reduced, bool want_reduced) {
    std::int64_t step = 1;
    for (int axis = shape.rank() - 1; axis >= 0; --axis) {
      if ((reduced[static_cast<std::size_t>(axis)] != 0) == want_reduced) {
        const bool merges = rank > 0 && dims[rank - 1] * strides[rank - 1] == step;
        if (!merges) {
          dims[rank] = 1;
          strides[rank++] = step;
        }
        dims[rank - 1] *= shape[axis];
        elements *= shape[axis];
      }
      step *= shape[axis];
    }
  }
  // Offset in x of the index-th element of these axes; innermost axes come first in the arrays.
  std::int64_t offset(std::int64_t index) const {
    std::int64_t at = 0;
    for (std::size_t axis = 0; axis < rank; ++axis) {
      at += index % dims[axis] * strides[axis];
      index /= dims[axis];
    }
    return at;
  }
};

// What elements are added up in: reals as double, integers as 64 bits of their own sign.
template <class T>
using Sum = std::conditional_t<is_real<T>, double,
                               std::conditional_t<std::is_same_v<T, std::uint64_t>, std::uint64_t, std::int64_t>>;

// What a reduction over no elements gives: the ends are those of the element type T, not of what it is summed in.
template <class T>
Sum<T> start(Reduction f) {
  using A = Sum<T>;
  if (f == Reduction::prod) return A(1);
  if (f != Reduction::max && f != Reduction::min) return A(0);
  if constexpr (is_real<T>) {
    return f == Reduction::max ? -std::numeric_limits<A>::infinity() : std::numeric_limits<A>::infinity();
  } else {
    return static_cast<A>(f == Reduction::max ? std::numeric_limits<T>::lowest() : std::numeric_limits<T>::max());
  }
}

// Integers are added and multiplied as unsigned 64-bit: they wrap instead of being undefined.
template <Reduction F, class A>
A step(A sum, A value) {
  if constexpr (F == Reduction::max) return value > sum || value != value ? value : sum;
  if constexpr (F == Reduction::min) return value < sum || value != value ? value : sum;
  if constexpr (std::is_floating_point_v<A>) {
    if constexpr (F == Reduction::prod) return sum * value;
    if constexpr (F == Reduction::l1) return sum + std::abs(value);
    if constexpr (F == Reduction::l2 || F == Reduction::sum_square) return sum + value * value;
    return sum + value;
  } else {
    using U = std::uint64_t;
    if constexpr (F == Reduction::prod) return static_cast<A>(U(sum) * U(value));
    if constexpr (F == Reduction::l1) return static_cast<A>(U(sum) + (value < A(0) ? U(0) - U(value) : U(value)));
    if constexpr (F == Reduction::l2 || F == Reduction::sum_square) return static_cast<A>(U(sum) + U(value) * U(value));
    return static_cast<A>(U(sum) + U(value));
  }
}

template <class A>
A finish(Reduction f, A sum, std::int64_t count) {
  if (f == Reduction::mean) {
    if constexpr (std::is_floating_point_v<A>) return sum / static_cast<A>(count);
    if constexpr (!std::is_floating_point_v<A>)
      return count == 0 ? A(0) : static_cast<A>(convert<std::int64_t>(sum) / count);
  }
  if (f == Reduction::l2) return convert<A>(std::sqrt(static_cast<double>(sum)));
  if (f == Reduction::log_sum || f == Reduction::log_sum_exp) return convert<A>(std::log(static_cast<double>(sum)));
  return sum;
}

// The loop of one function over values of one type: a function costs three of these, not one for each element type.
template <class A>
using Fold = A (*)(A sum, const A* values, std::int64_t count);

// How two partial results become one.
template <Reduction F>
constexpr Reduction joined() {
  return F == Reduction::max || F == Reduction::min || F == Reduction::prod ? F : Reduction::sum;
}

// Four chains, none of which waits for another.
template <Reduction F, class A>
A fold(A sum, const A* values, std::int64_t count) {
  constexpr bool kExtreme = F == Reduction::max || F == Reduction::min;
  const A neutral = kExtreme ? sum : A(F == Reduction::prod ? 1 : 0);
  A a = sum, b = neutral, c = neutral, d = neutral;
  std::int64_t i = 0;
  for (; i + 4 <= count; i += 4) {
    a = step<F, A>(a, values[i]);
    b = step<F, A>(b, values[i + 1]);
    c = step<F, A>(c, values[i + 2]);
    d = step<F, A>(d, values[i + 3]);
  }
  for (; i < count; ++i) a = step<F, A>(a, values[i]);
  constexpr Reduction kJoin = joined<F>();
  return step<kJoin, A>(step<kJoin, A>(a, b), step<kJoin, A>(c, d));
}

template <class A>
Fold<A> fold_of(Reduction f) {
  switch (f) {
    case Reduction::sum:
    case Reduction::mean:
    case Reduction::log_sum:
    case Reduction::log_sum_exp:
      return fold<Reduction::sum, A>;
    case Reduction::max:
      return fold<Reduction::max, A>;
    case Reduction::min:
      return fold<Reduction::min, A>;
    case Reduction::prod:
      return fold<Reduction::prod, A>;
    case Reduction::l1:
      return fold<Reduction::l1, A>;
    case Reduction::l2:
    case Reduction::sum_square:
      return fold<Reduction::sum_square, A>;
  }
  return nullptr;
}

constexpr std::int64_t kPiece = 256;

// Calls use(values, count) on the reduced elements of one result, widened, a piece at a time.
template <class T, class Use>
void for_pieces(const T* from, const Axes& summed, Use&& use) {
  std::array<Sum<T>, kPiece> values;
  for (std::int64_t begin = 0; begin < summed.elements; begin += kPiece) {
    const std::int64_t count = std::min(kPiece, summed.elements - begin);
    for (std::int64_t i = 0; i < count;) {  // run by run of the innermost axis
      const std::int64_t dim = std::max<std::int64_t>(summed.dims[0], 1), stride = summed.strides[0];
      const std::int64_t run = std::min(count - i, dim - (begin + i) % dim);
      const T* at = from + summed.offset(begin + i);
      for (std::int64_t k = 0; k < run; ++k) values[static_cast<std::size_t>(i + k)] = convert<Sum<T>>(at[k * stride]);
      i += run;
    }
    use(values.data(), count);
  }
}

// log(sum(exp(x))) without overflow: the highest element is taken out first.
template <class T>
T log_sum_exp(const T* from, const Axes& summed) {
  using A = Sum<T>;
  A highest = start<T>(Reduction::max);
  for_pieces(from, summed, [&](const A* values, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) highest = std::max(highest, values[i]);
  });
  const double shift = std::isfinite(static_cast<double>(highest)) ? static_cast<double>(highest) : 0.0;
  double total = 0.0;
  for_pieces(from, summed, [&](const A* values, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) total += std::exp(static_cast<double>(values[i]) - shift);
  });
  return convert<T>(std::log(total) + shift);
}

template <class T>
void run(Reduction f, TensorView x, std::span<const std::uint8_t> reduced, MutableTensorView y) {
  using A = Sum<T>;
  const Axes kept(x.shape(), reduced, false);
  const Axes summed(x.shape(), reduced, true);
  const T* in = reinterpret_cast<const T*>(x.data());
  T* out = reinterpret_cast<T*>(y.data());
  const Fold<A> add = fold_of<A>(f);
  const std::size_t grain =
      std::max<std::size_t>(1, kElementGrain / static_cast<std::size_t>(std::max<std::int64_t>(summed.elements, 1)));
  base::parallel_for(0, static_cast<std::size_t>(kept.elements), grain, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      const T* from = in + kept.offset(static_cast<std::int64_t>(i));
      if (f == Reduction::log_sum_exp) {
        out[i] = log_sum_exp(from, summed);
        continue;
      }
      A sum = start<T>(f);
      for_pieces(from, summed, [&](const A* values, std::int64_t count) { sum = add(sum, values, count); });
      out[i] = convert<T>(finish(f, sum, summed.elements));
    }
  });
}

template <class T>
bool is_better(T candidate, T best, bool largest, bool last) {
  const auto a = static_cast<Compute<T>>(candidate);
  const auto b = static_cast<Compute<T>>(best);
  if (a == b) return last;
  return largest ? a > b : a < b;
}

}  // namespace

void reduce(Reduction f, TensorView x, std::span<const std::uint8_t> reduced, MutableTensorView y) {
  if (x.dtype() == DType::boolean) return run<bool>(f, x, reduced, y);
  visit(Numbers{}, x.dtype(), [&]<class T>() { run<T>(f, x, reduced, y); });
}

void arg_extreme(TensorView x, int axis, bool largest, bool last, MutableTensorView y) {
  std::int64_t inner = 1;
  for (int i = axis + 1; i < x.shape().rank(); ++i) inner *= x.shape()[i];
  const std::int64_t length = x.shape()[axis];
  auto out = y.as<std::int64_t>();
  visit(Numbers{}, x.dtype(), [&]<class T>() {
    const T* in = reinterpret_cast<const T*>(x.data());
    const std::size_t grain =
        std::max<std::size_t>(1, kElementGrain / static_cast<std::size_t>(std::max<std::int64_t>(length, 1)));
    base::parallel_for(0, out.size(), grain, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) {
        const auto at = static_cast<std::int64_t>(i);
        const T* from = in + at / inner * length * inner + at % inner;
        std::int64_t best = 0;
        for (std::int64_t k = 1; k < length; ++k) {
          if (is_better(from[k * inner], from[best * inner], largest, last)) best = k;
        }
        out[i] = best;
      }
    });
  });
}

}  // namespace skerry::kernels
