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
        dims[rank] = shape[axis];
        strides[rank++] = step;
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

// What a reduction over no elements gives: the ends are those of the element type T, not of what it is summed in.
template <Reduction F, class A, class T>
A start() {
  if constexpr (F == Reduction::prod) return A(1);
  if constexpr (F == Reduction::max) {
    if constexpr (is_real<T>) return -std::numeric_limits<A>::infinity();
    if constexpr (!is_real<T>) return static_cast<A>(std::numeric_limits<T>::lowest());
  }
  if constexpr (F == Reduction::min) {
    if constexpr (is_real<T>) return std::numeric_limits<A>::infinity();
    if constexpr (!is_real<T>) return static_cast<A>(std::numeric_limits<T>::max());
  }
  return A(0);
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
    return count == 0 ? A(0) : static_cast<A>(convert<std::int64_t>(sum) / count);
  }
  if (f == Reduction::l2) return convert<A>(std::sqrt(static_cast<double>(sum)));
  if (f == Reduction::log_sum || f == Reduction::log_sum_exp) return convert<A>(std::log(static_cast<double>(sum)));
  return sum;
}

template <Reduction F, class T>
void run(TensorView x, std::span<const std::uint8_t> reduced, MutableTensorView y) {
  using A = std::conditional_t<is_real<T>, double,
                               std::conditional_t<std::is_same_v<T, std::uint64_t>, std::uint64_t, std::int64_t>>;
  const Axes kept(x.shape(), reduced, false);
  const Axes summed(x.shape(), reduced, true);
  const T* in = reinterpret_cast<const T*>(x.data());
  T* out = reinterpret_cast<T*>(y.data());
  const std::size_t grain =
      std::max<std::size_t>(1, kElementGrain / static_cast<std::size_t>(std::max<std::int64_t>(summed.elements, 1)));
  base::parallel_for(0, static_cast<std::size_t>(kept.elements), grain, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      const T* from = in + kept.offset(static_cast<std::int64_t>(i));
      A sum = start<F, A, T>();
      if constexpr (F == Reduction::log_sum_exp) {
        A highest = start<Reduction::max, A, T>();
        for (std::int64_t k = 0; k < summed.elements; ++k)
          highest = std::max(highest, convert<A>(from[summed.offset(k)]));
        double total = 0.0;
        const double shift = std::isfinite(static_cast<double>(highest)) ? static_cast<double>(highest) : 0.0;
        for (std::int64_t k = 0; k < summed.elements; ++k)
          total += std::exp(convert<double>(from[summed.offset(k)]) - shift);
        out[i] = convert<T>(std::log(total) + shift);
        continue;
      }
      for (std::int64_t k = 0; k < summed.elements; ++k) sum = step<F, A>(sum, convert<A>(from[summed.offset(k)]));
      out[i] = convert<T>(finish(F, sum, summed.elements));
    }
  });
}

template <Reduction F>
void run_numbers(TensorView x, std::span<const std::uint8_t> reduced, MutableTensorView y) {
  visit(Numbers{}, x.dtype(), [&]<class T>() { run<F, T>(x, reduced, y); });
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
  switch (f) {
    case Reduction::sum:
      return run_numbers<Reduction::sum>(x, reduced, y);
    case Reduction::mean:
      return run_numbers<Reduction::mean>(x, reduced, y);
    case Reduction::max:
      if (x.dtype() == DType::boolean) return run<Reduction::max, bool>(x, reduced, y);
      return run_numbers<Reduction::max>(x, reduced, y);
    case Reduction::min:
      if (x.dtype() == DType::boolean) return run<Reduction::min, bool>(x, reduced, y);
      return run_numbers<Reduction::min>(x, reduced, y);
    case Reduction::prod:
      return run_numbers<Reduction::prod>(x, reduced, y);
    case Reduction::l1:
      return run_numbers<Reduction::l1>(x, reduced, y);
    case Reduction::l2:
      return run_numbers<Reduction::l2>(x, reduced, y);
    case Reduction::sum_square:
      return run_numbers<Reduction::sum_square>(x, reduced, y);
    case Reduction::log_sum:
      return run_numbers<Reduction::log_sum>(x, reduced, y);
    case Reduction::log_sum_exp:
      return run_numbers<Reduction::log_sum_exp>(x, reduced, y);
  }
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

ReducedShape reduced_shape(const Shape& shape, std::span<const std::uint8_t> reduced) noexcept {
  ReducedShape out;
  int part = 0;  // 0: before, 1: reduced, 2: after
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (shape[axis] == 1) continue;
    if (reduced[static_cast<std::size_t>(axis)] != 0) {
      if (part == 2) return out;
      part = 1;
      out.length *= shape[axis];
    } else {
      if (part == 1) part = 2;
      (part == 0 ? out.outer : out.inner) *= shape[axis];
    }
  }
  out.together = true;
  if (part == 0) std::swap(out.outer, out.inner);  // nothing is reduced: every element is its own result
  return out;
}

}  // namespace skerry::kernels
