#include <cstring>

#include "ops/nn/text_labels.hpp"
#include "ops/nn/trees.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  require(context, 0, kernels::Types<float>{});
  require_rank(context, 0, 1, 2);
  const auto& texts = text_list(context.node, "classlabels_strings");
  const std::size_t numbers = integer_list(context.node, "classlabels_int64s").size();
  if (texts.empty() == (numbers == 0)) refuse(context.node, "ZipMap needs labels that are strings, or integers");
  const TensorType item{DType::f32, Dims{}};
  const Wrap keys = texts.empty() ? Wrap::map_of_i64 : Wrap::map_of_string;
  set_type(context, 0, item.wrapped(keys).wrapped(Wrap::sequence));
}

std::vector<Datum> carry_out(DataNode& context) {
  const Node& node = context.node;
  Map map;
  const auto& texts = text_list(node, "classlabels_strings");
  std::size_t labels = texts.size();
  if (texts.empty()) {
    const Longs numbers = integer_list(node, "classlabels_int64s");
    labels = numbers.size();
    map.keys = std::vector<std::int64_t>(numbers.begin(), numbers.end());
  } else {
    map.keys = texts;
  }
  const Tensor& x = tensor_in(context, 0);
  const auto [rows, columns] = rows_and_columns(node, x.shape());
  if (columns != labels) refuse(node, std::to_string(labels) + " labels for " + std::to_string(columns) + " columns");
  std::vector<Datum> items;
  for (std::size_t row = 0; row < rows; ++row) {
    const Tensor values = allocate(DType::f32, Shape{static_cast<std::int64_t>(columns)}, context.evaluation);
    std::memcpy(writable(values).data(), x.as<float>().data() + row * columns, columns * sizeof(float));
    map.values = values;
    items.emplace_back(map);
  }
  return {sequence_of(node, std::move(items))};
}

}  // namespace

extern const OpRecord zipmap_record;
const OpRecord zipmap_record = {
    .name = "ai.onnx.ml.ZipMap",
    .since_opset = 5,
    .help =
        "For each row of f32 [N, C] a map from the labels (classlabels_strings or classlabels_int64s) to its numbers: "
        "a sequence of maps.",
    .inputs = 1,
    .infer = infer,
    .carry_out = carry_out};

}  // namespace skerry::ops
