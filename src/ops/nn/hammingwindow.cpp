#include <cmath>
#include <numbers>

#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  const auto size = constant_integers(context, 0);
  input(context, 0);
  Dim extent;
  if (size) {
    if (size->size() != 1 || size->front() < 0) refuse(context.node, "the size is no extent");
    extent = Dim(size->front());
  }
  set_output(context, 0, dtype_attribute(context.node, "output_datatype", DType::f32), Dims{extent});
}

void run(const Node& node, const KernelArguments& a) {
  const auto size = static_cast<std::size_t>(a.outputs[0].elements());
  const bool periodic = node.integer("periodic", 1) != 0;
  Doubles y(size);
  for (std::size_t i = 0; i < size; ++i) {
    const double turn =
        2.0 * std::numbers::pi * static_cast<double>(i) / static_cast<double>(periodic ? size : size - 1);
    y[i] = 25.0 / 46.0 - 21.0 / 46.0 * std::cos(turn);
  }
  store(y, a.outputs[0]);
}

}  // namespace

extern const OpRecord hammingwindow_record;
const OpRecord hammingwindow_record = {
    .name = "HammingWindow",
    .since_opset = 17,
    .help = "The Hamming window of `size` elements; periodic = 1 (default) leaves out the repeated last one.",
    .infer = infer,
    .kernels = kReference<run>,
};

}  // namespace skerry::ops
