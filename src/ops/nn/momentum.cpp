#include "ops/nn/training_steps.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  const std::string mode = context.node.text("mode", "standard");
  if (mode != "standard" && mode != "nesterov") refuse(context.node, "mode is '" + mode + "'");
  infer_training(context, 1);
}

void run(const Node& node, const KernelArguments& a) {
  const double alpha = node.real("alpha", 0.0), beta = node.real("beta", 0.0),
               norm = node.real("norm_coefficient", 0.0);
  const bool nesterov = node.text("mode", "standard") == "nesterov";
  run_training<1>(a, [&](double rate, double steps, double& x, double g, std::array<double, 1>& v) {
    const double gradient = norm * x + g;
    v[0] = alpha * v[0] + (steps > 0.0 ? beta : 1.0) * gradient;
    x -= rate * (nesterov ? gradient + alpha * v[0] : v[0]);
  });
}

}  // namespace

extern const OpRecord momentum_record;
const OpRecord momentum_record = {
    .name = "ai.onnx.preview.training.Momentum",
    .since_opset = 1,
    .help =
        "g' = norm x + g; V = alpha v + beta g' (beta is 1 at step 0); X = x - r V, or x - r (g' + alpha V) in mode "
        "nesterov. Inputs r, t, x..., g..., v...; outputs X..., V... Source: Sutskever and others 2013.",
    .inputs = 5,
    .infer = infer,
    .kernels = kReference<run>,
};

}  // namespace skerry::ops
