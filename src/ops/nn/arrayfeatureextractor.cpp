#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  const TensorType &x = input(context, 0), &index = input(context, 1);
  require(context, 1, kernels::Types<std::int64_t>{});
  require_rank(context, 0, 1, Shape::kMaxRank);
  if (!x.shape || !index.shape) return set_output(context, 0, x.dtype, std::nullopt);
  Dims out = *x.shape;
  if (out.size() == 1) out.insert(out.begin(), Dim(1));
  out.back() = product(*index.shape, 0, index.shape->size());
  set_output(context, 0, x.dtype, std::move(out));
}

void run(const Node&, const KernelArguments& a) {
  const Longs index = longs(a.inputs[1]);
  const Shape shape = a.inputs[0].shape();
  const std::int64_t length = shape[shape.rank() - 1];
  const std::int64_t rows = length == 0 ? 0 : shape.elements() / length;
  std::int64_t to = 0;
  for (std::int64_t row = 0; row < rows; ++row) {
    for (const std::int64_t at : index)
      copy_element(a.inputs[0], row * length + within(at, length), a.outputs[0], to++);
  }
}

}  // namespace

extern const OpRecord arrayfeatureextractor_record;
const OpRecord arrayfeatureextractor_record = {
    .name = "ai.onnx.ml.ArrayFeatureExtractor",
    .since_opset = 5,
    .help = "The elements of x along its last axis that an i64 tensor names; a vector gives one row.",
    .inputs = 2,
    .infer = infer,
    .kernels = kMover<run>,
};

}  // namespace skerry::ops
