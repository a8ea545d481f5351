/// \file
/// Compiled circuits as packages: one file by hand, or a folder that processes share.
#pragma once

#include <filesystem>
#include <optional>
#include <skerry/edge.hpp>
#include <string>

namespace skerry::edge {

/// Writes atomically. Errors: io_error.
void write_compiled(const std::filesystem::path& path, const CompiledCircuit& compiled, bool compress);
/// Estimates are made anew: they belong to the machine. Errors: those of packages, corrupt.
CompiledCircuit read_compiled(const std::filesystem::path& path);

/// Files `<id>.skerry`. A file appears whole or not at all, equal names hold equal contents, and what cannot be read is
/// as good as absent; so processes share a folder without a lock.
class CompiledFolder {
 public:
  /// Errors: io_error when it cannot be made.
  explicit CompiledFolder(std::filesystem::path folder);
  std::optional<CompiledCircuit> find(const std::string& circuit_id) const;
  void keep(const CompiledCircuit& compiled, bool compress) const;

 private:
  std::filesystem::path file(const std::string& circuit_id) const { return folder_ / (circuit_id + ".skerry"); }
  std::filesystem::path folder_;
};

}  // namespace skerry::edge
