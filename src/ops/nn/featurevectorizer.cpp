#include <algorithm>

#include "ops/nn/trees.hpp"

namespace skerry::ops {
namespace {

// How many columns each input gives: those of inputdimensions, or all that it has.
Dims widths(TypeContext& context) {
  const Node& node = context.node;
  const Longs wanted = integer_list(node, "inputdimensions");
  constexpr std::int64_t kMost = std::int64_t{1} << 32;
  if (!wanted.empty() && wanted.size() != node.inputs.size())
    refuse(node,
           std::to_string(wanted.size()) + " inputdimensions for " + std::to_string(node.inputs.size()) + " inputs");
  Dims out;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    const TensorType& x = input(context, i);
    if (!wanted.empty()) {
      if (wanted[i] < 0 || wanted[i] > kMost) refuse(node, "inputdimensions has " + std::to_string(wanted[i]));
      out.emplace_back(wanted[i]);
    } else {
      out.push_back(x.shape ? x.shape->back() : Dim());
    }
  }
  return out;
}

// Of inputs that all have as many rows; a vector is one row.
void infer(TypeContext& context) {
  const Node& node = context.node;
  Dim rows, all(0);
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    require(context, i, kernels::Numbers{});
    require_same(context, 0, i);
    require_rank(context, i, 1, 2);
    const TensorType& x = input(context, i);
    if (!x.shape) continue;
    const Dim own = x.shape->size() == 2 ? (*x.shape)[0] : Dim(1);
    if (rows.is_known() && own.is_known() && rows.value != own.value)
      refuse(node, "inputs of " + std::to_string(rows.value) + " and of " + std::to_string(own.value) + " rows");
    if (!rows.is_known()) rows = own;
  }
  for (const Dim& width : widths(context)) {
    std::int64_t sum = 0;
    const bool known = all.is_known() && width.is_known() && !__builtin_add_overflow(all.value, width.value, &sum);
    all = known ? Dim(sum) : Dim();
  }
  set_output(context, 0, DType::f32, Dims{rows, all});
}

void run(const Node& node, const KernelArguments& a) {
  const Longs wanted = integer_list(node, "inputdimensions");
  const Shape shape = a.outputs[0].shape();
  const auto rows = static_cast<std::size_t>(shape[0]), wide = static_cast<std::size_t>(shape[1]);
  Doubles y(rows * wide, 0.0);
  std::size_t to = 0;
  for (std::size_t i = 0; i < a.inputs.size(); ++i) {
    const auto [own_rows, columns] = rows_and_columns(node, a.inputs[i].shape());
    const std::size_t width = wanted.empty() ? columns : static_cast<std::size_t>(wanted[i]);
    const Doubles x = doubles(a.inputs[i]);
    if (own_rows != rows) refuse(node, "input " + std::to_string(i) + " has " + std::to_string(own_rows) + " rows");
    for (std::size_t r = 0; r < rows; ++r) {
      if (r % 1024 == 0) base::check_stop();
      std::copy_n(x.begin() + static_cast<std::ptrdiff_t>(r * columns), std::min(width, columns),
                  y.begin() + static_cast<std::ptrdiff_t>(r * wide + to));
    }
    to += width;
  }
  store(y, a.outputs[0]);
}

}  // namespace

extern const OpRecord featurevectorizer_record;
const OpRecord featurevectorizer_record = {
    .name = "ai.onnx.ml.FeatureVectorizer",
    .since_opset = 1,
    .help =
        "The columns of all inputs [N, C] of one dtype beside each other as f32; inputdimensions says how many of "
        "each, "
        "zeros where it has fewer. A vector is one row.",
    .inputs = 1,
    .infer = infer,
    .kernels = kReference<run>,
};

}  // namespace skerry::ops
