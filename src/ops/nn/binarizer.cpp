#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  require(context, 0, kernels::Numbers{});
  same_as_input(context);
}

void run(const Node& node, const KernelArguments& a) {
  const double threshold = node.real("threshold", 0.0);
  Doubles x = doubles(a.inputs[0]);
  for (double& value : x) value = value > threshold ? 1.0 : 0.0;
  store(x, a.outputs[0]);
}

}  // namespace

extern const OpRecord binarizer_record;
const OpRecord binarizer_record = {
    .name = "ai.onnx.ml.Binarizer",
    .since_opset = 5,
    .help = "1 where x is above the attribute threshold, else 0; the dtype stays.",
    .inputs = 1,
    .infer = infer,
    .kernels = kReference<run>,
};

}  // namespace skerry::ops
