#include <algorithm>

#include "ops/nn/text_labels.hpp"
#include "ops/nn/trees.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  const bool texts = input(context, 0).dtype == DType::string;
  if (!texts) require(context, 0, kernels::Numbers{});
  const std::size_t categories =
      texts ? text_list(context.node, "cats_strings").size() : integer_list(context.node, "cats_int64s").size();
  if (categories == 0) refuse(context.node, "there are no categories of the dtype of the input");
  std::optional<Dims> shape = input(context, 0).shape;
  if (shape) shape->emplace_back(static_cast<std::int64_t>(categories));
  set_output(context, 0, DType::f32, std::move(shape));
}

void run(const Node& node, const KernelArguments& a) {
  const Longs categories = integer_list(node, "cats_int64s"), x = longs(a.inputs[0]);
  Doubles out(x.size() * categories.size(), 0.0);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const auto found = std::ranges::find(categories, x[i]);
    if (found != categories.end()) {
      out[i * categories.size() + static_cast<std::size_t>(found - categories.begin())] = 1.0;
    } else if (node.integer("zeros", 1) == 0) {
      outside(std::to_string(x[i]) + " is none of the categories");
    }
  }
  store(out, a.outputs[0]);
}

}  // namespace

extern const OpRecord onehotencoder_record;
const OpRecord onehotencoder_record = {
    .name = "ai.onnx.ml.OneHotEncoder",
    .since_opset = 5,
    .help =
        "A last axis that holds 1 at the category (cats_int64s or cats_strings) that the element is, else 0; one that "
        "is none gives "
        "zeros, or is refused if attribute zeros is 0.",
    .inputs = 1,
    .infer = infer,
    .kernels = kReference<run>,
    .carry_out = [](DataNode& context) { return run_numbered(context, "cats_strings", "cats_int64s"); },
};

}  // namespace skerry::ops
