/// \file
/// What the optimisers of ai.onnx.preview.training share: inputs R (learning rate), T (i64, steps so far), then groups
/// of as many tensors as are trained: values, gradients, states; outputs: the values and states after the step.
#pragma once

#include <array>
#include <cmath>

#include "ops/nn/reference.hpp"

namespace skerry::ops {

/// Outputs are the first group and those from the third on, with their types. Errors: type_mismatch.
inline void infer_training(TypeContext& context, std::size_t states) {
  const std::size_t groups = 2 + states,
                    tensors = context.inputs.size() - std::min<std::size_t>(context.inputs.size(), 2);
  if (tensors == 0 || tensors % groups != 0 || context.outputs.size() != tensors / groups * (1 + states))
    refuse(context.node,
           std::to_string(tensors) + " tensors are not " + std::to_string(groups) + " for each that is trained");
  const std::size_t count = tensors / groups;
  for (std::size_t i = 2; i < context.inputs.size(); ++i) {
    require(context, i, kernels::Types<float, double>{});
    require_same(context, 2, i);
  }
  for (std::size_t output = 0; output < context.outputs.size(); ++output) {
    const std::size_t from = output < count ? output : output + count;  // gradients have no successor
    set_output(context, output, input(context, 2 + from).dtype, input(context, 2 + from).shape);
  }
}

/// Calls step(rate, steps so far, value, gradient, states) for every element; it changes value and states.
template <std::size_t States, class Step>
void run_training(const KernelArguments& a, Step step) {
  const double rate = doubles(a.inputs[0])[0];
  const auto steps = static_cast<double>(longs(a.inputs[1])[0]);
  const std::size_t count = (a.inputs.size() - 2) / (2 + States);
  for (std::size_t i = 0; i < count; ++i) {
    Doubles value = doubles(a.inputs[2 + i]);
    const Doubles gradient = doubles(a.inputs[2 + count + i]);
    std::array<Doubles, States> states;
    for (std::size_t s = 0; s < States; ++s) states[s] = doubles(a.inputs[2 + (2 + s) * count + i]);
    std::array<double, States> now{};
    for (std::size_t k = 0; k < value.size(); ++k) {
      for (std::size_t s = 0; s < States; ++s) now[s] = states[s][k];
      step(rate, steps, value[k], gradient[k], now);
      for (std::size_t s = 0; s < States; ++s) states[s][k] = now[s];
    }
    store(value, out_view(a, i));
    for (std::size_t s = 0; s < States; ++s) store(states[s], out_view(a, (1 + s) * count + i));
  }
}

}  // namespace skerry::ops
