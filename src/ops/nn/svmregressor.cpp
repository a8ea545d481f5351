#include "ops/nn/svm.hpp"

namespace skerry::ops {
namespace {

std::size_t supports_of(const Node& node) {
  const std::int64_t supports = node.integer("n_supports", 0);
  if (supports < 0) refuse(node, "n_supports is " + std::to_string(supports));
  return static_cast<std::size_t>(supports);
}

void infer(TypeContext& context) {
  require(context, 0, kernels::Numbers{});
  require_rank(context, 0, 1, 2);
  const TensorType& x = input(context, 0);
  const Dim rows = !x.shape ? Dim() : x.shape->size() == 2 ? (*x.shape)[0] : Dim(1);
  supports_of(context.node);
  set_output(context, 0, DType::f32, Dims{rows, Dim(1)});
}

// A machine made ready: without support vectors the coefficients are the weights of the features.
struct Machine {
  explicit Machine(const Node& node) : coefficients(real_list(node, "coefficients")) {
    const Doubles offsets = real_list(node, "rho");
    if (offsets.empty()) refuse(node, "there is no rho");
    rho = offsets[0];
    one_class = node.integer("one_class", 0) != 0;
    transform = post_transform(node);
    const std::size_t supports = supports_of(node);
    if (supports == 0) return;
    vectors.emplace(node, supports);
    require_count(node, "coefficients", coefficients.size(), supports);
  }

  std::uint64_t bytes() const { return coefficients.size() * sizeof(double) + (vectors ? vectors->bytes() : 0); }
  std::uint64_t working_bytes() const { return (vectors ? vectors->count() : 0) * sizeof(double); }

  Doubles coefficients;
  double rho = 0.0;
  bool one_class = false;
  PostTransform transform = PostTransform::none;
  std::optional<SupportVectors> vectors;
};

// y[n] = rho + sum_j coefficient[j] k(x[n], vector j); of a single class 1 where that is above 0, else -1.
void run(const Node& node, const Machine& machine, const KernelArguments& a) {
  const auto [rows, features] = rows_and_columns(node, a.inputs[0].shape());
  require_features(node, features, machine.vectors ? machine.vectors->features() : machine.coefficients.size());
  const Doubles x = doubles(a.inputs[0]);
  Doubles kernels(machine.vectors ? machine.vectors->count() : 0), y(rows);
  for (std::size_t r = 0; r < rows; ++r) {
    base::check_stop();
    const double* of = x.data() + r * features;
    if (machine.vectors) {
      machine.vectors->kernels_of(of, kernels.data());
      of = kernels.data();
    }
    double sum = machine.rho;
    for (std::size_t j = 0; j < machine.coefficients.size(); ++j) sum += machine.coefficients[j] * of[j];
    y[r] = machine.one_class ? (sum > 0.0 ? 1.0 : -1.0) : sum;
    transform_scores(machine.transform, {&y[r], 1});
  }
  store(y, a.outputs[0]);
}

constexpr KernelRow kKernels[] = {
    {"svm_ref",
     [](const Node& node, const NodeTypes& types) { return can_support_vectors(types, supports_of(node) + 1); },
     [](const Node& node, const NodeTypes& types) { return prepared_machine<Machine, run>(node, types); }}};

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
