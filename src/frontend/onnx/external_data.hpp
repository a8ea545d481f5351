/// \file
/// Weights kept in files beside the model: found below its folder only, mapped once each, never copied.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <skerry/limits.hpp>
#include <span>
#include <string>

#include "base/file.hpp"

namespace skerry::frontend::onnx {

/// The external_data entries of one tensor.
struct ExternalReference {
  std::string location;  ///< relative to the model's folder
  std::uint64_t offset = 0;
  std::optional<std::uint64_t> length;  ///< absent: what the tensor needs
};

/// The files that the tensors of one model refer to. Maps live as long as this or any tensor from them.
class ExternalData {
 public:
  /// folder: of the model; empty: no external data is allowed.
  ExternalData(std::filesystem::path folder, const ImportLimits& limits)
      : folder_(std::move(folder)), limits_(limits) {}

  struct Piece {
    std::span<const std::byte> bytes;
    std::shared_ptr<const void> owner;
  };
  /// `need` bytes at the reference. Errors: permission_denied for an absolute location, one with `..`, or one that
  /// leads out of the folder by a symbolic link; not_found; semantic_error when length or file do not fit `need`.
  Piece find(const ExternalReference& reference, std::uint64_t need);

 private:
  std::filesystem::path resolve(const std::string& location) const;

  std::filesystem::path folder_;
  const ImportLimits& limits_;
  std::map<std::string, std::shared_ptr<const base::MappedFile>, std::less<>> files_;
};

}  // namespace skerry::frontend::onnx
