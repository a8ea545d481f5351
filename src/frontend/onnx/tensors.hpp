/// \file
/// TensorProto and SparseTensorProto to tensors: raw weights stay where they are mapped, typed lists are decoded.
#pragma once

#include <memory>
#include <optional>
#include <skerry/limits.hpp>
#include <skerry/tensor.hpp>
#include <string>
#include <unordered_map>
#include <vector>

#include "frontend/onnx/external_data.hpp"
#include "frontend/onnx/wire.hpp"

namespace skerry::frontend::onnx {

/// The dtype of a TensorProto.DataType number. Errors: unsupported with its name; semantic_error when there is none.
DType dtype_from_onnx(std::int64_t number);

/// A tensor of strings.
struct TextTensor {
  Shape shape;
  std::vector<std::string> texts;
};

/// Decodes the tensors of one model, each once. Errors name no place: the caller knows the tensor's name.
///
/// A raw tensor is a view into the file. Protobuf aligns nothing, so such a view may start at any byte; tensors up to
/// kAlignedCopyBytes (shapes, axes, biases: what inference and folding read) are copied to aligned storage instead.
class TensorDecoder {
 public:
  static constexpr std::uint64_t kAlignedCopyBytes = 64 << 10;

  /// file: the whole model, kept alive by owner.
  TensorDecoder(Bytes file, std::shared_ptr<const void> owner, std::filesystem::path folder, const ImportLimits& limits)
      : file_(file), owner_(std::move(owner)), external_(std::move(folder), limits), limits_(limits) {}

  /// The strings of a TensorProto of such; nothing for one of numbers. Errors: syntax_error for what is not UTF-8,
  /// semantic_error when shape and strings disagree.
  std::optional<TextTensor> texts(Bytes message) const;
  /// A TensorProto. Errors: syntax_error; semantic_error when shape, dtype and amount of data disagree; unsupported
  /// (strings, element types without a dtype, segments); what external data brings.
  Tensor dense(Bytes message);
  /// A SparseTensorProto, made dense. Errors: as dense(); limit_exceeded when all of a model's pass kMaxSparseBytes.
  Tensor sparse(Bytes message);

 private:
  static constexpr std::uint64_t kMaxSparseBytes = std::uint64_t{256} << 20;

  struct Header;
  Header read_header(Bytes message) const;
  Tensor decode(Bytes message);
  Tensor decode_sparse(Bytes message);
  Tensor from_raw(const Header& header, Bytes raw, const std::shared_ptr<const void>& owner) const;
  Tensor from_list(const Header& header, Bytes message) const;

  Bytes file_;
  std::shared_ptr<const void> owner_;
  ExternalData external_;
  const ImportLimits& limits_;
  std::uint64_t sparse_bytes_ = 0;                        // made dense so far: a few bytes of file can claim any shape
  std::unordered_map<const std::byte*, Tensor> decoded_;  // by first byte: a function's constant is shared by its calls
};

}  // namespace skerry::frontend::onnx
