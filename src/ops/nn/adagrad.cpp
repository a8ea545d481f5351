#include "ops/nn/training_steps.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  infer_training(context, 1);
}

void run(const Node& node, const KernelArguments& a) {
  const double decay = node.real("decay_factor", 0.0), epsilon = node.real("epsilon", 0.0),
               norm = node.real("norm_coefficient", 0.0);
  run_training<1>(a, [&](double rate, double steps, double& x, double g, std::array<double, 1>& h) {
    const double gradient = norm * x + g;
    h[0] += gradient * gradient;
    x -= rate / (1.0 + steps * decay) * gradient / (std::sqrt(h[0]) + epsilon);
  });
}

}  // namespace

extern const OpRecord adagrad_record;
const OpRecord adagrad_record = {
    .name = "ai.onnx.preview.training.Adagrad",
    .since_opset = 1,
    .help =
        "g' = norm x + g; H = h + g'^2; X = x - r / (1 + t decay) g' / (sqrt(H) + epsilon). Inputs r, t, x..., g..., "
        "h...; outputs X..., H... Source: Duchi, Hazan, Singer 2011.",
    .inputs = 5,
    .infer = infer,
    .kernels = kReference<run>,
};

}  // namespace skerry::ops
