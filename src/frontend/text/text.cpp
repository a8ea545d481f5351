/// \file
/// Skerry's own text form as an importer.
#include "ir/text/text.hpp"

#include <skerry/error.hpp>

#include "frontend/frontend.hpp"

namespace skerry::frontend {
namespace {

bool sniff_text(const Source& source) {
  std::string_view text = source.text();
  for (;;) {
    text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
    if (!text.starts_with("//")) break;
    text.remove_prefix(std::min(text.find('\n'), text.size()));
  }
  for (const std::string_view word : {"circuit", "graph"}) {
    if (!text.starts_with(word)) continue;
    text.remove_prefix(word.size());
    return text.empty() || std::string_view(" \t\r\n@{(").find(text.front()) != std::string_view::npos;
  }
  return false;
}

Imported import_text(const Source& source, const ImportLimits& limits) {
  if (source.bytes.size() > limits.max_text_bytes)
    throw Error(ErrorCode::limit_exceeded,
                "the text has " + std::to_string(source.bytes.size()) + " bytes, max_text_bytes is " +
                    std::to_string(limits.max_text_bytes),
                source.name, "raise max_text_bytes");
  return ir::parse(source.text());
}

}  // namespace

extern const Frontend text_frontend;
const Frontend text_frontend = {"text", "Skerry's text form", sniff_text, import_text};

}  // namespace skerry::frontend
