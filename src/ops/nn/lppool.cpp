#include <cmath>
#include <skerry/error.hpp>

#include "ops/nn/reference.hpp"
#include "ops/nn/sliding.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  require(context, 0, kernels::Reals{});
  if (context.node.integer("p", 2) < 1) refuse(context.node, "p is " + std::to_string(context.node.integer("p", 2)));
  infer_pool(context);
}

// y = (sum |x|^p)^(1/p) over each window; padding counts as 0.
void run(const kernels::Window& w, std::int64_t planes, double p, const KernelArguments& a) {
  const Doubles x = doubles(a.inputs[0]);
  Doubles y(static_cast<std::size_t>(a.outputs[0].elements()), 0.0);
  std::size_t to = 0;
  Pace pace;
  for (std::int64_t plane = 0; plane < planes; ++plane) {
    for (std::int64_t o = 0; o < w.outputs(); ++o) {
      double sum = 0.0;
      pace(w.taps() * 4);
      for (std::int64_t k = 0; k < w.taps(); ++k) {
        const std::array<std::int64_t, 3> out = {o / (w.output[1] * w.output[2]), o / w.output[2] % w.output[1],
                                                 o % w.output[2]};
        const std::array<std::int64_t, 3> tap = {k / (w.kernel[1] * w.kernel[2]), k / w.kernel[2] % w.kernel[1],
                                                 k % w.kernel[2]};
        std::int64_t at = 0;
        bool inside = true;
        for (std::size_t axis = 0; axis < 3; ++axis) {
          const std::int64_t i = w.position(axis, out[axis], tap[axis]);
          inside = inside && i >= 0 && i < w.input[axis];
          at = at * w.input[axis] + i;
        }
        if (!inside) continue;
        const double magnitude = std::abs(x[static_cast<std::size_t>(plane * w.inputs() + at)]);
        sum += p == 2.0 ? magnitude * magnitude : std::pow(magnitude, p);
      }
      y[to++] = p == 2.0 ? std::sqrt(sum) : std::pow(sum, 1.0 / p);
    }
  }
  store(y, a.outputs[0]);
}

Cost can(const Node& node, const NodeTypes& types) {
  if (!kernels::Reals::contains(types.inputs[0].dtype)) return no_kernel(types.inputs[0].dtype);
  const auto window = pool_window(node, types);
  const double of_power = node.integer("p", 2) == 2 ? 10.0 : 30.0;
  return serial_steps(types, of_power * static_cast<double>(pool_planes(node, types)) *
                                 static_cast<double>(window.outputs() * window.taps()));
}

constexpr KernelRow kKernels[] = {
    {"lp_pool_ref", can, [](const Node& node, const NodeTypes& types) -> Prepared {
       return {[window = pool_window(node, types), planes = pool_planes(node, types),
                p = static_cast<double>(node.integer("p", 2))](const KernelArguments& a) { run(window, planes, p, a); },
               bytes_of_copies(types)};
     }}};

}  // namespace

extern const OpRecord lppool_record;
const OpRecord lppool_record = {
    .name = "LpPool",
    .since_opset = 22,
    .help =
        "(sum |x|^p)^(1/p) of each window over X [N, C, space], 1 to 3 spatial axes, p = 2 where nothing is said. "
        "Attributes kernel_shape, strides, dilations, pads or auto_pad, ceil_mode; padding counts as 0.",
    .inputs = 1,
    .infer = infer,
    .kernels = kKernels,
};

}  // namespace skerry::ops
