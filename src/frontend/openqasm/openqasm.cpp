#include "frontend/openqasm/openqasm.hpp"

#include "frontend/openqasm/lower.hpp"

namespace skerry::frontend {
namespace {

constexpr std::string_view kSpace = " \t\r\n\f\v";

// The text without byte order mark, white space and comments in front.
std::string_view first_word(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  for (;;) {
    text.remove_prefix(std::min(text.find_first_not_of(kSpace), text.size()));
    const std::string_view close = text.starts_with("//") ? "\n" : text.starts_with("/*") ? "*/" : "";
    if (close.empty()) break;
    const std::size_t end = text.find(close, 2);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + close.size());
  }
  std::size_t length = 0;
  while (length < text.size() && (std::isalnum(static_cast<unsigned char>(text[length])) != 0 || text[length] == '_'))
    ++length;
  return text.substr(0, std::max<std::size_t>(length, text.empty() ? 0 : 1));
}

}  // namespace

bool sniff_openqasm(const Source& source) {
  const std::string_view word = first_word(source.text());
  if (word == "#" || word == "@" || word == "$") return true;
  return openqasm::keyword(word, 3) != openqasm::Keyword::none;
}

Imported import_openqasm(const Source& source, const ImportLimits& limits) {
  openqasm::Sources sources(limits);
  const std::size_t file = sources.add(source.name, source.text(), source.folder);
  return openqasm::Lowering(sources, file).run();
}

extern const Frontend openqasm_frontend;
const Frontend openqasm_frontend = {"openqasm", "OpenQASM 2 or 3", sniff_openqasm, import_openqasm};

}  // namespace skerry::frontend
