#include "frontend/onnx/types.hpp"

#include "frontend/onnx/tensors.hpp"

namespace skerry::frontend::onnx {

namespace {

Dim read_dim(Bytes message, const std::byte* origin, const ImportLimits& limits) {
  Dim dim;
  WireReader at(message, origin);
  for (Field field; at.next(field);) {
    // A negative number is how some exporters write "unknown".
    if (field.number == 1) dim = at.integer(field) < 0 ? Dim() : Dim(at.integer(field));
    if (field.number == 2) dim = Dim(std::string(at.text(field, limits.max_name_bytes)));
  }
  return dim;
}

std::vector<Dim> read_shape(Bytes message, const std::byte* origin, const ImportLimits& limits) {
  std::vector<Dim> dims;
  WireReader at(message, origin);
  for (Field field; at.next(field);) {
    if (field.number != 1) continue;
    if (dims.size() == Shape::kMaxRank)
      throw Error(ErrorCode::unsupported, "has more than " + std::to_string(Shape::kMaxRank) + " dimensions");
    dims.push_back(read_dim(at.message(field), origin, limits));
  }
  return dims;
}

TensorType read_tensor_type(Bytes message, const std::byte* origin, const ImportLimits& limits) {
  TensorType type;
  std::int64_t element = 0;
  WireReader at(message, origin);
  for (Field field; at.next(field);) {
    if (field.number == 1) element = at.integer(field);
    if (field.number == 2) type.shape = read_shape(at.message(field), origin, limits);
  }
  type.dtype = dtype_from_onnx(element);
  return type;
}

// The submessage in a field that must be there.
Bytes inner_message(Bytes message, const std::byte* origin, std::uint32_t number) {
  Bytes inner;
  WireReader at(message, origin);
  for (Field field; at.next(field);) {
    if (field.number == number) inner = at.message(field);
  }
  return inner;
}

Wrap read_map_key(Bytes message, const std::byte* origin) {
  std::int64_t key = 0;
  WireReader at(message, origin);
  for (Field field; at.next(field);) {
    if (field.number == 1) key = at.integer(field);
  }
  const DType dtype = dtype_from_onnx(key);
  if (dtype == DType::i64) return Wrap::map_of_i64;
  if (dtype == DType::string) return Wrap::map_of_string;
  throw Error(ErrorCode::unsupported, "maps from " + std::string(dtype_name(dtype)) + " are not supported");
}

}  // namespace

TensorType read_type(Bytes message, const std::byte* origin, const ImportLimits& limits) {
  std::vector<Wrap> wraps;
  const auto inside = [&](Wrap wrap, Bytes inner) {
    if (wraps.size() == kMaxWraps)
      throw Error(ErrorCode::limit_exceeded,
                  "has a type of more than " + std::to_string(kMaxWraps) + " types inside each other");
    wraps.push_back(wrap);
    message = inner;
  };
  while (true) {
    WireReader at(message, origin);
    Field field;
    bool found = false;
    while (!found && at.next(field))
      found = field.number == 1 || (field.number >= 4 && field.number <= 9 && field.number != 6);
    if (!found) throw Error(ErrorCode::semantic_error, "has no type");
    const Bytes body = at.message(field);
    switch (field.number) {
      case 1: {
        TensorType type = read_tensor_type(body, origin, limits);
        type.wraps = std::move(wraps);
        return type;
      }
      case 4:
        inside(Wrap::sequence, inner_message(body, origin, 1));
        break;
      case 5:
        inside(read_map_key(body, origin), inner_message(body, origin, 2));
        break;
      case 9:
        inside(Wrap::optional, inner_message(body, origin, 1));
        break;
      case 8:
        throw Error(ErrorCode::unsupported, "sparse types are not supported");
      default:
        throw Error(ErrorCode::unsupported, "opaque types are not supported");
    }
  }
}

std::int64_t onnx_number(DType dtype) {
  constexpr std::int64_t kNumbers[] = {
#define SKERRY_DTYPE(name, bits, onnx) onnx,
#include <skerry/dtypes.def>
#undef SKERRY_DTYPE
  };
  return kNumbers[static_cast<std::size_t>(dtype)];
}

}  // namespace skerry::frontend::onnx
