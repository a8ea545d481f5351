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

}  // namespace

TensorType read_type(Bytes message, const std::byte* origin, const ImportLimits& limits) {
  WireReader at(message, origin);
  for (Field field; at.next(field);) {
    switch (field.number) {
      case 1:
        return read_tensor_type(at.message(field), origin, limits);
      case 4:
        throw Error(ErrorCode::unsupported, "sequences are not supported");
      case 5:
        throw Error(ErrorCode::unsupported, "maps are not supported");
      case 7:
        throw Error(ErrorCode::unsupported, "opaque types are not supported");
      case 8:
        throw Error(ErrorCode::unsupported, "sparse types are not supported");
      case 9:
        throw Error(ErrorCode::unsupported, "optional types are not supported");
      default:
        break;
    }
  }
  throw Error(ErrorCode::semantic_error, "has no type");
}

}  // namespace skerry::frontend::onnx
