#include "base/threads.hpp"
#include "kernels/tensor/numeric.hpp"
#include "kernels/tensor/product.hpp"

namespace skerry::kernels {
namespace {

// Integers wrap: unsigned arithmetic of at least 32 bits has no undefined overflow.
template <class T>
struct SumOf {
  using type = Accumulator<T>;
};
template <class T>
  requires std::is_integral_v<T>
struct SumOf<T> {
  using type = std::conditional_t<sizeof(T) == 8, std::uint64_t, std::uint32_t>;
};

template <class T>
void row_of(const ProductShape& s, const T* left, const T* right, bool accumulate, T* y) {
  using Sum = typename SumOf<T>::type;
  for (std::size_t j = 0; j < s.columns; ++j) {
    Sum sum = 0;
    for (std::size_t k = 0; k < s.depth; ++k)
      sum += convert<Sum>(left[k * s.left_column]) * convert<Sum>(right[k * s.right_row + j * s.right_column]);
    y[j] = convert<T>((accumulate ? convert<Sum>(y[j]) : Sum(0)) + convert<Sum>(s.alpha) * sum);
  }
}

}  // namespace

void product_ref(const ProductShape& shape, TensorView left, TensorView right, bool accumulate, MutableTensorView y) {
  visit(Numbers{}, left.dtype(), [&]<class T>() {
    const T* a = reinterpret_cast<const T*>(left.data());
    const T* b = reinterpret_cast<const T*>(right.data());
    T* out = reinterpret_cast<T*>(y.data());
    base::parallel_for(0, shape.batch * shape.rows, 1, [&](std::size_t begin, std::size_t end) {
      for (std::size_t row = begin; row < end; ++row) {
        const auto [at_a, at_b] = shape.matrices(row / shape.rows);
        row_of(shape, a + at_a * shape.rows * shape.depth + row % shape.rows * shape.left_row,
               b + at_b * shape.columns * shape.depth, accumulate, out + row * shape.columns);
      }
    });
  });
}

void scaled_broadcast(TensorView c, double factor, MutableTensorView y) {
  const BroadcastLoops<1> loops(y.shape(), {c.shape()});
  visit(Numbers{}, c.dtype(), [&]<class T>() {
    using Sum = typename SumOf<T>::type;
    const T* from = reinterpret_cast<const T*>(c.data());
    T* to = reinterpret_cast<T*>(y.data());
    loops.for_each_run(0, y.elements(), [&](std::int64_t begin, const auto& offsets, std::int64_t count) {
      for (std::int64_t i = 0; i < count; ++i)
        to[begin + i] = convert<T>(convert<Sum>(factor) * convert<Sum>(from[offsets[0] + i * loops.inner_stride(0)]));
    });
  });
}

}  // namespace skerry::kernels
