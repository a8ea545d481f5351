#include "frontend/onnx/tensors.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>
#include <skerry/error.hpp>
#include <vector>

namespace skerry::frontend::onnx {

namespace {

/// Element types that onnx-ml.proto has and we have not.
constexpr std::array<std::pair<std::int64_t, std::string_view>, 2> kForeignTypes{{
    {27, "float6e2m3"},
    {28, "float6e3m2"},
}};

constexpr std::int64_t kStringNumber = 8;

/// Keeps sizes in bytes far from overflow; no file is that large.
constexpr std::int64_t kMaxElements = std::int64_t{1} << 48;

/// How the elements of a dtype are listed when they are not raw.
struct ListForm {
  std::uint32_t field;    ///< of TensorProto
  WireType wire;          ///< of one entry
  std::size_t width;      ///< bytes of one entry once stored
  std::uint64_t entries;  ///< how many entries the tensor needs
};

ListForm list_form(DType dtype, std::uint64_t elements) {
  const auto width = static_cast<std::size_t>(std::max(1, dtype_bits(dtype) / 8));
  switch (dtype) {
    case DType::f32:
      return {4, WireType::fixed32, 4, elements};
    case DType::c64:
      return {4, WireType::fixed32, 4, 2 * elements};
    case DType::f64:
      return {10, WireType::fixed64, 8, elements};
    case DType::c128:
      return {10, WireType::fixed64, 8, 2 * elements};
    case DType::i64:
      return {7, WireType::varint, 8, elements};
    case DType::u32:
    case DType::u64:
      return {11, WireType::varint, width, elements};
    case DType::i4:
    case DType::u4:
    case DType::f4e2m1:
      return {5, WireType::varint, 1, (elements + 1) / 2};  // two to an entry
    case DType::i2:
    case DType::u2:
      return {5, WireType::varint, 1, (elements + 3) / 4};
    case DType::i32:
    case DType::i16:
    case DType::i8:
    case DType::u16:
    case DType::u8:
    case DType::boolean:
    case DType::f16:
    case DType::bf16:
    case DType::f8e4m3fn:
    case DType::f8e4m3fnuz:
    case DType::f8e5m2:
    case DType::f8e5m2fnuz:
    case DType::f8e8m0:
      return {5, WireType::varint, width, elements};  // floats as their bits
    case DType::string:
      break;
  }
  throw Error(ErrorCode::unsupported, "tensors of strings are not supported");
}

std::uint64_t parse_number(std::string_view key, std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc() || end != text.data() + text.size())
    throw Error(ErrorCode::semantic_error, "external data has " + std::string(key) + " \"" + std::string(text) + "\"");
  return number;
}

/// Anything but 0 and 1 in a bool is undefined behaviour for whoever reads it.
void normalise_booleans(MutableTensorView view) {
  for (std::size_t i = 0; i < view.bytes(); ++i) {
    if (view.data()[i] != std::byte{0}) view.data()[i] = std::byte{1};
  }
}

}  // namespace

DType dtype_from_onnx(std::int64_t number) {
  switch (number) {
#define SKERRY_DTYPE(name, bits, onnx) \
  case onnx:                           \
    return DType::name;
#include <skerry/dtypes.def>
#undef SKERRY_DTYPE
    default:
      break;
  }
  for (const auto& [foreign, name] : kForeignTypes) {
    if (foreign == number)
      throw Error(ErrorCode::unsupported, "element type " + std::string(name) + " is not supported");
  }
  throw Error(ErrorCode::semantic_error, "element type " + std::to_string(number) + " is not one of ONNX's");
}

/// What a TensorProto says about itself; the elements stay in the file.
struct TensorDecoder::Header {
  DType dtype = DType::f32;
  Shape shape;
  std::optional<Bytes> raw;
  bool is_external = false;
  ExternalReference external;
};

