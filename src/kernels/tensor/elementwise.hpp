/// \file
/// A chain of element-wise functions as one pass over memory: a tile at a time goes through all of them in the cache.
#pragma once

#include <cstdint>
#include <skerry/tensor.hpp>
#include <span>
#include <vector>

#include "kernels/tensor/binary.hpp"
#include "kernels/tensor/broadcast.hpp"
#include "kernels/tensor/unary.hpp"

namespace skerry::kernels {

/// A function of one or two operands: inputs 0, 1, ... of the chain, then the results of its steps.
struct ElementwiseStep {
  bool pair = false;  ///< `two` of operands a and b, else `one` of operand a
  Unary one = Unary::relu;
  UnaryParameters parameters = {};
  Binary two = Binary::add;
  std::size_t a = 0, b = 0;
};

/// A chain over f32 whose last step is its result; all results have the result's shape, inputs are stretched to it.
class ElementwiseChain {
 public:
  static constexpr std::size_t kMostInputs = 8, kMostSteps = 16;
  /// Precondition: at most kMostInputs shapes that broadcast to `out`; 1 to kMostSteps steps, each of operands that are
  /// inputs or results of steps before it.
  ElementwiseChain(std::vector<ElementwiseStep> steps, const Shape& out, std::span<const Shape> inputs);

  /// out may be the memory of an input of its shape. Shared by the threads; equal to the steps one by one, to the bit.
  void run(std::span<const TensorView> inputs, MutableTensorView out) const;

 private:
  // How a chain reads an input: element by element, one number, or copied into a tile as broadcasting says.
  enum class Reading : std::uint8_t { along, number, stretched };
  struct Input {
    Reading reading;
    BroadcastLoops<1> loops;
    std::size_t slot = 0;
  };
  void run_tile(const float* const* inputs, std::size_t begin, std::size_t count, float* out) const;

  std::vector<ElementwiseStep> steps_;
  std::vector<Input> inputs_;
  std::vector<std::size_t> slots_;  ///< the tile of each step's result; the last one's is not used
  std::size_t count_;
};

}  // namespace skerry::kernels
