// Rules of operators that move elements and compute nothing.
#include "passes/grad/rules.hpp"

namespace skerry::passes::grad {

void same_elements_rule(Rule& r) {
  r.back(0, r.shape(r.x()) == r.shape(r.y()) ? r.dy() : r.reshape(r.dy(), r.shape(r.x())));
}

void expand_rule(Rule& r) {
  r.back_broadcast(0, r.dy());
}

void transpose_rule(Rule& r) {
  const int rank = r.shape(r.x()).rank();
  std::vector<std::int64_t> order = r.node().integers("perm"), inverse(static_cast<std::size_t>(rank));
  for (int axis = 0; axis < rank; ++axis) {
    const std::int64_t from = order.empty() ? rank - 1 - axis : order[static_cast<std::size_t>(axis)];
    inverse[static_cast<std::size_t>(from)] = axis;
  }
  r.back(0, r.op("Transpose", {r.dy()}, {{"perm", inverse}}));
}

void concat_rule(Rule& r) {
  const std::int64_t given = r.node().integer("axis", 0), axis = given < 0 ? given + r.shape(r.y()).rank() : given;
  std::int64_t begin = 0;
  for (std::size_t i = 0; i < r.node().inputs.size(); ++i) {
    const std::int64_t end = begin + r.shape(r.x(i))[static_cast<int>(axis)];
    if (r.wants(i)) r.back(i, r.op("Slice", {r.dy(), r.integers({begin}), r.integers({end}), r.integers({axis})}));
    begin = end;
  }
}

}  // namespace skerry::passes::grad
