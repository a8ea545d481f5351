#include <cstring>

#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  require_rank(context, 0, 2, Shape::kMaxRank);
  same_as_input(context);
}

void run(const Node& node, const KernelArguments& a) {
  const TensorView x = a.inputs[0];
  const int rank = x.shape().rank();
  const std::int64_t rows = x.shape()[rank - 2], columns = x.shape()[rank - 1];
  const std::int64_t k = in_view(a, 1).empty() ? 0 : longs(a.inputs[1]).at(0);
  const bool upper = node.integer("upper", 1) != 0;
  std::memset(a.outputs[0].data(), 0, a.outputs[0].bytes());
  for (std::int64_t i = 0; i < x.elements(); ++i) {
    const std::int64_t past = i % columns - i / columns % rows;
    if (upper ? past >= k : past <= k) copy_element(x, i, a.outputs[0], i);
  }
}

}  // namespace

extern const OpRecord trilu_record;
const OpRecord trilu_record = {
    .name = "Trilu",
    .since_opset = 14,
    .help =
        "The upper (upper = 1, default) or lower triangle of matrices, counted from the diagonal k (input 1, default "
        "0); 0 elsewhere. Any dtype of whole bytes.",
    .inputs = 1,
    .infer = infer,
    .kernels = kReference<run, can_reference_bytes>,
};

}  // namespace skerry::ops
