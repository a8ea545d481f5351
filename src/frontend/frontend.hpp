/// \file
/// The door for files of others: bytes in, IR out; the content decides which reader takes them.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <skerry/circuit.hpp>
#include <skerry/graph.hpp>
#include <skerry/limits.hpp>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace skerry::frontend {

/// Bytes to import. `owner` keeps them alive: weights of the result point into them.
struct Source {
  std::span<const std::byte> bytes;
  std::string name = "<input>";  ///< starts every `where`
  std::filesystem::path folder;  ///< includes and external data are looked up below it only; empty: none allowed
  std::shared_ptr<const void> owner;
  std::string_view text() const { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
};

using Imported = std::variant<Circuit, Graph>;

/// One importer: a row of frontends.def.
struct Frontend {
  std::string_view name;         ///< `openqasm`, `json`, `onnx`, `text`
  std::string_view what;         ///< for messages: "OpenQASM 2 or 3"
  bool (*sniff)(const Source&);  ///< cheap; looks at the first bytes only
  Imported (*import)(const Source&, const ImportLimits&);
};

/// All rows, in the order in which they are asked.
std::span<const Frontend> frontends();

/// Imports by the first row whose sniff says yes. The result is verified. Errors: syntax_error naming every known
/// format when none does, and whatever the reader throws, `where` starting with the source's name.
Imported import(const Source& source, const ImportLimits& limits = {});

/// A mapped file; the mapping lives as long as the source, and what is imported from it, point into it.
Source open_source(const std::filesystem::path& path);

}  // namespace skerry::frontend
