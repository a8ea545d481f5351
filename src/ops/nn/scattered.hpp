/// \file
/// Updates put into a copy of a tensor: ScatterElements and ScatterND.
#pragma once

#include "ops/nn/reference.hpp"

namespace skerry::ops {

/// Data, indices and updates of one dtype; the attribute `reduction` (none, add, mul, max or min), which takes numbers
/// alone. Errors: type_mismatch.
void infer_scattered(TypeContext& context);

/// Does to the `count` elements from `to` on of y what the node's reduction says with those from `from` on of updates.
/// Errors: out_of_range; those of check_stop().
class Scatter {
 public:
  Scatter(const Node& node, TensorView updates, MutableTensorView y);
  void operator()(std::int64_t to, std::int64_t from, std::int64_t count);
  /// The same to elements of y that stand anywhere, which exist, with those from `from` on, one after the other.
  void elements(std::span<const std::int64_t> to, std::int64_t from);

 private:
  enum class Reduction : std::uint8_t { none, add, mul, max, min };
  template <class Place>
  void combine(std::int64_t from, std::int64_t count, Place place);

  Reduction reduction_;
  Pace pace_;
  TensorView updates_;
  MutableTensorView y_;
};

}  // namespace skerry::ops
