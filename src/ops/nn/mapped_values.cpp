#include "ops/nn/mapped_values.hpp"

#include <cstring>
#include <utility>

#include "base/memory.hpp"
#include "ops/nn/reference.hpp"

namespace skerry::ops {

MappedValues::MappedValues(const Node& node, DType dtype, const Shape& shape, const std::string& padding,
                           const Evaluation& evaluation)
    : node_(node), evaluation_(evaluation), shape_(shape), is_text_(dtype == DType::string) {
  if (!is_text_) {
    numbers_ = allocate(dtype, shape, evaluation);
    std::memset(writable(numbers_).data(), 0, numbers_.view().bytes());
    return;
  }
  const auto count = static_cast<std::uint64_t>(shape.elements());
  // One map among many may have a long vocabulary: asked before it is taken, charged when it is handed on.
  base::Reservation room;
  if (evaluation.budget != nullptr)
    room = base::Reservation(*evaluation.budget, base::checked_bytes(count, sizeof(std::string), "values of maps"),
                             "texts of a graph");
  texts_.assign(count, padding);
}

void MappedValues::put(const Map& map, std::size_t from, std::size_t to) {
  const auto* strings = std::get_if<Strings>(&map.values);
  if (is_text_ != (strings != nullptr)) refuse(node_, "a map does not hold what its type says");
  if (!is_text_) {
    const auto& values = std::get<Tensor>(map.values);
    return copy_element(values.view(), static_cast<std::int64_t>(from), writable(numbers_),
                        static_cast<std::int64_t>(to));
  }
  const auto all = texts_of(*strings);
  if (from >= all.size() || to >= texts_.size()) outside("text " + std::to_string(from) + " of a map is asked for");
  texts_[to] = all[from];
}

Datum MappedValues::datum() && {
  if (!is_text_) return numbers_;
  return strings_of(node_, shape_, std::move(texts_), evaluation_);
}

}  // namespace skerry::ops
