#include <functional>

#include "kernels/tensor/reduce.hpp"
#include "ops/nn/cumulated.hpp"

namespace skerry::ops {
namespace {

void run(const Node& node, const KernelArguments& arguments) {
  cumulate(node, arguments, 0, [](auto total, auto x) { return wrapping(total, x, std::plus<>()); });
}

AxisLoops loops_of(const Node& node, const NodeTypes& types) {
  const Shape x = *types.inputs[0].static_shape();
  return {x, normal_axis(node, integers_of(node, *types.constants[1]).at(0), static_cast<std::size_t>(x.rank()))};
}

Cost can_f32(const Node&, const NodeTypes& types) {
  if (!is_f32(types)) return no_kernel(types.inputs[0].dtype);
  if (types.constants[1] == nullptr || elements(types.inputs[1]) != 1)
    return Unexpected{"the axis is known only when it runs"};
  if (elements(types.inputs[0]) == 0) return Unexpected{"no elements"};
  return element_steps(types, 2.5);
}

Prepared prepare_f32(const Node& node, const NodeTypes& types) {
  return {[l = loops_of(node, types), exclusive = node.integer("exclusive", 0) != 0,
           reverse = node.integer("reverse", 0) != 0](const KernelArguments& a) {
    kernels::cumulative_sum_f32(a.inputs[0].as<float>().data(), l.outer, l.length, l.inner, exclusive, reverse,
                                a.outputs[0].as<float>().data());
  }};
}

constexpr KernelRow kKernels[] = {{"cumulative_sum_f32", can_f32, prepare_f32}, kReference<run, can_reference<5>>[0]};

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
