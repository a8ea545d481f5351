#include <cmath>

#include "ops/nn/trees.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  require(context, 0, kernels::Numbers{});
  require_rank(context, 0, 1, 2);
  same_as_input(context);
}

void run(const Node& node, const KernelArguments& a) {
  Doubles values = real_list(node, "imputed_value_floats");
  const bool reals = !values.empty();
  if (!reals) values = real_list(node, "imputed_value_int64s");
  const double replaced =
      reals ? node.real("replaced_value_float", 0.0) : static_cast<double>(node.integer("replaced_value_int64", 0));
  const auto [rows, columns] = rows_and_columns(node, a.inputs[0].shape());
  if (values.size() != 1 && values.size() != columns)
    refuse(node, std::to_string(values.size()) + " values for " + std::to_string(columns) + " features");
  Doubles x = doubles(a.inputs[0]);
  for (std::size_t i = 0; i < rows * columns; ++i) {
    if (std::isnan(replaced) ? std::isnan(x[i]) : x[i] == replaced) x[i] = values[values.size() == 1 ? 0 : i % columns];
  }
  store(x, a.outputs[0]);
}

}  // namespace

extern const OpRecord imputer_record;
const OpRecord imputer_record = {
    .name = "ai.onnx.ml.Imputer",
    .since_opset = 5,
    .help =
        "x with every element equal to replaced_value (NaN too) set to imputed_value, one number or one for each "
        "feature; the dtype stays. Integers beyond 2^53 lose digits.",
    .inputs = 1,
    .infer = infer,
    .kernels = kReference<run>,
};

}  // namespace skerry::ops
