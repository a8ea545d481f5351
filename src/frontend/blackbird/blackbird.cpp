/// \file
/// Blackbird, the text form of photonic circuits, as an importer.
#include <algorithm>
#include <skerry/error.hpp>

#include "frontend/blackbird/parser.hpp"
#include "frontend/frontend.hpp"

namespace skerry::frontend {
namespace {

constexpr std::size_t kLooked = 64 << 10;

// The first word that is no comment is `name`, `version` or `target`, or an operation on modes: `Sgate(0.3) | 0`.
bool sniff_blackbird(const Source& source) {
  std::string_view text = source.text().substr(0, kLooked);
  for (;;) {
    text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
    if (!text.starts_with("#")) break;
    text.remove_prefix(std::min(text.find('\n'), text.size()));
  }
  const std::string_view line = text.substr(0, text.find('\n'));
  for (const std::string_view word : {"name", "version", "target"}) {
    if (!line.starts_with(word) || line.size() <= word.size()) continue;
    const char after = line[word.size()];
    const bool is_assigned = line.find_first_of("=;{") != std::string_view::npos && word != "target";
    if ((after == ' ' || after == '\t') && !is_assigned) return true;
  }
  const bool is_text =
      std::ranges::all_of(line, [](char c) { return (c >= ' ' && c <= '~') || c == '\t' || c == '\r'; });
  const std::size_t word = line.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
  if (!is_text || word < 3 || word == std::string_view::npos || line[0] < 'A' || line[0] > 'Z') return false;
  const std::size_t after = line.find_first_not_of(" \t", word);
  return after != std::string_view::npos && (line[after] == '(' || line[after] == '|') &&
         line.find('|') != std::string_view::npos && line.find_first_of(";{") == std::string_view::npos;
}

Imported import_blackbird(const Source& source, const ImportLimits& limits) {
  if (source.bytes.size() > limits.max_text_bytes)
    throw Error(ErrorCode::limit_exceeded,
                "the text has " + std::to_string(source.bytes.size()) + " bytes, max_text_bytes is " +
                    std::to_string(limits.max_text_bytes),
                source.name, "raise max_text_bytes");
  return blackbird::parse(source.text(), limits, source.name);
}

}  // namespace

extern const Frontend blackbird_frontend;
const Frontend blackbird_frontend = {"blackbird", "Blackbird", sniff_blackbird, import_blackbird};

}  // namespace skerry::frontend
