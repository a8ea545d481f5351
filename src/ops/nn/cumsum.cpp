#include <algorithm>
#include <functional>

#include "base/threads.hpp"
#include "kernels/tensor/broadcast.hpp"
#include "kernels/tensor/reduce.hpp"
#include "ops/nn/cumulated.hpp"

namespace skerry::ops {
namespace {

void run(const Node& node, const KernelArguments& arguments) {
  cumulate(node, arguments, 0, [](auto total, auto x) { return wrapping(total, x, std::plus<>()); });
}

using Wide = kernels::Types<double, std::int32_t, std::int64_t, std::uint32_t, std::uint64_t>;

AxisLoops loops_of(const Node& node, const NodeTypes& types) {
  const Shape x = *types.inputs[0].static_shape();
  return {x, normal_axis(node, integers_of(node, *types.constants[1]).at(0), static_cast<std::size_t>(x.rank()))};
}

Cost can_f32(const Node& node, const NodeTypes& types) {
  if (!is_f32(types)) return no_kernel(types.inputs[0].dtype);
  if (types.constants[1] == nullptr || elements(types.inputs[1]) != 1)
    return Unexpected{"the axis is known only when it runs"};
  if (elements(types.inputs[0]) == 0) return Unexpected{"no elements"};
  return element_steps(types, loops_of(node, types).inner == 1 ? 3.5 : 0.4);
}

Prepared prepare_f32(const Node& node, const NodeTypes& types) {
  return {[l = loops_of(node, types), exclusive = node.integer("exclusive", 0) != 0,
           reverse = node.integer("reverse", 0) != 0](const KernelArguments& a) {
    kernels::cumulative_sum_f32(a.inputs[0].as<float>().data(), l.outer, l.length, l.inner, exclusive, reverse,
                                a.outputs[0].as<float>().data());
  }};
}

Cost can_wide(const Node&, const NodeTypes& types) {
  const DType dtype = types.inputs[0].dtype;
  if (!Wide::contains(dtype)) return no_kernel(dtype);
  if (types.constants[1] == nullptr || elements(types.inputs[1]) != 1)
    return Unexpected{"the axis is known only when it runs"};
  return element_steps(types, 1.5);
}

// [length, inner] of one stack: each row is the one before it and what stands there.
template <class T>
void cumulate_rows(const T* x, const AxisLoops& l, bool exclusive, bool reverse, T* y) {
  Pace pace;
  if (l.inner == 1) {
    T total = T(0);
    const std::int64_t step = reverse ? -1 : 1;
    std::int64_t at = reverse ? l.length - 1 : 0;
    for (std::int64_t left = l.length; left > 0;) {
      const std::int64_t here = std::min<std::int64_t>(left, 1024);
      pace(here);
      for (std::int64_t i = 0; i < here; ++i, at += step) {
        const T before = total;
        total = static_cast<T>(total + x[at]);
        y[at] = exclusive ? before : total;
      }
      left -= here;
    }
    return;
  }
  for (std::int64_t turn = 0; turn < l.length; ++turn) {
    pace(l.inner);
    const std::int64_t step = reverse ? -l.inner : l.inner,
                       at = reverse ? (l.length - 1 - turn) * l.inner : turn * l.inner;
    const T* from = x + (exclusive ? at - step : at);
    for (std::int64_t i = 0; i < l.inner; ++i) {
      const T before = turn == 0 ? T(0) : y[at - step + i];
      y[at + i] = exclusive && turn == 0 ? T(0) : static_cast<T>(before + from[i]);
    }
  }
}

Prepared prepare_wide(const Node& node, const NodeTypes& types) {
  return {[l = loops_of(node, types), exclusive = node.integer("exclusive", 0) != 0,
           reverse = node.integer("reverse", 0) != 0](const KernelArguments& a) {
    if (a.inputs[0].elements() == 0) return;
    const std::int64_t each = l.length * l.inner;
    const auto run = [&]<class T>(T) {
      const T* const x = reinterpret_cast<const T*>(a.inputs[0].data());
      T* const y = reinterpret_cast<T*>(a.outputs[0].data());
      const std::size_t grain = std::max<std::size_t>(1, kernels::kElementGrain / static_cast<std::size_t>(each));
      base::parallel_for(0, static_cast<std::size_t>(l.outer), grain, [&](std::size_t begin, std::size_t end) {
        for (auto o = static_cast<std::int64_t>(begin); o < static_cast<std::int64_t>(end); ++o)
          cumulate_rows(x + o * each, l, exclusive, reverse, y + o * each);
      });
    };
    // Sums of integers wrap, so that a sign changes nothing.
    if (a.inputs[0].dtype() == DType::f64) return run(double());
    if (dtype_bits(a.inputs[0].dtype()) == 32) return run(std::uint32_t());
    run(std::uint64_t());
  }};
}

constexpr KernelRow kKernels[] = {{"cumulative_sum_f32", can_f32, prepare_f32},
                                  {"cumulative_sum_wide", can_wide, prepare_wide},
                                  kReference<run, can_reference<5>>[0]};

}  // namespace

extern const OpRecord cumsum_record;
const OpRecord cumsum_record = {
    .name = "CumSum",
    .since_opset = 14,
    .help =
        "Running sums along the axis that input 1 names; exclusive leaves the element itself out, reverse begins at "
        "the end. Numbers.",
    .inputs = 2,
    .infer = infer_cumulated,
    .kernels = kKernels,
};

}  // namespace skerry::ops
