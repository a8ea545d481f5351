/// \file
/// What operators on sequences, optionals, maps and strings are written with.
#pragma once

#include <cstdint>
#include <skerry/datum.hpp>
#include <span>
#include <string>
#include <vector>

#include "ops/nn/evaluate.hpp"
#include "ops/nn/typing.hpp"

namespace skerry::ops {

/// One node that is carried out.
struct DataNode {
  const Node& node;
  std::span<Datum> inputs;                 ///< may be moved from; without meaning where one is left out
  const std::vector<TensorType>& outputs;  ///< as inferred
  const Evaluation& evaluation;
};

/// Most items of a sequence: a loop that appends for ever ends here.
inline constexpr std::size_t kMaxItems = std::size_t{1} << 20;

/// Input `index`, which must be there. Errors: type_mismatch at the node.
Datum& datum_in(const DataNode& context, std::size_t index);
const Sequence& sequence_in(const DataNode& context, std::size_t index);
const Tensor& tensor_in(const DataNode& context, std::size_t index);
const Map& map_in(const DataNode& context, std::size_t index);
const Strings& strings_in(const DataNode& context, std::size_t index);
/// The texts of a tensor of strings; nothing of none.
std::span<const std::string> texts_of(const Strings& strings) noexcept;
/// The position that input `index` names among `count` items, `otherwise` where it is left out. Errors: out_of_range.
std::size_t position_in(const DataNode& context, std::size_t index, std::size_t count, std::size_t otherwise);

/// Input 0's items to be changed: without a copy where nobody else has them.
std::vector<Datum> take_items(const DataNode& context);
/// Errors: limit_exceeded past kMaxItems.
Sequence sequence_of(const Node& node, std::vector<Datum> items);
/// Errors: budget_exceeded; type_mismatch when there are not as many texts as the shape says.
Strings strings_of(const Node& node, Shape shape, std::vector<std::string> texts, const Evaluation& evaluation);

/// Throws unless input `index` is wrapped so; gives what is inside.
TensorType inside(const TypeContext& context, std::size_t index, Wrap wrap);
/// Throws unless input `index` is a tensor of strings.
const TensorType& string_input(const TypeContext& context, std::size_t index);
/// Sets output `index` to any type.
void set_type(TypeContext& context, std::size_t index, TensorType type);
/// Attribute of texts; none when there is no such attribute. Errors: type_mismatch.
const std::vector<std::string>& text_list(const Node& node, std::string_view attribute);

}  // namespace skerry::ops
