/// \file
/// Operators of numbers that take or give strings by numbering them: classes, categories, words.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "ops/nn/data_node.hpp"

namespace skerry::ops {

/// The number of each text, its last place among all; -1 for one that is none of them.
class TextNumbers {
 public:
  explicit TextNumbers(const std::vector<std::string>& texts);
  std::int64_t of(const std::string& text) const;
  /// i64, of the strings' shape.
  Tensor of(const Strings& strings, const Evaluation& evaluation) const;

 private:
  std::unordered_map<std::string_view, std::int64_t> numbers_;
};

/// A classifier with attribute `text_labels`: run with 0, 1, ... in `integer_labels`, and output 0's numbers made
/// labels. Errors: as run_operator().
std::vector<Datum> classify_texts(DataNode& context, std::string_view integer_labels, std::string_view text_labels);

/// Input 0's strings, and those in attribute `texts`, as numbers: the node with 0, 1, ... in `integers` instead, run by
/// its kernels.
std::vector<Datum> run_numbered(DataNode& context, std::string_view texts, std::string_view integers);

}  // namespace skerry::ops
