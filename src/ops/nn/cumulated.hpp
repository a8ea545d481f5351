/// \file
/// Running sums and products along an axis.
#pragma once

#include "ops/nn/reference.hpp"

namespace skerry::ops {

void infer_cumulated(TypeContext& context);

/// Each element becomes what `step` makes of `start` and all up to it along the axis that input 1 names.
template <class Step>
void cumulate(const Node& node, const KernelArguments& a, int start, Step step) {
  const Shape shape = a.inputs[0].shape();
  const auto axis = within(longs(a.inputs[1]).at(0), shape.rank());
  const AxisLoops l(shape, static_cast<std::size_t>(axis));
  const bool exclusive = node.integer("exclusive", 0) != 0, reverse = node.integer("reverse", 0) != 0;
  const auto go = [&]<class T>(std::vector<T> x) {
    Pace pace;
    for (std::int64_t o = 0; o < l.outer * l.inner; ++o) {
      pace(l.length);
      T total = static_cast<T>(start);
      for (std::int64_t turn = 0; turn < l.length; ++turn) {
        const std::int64_t k = reverse ? l.length - 1 - turn : turn;
        T& element = x[static_cast<std::size_t>((o / l.inner * l.length + k) * l.inner + o % l.inner)];
        const T before = total;
        total = step(total, element);
        element = exclusive ? before : total;
      }
    }
    store(x, a.outputs[0]);
  };
  if (kernels::Reals::contains(a.inputs[0].dtype())) return go(doubles(a.inputs[0]));
  go(longs(a.inputs[0]));
}

/// a op b of reals, and of integers as two's complement, which wraps.
template <class T, class Op>
T wrapping(T a, T b, Op op) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(op(static_cast<std::uint64_t>(a), static_cast<std::uint64_t>(b)));
  } else {
    return op(a, b);
  }
}

}  // namespace skerry::ops
