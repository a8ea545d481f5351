#include "ops/nn/trees.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  require(context, 0, kernels::Numbers{});
  require_rank(context, 0, 1, Shape::kMaxRank);
  set_output(context, 0, DType::f32, input(context, 0).shape);
}

void run(const Node& node, const KernelArguments& a) {
  const Doubles offset = real_list(node, "offset"), scale = real_list(node, "scale");
  const Shape shape = a.inputs[0].shape();
  const auto columns = static_cast<std::size_t>(shape[shape.rank() - 1]);
  for (const Doubles* list : {&offset, &scale}) {
    if (list->size() > 1 && list->size() != columns)
      refuse(node, std::to_string(list->size()) + " numbers for " + std::to_string(columns) + " features");
  }
  const auto of = [](const Doubles& list, std::size_t i, double otherwise) {
    return list.empty() ? otherwise : list[list.size() == 1 ? 0 : i];
  };
  Doubles x = doubles(a.inputs[0]);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = (x[i] - of(offset, i % columns, 0.0)) * of(scale, i % columns, 1.0);
  store(x, a.outputs[0]);
}

}  // namespace

extern const OpRecord scaler_record;
const OpRecord scaler_record = {
    .name = "ai.onnx.ml.Scaler",
    .since_opset = 5,
    .help =
        "(x - offset) * scale as f32; offset and scale hold one number, or one for each feature along the last axis.",
    .inputs = 1,
    .infer = infer,
    .kernels = kReference<run>,
};

}  // namespace skerry::ops
