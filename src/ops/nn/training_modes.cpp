#include "ops/nn/training_modes.hpp"

#include <algorithm>
#include <skerry/error.hpp>

#include "base/threads.hpp"
#include "kernels/tensor/normalize.hpp"

namespace skerry::ops {
namespace {

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

// Mean and (biased) variance of each channel of x, in two passes.
void measure(const TensorView& x, std::span<double> means, std::span<double> variances) {
  const Shape shape = x.shape();
  const auto channels = static_cast<std::size_t>(shape[1]), batch = static_cast<std::size_t>(shape[0]);
  const std::size_t plane = batch * channels == 0 ? 0 : static_cast<std::size_t>(x.elements()) / (batch * channels);
  const auto count = static_cast<double>(batch * plane);
  kernels::visit(kernels::Reals{}, x.dtype(), [&]<class T>() {
    const auto elements = x.as<T>();
    base::parallel_for(0, channels, 1, [&](std::size_t begin, std::size_t end) {
      for (std::size_t c = begin; c < end; ++c) {
        const auto sum = [&](auto term) {
          double total = 0.0;
          for (std::size_t n = 0; n < batch; ++n)
            for (const T element : elements.subspan((n * channels + c) * plane, plane))
              total += term(kernels::convert<double>(element));
          return total;
        };
        const double mean = sum([](double element) { return element; }) / count;
        means[c] = mean;
        variances[c] = sum([mean](double element) { return (element - mean) * (element - mean); }) / count;
      }
    });
  });
}

// given * momentum + measured * (1 - momentum)
void blend(const TensorView& given, std::span<const double> measured, double momentum, const MutableTensorView& out) {
  if (out.empty()) return;
  kernels::visit(kernels::Reals{}, out.dtype(), [&]<class T>() {
    const auto from = given.as<T>();
    for (std::size_t c = 0; c < measured.size(); ++c)
      out.as<T>()[c] =
          kernels::convert<T>(kernels::convert<double>(from[c]) * momentum + measured[c] * (1.0 - momentum));
  });
}

// x may be y's memory: it is measured before y is written.
void train(const KernelArguments& a, double epsilon, double momentum) {
  const auto channels = static_cast<std::size_t>(a.inputs[0].shape()[1]);
  const std::span both(reinterpret_cast<double*>(a.scratch.data()), 2 * channels);
  const auto means = both.first(channels), variances = both.last(channels);
  measure(a.inputs[0], means, variances);
  const Shape each{static_cast<std::int64_t>(channels)};
  const auto as_view = [&](std::span<double> numbers) {
    return TensorView(DType::f64, each, reinterpret_cast<const std::byte*>(numbers.data()));
  };
  if (!a.outputs[0].empty())
    kernels::batch_normalization(a.inputs[0], a.inputs[1], a.inputs[2], as_view(means), as_view(variances), epsilon,
                                 a.outputs[0]);
  const auto out = [&](std::size_t i) { return i < a.outputs.size() ? a.outputs[i] : MutableTensorView(); };
  blend(a.inputs[3], means, momentum, out(1));
  blend(a.inputs[4], variances, momentum, out(2));
  blend(a.inputs[3], means, 0.0, out(3));
  blend(a.inputs[4], variances, 0.0, out(4));
}

}  // namespace

void drop_at_random(const KernelArguments& arguments, const Drawn& drawn, const std::string& where) {
  const Ratio ratio = ratio_of(arguments.inputs.size() > 1 ? arguments.inputs[1] : TensorView(), where);
  ratio.dropped == 0.0 ? keep_all(arguments) : drop(arguments, drawn.begin(), ratio);
}

Prepared prepare_batch_training(const Node& node, const NodeTypes& types) {
  const auto channels = static_cast<std::uint64_t>((*types.inputs[0].static_shape())[1]);
  return {.run = [epsilon = node.real("epsilon", 1e-5),
                  momentum = node.real("momentum", 0.9)](const KernelArguments& a) { train(a, epsilon, momentum); },
          .scratch_bytes = 2 * channels * sizeof(double)};
}

}  // namespace skerry::ops
