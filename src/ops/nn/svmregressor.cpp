#include "ops/nn/svm.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  require(context, 0, kernels::Numbers{});
  vectors_of(context.node);
  set_output(context, 0, DType::f32, Dims{rows_of_input(context), Dim(1)});
}

// y[n] = rho + sum_j coefficient[j] k(x[n], vector j); of a single class 1 where that is above 0, else -1.
void run(const SupportVectors& machine, const KernelArguments& a) {
  const Doubles x = doubles(a.inputs[0]);
  std::vector<double> kernels(machine.count());
  Doubles y(rows_of_input(a), machine.rho[0]);
  for (std::size_t r = 0; r < y.size(); ++r) {
    machine.kernels_of(x.data() + r * machine.features(), kernels.data());
    double& sum = y[r];
    for (std::size_t j = 0; j < kernels.size(); ++j) sum += machine.coefficients[j] * kernels[j];
    if (machine.one_class) sum = sum > 0.0 ? 1.0 : -1.0;
    transform_scores(machine.transform, {&sum, 1});
  }
  store(y, a.outputs[0]);
}

constexpr KernelRow kKernels[] = {{"svm_ref", can_support_vectors, [](const Node& node, const NodeTypes& types) {
                                     return prepare_machine(node, types, run);
                                   }}};

}  // namespace

extern const OpRecord svmregressor_record;
const OpRecord svmregressor_record = {
    .name = "ai.onnx.ml.SVMRegressor",
    .since_opset = 1,
    .help =
        "f32 [N, 1] = rho + sum of coefficients times k(row, support vector) for rows of x [N, features], k LINEAR, "
        "POLY, RBF or SIGMOID of kernel_params gamma, coef0, degree; without n_supports the coefficients are weights. "
        "one_class gives 1 above zero, else -1. Then post_transform.",
    .inputs = 1,
    .infer = infer,
    .kernels = kKernels,
};

}  // namespace skerry::ops
