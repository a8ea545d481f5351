#include "wire/tensors.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <skerry/error.hpp>
#include <utility>
#include <vector>

#include "wire/json_node.hpp"
#include "wire/texts.hpp"

namespace skerry::wire {
namespace {

struct Datatype {
  DType dtype;
  std::string_view name;
};
constexpr std::array kDatatypes = {
    Datatype{DType::boolean, "BOOL"}, Datatype{DType::u8, "UINT8"},    Datatype{DType::u16, "UINT16"},
    Datatype{DType::u32, "UINT32"},   Datatype{DType::u64, "UINT64"},  Datatype{DType::i8, "INT8"},
    Datatype{DType::i16, "INT16"},    Datatype{DType::i32, "INT32"},   Datatype{DType::i64, "INT64"},
    Datatype{DType::f16, "FP16"},     Datatype{DType::f32, "FP32"},    Datatype{DType::f64, "FP64"},
    Datatype{DType::bf16, "BF16"},    Datatype{DType::string, "BYTES"}};

std::optional<DType> known_datatype(std::string_view name) noexcept {
  for (const Datatype& row : kDatatypes) {
    if (row.name == name) return row.dtype;
  }
  return std::nullopt;
}

// Calls what(T{}) for the C++ type of a dtype that JSON can spell. Errors: unsupported.
template <class F>
void with_type(DType dtype, const std::string& where, F&& what) {
  if (dtype == DType::f32) return what(float{});
  if (dtype == DType::f64) return what(double{});
  if (dtype == DType::i64) return what(std::int64_t{});
  if (dtype == DType::i32) return what(std::int32_t{});
  if (dtype == DType::i16) return what(std::int16_t{});
  if (dtype == DType::i8) return what(std::int8_t{});
  if (dtype == DType::u64) return what(std::uint64_t{});
  if (dtype == DType::u32) return what(std::uint32_t{});
  if (dtype == DType::u16) return what(std::uint16_t{});
  if (dtype == DType::u8) return what(std::uint8_t{});
  if (dtype == DType::boolean) return what(bool{});
  if (dtype == DType::string) return what(std::string{});
  throw Error(ErrorCode::unsupported, "elements of " + std::string(datatype_name(dtype)) + " cannot be written as JSON",
              where, "send and ask for them as binary data");
}

// One element; false if it is no number of this type.
template <class T>
bool convert(const simdjson::dom::element& element, T& out) {
  if constexpr (std::is_same_v<T, bool>) {
    if (element.get(out) == simdjson::SUCCESS) return true;
    std::uint64_t number = 0;  // clients send NumPy's 0 and 1 too
    if (element.get(number) != simdjson::SUCCESS || number > 1) return false;
    out = number == 1;
    return true;
  } else if constexpr (std::is_same_v<T, std::string>) {
    std::string_view text;
    if (element.get(text) != simdjson::SUCCESS) return false;
    out = text;
    return true;
  } else if constexpr (std::is_floating_point_v<T>) {
    double number = 0.0;
    if (element.get(number) != simdjson::SUCCESS ||
        std::abs(number) > static_cast<double>(std::numeric_limits<T>::max()))
      return false;
    out = static_cast<T>(number);
    return true;
  } else if constexpr (std::is_signed_v<T>) {
    std::int64_t number = 0;
    if (element.get(number) != simdjson::SUCCESS || number < std::numeric_limits<T>::min() ||
        number > std::numeric_limits<T>::max())
      return false;
    out = static_cast<T>(number);
    return true;
  } else {
    std::uint64_t number = 0;
    if (element.get(number) != simdjson::SUCCESS || number > std::numeric_limits<T>::max()) return false;
    out = static_cast<T>(number);
    return true;
  }
}

template <class T>
std::string name_of() {
  if constexpr (std::is_same_v<T, std::string>)
    return "text";
  else
    return std::string(datatype_name(dtype_of<T>()));
}

// Nesting is bounded by the parser (kMaxDepth). Gives how many elements were met, which may be more than fit.
template <class T>
std::size_t fill(const simdjson::dom::array& array, std::span<T> target, std::size_t at, const JsonNode& node) {
  for (const auto& item : array) {
    simdjson::dom::array inner;
    if (item.get(inner) == simdjson::SUCCESS) {
      at = fill(inner, target, at, node);
      continue;
    }
    T value{};
    if (!convert(item, value)) {
      node.refuse("element " + std::to_string(at) + " is no " + name_of<T>());
    }
    if (at < target.size()) target[at] = std::move(value);
    ++at;
  }
  return at;
}

}  // namespace

std::string_view datatype_name(DType dtype) {
  for (const Datatype& row : kDatatypes) {
    if (row.dtype == dtype) return row.name;
  }
  throw Error(ErrorCode::unsupported, "the protocol has no datatype for elements of " + std::string(dtype_name(dtype)));
}

DType dtype_of_datatype(std::string_view name, const std::string& where) {
  if (const auto found = known_datatype(name)) return *found;
  std::string known;
  for (const Datatype& row : kDatatypes) known += (known.empty() ? "" : ", ") + std::string(row.name);
  throw Error(ErrorCode::invalid_argument, "there is no datatype '" + std::string(name.substr(0, 32)) + "'", where,
              "use one of " + known);
}

std::string_view BinaryReader::take(std::uint64_t bytes, const std::string& where) {
  if (bytes > rest_.size()) {
    throw Error(ErrorCode::invalid_argument,
                std::to_string(bytes) + " bytes of binary data are announced, " + std::to_string(rest_.size()) +
                    " are left in the body",
                where);
  }
  const std::string_view taken = rest_.substr(0, static_cast<std::size_t>(bytes));
  rest_.remove_prefix(taken.size());
  return taken;
}

void BinaryReader::finish() const {
  if (rest_.empty()) return;
  throw Error(ErrorCode::invalid_argument, std::to_string(rest_.size()) + " bytes of binary data belong to no tensor",
              "body", "announce them by binary_data_size");
}

DType dtype_named(const JsonNode& node) {
  const auto found = known_datatype(node.text());
  return found ? *found : dtype_of_datatype(node.text(), node.where());
}

Shape shape_of(const JsonNode& node) {
  const std::vector<std::int64_t> dims = node.integers();
  try {
    return Shape(dims);
  } catch (const Error& error) {
    node.refuse(error.message());
  }
}

Tensor tensor_of_bytes(DType dtype, const Shape& shape, std::string_view bytes, const std::string& where) {
  if (dtype == DType::string) return texts_of_bytes(shape, bytes, where);
  const std::uint64_t wanted = tensor_bytes(dtype, shape);
  if (wanted != bytes.size()) {
    throw Error(ErrorCode::invalid_argument,
                "a tensor " + std::string(datatype_name(dtype)) + shape.text() + " has " + std::to_string(wanted) +
                    " bytes, " + std::to_string(bytes.size()) + " are given",
                where);
  }
  Tensor tensor(dtype, shape);
  if (!bytes.empty()) std::memcpy(tensor.mutable_view().data(), bytes.data(), bytes.size());
  return tensor;
}

Tensor tensor_of_json(DType dtype, const Shape& shape, const JsonNode& data) {
  simdjson::dom::array array;
  if (data.element().get(array) != simdjson::SUCCESS) data.refuse("a list of elements is needed here");
  const auto elements = static_cast<std::uint64_t>(shape.elements());
  // Counted before anything is allocated: a short text must not ask for much memory.
  Tensor tensor;
  with_type(dtype, data.where(), [&](auto sample) {
    using T = decltype(sample);
    const std::size_t met = fill<T>(array, {}, 0, data);
    if (met != elements) {
      data.refuse("a tensor of shape " + shape.text() + " has " + std::to_string(elements) + " elements, " +
                  std::to_string(met) + " are given");
    }
    if constexpr (std::is_same_v<T, std::string>) {
      auto texts = std::make_shared<std::vector<std::string>>(met);  // shared: tensors share what they look at
      fill<T>(array, *texts, 0, data);
      tensor = tensor_of(Strings{shape, std::move(texts)});
    } else {
      tensor = Tensor(dtype, shape);
      fill<T>(array, tensor.mutable_view().template as<T>(), 0, data);
    }
  });
  return tensor;
}

Tensor decode_tensor(const JsonNode& object, BinaryReader& binary) {
  std::optional<DType> dtype;
  std::optional<Shape> shape;
  std::optional<JsonNode> data;
  std::optional<std::uint64_t> bytes;
  for (const auto& [key, value] : object.members()) {
    if (key == "datatype") dtype = dtype_named(value);
    if (key == "shape") shape = shape_of(value);
    if (key == "data") data = value;
    if (key != "parameters") continue;
    for (const auto& [name, parameter] : value.members()) {
      if (name == "binary_data_size") bytes = parameter.whole();
    }
  }
  if (!dtype) object.refuse("the datatype is missing");
  if (*dtype == DType::string)
    throw Error(ErrorCode::type_mismatch, "numbers are needed here, not texts", object.where());
  if (!shape) object.refuse("the shape is missing");
  if (data.has_value() == bytes.has_value()) object.refuse("a tensor needs either data or binary_data_size");
  if (data) return tensor_of_json(*dtype, *shape, *data);
  return tensor_of_bytes(*dtype, *shape, binary.take(*bytes, object.where()), object.where());
}

void encode_elements(JsonWriter& json, const TensorView& tensor) {
  with_type(tensor.dtype(), {}, [&](auto sample) {
    using T = decltype(sample);
    json.open('[');
    if constexpr (std::is_same_v<T, std::string>) {
      for (const std::string& text : texts_of(tensor)) {
        if (!simdjson::validate_utf8(text))
          throw Error(ErrorCode::unsupported, "a text that is not UTF-8 cannot be written as JSON", {},
                      "ask for it as binary data");
        json.value(text);
      }
    } else {
      const std::byte* at = tensor.data();
      for (std::int64_t i = 0; i < tensor.elements(); ++i, at += sizeof(T)) {
        T value;
        std::memcpy(&value, at, sizeof(T));
        json.value(value);
      }
    }
    json.close(']');
  });
}

void encode_tensor(JsonWriter& json, std::string_view name, const TensorView& tensor, std::string* binary) {
  json.open('{');
  if (!name.empty()) json.field("name", name);
  json.field("datatype", datatype_name(tensor.dtype()));
  json.key("shape").values(tensor.shape().dims());
  if (binary != nullptr && tensor.dtype() == DType::string) {
    const std::string texts = bytes_of(texts_of(tensor));
    json.key("parameters").open('{').field("binary_data_size", texts.size()).close('}');
    *binary += texts;
  } else if (binary != nullptr) {
    json.key("parameters").open('{').field("binary_data_size", tensor.bytes()).close('}');
    if (tensor.bytes() > 0)
      binary->append(reinterpret_cast<const char*>(tensor.data()), static_cast<std::size_t>(tensor.bytes()));
  } else {
    encode_elements(json.key("data"), tensor);
  }
  json.close('}');
}

Tensor as_pairs(const Tensor& complex) {
  std::vector<std::int64_t> dims(complex.shape().dims().begin(), complex.shape().dims().end());
  dims.push_back(2);
  const DType part = complex.dtype() == DType::c64 ? DType::f32 : DType::f64;
  return {TensorView(part, Shape(dims), complex.view().data()), complex.owner()};
}

Tensor as_complex(const Tensor& pairs, const std::string& where) {
  const auto dims = pairs.shape().dims();
  const bool is_float = pairs.dtype() == DType::f32 || pairs.dtype() == DType::f64;
  if (!is_float || dims.empty() || dims.back() != 2) {
    throw Error(ErrorCode::invalid_argument, "complex numbers travel as FP32 or FP64 with a last extent of 2", where);
  }
  const DType whole = pairs.dtype() == DType::f32 ? DType::c64 : DType::c128;
  return {TensorView(whole, Shape(dims.first(dims.size() - 1)), pairs.view().data()), pairs.owner()};
}

Body body_of(JsonWriter json, std::string_view binary) {
  Body body{std::move(json).text(), 0};
  body.json_bytes = body.bytes.size();
  body.bytes += binary;
  return body;
}

}  // namespace skerry::wire
