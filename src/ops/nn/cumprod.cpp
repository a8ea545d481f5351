#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  require(context, 0, kernels::Numbers{});
  require(context, 1, kernels::Types<std::int32_t, std::int64_t>{});
  same_as_input(context);
}

void run(const Node& node, const KernelArguments& a) {
  const Shape shape = a.inputs[0].shape();
  const auto axis = within(longs(a.inputs[1]).at(0), shape.rank());
  const AxisLoops l(shape, static_cast<std::size_t>(axis));
  const bool exclusive = node.integer("exclusive", 0) != 0, reverse = node.integer("reverse", 0) != 0;
  const auto go = [&]<class T>(std::vector<T> x) {
    for (std::int64_t o = 0; o < l.outer * l.inner; ++o) {
      T total = T(1);
      for (std::int64_t step = 0; step < l.length; ++step) {
        const std::int64_t k = reverse ? l.length - 1 - step : step;
        T& element = x[static_cast<std::size_t>((o / l.inner * l.length + k) * l.inner + o % l.inner)];
        const T before = total;
        total = static_cast<T>(total * element);
        element = exclusive ? before : total;
      }
    }
    store(x, a.outputs[0]);
  };
  if (kernels::Reals::contains(a.inputs[0].dtype())) return go(doubles(a.inputs[0]));
  go(longs(a.inputs[0]));
}

}  // namespace

extern const OpRecord cumprod_record;
const OpRecord cumprod_record = {
    .name = "CumProd",
    .since_opset = 26,
    .help =
        "Running products along the axis that input 1 names; exclusive leaves the element itself out, reverse begins "
        "at the end. Numbers.",
    .infer = infer,
    .kernels = kReference<run>,
};

}  // namespace skerry::ops
