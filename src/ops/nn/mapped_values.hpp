/// \file
/// Tensors that operators on maps fill value by value.
#pragma once

#include <string>
#include <vector>

#include "ops/nn/data_node.hpp"

namespace skerry::ops {

/// A tensor of numbers, zeros at first, or of texts that are all `padding`.
class MappedValues {
 public:
  /// Errors: budget_exceeded.
  MappedValues(const Node& node, DType dtype, const Shape& shape, const std::string& padding,
               const Evaluation& evaluation);

  /// Element `to` becomes the map's value `from`. Errors: out_of_range; type_mismatch where one is a number and one a
  /// text.
  void put(const Map& map, std::size_t from, std::size_t to);
  Datum datum() &&;

 private:
  const Node& node_;
  const Evaluation& evaluation_;
  Shape shape_;
  Tensor numbers_;
  std::vector<std::string> texts_;
  bool is_text_;
};

}  // namespace skerry::ops
