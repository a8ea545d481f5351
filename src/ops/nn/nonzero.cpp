#include <algorithm>

#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  const TensorType& x = input(context, 0);
  Dims out = {Dim(), Dim()};
  if (x.shape) out[0] = Dim(static_cast<std::int64_t>(x.shape->size()));
  if (context.constants[0] != nullptr && kernels::NumbersAndBool::contains(x.dtype)) {
    const auto values = doubles(context.constants[0]->view());
    out[1] = Dim(std::ranges::count_if(values, [](double v) { return v != 0.0; }));
  }
  set_output(context, 0, DType::i64, out);
}

void run(const Node&, const KernelArguments& a) {
  const auto x = doubles(a.inputs[0]);
  const Shape shape = a.inputs[0].shape();
  const std::int64_t count = a.outputs[0].shape()[1];
  const auto y = a.outputs[0].as<std::int64_t>();
  Position at(shape);
  std::int64_t found = 0;
  for (const double v : x) {
    for (std::int64_t k = 0; v != 0.0 && k < shape.rank(); ++k)
      y[static_cast<std::size_t>(k * count + found)] = at[static_cast<std::size_t>(k)];
    found += v != 0.0 ? 1 : 0;
    at.next();
  }
}

}  // namespace

extern const OpRecord nonzero_record;
const OpRecord nonzero_record = {
    .name = "NonZero",
    .since_opset = 13,
    .help = "The positions of all elements that are not 0, [rank, count], in row-major order.",
    .inputs = 1,
    .infer = infer,
    .kernels = kReference<run>,
};

}  // namespace skerry::ops
