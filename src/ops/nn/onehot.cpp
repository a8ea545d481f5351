#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  const TensorType &indices = input(context, 0), &values = input(context, 2);
  input(context, 1);
  if (!indices.shape) return set_output(context, 0, values.dtype, std::nullopt);
  Dim depth;
  if (context.constants[1] != nullptr) {
    const auto found = doubles(context.constants[1]->view());
    if (found.size() != 1 || !(found[0] >= 0) || found[0] > 1e15) refuse(context.node, "the depth is no extent");
    depth = Dim(static_cast<std::int64_t>(found[0]));
  }
  Dims out = *indices.shape;
  const auto axis = normal_axis(context.node, context.node.integer("axis", -1), out.size() + 1);
  out.insert(out.begin() + static_cast<std::ptrdiff_t>(axis), depth);
  set_output(context, 0, values.dtype, std::move(out));
}

void run(const Node& node, const KernelArguments& a) {
  const auto indices = longs(a.inputs[0]);
  const Shape shape = a.outputs[0].shape();
  const AxisLoops l(shape, normal_axis(node, node.integer("axis", -1), static_cast<std::size_t>(shape.rank())));
  for (std::int64_t i = 0; i < shape.elements(); ++i) {
    const std::int64_t k = i / l.inner % l.length;
    std::int64_t index = indices[static_cast<std::size_t>(i / l.inner / l.length * l.inner + i % l.inner)];
    if (index < 0) index += l.length;
    copy_element(a.inputs[2], index == k ? 1 : 0, a.outputs[0], i);
  }
}

}  // namespace

extern const OpRecord onehot_record;
const OpRecord onehot_record = {
    .name = "OneHot",
    .since_opset = 28,
    .help =
        "`values[1]` at the index along a new `axis` (default the last) of extent depth, `values[0]` elsewhere. "
        "Indices outside [-depth, depth) give none.",
    .inputs = 3,
    .infer = infer,
    .kernels = kMover<run, 25>,
};

}  // namespace skerry::ops
