#include <utility>

#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  require(context, 0, kernels::Reals{});
  same_as_input(context);
}

void run(const Node& node, const KernelArguments& a) {
  const auto x = doubles(a.inputs[0]);
  const Shape shape = a.inputs[0].shape();
  AxisLoops l(shape, normal_axis(node, node.integer("axis", -1), static_cast<std::size_t>(shape.rank())));
  if (node.integer("flatten", 0) != 0) l.length *= std::exchange(l.inner, 1);
  Doubles y(x.size(), 0.0);
  Pace pace;
  for (std::int64_t o = 0; o < l.outer * l.inner; ++o) {
    pace(l.length);
    const auto at = [&](std::int64_t k) {
      return static_cast<std::size_t>((o / l.inner * l.length + k) * l.inner + o % l.inner);
    };
    std::int64_t best = 0;
    for (std::int64_t k = 1; k < l.length; ++k) best = x[at(k)] > x[at(best)] ? k : best;
    if (l.length > 0) y[at(best)] = 1.0;
  }
  store(y, a.outputs[0]);
}

}  // namespace

extern const OpRecord hardmax_record;
const OpRecord hardmax_record = {
    .name = "Hardmax",
    .since_opset = 13,
    .help = "1 at the first largest element along `axis` (default the last), 0 elsewhere. Reals.",
    .inputs = 1,
    .infer = infer,
    .upgrade =
        [](UpgradeContext& context) {
          if (context.from_opset >= 13) return;
          if (context.node.find("axis") == nullptr) context.node.set("axis", std::int64_t{1});
          context.node.set("flatten", std::int64_t{1});
        },
    .kernels = kReference<run, can_reference<7>>,
};

}  // namespace skerry::ops