TensorDecoder::Header TensorDecoder::read_header(Bytes message) const {
  Header header;
  std::vector<std::int64_t> dims;
  std::int64_t type = 0;
  WireReader at(message, file_.data());
  for (Field field; at.next(field);) {
    switch (field.number) {
      case 1:
        for_each_number(field, WireType::varint, at, [&](std::uint64_t dim) {
          if (dims.size() == Shape::kMaxRank)
            throw Error(ErrorCode::unsupported, "has more than " + std::to_string(Shape::kMaxRank) + " dimensions");
          dims.push_back(static_cast<std::int64_t>(dim));
        });
        break;
      case 2:
        type = at.integer(field);
        break;
      case 3:
        throw Error(ErrorCode::unsupported, "is stored in segments");
      case 9:
        header.raw = at.message(field);
        break;
      case 13: {
        std::string_view key, value;
        WireReader entry(at.message(field), file_.data());
        for (Field part; entry.next(part);) {
          if (part.number == 1) key = entry.text(part, limits_.max_name_bytes);
          if (part.number == 2) value = entry.text(part, limits_.max_name_bytes);
        }
        if (key == "location") header.external.location = value;
        if (key == "offset") header.external.offset = parse_number(key, value);
        if (key == "length") header.external.length = parse_number(key, value);
        break;
      }
      case 14:
        header.is_external = at.integer(field) == 1;
        break;
      default:
        break;
    }
  }
  header.dtype = dtype_from_onnx(type);
  header.shape = Shape(dims);
  if (header.shape.elements() > kMaxElements)
    throw Error(ErrorCode::limit_exceeded, "has " + std::to_string(header.shape.elements()) + " elements, at most " +
                                               std::to_string(kMaxElements) + " are accepted");
  return header;
}

Tensor TensorDecoder::dense(Bytes message) {
  // An empty message could share its first byte with the next one; it has no elements worth keeping either.
  if (message.empty()) return decode(message);
  const auto found = decoded_.find(message.data());
  if (found != decoded_.end()) return found->second;
  return decoded_.emplace(message.data(), decode(message)).first->second;
}

std::optional<TextTensor> TensorDecoder::texts(Bytes message) const {
  std::int64_t type = 0;
  WireReader look(message, file_.data());
  for (Field field; look.next(field);) {
    if (field.number == 2) type = look.integer(field);
  }
  if (type != kStringNumber) return std::nullopt;
  const Header header = read_header(message);
  if (header.is_external) throw Error(ErrorCode::unsupported, "strings are stored outside of the file");
  TextTensor out{header.shape, {}};
  WireReader at(message, file_.data());
  for (Field field; at.next(field);) {
    if (field.number == 6) out.texts.emplace_back(at.text(field, static_cast<std::uint32_t>(-1)));
  }
  if (static_cast<std::uint64_t>(header.shape.elements()) != out.texts.size())
    throw Error(ErrorCode::semantic_error,
                "string" + header.shape.text() + " has " + std::to_string(out.texts.size()) + " strings");
  return out;
}

Tensor TensorDecoder::decode(Bytes message) {
  const Header header = read_header(message);
  if (header.dtype == DType::string)
    throw Error(ErrorCode::unsupported, "a tensor of strings is not supported in this place");
  if (header.is_external) {
    const auto piece = external_.find(header.external, tensor_bytes(header.dtype, header.shape));
    return from_raw(header, piece.bytes, piece.owner);
  }
  return header.raw ? from_raw(header, *header.raw, owner_) : from_list(header, message);
}

Tensor TensorDecoder::from_raw(const Header& header, Bytes raw, const std::shared_ptr<const void>& owner) const {
  const std::uint64_t need = tensor_bytes(header.dtype, header.shape);
  if (raw.size() != need)
    throw Error(ErrorCode::semantic_error, std::string(dtype_name(header.dtype)) + header.shape.text() + " needs " +
                                               std::to_string(need) + " bytes, its raw data has " +
                                               std::to_string(raw.size()));
  const bool is_boolean = header.dtype == DType::boolean;
  if (need > kAlignedCopyBytes && !is_boolean) return {TensorView(header.dtype, header.shape, raw.data()), owner};
  Tensor copy(header.dtype, header.shape);
  if (need > 0) std::memcpy(copy.mutable_view().data(), raw.data(), raw.size());
  if (is_boolean) normalise_booleans(copy.mutable_view());
  return copy;
}

Tensor TensorDecoder::from_list(const Header& header, Bytes message) const {
  const ListForm form = list_form(header.dtype, static_cast<std::uint64_t>(header.shape.elements()));
  std::uint64_t entries = 0;
  WireReader count(message, file_.data());
  for (Field field; count.next(field);) {
    if (field.number == form.field) for_each_number(field, form.wire, count, [&](std::uint64_t) { ++entries; });
  }
  // Counted before anything is allocated: the shape alone is only a claim.
  if (entries != form.entries)
    throw Error(ErrorCode::semantic_error, std::string(dtype_name(header.dtype)) + header.shape.text() + " needs " +
                                               std::to_string(form.entries) + " numbers, its data has " +
                                               std::to_string(entries));
  Tensor tensor(header.dtype, header.shape);
  std::byte* target = tensor.mutable_view().data();
  WireReader at(message, file_.data());
  for (Field field; at.next(field);) {
    if (field.number != form.field) continue;
    for_each_number(field, form.wire, at, [&](std::uint64_t bits) {
      std::memcpy(target, &bits, form.width);  // the low bytes of a two's complement varint are the element
      target += form.width;
    });
  }
  if (header.dtype == DType::boolean) normalise_booleans(tensor.mutable_view());
  return tensor;
}

