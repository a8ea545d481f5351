#include <algorithm>
#include <cmath>
#include <skerry/error.hpp>

#include "ops/nn/random.hpp"

namespace skerry::ops {
namespace {

using Indices = kernels::Types<std::int32_t, std::int64_t>;

void infer(TypeContext& context) {
  const Node& node = context.node;
  drawn_by(node);
  require(context, 0, kernels::Reals{});
  require_rank(context, 0, 2, 2);
  const std::int64_t samples = node.integer("sample_size", 1);
  if (samples < 0) refuse(node, "sample_size is " + std::to_string(samples), "give 0 or more");
  const DType dtype = dtype_attribute(node, "dtype", DType::i32);
  if (!Indices::contains(dtype))
    refuse(node, "Multinomial gives no " + std::string(dtype_name(dtype)), "set dtype to int32 or int64");
  const auto& shape = input(context, 0).shape;
  set_output(context, 0, dtype, Dims{shape ? (*shape)[0] : Dim(), Dim(samples)});
}

Cost can(const Node&, const NodeTypes& types) {
  constexpr double kSteps = 40.0;
  return scalar_steps(types, kSteps * static_cast<double>(elements(types.inputs[0]) + elements(types.outputs[0])));
}

// Sums of the weights up to each class; the last is their total.
template <class P>
void add_up(std::span<const P> logits, std::span<double> sums, const std::string& where) {
  double most = -std::numeric_limits<double>::infinity(), total = 0.0;
  for (const P logit : logits) most = std::max(most, kernels::convert<double>(logit));
  for (std::size_t i = 0; i < sums.size(); ++i) sums[i] = total += std::exp(kernels::convert<double>(logits[i]) - most);
  if (!(total > 0.0 && std::isfinite(total)))  // a total that is no number is not above 0
    throw Error(ErrorCode::out_of_range, "a row of log-probabilities leaves no class to draw", where,
                "give finite numbers, or minus infinity for some of the classes");
}

void run(const KernelArguments& a, base::LegacyRandom random, const std::string& where) {
  const auto classes = static_cast<std::size_t>(a.inputs[0].shape()[1]);
  const auto samples = static_cast<std::size_t>(a.outputs[0].shape()[1]);
  const std::span sums(reinterpret_cast<double*>(a.scratch.data()), classes);
  kernels::visit(kernels::Reals{}, a.inputs[0].dtype(), [&]<class P>() {
    kernels::visit(Indices{}, a.outputs[0].dtype(), [&]<class T>() {
      const auto logits = a.inputs[0].as<P>();
      const auto y = a.outputs[0].as<T>();
      for (std::size_t begin = 0; begin < y.size(); begin += samples) {
        add_up<P>(logits.subspan(begin / samples * classes, classes), sums, where);
        for (std::size_t i = 0; i < samples; ++i) {
          const auto above = std::ranges::upper_bound(sums, random.uniform() * sums.back());
          y[begin + i] = static_cast<T>(std::min<std::ptrdiff_t>(above - sums.begin(), std::ssize(sums) - 1));
        }
      }
    });
  });
}

Prepared prepare(const Node& node, const NodeTypes& types) {
  const std::uint64_t classes = static_cast<std::uint64_t>((*types.inputs[0].static_shape())[1]);
  return {
      .run = [drawn = drawn_by(node), where = node.name](const KernelArguments& a) { run(a, drawn.begin(), where); },
      .scratch_bytes = classes * sizeof(double)};
}

constexpr KernelRow kKernels[] = {{"multinomial", can, prepare}};

}  // namespace

extern const OpRecord multinomial_record;
const OpRecord multinomial_record = {
    .name = "Multinomial",
    .since_opset = 22,
    .help =
        "sample_size (default 1) classes for each row of log-probabilities [batch, classes], which need not add up "
        "to 1, as i32 or i64 (attribute dtype). Drawn by inversion, row by row: with `seed` from NumPy's "
        "RandomState(seed), without by the run's seed and the node's name.",
    .inputs = 1,
    .infer = infer,
    .kernels = kKernels,
    .draws = always_draws,
};

}  // namespace skerry::ops
