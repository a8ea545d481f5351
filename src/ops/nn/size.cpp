#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

// Nothing of x is read.
Cost can_reference_any(const Node&, const NodeTypes&) {
  return std::vector<kernels::Work>{{kernels::Rate::scalar, 1.0}};
}

void infer(TypeContext& context) {
  input(context, 0);
  set_output(context, 0, DType::i64, Dims{});
}

void run(const Node&, const KernelArguments& a) {
  a.outputs[0].as<std::int64_t>()[0] = a.inputs[0].elements();
}

}  // namespace

extern const OpRecord size_record;
const OpRecord size_record = {
    .name = "Size",
    .since_opset = 25,
    .help = "How many elements x has, i64.",
    .inputs = 1,
    .infer = infer,
    .kernels = kReference<run, can_reference_any>,
};

}  // namespace skerry::ops
