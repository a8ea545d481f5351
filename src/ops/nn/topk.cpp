#include <algorithm>
#include <numeric>

#include "ops/nn/reference.hpp"
#include "ops/nn/upgrading.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  require(context, 0, kernels::Numbers{});
  const TensorType& x = input(context, 0);
  std::optional<Dims> out = x.shape;
  const auto k = constant_integers(context, 1);
  if (out) {
    const auto axis = normal_axis(context.node, context.node.integer("axis", -1), out->size());
    if (k && k->size() != 1) refuse(context.node, "k is not one number");
    const Dim extent = (*out)[axis];
    if (k && (k->front() < 0 || (extent.is_known() && k->front() > extent.value)))
      refuse(context.node, "k is " + std::to_string(k->front()) + " for " + x.text());
    (*out)[axis] = k ? Dim(k->front()) : Dim();
  }
  set_output(context, 0, x.dtype, out);
  set_output(context, 1, DType::i64, out);
}

void run(const Node& node, const KernelArguments& a) {
  const TensorView x = a.inputs[0];
  const Shape shape = x.shape();
  const auto axis = normal_axis(node, node.integer("axis", -1), static_cast<std::size_t>(shape.rank()));
  const AxisLoops l(shape, axis);
  const std::int64_t k = a.outputs[0].shape()[static_cast<int>(axis)];
  const bool largest = node.integer("largest", 1) != 0;
  const MutableTensorView places = out_view(a, 1);
  kernels::visit(kernels::Numbers{}, x.dtype(), [&]<class T>() {
    using C = kernels::Compute<T>;
    const auto in = x.as<T>();
    std::vector<std::int64_t> order(static_cast<std::size_t>(l.length));
    for (std::int64_t o = 0; o < l.outer * l.inner; ++o) {
      const std::int64_t base = o / l.inner * l.length * l.inner + o % l.inner;
      const auto at = [&](std::int64_t i) { return static_cast<C>(in[static_cast<std::size_t>(base + i * l.inner)]); };
      std::iota(order.begin(), order.end(), std::int64_t{0});
      std::ranges::stable_sort(order, [&](auto i, auto j) { return largest ? at(i) > at(j) : at(i) < at(j); });
      for (std::int64_t i = 0; i < k; ++i) {
        const std::int64_t to = (o / l.inner * k + i) * l.inner + o % l.inner;
        copy_element(x, base + order[static_cast<std::size_t>(i)] * l.inner, a.outputs[0], to);
        if (!places.empty())
          places.as<std::int64_t>()[static_cast<std::size_t>(to)] = order[static_cast<std::size_t>(i)];
      }
    }
  });
}

}  // namespace

extern const OpRecord topk_record;
const OpRecord topk_record = {
    .name = "TopK",
    .since_opset = 24,
    .help =
        "The k largest (largest = 1) elements along `axis` (default the last) and their places, in order; of equal "
        "ones the first. Numbers.",
    .inputs = 2,
    .infer = infer,
    .upgrade = [](UpgradeContext& context) { integers_to_input(context, "k", 1); },
    .kernels = kReference<run>,
};

}  // namespace skerry::ops
