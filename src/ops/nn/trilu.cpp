#include <algorithm>
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
  for (std::int64_t row = 0; columns > 0 && row < x.elements() / columns; ++row) {
    // The diagonal's column, or the one past it.
    const std::int64_t at = k > columns ? columns : k < -rows ? -rows : k;
    const std::int64_t edge = std::clamp<std::int64_t>(row % rows + at + (upper ? 0 : 1), 0, columns);
    const std::int64_t first = upper ? edge : 0, count = upper ? columns - edge : edge;
    copy_elements(x, row * columns + first, a.outputs[0], row * columns + first, count);
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
    .kernels = kMover<run, 1>,
};

}  // namespace skerry::ops
