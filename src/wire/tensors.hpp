/// \file
/// Tensors inside messages: datatype names of the Open Inference Protocol, elements as JSON or as raw bytes.
#pragma once

#include <skerry/tensor.hpp>
#include <string>
#include <string_view>

#include "wire/body.hpp"
#include "wire/json_writer.hpp"

namespace skerry::wire {

class JsonNode;

/// `FP32`, `INT64`, `BOOL`, ... Errors: unsupported for a dtype that the protocol has no name for.
std::string_view datatype_name(DType dtype);
/// The dtype of a name. Errors: invalid_argument with the list of names.
DType dtype_of_datatype(std::string_view name, const std::string& where);
/// The same of a JSON text.
DType dtype_named(const JsonNode& node);

/// Hands out the raw bytes behind the JSON front to back, in the order in which the tensors stand in it.
class BinaryReader {
 public:
  explicit BinaryReader(std::string_view bytes) : rest_(bytes) {}
  /// Errors: invalid_argument when fewer are left.
  std::string_view take(std::uint64_t bytes, const std::string& where);
  /// Errors: invalid_argument when bytes are left that belong to no tensor.
  void finish() const;

 private:
  std::string_view rest_;
};

/// A shape from a JSON list. Errors: invalid_argument for rank, a negative extent, or too many elements.
Shape shape_of(const JsonNode& node);
/// A tensor of these raw little-endian bytes, copied to aligned storage; of texts as texts.hpp has them. Errors:
/// invalid_argument (their number, what is no text).
Tensor tensor_of_bytes(DType dtype, const Shape& shape, std::string_view bytes, const std::string& where);
/// A tensor of JSON elements in row-major order, flat or nested. Errors: invalid_argument (their number, a value that
/// does not fit), unsupported for FP16 and BF16, which JSON has no spelling for.
Tensor tensor_of_json(DType dtype, const Shape& shape, const JsonNode& data);

/// `{"datatype": .., "shape": [..], "data": [..]}`, or with `"parameters": {"binary_data_size": n}` instead of data.
/// Complex amplitudes travel as FP32 or FP64 with a last extent of 2. Errors: also type_mismatch for texts.
Tensor decode_tensor(const JsonNode& object, BinaryReader& binary);
/// Writes those members (and a leading `name` if there is one); raw bytes go to `binary` if it is given.
void encode_tensor(JsonWriter& json, std::string_view name, const TensorView& tensor, std::string* binary);
/// The elements as one flat JSON list. Errors: unsupported for FP16, BF16 and texts that are not UTF-8.
void encode_elements(JsonWriter& json, const TensorView& tensor);

/// [n] of c64/c128 as [n, 2] of f32/f64 and back; storage is shared.
Tensor as_pairs(const Tensor& complex);
/// Errors: invalid_argument when the last extent is not 2 or the elements are no floats.
Tensor as_complex(const Tensor& pairs, const std::string& where);

/// The body of JSON and the raw bytes that it announces.
Body body_of(JsonWriter json, std::string_view binary);

}  // namespace skerry::wire
