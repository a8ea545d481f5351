#include <algorithm>
#include <cmath>

#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  require(context, 0, kernels::Reals{});
  const TensorType &x = input(context, 0), &w = input(context, 1);
  same_as_input(context);
  std::optional<Dims> state = x.shape;
  if (state && state->size() == 3) {
    const Dim taps = w.shape && !w.shape->empty() ? w.shape->back() : Dim();
    (*state)[2] = taps.is_known() && taps.value > 0 ? Dim(taps.value - 1) : Dim();
  }
  set_output(context, 1, x.dtype, std::move(state));
}

void run(const Node& node, const KernelArguments& a) {
  const auto x = doubles(a.inputs[0]), w = doubles(a.inputs[1]), bias = doubles(in_view(a, 2)),
             past = doubles(in_view(a, 3));
  const Shape shape = a.inputs[0].shape(), weights = a.inputs[1].shape();
  if (shape.rank() != 3 || weights.rank() == 0) outside("the input has no three axes, or the weights none");
  const auto channels = static_cast<std::size_t>(shape[1]), length = static_cast<std::size_t>(shape[2]);
  const auto taps = static_cast<std::size_t>(weights[weights.rank() - 1]);
  const std::size_t lines = static_cast<std::size_t>(shape[0]) * channels;
  if (taps < 1 || w.size() != channels * taps || (!past.empty() && past.size() != lines * (taps - 1)))
    outside("weights or state do not fit the input");
  const bool silu = node.text("activation", "none") != "none";
  Doubles y(x.size()), state;
  Pace pace;
  for (std::size_t p = 0; p < static_cast<std::size_t>(shape[0]) * channels; ++p) {
    Doubles line(taps - 1, 0.0);
    if (!past.empty())
      line.assign(past.begin() + static_cast<std::ptrdiff_t>(p * (taps - 1)),
                  past.begin() + static_cast<std::ptrdiff_t>((p + 1) * (taps - 1)));
    line.insert(line.end(), x.begin() + static_cast<std::ptrdiff_t>(p * length),
                x.begin() + static_cast<std::ptrdiff_t>((p + 1) * length));
    pace(static_cast<std::int64_t>(length * taps));
    const std::size_t c = p % channels;
    for (std::size_t t = 0; t < length; ++t) {
      double sum = bias.empty() ? 0.0 : bias.at(c);
      for (std::size_t i = 0; i < taps; ++i) sum += w[c * taps + i] * line[t + i];
      y[p * length + t] = silu ? sum / (1.0 + std::exp(-sum)) : sum;
    }
    state.insert(state.end(), line.end() - static_cast<std::ptrdiff_t>(taps - 1), line.end());
  }
  store(y, a.outputs[0]);
  store(state, out_view(a, 1));
}

Cost can(const Node& node, const NodeTypes& types) {
  const Shape w = *types.inputs[1].static_shape();
  constexpr double kOfAnElement = 10.0, kOfATap = 1.5;
  return can_reference_at(types, node,
                          kOfAnElement + kOfATap * (w.rank() == 0 ? 1.0 : static_cast<double>(w[w.rank() - 1])));
}

}  // namespace

extern const OpRecord causalconvwithstate_record;
const OpRecord causalconvwithstate_record = {
    .name = "CausalConvWithState",
    .since_opset = 27,
    .help =
        "Depthwise convolution along the last axis of [B, C, L] that sees no later element; the last k - 1 inputs are "
        "carried as state. activation none, silu or swish. Reals.",
    .inputs = 2,
    .infer = infer,
    .kernels = kReference<run, can>,
};

}  // namespace skerry::ops
