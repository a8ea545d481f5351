#include "ops/nn/data_node.hpp"

#include <memory>
#include <skerry/error.hpp>
#include <utility>

#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

template <class T>
const T& in_as(const DataNode& context, std::size_t index, const char* what) {
  const T* found = datum_in(context, index).as<T>();
  if (found == nullptr)
    refuse(context.node, "input " + std::to_string(index) + " of " + context.node.op + " is not " + what);
  return *found;
}

// Texts beside the memory that is charged for them.
struct ChargedTexts {
  std::vector<std::string> texts;
  base::Reservation charge;
};

}  // namespace

Datum& datum_in(const DataNode& context, std::size_t index) {
  if (!has_input(context.node, index)) refuse(context.node, context.node.op + " needs input " + std::to_string(index));
  return context.inputs[index];
}

const Sequence& sequence_in(const DataNode& context, std::size_t index) {
  return in_as<Sequence>(context, index, "a sequence");
}
const Tensor& tensor_in(const DataNode& context, std::size_t index) {
  return in_as<Tensor>(context, index, "a tensor of numbers");
}
const Strings& strings_in(const DataNode& context, std::size_t index) {
  return in_as<Strings>(context, index, "a tensor of strings");
}

const Map& map_in(const DataNode& context, std::size_t index) {
  return in_as<Map>(context, index, "a map");
}

std::span<const std::string> texts_of(const Strings& strings) noexcept {
  return strings.texts == nullptr ? std::span<const std::string>() : std::span(*strings.texts);
}

std::size_t position_in(const DataNode& context, std::size_t index, std::size_t count, std::size_t otherwise) {
  if (!has_input(context.node, index)) return otherwise;
  const auto given = integers_of(context.node, tensor_in(context, index));
  const auto all = static_cast<std::int64_t>(count);
  if (given.size() != 1 || given[0] < -all || given[0] > all)
    throw Error(ErrorCode::out_of_range,
                given.size() == 1 ? "position " + std::to_string(given[0]) + " of " + std::to_string(count) + " items"
                                  : "a position of " + std::to_string(given.size()) + " numbers",
                context.node.place());
  return static_cast<std::size_t>(given[0] < 0 ? given[0] + all : given[0]);
}

std::vector<Datum> take_items(const DataNode& context) {
  auto shared = sequence_in(context, 0).items;
  context.inputs[0] = Datum();
  if (shared == nullptr) return {};
  // Items are made as non-const vectors, by sequence_of() and whoever hands them in.
  if (shared.use_count() == 1) return std::move(const_cast<std::vector<Datum>&>(*shared));
  return *shared;
}

Sequence sequence_of(const Node& node, std::vector<Datum> items) {
  if (items.size() > kMaxItems)
    throw Error(ErrorCode::limit_exceeded, "a sequence of more than " + std::to_string(kMaxItems) + " items",
                node.place());
  return {std::make_shared<std::vector<Datum>>(std::move(items))};
}

Strings strings_of(const Node& node, Shape shape, std::vector<std::string> texts, const Evaluation& evaluation) {
  if (static_cast<std::uint64_t>(shape.elements()) != texts.size())
    refuse(node, std::to_string(texts.size()) + " texts for a shape of " + shape.text());
  auto held = std::make_shared<ChargedTexts>();
  if (evaluation.budget != nullptr) {
    std::uint64_t bytes = texts.size() * sizeof(std::string);
    for (const std::string& text : texts) bytes += text.capacity();
    held->charge = base::Reservation(*evaluation.budget, bytes, "texts of a graph");
  }
  held->texts = std::move(texts);
  return {shape, {held, &held->texts}};
}

TensorType inside(const TypeContext& context, std::size_t index, Wrap wrap) {
  const TensorType& type = input(context, index);
  if (type.is_tensor() || type.wraps.front() != wrap)
    refuse(context.node, context.node.op + " does not take " + type.text() + " as input " + std::to_string(index) +
                             " but a " + std::string(wrap_name(wrap)));
  return type.unwrapped();
}

const TensorType& string_input(const TypeContext& context, std::size_t index) {
  const TensorType& type = input(context, index);
  if (type.dtype != DType::string)
    refuse(context.node,
           context.node.op + " needs strings as input " + std::to_string(index) + " but has " + type.text());
  return type;
}

void set_type(TypeContext& context, std::size_t index, TensorType type) {
  set_output(context, index, type.dtype, type.shape);
  if (index < context.outputs.size()) context.outputs[index] = std::move(type);
}

const std::vector<std::string>& text_list(const Node& node, std::string_view attribute) {
  static const std::vector<std::string> kNone;
  const Attribute* found = node.find(attribute);
  if (found == nullptr) return kNone;
  const auto* texts = std::get_if<std::vector<std::string>>(found);
  if (texts == nullptr) refuse(node, "attribute " + std::string(attribute) + " is no list of texts");
  return *texts;
}

}  // namespace skerry::ops
