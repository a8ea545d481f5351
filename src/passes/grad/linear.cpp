// Rules of products and sums.
#include <numeric>

#include "passes/grad/rules.hpp"

namespace skerry::passes::grad {
namespace {

std::vector<std::int64_t> dims_of(const Shape& shape) {
  return {shape.dims().begin(), shape.dims().end()};
}

/// The last two axes exchanged.
ValueId transposed(Rule& r, ValueId id, int rank) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(rank));
  std::iota(order.begin(), order.end(), 0);
  std::swap(order[order.size() - 1], order[order.size() - 2]);
  return r.op("Transpose", {id}, {{"perm", order}});
}

/// What a reduction does to shapes.
struct Reduced {
  Shape kept;              // the input's shape with 1 where it was summed
  std::int64_t count = 1;  // elements in one sum
};

Reduced reduced(const Rule& r) {
  const Shape x = r.shape(r.x());
  std::vector<std::int64_t> dims = dims_of(x), axes;
  if (r.node().inputs.size() > 1 && r.x(1) != kNoValue) axes = r.constant_integers(1);
  if (axes.empty() && r.node().integer("noop_with_empty_axes", 0) == 0) {
    axes.resize(dims.size());
    std::iota(axes.begin(), axes.end(), 0);
  }
  Reduced result;
  for (const std::int64_t axis : axes) {
    const std::int64_t at = axis < 0 ? axis + x.rank() : axis;
    result.count *= dims[static_cast<std::size_t>(at)];
    dims[static_cast<std::size_t>(at)] = 1;
  }
  result.kept = shape_of(dims);
  return result;
}

ValueId axis_of(Rule& r) {
  return r.integers({r.node().integer("axis", -1)});
}

}  // namespace

void mat_mul_rule(Rule& r) {
  // Vectors become matrices of one row or column, as MatMul itself takes them.
  std::vector<std::int64_t> left = dims_of(r.shape(r.x(0))), right = dims_of(r.shape(r.x(1)));
  std::vector<std::int64_t> out = dims_of(r.shape(r.y()));
  if (left.size() == 1) {
    left.insert(left.begin(), 1);
    out.insert(out.end() - (right.size() == 1 ? 0 : 1), 1);
  }
  if (right.size() == 1) {
    right.push_back(1);
    out.push_back(1);
  }
  const ValueId dy = r.reshape(r.dy(), shape_of(out));
  const auto product = [&](ValueId a, ValueId b, std::int64_t rows, std::int64_t columns, std::size_t input,
                           const std::vector<std::int64_t>& wanted) {
    std::vector<std::int64_t> full(out.begin(), out.end() - 2);
    full.push_back(rows);
    full.push_back(columns);
    const ValueId sum = r.sum_to(r.op("MatMul", {a, b}), shape_of(full), shape_of(wanted));
    r.back(input, r.reshape(sum, r.shape(r.x(input))));
  };
  if (r.wants(0)) {
    const ValueId b = transposed(r, r.reshape(r.x(1), shape_of(right)), static_cast<int>(right.size()));
    product(dy, b, left[left.size() - 2], left.back(), 0, left);
  }
  if (r.wants(1)) {
    const ValueId a = transposed(r, r.reshape(r.x(0), shape_of(left)), static_cast<int>(left.size()));
    product(a, dy, right[right.size() - 2], right.back(), 1, right);
  }
}

void gemm_rule(Rule& r) {
  const double alpha = r.node().real("alpha", 1.0), beta = r.node().real("beta", 1.0);
  const std::int64_t ta = r.node().integer("transA", 0), tb = r.node().integer("transB", 0);
  const auto product = [&](ValueId a, ValueId b, std::int64_t first, std::int64_t second) {
    return r.op("Gemm", {a, b}, {{"alpha", alpha}, {"transA", first}, {"transB", second}});
  };
  if (r.wants(0)) r.back(0, ta == 0 ? product(r.dy(), r.x(1), 0, 1 - tb) : product(r.x(1), r.dy(), tb, 1));
  if (r.wants(1)) r.back(1, tb == 0 ? product(r.x(0), r.dy(), 1 - ta, 0) : product(r.dy(), r.x(0), 1, ta));
  if (r.wants(2)) {
    const ValueId scaled = beta == 1.0 ? r.dy() : r.op("Mul", {r.dy(), r.number(beta)});
    r.back_broadcast(2, scaled);
  }
}

void reduce_sum_rule(Rule& r) {
  const Reduced how = reduced(r);
  r.back(0, r.op("Expand", {r.reshape(r.dy(), how.kept), r.integers(dims_of(r.shape(r.x())))}));
}

void reduce_mean_rule(Rule& r) {
  const Reduced how = reduced(r);
  const ValueId share = r.op("Mul", {r.reshape(r.dy(), how.kept), r.number(1 / static_cast<double>(how.count))});
  r.back(0, r.op("Expand", {share, r.integers(dims_of(r.shape(r.x())))}));
}

void reduce_sum_square_rule(Rule& r) {
  const Reduced how = reduced(r);
  r.back(0, r.op("Mul", {r.op("Add", {r.x(), r.x()}), r.reshape(r.dy(), how.kept)}));
}

void reduce_log_sum_exp_rule(Rule& r) {
  const Reduced how = reduced(r);
  const ValueId share = r.op("Exp", {r.op("Sub", {r.x(), r.reshape(r.y(), how.kept)})});
  r.back(0, r.op("Mul", {share, r.reshape(r.dy(), how.kept)}));
}

void softmax_rule(Rule& r) {
  const ValueId weighted = r.op("Mul", {r.dy(), r.y()});
  const ValueId sum = r.op("ReduceSum", {weighted, axis_of(r)}, {{"keepdims", std::int64_t{1}}});
  r.back(0, r.op("Sub", {weighted, r.op("Mul", {r.y(), sum})}));
}

void log_softmax_rule(Rule& r) {
  const ValueId sum = r.op("ReduceSum", {r.dy(), axis_of(r)}, {{"keepdims", std::int64_t{1}}});
  r.back(0, r.op("Sub", {r.dy(), r.op("Mul", {r.op("Exp", {r.y()}), sum})}));
}

}  // namespace skerry::passes::grad
