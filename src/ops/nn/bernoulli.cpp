#include <skerry/error.hpp>

#include "ops/nn/random.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  drawn_by(context.node);
  require(context, 0, kernels::Reals{});
  set_output(context, 0, dtype_attribute(context.node, "dtype", input(context, 0).dtype), input(context, 0).shape);
}

Cost can(const Node& node, const NodeTypes& types) {
  if (!kernels::NumbersAndBool::contains(types.outputs[0].dtype)) return no_kernel(types.outputs[0].dtype);
  return can_draw(node, types);
}

// One element at a time through both tables: drawing costs more than finding the type, and for each pair of types there
// would be a loop.
void run(const KernelArguments& a, base::LegacyRandom random, const std::string& where) {
  const auto count = static_cast<std::size_t>(a.outputs[0].elements());
  for (std::size_t i = 0; i < count; ++i) {
    double p = 0.0;
    kernels::visit(kernels::Reals{}, a.inputs[0].dtype(),
                   [&]<class P>() { p = kernels::convert<double>(a.inputs[0].as<P>()[i]); });
    if (!(p >= 0.0 && p <= 1.0))
      throw Error(ErrorCode::out_of_range, "a probability is " + std::to_string(p), where, "give 0 to 1");
    const bool happens = random.bernoulli(p);
    kernels::visit(kernels::NumbersAndBool{}, a.outputs[0].dtype(),
                   [&]<class T>() { a.outputs[0].as<T>()[i] = kernels::convert<T>(happens ? 1.0F : 0.0F); });
  }
}

constexpr KernelRow kKernels[] = {
    {"bernoulli", can, [](const Node& node, const NodeTypes&) -> Prepared {
       return {[drawn = drawn_by(node), where = node.name](const KernelArguments& a) { run(a, drawn.begin(), where); }};
     }}};

}  // namespace

extern const OpRecord bernoulli_record;
const OpRecord bernoulli_record = {
    .name = "Bernoulli",
    .since_opset = 22,
    .help =
        "1 with the probability that stands in the input (reals from 0 to 1), else 0, in its dtype or that of "
        "attribute dtype. With `seed` as NumPy's RandomState(seed).binomial(1, input); without, drawn by the run's "
        "seed and the node's name.",
    .inputs = 1,
    .infer = infer,
    .kernels = kKernels,
    .draws = always_draws,
};

}  // namespace skerry::ops
