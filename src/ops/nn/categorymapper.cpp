#include "ops/nn/text_labels.hpp"
#include "ops/nn/trees.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  const TensorType& x = input(context, 0);
  if (x.dtype != DType::string && x.dtype != DType::i64)
    refuse(context.node, "CategoryMapper takes strings or i64 but has " + x.text());
  if (text_list(context.node, "cats_strings").size() != integer_list(context.node, "cats_int64s").size())
    refuse(context.node, "cats_strings and cats_int64s are not as many");
  set_output(context, 0, x.dtype == DType::string ? DType::i64 : DType::string, x.shape);
}

std::vector<Datum> carry_out(DataNode& context) {
  const Node& node = context.node;
  const auto& texts = text_list(node, "cats_strings");
  const Longs numbers = integer_list(node, "cats_int64s");
  if (context.outputs[0].dtype == DType::i64) {
    const Tensor places = TextNumbers(texts).of(strings_in(context, 0), context.evaluation);
    for (std::int64_t& place : writable(places).as<std::int64_t>())
      place = place < 0 ? node.integer("default_int64", -1) : numbers[static_cast<std::size_t>(place)];
    return {places};
  }
  std::unordered_map<std::int64_t, const std::string*> of;
  for (std::size_t i = 0; i < numbers.size(); ++i) of.try_emplace(numbers[i], &texts[i]);
  const std::string otherwise = node.text("default_string", "_Unused");
  std::vector<std::string> out;
  const Tensor& x = tensor_in(context, 0);
  for (const std::int64_t number : x.as<std::int64_t>()) {
    const auto found = of.find(number);
    out.push_back(found == of.end() ? otherwise : *found->second);
  }
  return {strings_of(node, x.shape(), std::move(out), context.evaluation)};
}

}  // namespace

extern const OpRecord categorymapper_record;
const OpRecord categorymapper_record = {
    .name = "ai.onnx.ml.CategoryMapper",
    .since_opset = 5,
    .help =
        "Strings as the i64 at their place in cats_int64s, or i64 as the string in cats_strings; default_int64 or "
        "default_string for one that is neither.",
    .inputs = 1,
    .infer = infer,
    .carry_out = carry_out};

}  // namespace skerry::ops
