#include "frontend/onnx/external_data.hpp"

#include <algorithm>
#include <skerry/error.hpp>

namespace skerry::frontend::onnx {

namespace fs = std::filesystem;

ExternalData::Piece ExternalData::find(const ExternalReference& reference, std::uint64_t need) {
  auto found = files_.find(reference.location);
  if (found == files_.end()) {
    auto file = std::make_shared<const base::MappedFile>(base::MappedFile::open(resolve(reference.location)));
    if (file->bytes().size() > limits_.max_file_bytes)
      throw Error(ErrorCode::limit_exceeded, "external data " + reference.location + " has " +
                                                 std::to_string(file->bytes().size()) + " bytes, max_file_bytes is " +
                                                 std::to_string(limits_.max_file_bytes));
    found = files_.emplace(reference.location, std::move(file)).first;
  }
  const std::uint64_t size = found->second->bytes().size();
  const std::uint64_t length = reference.length.value_or(need);
  if (length != need)
    throw Error(ErrorCode::semantic_error,
                "needs " + std::to_string(need) + " bytes, its external data has length " + std::to_string(length));
  if (reference.offset > size || need > size - reference.offset)
    throw Error(ErrorCode::semantic_error,
                "needs " + std::to_string(need) + " bytes at offset " + std::to_string(reference.offset) + " of " +
                    reference.location + ", which has " + std::to_string(size),
                {}, "the data file is cut off or belongs to another model");
  return {found->second->bytes().subspan(static_cast<std::size_t>(reference.offset), static_cast<std::size_t>(need)),
          found->second};
}

fs::path ExternalData::resolve(const std::string& location) const {
  if (folder_.empty())
    throw Error(ErrorCode::permission_denied, "external data " + location + " of a model that has no folder", {},
                "import the model from its file, not from bytes");
  const fs::path relative(location);
  const bool climbs = std::ranges::find(relative, fs::path("..")) != relative.end();
  const bool has_nul = location.find('\0') != std::string::npos;
  if (location.empty() || relative.is_absolute() || climbs || has_nul)
    throw Error(ErrorCode::permission_denied,
                "external data \"" + location + "\" is not a path below the model's folder");
  std::error_code failed;
  const fs::path root = fs::canonical(folder_, failed);
  if (failed) throw Error(ErrorCode::not_found, "the model's folder " + folder_.string() + " does not exist");
  fs::path target = fs::canonical(root / relative, failed);
  if (failed) throw Error(ErrorCode::not_found, "external data " + location + " is not in " + root.string());
  const auto [at_root, at_target] = std::ranges::mismatch(root, target);
  if (at_root != root.end())
    throw Error(ErrorCode::permission_denied, "external data " + location + " leads out of " + root.string(), {},
                "replace the symbolic link by the file");
  return target;
}

}  // namespace skerry::frontend::onnx
