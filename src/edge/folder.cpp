#include "edge/folder.hpp"

#include <charconv>
#include <skerry/error.hpp>
#include <system_error>
#include <utility>

#include "package/package.hpp"

namespace skerry::edge {
namespace {

constexpr const char* kId = "edge.circuit_id";
constexpr const char* kLevel = "edge.level";
constexpr const char* kSeconds = "edge.compile_seconds";
constexpr const char* kBytes = "edge.bytes";

const std::string& field(const std::map<std::string, std::string>& metadata, const char* key,
                         const std::filesystem::path& path) {
  const auto found = metadata.find(key);
  if (found != metadata.end()) return found->second;
  throw Error(ErrorCode::corrupt, std::string("the package has no ") + key, path.filename().string(),
              "it holds a program, but not one that was compiled for edge execution");
}

template <class T>
T number(const std::string& text, const std::filesystem::path& path) {
  T value{};
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code == std::errc() && end == text.data() + text.size()) return value;
  throw Error(ErrorCode::corrupt, "'" + text + "' is no number", path.filename().string());
}

}  // namespace

void write_compiled(const std::filesystem::path& path, const CompiledCircuit& compiled, bool compress) {
  package::Contents contents{.program = compiled.circuit,
                             .metadata = {{kId, compiled.circuit_id},
                                          {kLevel, std::string(level_name(compiled.level))},
                                          {kSeconds, std::to_string(compiled.compile_seconds)},
                                          {kBytes, std::to_string(compiled.bytes)}},
                             .plans = {}};
  package::write(path, contents, {.compress = compress});
}

CompiledCircuit read_compiled(const std::filesystem::path& path) {
  package::Loaded loaded = package::read(path, {.check = package::Check::full});
  auto* circuit = std::get_if<Circuit>(&loaded.contents.program);
  if (circuit == nullptr) {
    throw Error(ErrorCode::corrupt, "the package holds a graph, not a circuit", path.filename().string(),
                "load it with skerry::load");
  }
  const auto& metadata = loaded.contents.metadata;
  CompiledCircuit compiled;
  compiled.circuit_id = field(metadata, kId, path);
  compiled.level = level_from_name(field(metadata, kLevel, path));
  compiled.compile_seconds = number<double>(field(metadata, kSeconds, path), path);
  compiled.bytes = number<std::uint64_t>(field(metadata, kBytes, path), path);
  compiled.circuit = std::move(*circuit);
  return compiled;
}

CompiledFolder::CompiledFolder(std::filesystem::path folder) : folder_(std::move(folder)) {
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  if (error) throw Error(ErrorCode::io_error, "the cache folder cannot be made: " + error.message(), folder_.string());
}

std::optional<CompiledCircuit> CompiledFolder::find(const std::string& circuit_id) const {
  try {
    CompiledCircuit compiled = read_compiled(file(circuit_id));
    if (compiled.circuit_id == circuit_id) return compiled;
  } catch (const Error&) {  // absent, damaged or newer: compiled again and written over
  }
  return std::nullopt;
}

void CompiledFolder::keep(const CompiledCircuit& compiled, bool compress) const {
  try {
    write_compiled(file(compiled.circuit_id), compiled, compress);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::io_error) throw;  // a full disk costs the next process a compilation, no more
  }
}

}  // namespace skerry::edge