namespace {

/// Row-major position of stored value `i`; indices are [n] positions or [n,rank] coordinates.
std::int64_t sparse_position(const Tensor& indices, const Shape& shape, std::int64_t i) {
  const auto index = indices.as<std::int64_t>();
  std::int64_t position = 0;
  if (indices.shape().rank() == 1) {
    position = index[static_cast<std::size_t>(i)];
    if (position >= 0 && position < shape.elements()) return position;
    throw Error(ErrorCode::out_of_range, "sparse index " + std::to_string(position) + " is outside " + shape.text());
  }
  for (int axis = 0; axis < shape.rank(); ++axis) {
    const std::int64_t at = index[static_cast<std::size_t>(i * shape.rank() + axis)];
    if (at < 0 || at >= shape[axis])
      throw Error(ErrorCode::out_of_range, "sparse index " + std::to_string(at) + " is outside " + shape.text());
    position = position * shape[axis] + at;
  }
  return position;
}

void check_sparse_parts(const Tensor& values, const Tensor& indices, const Shape& shape) {
  const std::int64_t stored = values.view().elements();
  const auto& form = indices.shape();
  const bool linear = form.rank() == 1 && form[0] == stored;
  const bool by_axis = form.rank() == 2 && form[0] == stored && form[1] == shape.rank();
  if (values.shape().rank() != 1 || indices.dtype() != DType::i64 || !(linear || by_axis))
    throw Error(ErrorCode::semantic_error, "sparse values " + values.shape().text() + " and indices " + form.text() +
                                               " do not describe " + shape.text());
  if (dtype_bits(values.dtype()) < 8)
    throw Error(ErrorCode::unsupported, "sparse tensors of " + std::string(dtype_name(values.dtype())));
}

}  // namespace

Tensor TensorDecoder::sparse(Bytes message) {
  const auto found = decoded_.find(message.data());
  if (found != decoded_.end() && !message.empty()) return found->second;
  return decoded_.emplace(message.data(), decode_sparse(message)).first->second;
}

Tensor TensorDecoder::decode_sparse(Bytes message) {
  Bytes values_message, indices_message;
  std::vector<std::int64_t> dims;
  WireReader at(message, file_.data());
  for (Field field; at.next(field);) {
    if (field.number == 1) values_message = at.message(field);
    if (field.number == 2) indices_message = at.message(field);
    if (field.number != 3) continue;
    for_each_number(field, WireType::varint, at, [&](std::uint64_t dim) {
      if (dims.size() == Shape::kMaxRank)
        throw Error(ErrorCode::unsupported, "has more than " + std::to_string(Shape::kMaxRank) + " dimensions");
      dims.push_back(static_cast<std::int64_t>(dim));
    });
  }
  const Shape shape{std::span<const std::int64_t>(dims)};
  const Tensor values = dense(values_message), indices = dense(indices_message);
  check_sparse_parts(values, indices, shape);
  const bool is_huge = shape.elements() > kMaxElements;
  if (!is_huge) sparse_bytes_ += tensor_bytes(values.dtype(), shape);
  if (is_huge || sparse_bytes_ > kMaxSparseBytes)
    throw Error(ErrorCode::limit_exceeded, "sparse " + shape.text() + " makes the model's sparse tensors larger than " +
                                               std::to_string(kMaxSparseBytes) + " bytes once dense");
  Tensor result(values.dtype(), shape);
  const auto width = static_cast<std::size_t>(dtype_bits(values.dtype()) / 8);
  for (std::int64_t i = 0; i < values.view().elements(); ++i) {
    const auto to = static_cast<std::size_t>(sparse_position(indices, shape, i));
    std::memcpy(result.mutable_view().data() + to * width, values.view().data() + static_cast<std::size_t>(i) * width,
                width);
  }
  return result;
}

}  // namespace skerry::frontend::onnx
