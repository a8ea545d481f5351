#include "kernels/tensor/elementwise.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/threads.hpp"

namespace skerry::kernels {
namespace {

// Floats of a tile: a few tiles are half of a first-level cache of 32 KB, and a step's call is lost among so many.
constexpr std::size_t kTile = 1024;
// Each input that is stretched and each step has a tile at most.
constexpr std::size_t kMostTiles = ElementwiseChain::kMostInputs + ElementwiseChain::kMostSteps;

}  // namespace

ElementwiseChain::ElementwiseChain(std::vector<ElementwiseStep> steps, const Shape& out, std::span<const Shape> inputs)
    : steps_(std::move(steps)), slots_(steps_.size(), 0), count_(static_cast<std::size_t>(out.elements())) {
  std::size_t tiles = 0;
  for (const Shape& shape : inputs) {
    const Reading reading = shape.elements() == out.elements() ? Reading::along
                            : shape.elements() == 1            ? Reading::number
                                                               : Reading::stretched;
    inputs_.push_back({reading, BroadcastLoops<1>(out, {shape}), reading == Reading::stretched ? tiles++ : 0});
  }
  // A tile is free again after the last step that reads it; that step may write over it.
  std::vector<std::size_t> last(steps_.size(), 0);
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    for (const std::size_t operand : {steps_[i].a, steps_[i].pair ? steps_[i].b : steps_[i].a})
      if (operand >= inputs_.size()) last[operand - inputs_.size()] = i;
  }
  std::vector<std::size_t> free;
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    for (std::size_t k = 0; k < i; ++k)
      if (last[k] == i) free.push_back(slots_[k]);
    if (free.empty()) free.push_back(tiles++);
    slots_[i] = free.back();
    free.pop_back();
  }
}

void ElementwiseChain::run_tile(const float* const* inputs, std::size_t begin, std::size_t count, float* out) const {
  alignas(64) std::array<float, kMostTiles * kTile> tiles;
  const auto tile = [&tiles](std::size_t slot) { return tiles.data() + slot * kTile; };
  std::array<const float*, kMostInputs + kMostSteps> operands{};
  const auto moves = [this](std::size_t operand) {
    return operand >= inputs_.size() || inputs_[operand].reading != Reading::number;
  };
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    const Input& input = inputs_[i];
    operands[i] = input.reading == Reading::along ? inputs[i] + begin : inputs[i];
    if (input.reading != Reading::stretched) continue;
    const auto first = static_cast<std::int64_t>(begin);
    input.loops.for_each_run(first, first + static_cast<std::int64_t>(count),
                             [&](std::int64_t at, const std::array<std::int64_t, 1>& in, std::int64_t length) {
                               float* const to = tile(input.slot) + (at - first);
                               const float* const from = inputs[i] + in[0];
                               if (input.loops.inner_stride(0) == 1) {
                                 std::copy_n(from, length, to);
                               } else {
                                 std::fill_n(to, length, *from);
                               }
                             });
    operands[i] = tile(input.slot);
  }
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    const ElementwiseStep& step = steps_[i];
    float* const to = i + 1 == steps_.size() ? out + begin : tile(slots_[i]);
    if (step.pair) {
      binary_f32_run(step.two, operands[step.a], moves(step.a), operands[step.b], moves(step.b), to, count);
    } else if (moves(step.a)) {
      unary_f32_run(step.one, step.parameters, operands[step.a], to, count);
    } else {
      unary_f32_run(step.one, step.parameters, operands[step.a], to, 1);
      std::fill_n(to + 1, count - 1, *to);
    }
    operands[inputs_.size() + i] = to;
  }
}

void ElementwiseChain::run(std::span<const TensorView> inputs, MutableTensorView out) const {
  std::array<const float*, kMostInputs> from{};
  for (std::size_t i = 0; i < inputs_.size(); ++i) from[i] = reinterpret_cast<const float*>(inputs[i].data());
  auto* const to = reinterpret_cast<float*>(out.data());
  const std::size_t grain = std::max(kTile, kElementGrain / steps_.size() / kTile * kTile);
  base::parallel_for(0, count_, grain, [&](std::size_t begin, std::size_t end) {
    for (; begin < end; begin += kTile) run_tile(from.data(), begin, std::min(kTile, end - begin), to);
  });
}

}  // namespace skerry::kernels
