#include <cmath>

#include "ops/nn/global_pool.hpp"
#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

// Opset 1 had p as a real number.
double power_of(const Node& node) {
  const Attribute* given = node.find("p");
  const auto* real = given == nullptr ? nullptr : std::get_if<double>(given);
  const double p = real != nullptr ? *real : static_cast<double>(node.integer("p", 2));
  if (!(p > 0.0) || std::isinf(p)) refuse(node, "p is no number above 0");
  return p;
}

void infer(TypeContext& context) {
  power_of(context.node);
  infer_global_pool(context);
}

// y = (sum |x|^p)^(1/p) of each plane; 0 of one without elements.
void run(const Node& node, const KernelArguments& a) {
  const Doubles x = doubles(a.inputs[0]);
  const double p = power_of(node);
  Doubles y(static_cast<std::size_t>(a.outputs[0].elements()), 0.0);
  const std::size_t size = y.empty() ? 0 : x.size() / y.size();
  constexpr std::size_t kElementsBetweenChecks = 4096;
  for (std::size_t plane = 0; plane < y.size(); ++plane) {
    double sum = 0.0;
    for (std::size_t i = 0; i < size; ++i) {
      if (i % kElementsBetweenChecks == 0) base::check_stop();
      sum += std::pow(std::abs(x[plane * size + i]), p);
    }
    y[plane] = std::pow(sum, 1.0 / p);
  }
  store(y, a.outputs[0]);
}

Cost can(const Node&, const NodeTypes& types) {
  if (!kernels::Reals::contains(types.inputs[0].dtype)) return no_kernel(types.inputs[0].dtype);
  constexpr double kOfPower = 10.0;
  return scalar_steps(types, kOfPower * static_cast<double>(elements(types.inputs[0])));
}

constexpr KernelRow kKernels[] = {kReference<run, can>[0]};

}  // namespace

extern const OpRecord globallppool_record;
const OpRecord globallppool_record = {
    .name = "GlobalLpPool",
    .since_opset = 22,
    .help =
        "(sum |x|^p)^(1/p) over all of space: X [N, C, space] to [N, C, 1, ...] of the same rank, p = 2 where nothing "
        "is said; f16, bf16, f32 or f64.",
    .inputs = 1,
    .infer = infer,
    .kernels = kKernels,
};

}  // namespace skerry::ops
