#include <algorithm>

#include "ops/nn/refuse_numbers.hpp"
#include "ops/nn/trees.hpp"

namespace skerry::ops {
namespace {

// Inputs all have as many rows, a vector being one; each gives as many columns as inputdimensions says, or all it has.
void infer(TypeContext& context) {
  const Node& node = context.node;
  const Longs wanted = integer_list(node, "inputdimensions");
  constexpr std::int64_t kMost = std::int64_t{1} << 32;
  if (!wanted.empty() && wanted.size() != node.inputs.size())
    refuse_numbers(node, "# inputdimensions for # inputs",
                   {static_cast<std::int64_t>(wanted.size()), static_cast<std::int64_t>(node.inputs.size())});
  Dim rows, all(0);
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    require(context, i, kernels::Numbers{});
    require_same(context, 0, i);
    const bool known = require_rank(context, i, 1, 2);
    const std::span<const Dim> x = known ? std::span(*input(context, i).shape) : std::span<const Dim>();
    const std::int64_t own = !known ? -1 : x.size() == 2 ? x[0].value : 1;
    std::int64_t width = known ? x.back().value : -1;
    if (!wanted.empty()) width = wanted[i];
    if (!wanted.empty() && (width < 0 || width > kMost)) refuse_numbers(node, "inputdimensions has #", {width});
    if (own >= 0 && rows.is_known() && own != rows.value)
      refuse_numbers(node, "inputs of # and of # rows", {rows.value, own});
    if (own >= 0) {
      rows = Dim(own);
    } else if (known && !rows.is_known()) {
      rows = x[0];
    }
    const bool fits = width >= 0 && all.is_known() && !__builtin_add_overflow(all.value, width, &all.value);
    if (!fits) all = Dim();
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
    if (own_rows != rows) refuse(node, "inputs have different rows");
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
