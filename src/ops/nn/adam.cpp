#include "ops/nn/training_steps.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  infer_training(context, 2);
}

void run(const Node& node, const KernelArguments& a) {
  const double alpha = node.real("alpha", 0.9), beta = node.real("beta", 0.999), epsilon = node.real("epsilon", 0.0),
               norm = node.real("norm_coefficient", 0.0), norm_post = node.real("norm_coefficient_post", 0.0);
  run_training<2>(a, [&](double rate, double steps, double& x, double g, std::array<double, 2>& state) {
    auto& [v, h] = state;
    const double gradient = norm * x + g;
    v = alpha * v + (1.0 - alpha) * gradient;
    h = beta * h + (1.0 - beta) * gradient * gradient;
    // The states began at 0; what that costs is put right, but for the first step.
    const double right =
        steps > 0.0 ? rate * std::sqrt(1.0 - std::pow(beta, steps)) / (1.0 - std::pow(alpha, steps)) : rate;
    x = (1.0 - norm_post) * (x - right * v / (std::sqrt(h) + epsilon));
  });
}

}  // namespace

extern const OpRecord adam_record;
const OpRecord adam_record = {
    .name = "ai.onnx.preview.training.Adam",
    .since_opset = 1,
    .help =
        "g' = norm x + g; V = alpha v + (1 - alpha) g'; H = beta h + (1 - beta) g'^2; X = (1 - norm_post) (x - r' V / "
        "(sqrt(H) + epsilon)), r' corrected for t steps. Inputs r, t, x..., g..., v..., h...; outputs X..., V..., H... "
        "Source: Kingma, Ba 2015.",
    .inputs = 6,
    .infer = infer,
    .kernels = kReference<run>,
};

}  // namespace skerry::ops
