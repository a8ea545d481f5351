// Rules of normalisations: with u = x / s the normalised input and g the cotangent of u, by x it is
// (g - mean(g) - u mean(g u)) / s, without mean(g) where nothing was subtracted.
#include <algorithm>

#include "passes/grad/rules.hpp"

namespace skerry::passes::grad {
namespace {

using Integers = std::vector<std::int64_t>;

ValueId mean(Rule& r, ValueId id, const Integers& axes) {
  return r.op("ReduceMean", {id, r.integers(axes)}, {{"keepdims", std::int64_t{1}}});
}

struct Normalised {
  ValueId values, inverse;  ///< u, 1 / s
};

Normalised normalised(Rule& r, ValueId x, const Integers& axes, double epsilon, bool subtracts) {
  const ValueId moved = subtracts ? r.op("Sub", {x, mean(r, x, axes)}) : x;
  const ValueId variance = mean(r, r.op("Mul", {moved, moved}), axes);
  const ValueId inverse = r.op("Reciprocal", {r.op("Sqrt", {r.op("Add", {variance, r.number(epsilon)})})});
  return {r.op("Mul", {moved, inverse}), inverse};
}

ValueId back_through(Rule& r, const Normalised& u, ValueId g, const Integers& axes, bool subtracts) {
  const ValueId along = r.op("Mul", {u.values, mean(r, r.op("Mul", {g, u.values}), axes)});
  const ValueId kept = subtracts ? r.op("Sub", {g, mean(r, g, axes)}) : g;
  return r.op("Mul", {r.op("Sub", {kept, along}), u.inverse});
}

/// [1, C, 1, …] for numbers by channel.
Shape by_channel(const Shape& x) {
  Integers dims(static_cast<std::size_t>(x.rank()), 1);
  dims[1] = x[1];
  return shape_of(dims);
}

/// Cotangents of a scale and a bias by channel.
void back_channels(Rule& r, ValueId normalised) {
  const Shape x = r.shape(r.x()), channels = by_channel(x);
  if (r.wants(1)) r.back(1, r.reshape(r.sum_to(r.op("Mul", {r.dy(), normalised}), x, channels), r.shape(r.x(1))));
  if (r.wants(2)) r.back(2, r.reshape(r.sum_to(r.dy(), x, channels), r.shape(r.x(2))));
}

void over_last_axes(Rule& r, bool subtracts, double usual_epsilon) {
  const Shape x = r.shape(r.x());
  const std::int64_t given = r.node().integer("axis", -1);
  Integers axes;
  for (std::int64_t axis = given < 0 ? given + x.rank() : given; axis < x.rank(); ++axis) axes.push_back(axis);
  const Normalised u = normalised(r, r.x(), axes, r.node().real("epsilon", usual_epsilon), subtracts);
  if (r.wants(0)) r.back(0, back_through(r, u, r.op("Mul", {r.dy(), r.x(1)}), axes, subtracts));
  if (r.wants(1)) r.back_broadcast(1, r.op("Mul", {r.dy(), u.values}));
  if (r.wants(2)) r.back_broadcast(2, r.dy());
}

/// Each sample's groups of channels are normalised.
void over_groups(Rule& r, std::int64_t groups) {
  const Shape x = r.shape(r.x());
  const std::int64_t each = x.elements() / std::max<std::int64_t>(x[0] * groups, 1);
  const Shape parts{x[0], groups, each};
  const Integers axes{2};
  if (r.shape(r.x(1)).elements() != x[1]) r.refuse("with a scale by group has no derivative");
  const Normalised u = normalised(r, r.reshape(r.x(), parts), axes, r.node().real("epsilon", 1e-5), true);
  if (r.wants(0)) {
    const ValueId g = r.op("Mul", {r.dy(), r.reshape(r.x(1), by_channel(x))});
    r.back(0, r.reshape(back_through(r, u, r.reshape(g, parts), axes, true), x));
  }
  back_channels(r, r.reshape(u.values, x));
}

}  // namespace

void layer_normalization_rule(Rule& r) {
  over_last_axes(r, true, 1e-5);
}

void rms_normalization_rule(Rule& r) {
  over_last_axes(r, false, 1e-5);
}

void group_normalization_rule(Rule& r) {
  over_groups(r, r.node().integer("num_groups", 1));
}

void instance_normalization_rule(Rule& r) {
  over_groups(r, r.shape(r.x())[1]);
}

void batch_normalization_rule(Rule& r) {
  if (r.node().integer("training_mode", 0) != 0) r.refuse("in training mode has no derivative");
  const Shape x = r.shape(r.x()), channels = by_channel(x);
  const auto given = [&](std::size_t input) { return r.reshape(r.x(input), channels); };
  const ValueId variance = r.op("Add", {given(4), r.number(r.node().real("epsilon", 1e-5))});
  const ValueId inverse = r.op("Reciprocal", {r.op("Sqrt", {variance})});
  const ValueId u = r.op("Mul", {r.op("Sub", {r.x(), given(3)}), inverse});
  const ValueId slope = r.op("Mul", {given(1), inverse}), dx = r.op("Mul", {r.dy(), slope});
  if (r.wants(0)) r.back(0, dx);
  back_channels(r, u);
  if (r.wants(3)) r.back(3, r.reshape(r.op("Neg", {r.sum_to(dx, x, channels)}), r.shape(r.x(3))));
  if (!r.wants(4)) return;
  const ValueId sum = r.sum_to(r.op("Mul", {dx, u}), x, channels);
  const ValueId share = r.op("Mul", {r.op("Mul", {sum, inverse}), r.number(-0.5)});
  r.back(4, r.reshape(share, r.shape(r.x(4))));
}

}  // namespace skerry::passes::grad
