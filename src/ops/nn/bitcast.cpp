#include <cstring>

#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  const DType to = dtype_attribute(context.node, "to", DType::f32);
  if (dtype_bits(to) != dtype_bits(input(context, 0).dtype) || dtype_bits(to) < 8)
    refuse(context.node,
           input(context, 0).text() + " has elements of another width than " + std::string(dtype_name(to)));
  set_output(context, 0, to, input(context, 0).shape);
}

void run(const Node&, const KernelArguments& a) {
  std::memcpy(a.outputs[0].data(), a.inputs[0].data(), a.inputs[0].bytes());
}

}  // namespace

extern const OpRecord bitcast_record;
const OpRecord bitcast_record = {
    .name = "BitCast",
    .since_opset = 26,
    .help = "The bits of x as another dtype of the same width.",
    .inputs = 1,
    .infer = infer,
    .kernels = kMover<run>,
};

}  // namespace skerry::ops
