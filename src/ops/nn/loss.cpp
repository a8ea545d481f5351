#include "ops/nn/loss.hpp"

namespace skerry::ops {

Doubles likelihood_loss(const Node& node, const Doubles& x, const KernelArguments& a) {
  const AxisLoops l(a.inputs[0].shape(), 1);
  const auto targets = longs(a.inputs[1]);
  if (a.inputs[0].shape().rank() < 2 || static_cast<std::int64_t>(targets.size()) != l.outer * l.inner)
    outside("targets " + a.inputs[1].shape().text() + " are not one for each of " + a.inputs[0].shape().text());
  const auto weights = doubles(in_view(a, 2));
  const Attribute* ignored = node.find("ignore_index");
  const std::int64_t skip = node.integer("ignore_index", 0);
  const std::string reduction = node.text("reduction", "mean");
  Doubles losses(targets.size(), 0.0);
  double total = 0.0, weight_sum = 0.0;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    if (ignored != nullptr && targets[i] == skip) continue;
    const std::int64_t t = within(targets[i], l.length), at = static_cast<std::int64_t>(i);
    const double weight = weights.empty() ? 1.0 : weights.at(static_cast<std::size_t>(t));
    losses[i] = -weight * x[static_cast<std::size_t>((at / l.inner * l.length + t) * l.inner + at % l.inner)];
    total += losses[i];
    weight_sum += weight;
  }
  if (reduction == "none") return losses;
  return {reduction == "sum" ? total : total / weight_sum};
}

}  // namespace skerry::ops
