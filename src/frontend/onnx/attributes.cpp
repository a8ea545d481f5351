#include "frontend/onnx/attributes.hpp"

#include <bit>

#include "frontend/onnx/types.hpp"

namespace skerry::frontend::onnx {

using proto::AttributeType;

namespace {

/// Calls visit(reader, field) for each field of that number.
template <class Visit>
void for_each_field(Bytes body, const std::byte* origin, std::uint32_t number, Visit visit) {
  WireReader at(body, origin);
  for (Field field; at.next(field);) {
    if (field.number == number) visit(at, field);
  }
}

std::string text_of(const WireReader& at, const Field& field) {
  // Values may be longer than names; the file's size bounds them.
  return std::string(at.text(field, static_cast<std::uint32_t>(-1)));
}

std::vector<std::int64_t> read_integers(Bytes body, const std::byte* origin) {
  std::vector<std::int64_t> list;
  for_each_field(body, origin, 8, [&](const WireReader& at, const Field& field) {
    for_each_number(field, WireType::varint, at,
                    [&](std::uint64_t bits) { list.push_back(static_cast<std::int64_t>(bits)); });
  });
  return list;
}

std::vector<double> read_reals(Bytes body, const std::byte* origin) {
  std::vector<double> list;
  for_each_field(body, origin, 7, [&](const WireReader& at, const Field& field) {
    for_each_number(field, WireType::fixed32, at, [&](std::uint64_t bits) {
      list.push_back(static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(bits))));
    });
  });
  return list;
}

/// The submessage in field `number`; empty when there is none, which decodes to "element type 0".
Bytes read_message(Bytes body, const std::byte* origin, std::uint32_t number) {
  Bytes message;
  for_each_field(body, origin, number, [&](const WireReader& at, const Field& field) { message = at.message(field); });
  return message;
}

[[noreturn]] void refuse(std::string_view what) {
  throw Error(ErrorCode::unsupported, std::string(what) + " as an attribute are not supported");
}

}  // namespace

Attribute read_attribute(const proto::Attribute& attribute, TensorDecoder& tensors, const std::byte* origin) {
  const Bytes body = attribute.body;
  switch (attribute.type) {
    case AttributeType::real: {
      double value = 0;
      for_each_field(body, origin, 2, [&](const WireReader& at, const Field& f) { value = at.real32(f); });
      return value;
    }
    case AttributeType::integer: {
      std::int64_t value = 0;
      for_each_field(body, origin, 3, [&](const WireReader& at, const Field& f) { value = at.integer(f); });
      return value;
    }
    case AttributeType::string: {
      std::string value;
      for_each_field(body, origin, 4, [&](const WireReader& at, const Field& f) { value = text_of(at, f); });
      return value;
    }
    case AttributeType::tensor: {
      const Bytes message = read_message(body, origin, 5);
      if (auto texts = tensors.texts(message)) return std::move(texts->texts);
      return tensors.dense(message);
    }
    case AttributeType::sparse_tensor:
      return tensors.sparse(read_message(body, origin, 22));
    case AttributeType::reals:
      return read_reals(body, origin);
    case AttributeType::integers:
      return read_integers(body, origin);
    case AttributeType::strings: {
      std::vector<std::string> list;
      for_each_field(body, origin, 9, [&](const WireReader& at, const Field& f) { list.push_back(text_of(at, f)); });
      return list;
    }
    case AttributeType::graph:
    case AttributeType::graphs:
      refuse("graphs");
    case AttributeType::tensors:
      refuse("lists of tensors");
    case AttributeType::sparse_tensors:
      refuse("lists of sparse tensors");
    case AttributeType::type:
    case AttributeType::types:
      refuse("types");
    case AttributeType::undefined:
      break;
  }
  throw Error(ErrorCode::semantic_error, "attribute " + std::string(attribute.name) + " has no value");
}

Tensor read_constant(const proto::Attribute& attribute, TensorDecoder& tensors, const std::byte* origin) {
  const Attribute value = read_attribute(attribute, tensors, origin);
  if (const auto* tensor = std::get_if<Tensor>(&value)) return *tensor;
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return Tensor::from(std::span(integer, 1), {});
  if (const auto* list = std::get_if<std::vector<std::int64_t>>(&value))
    return Tensor::from(std::span(*list), {static_cast<std::int64_t>(list->size())});
  if (const auto* real = std::get_if<double>(&value)) {
    const auto single = static_cast<float>(*real);
    return Tensor::from(std::span(&single, 1), {});
  }
  if (const auto* list = std::get_if<std::vector<double>>(&value)) {
    const std::vector<float> singles(list->begin(), list->end());
    return Tensor::from(std::span(singles), {static_cast<std::int64_t>(singles.size())});
  }
  throw Error(ErrorCode::semantic_error, "a constant of this kind does not exist");
}

std::optional<TextTensor> read_constant_texts(const proto::Attribute& attribute, TensorDecoder& tensors,
                                              const std::byte* origin) {
  if (attribute.type == AttributeType::tensor) return tensors.texts(read_message(attribute.body, origin, 5));
  if (attribute.type != AttributeType::string && attribute.type != AttributeType::strings) return std::nullopt;
  Attribute value = read_attribute(attribute, tensors, origin);
  if (auto* text = std::get_if<std::string>(&value)) return TextTensor{Shape{}, {std::move(*text)}};
  auto& list = std::get<std::vector<std::string>>(value);
  return TextTensor{Shape{static_cast<std::int64_t>(list.size())}, std::move(list)};
}

TensorType read_type_attribute(const proto::Attribute& attribute, const std::byte* origin, const ImportLimits& limits) {
  return read_type(read_message(attribute.body, origin, 14), origin, limits);
}

}  // namespace skerry::frontend::onnx
