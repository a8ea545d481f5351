#include <algorithm>
#include <cstring>
#include <skerry/error.hpp>

#include "ops/nn/random.hpp"

namespace skerry::ops {
namespace {

// Older forms say by attributes what is now an input, and have nothing to say to inference. Their mask has no meaning
// there.
void upgrade(UpgradeContext& context) {
  Node& node = context.node;
  if (context.from_opset < 10 && node.outputs.size() > 1 && node.outputs[1] != kNoValue)
    throw Error(ErrorCode::unsupported, "the mask of a Dropout below opset 10 is not defined in inference", node.name);
  for (const char* attribute : {"ratio", "is_test", "consumed_inputs"}) node.erase(attribute);
}

void infer(TypeContext& context) {
  drawn_by(context.node);
  require(context, 0, kernels::Reals{});
  if (optional_input(context, 1) != nullptr) require(context, 1, kernels::Reals{});
  if (optional_input(context, 2) != nullptr) require(context, 2, kernels::Types<bool>{});
  same_as_input(context);
  set_output(context, 1, DType::boolean, input(context, 0).shape);
}

Cost can(const Node& node, const NodeTypes& types) {
  return has_input(node, 2) ? can_draw(node, types) : Cost(stream_all(types));
}

TensorView view(const KernelArguments& a, std::size_t index) {
  return index < a.inputs.size() ? a.inputs[index] : TensorView();
}

void keep_all(const KernelArguments& a) {
  const TensorView& x = a.inputs[0];
  if (!a.outputs[0].empty() && a.outputs[0].data() != x.data()) std::memcpy(a.outputs[0].data(), x.data(), x.bytes());
  if (a.outputs.size() > 1 && !a.outputs[1].empty()) std::ranges::fill(a.outputs[1].as<bool>(), true);
}

// What stays is as much larger as there is less of it, in the precision of the ratio.
struct Ratio {
  double dropped = 0.5, scale = 2.0;
};

Ratio ratio_of(const TensorView& given, const std::string& where) {
  Ratio ratio;
  if (given.empty() || given.elements() == 0) return ratio;
  kernels::visit(kernels::Reals{}, given.dtype(), [&]<class T>() {
    using C = kernels::Compute<T>;
    ratio.dropped = kernels::convert<double>(given.as<T>()[0]);
    ratio.scale = kernels::convert<double>(kernels::convert<T>(C(1) / (C(1) - static_cast<C>(given.as<T>()[0]))));
  });
  if (!(ratio.dropped >= 0.0 && ratio.dropped < 1.0))
    throw Error(ErrorCode::out_of_range, "the ratio is " + std::to_string(ratio.dropped), where,
                "give a ratio from 0 to below 1");
  return ratio;
}

void drop(const KernelArguments& a, base::LegacyRandom random, const Ratio& ratio) {
  kernels::visit(kernels::Reals{}, a.inputs[0].dtype(), [&]<class T>() {
    const auto x = a.inputs[0].as<T>();
    const auto y = a.outputs[0].empty() ? std::span<T>() : a.outputs[0].as<T>();
    const auto mask = a.outputs.size() < 2 || a.outputs[1].empty() ? std::span<bool>() : a.outputs[1].as<bool>();
    for (std::size_t i = 0; i < x.size(); ++i) {
      const bool stays = random.uniform() >= ratio.dropped;
      if (!y.empty()) y[i] = kernels::convert<T>(stays ? kernels::convert<double>(x[i]) * ratio.scale : 0.0);
      if (!mask.empty()) mask[i] = stays;
    }
  });
}

Prepared prepare(const Node& node, const NodeTypes&) {
  return {[drawn = drawn_by(node), where = node.name](const KernelArguments& a) {
    const TensorView trains = view(a, 2);
    if (trains.empty() || trains.elements() == 0 || !trains.as<bool>()[0]) return keep_all(a);
    const Ratio ratio = ratio_of(view(a, 1), where);
    ratio.dropped == 0.0 ? keep_all(a) : drop(a, drawn.begin(), ratio);
  }};
}

constexpr KernelRow kKernels[] = {{"dropout", can, prepare}};

}  // namespace

extern const OpRecord dropout_record;
const OpRecord dropout_record = {
    .name = "Dropout",
    .since_opset = 22,
    .help =
        "y = x, and the mask is true everywhere; where input training_mode is true, each element is 0 with "
        "probability `ratio` (input, default 0.5, below 1) and the others are x / (1 - ratio). With `seed` as "
        "NumPy's RandomState(seed) draws; without, drawn by the run's seed and the node's name. Reals.",
    .inputs = 1,
    .infer = infer,
    .upgrade = upgrade,
    .kernels = kKernels,
    .in_place_input = 0,
};

}  // namespace skerry::ops
