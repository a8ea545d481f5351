/// \file
/// QIR of the base and the adaptive profile, as LLVM's textual IR, as an importer.
#include <algorithm>
#include <skerry/error.hpp>

#include "frontend/frontend.hpp"
#include "frontend/qir/lower.hpp"
#include "frontend/qir/parser.hpp"

namespace skerry::frontend {
namespace {

/// How a module of bitcode begins, and one in a wrapper.
constexpr std::string_view kBitcode = "BC\xC0\xDE", kWrapped{"\xDE\xC0\x17\x0B", 4};
constexpr std::size_t kLooked = 64 << 10;

bool is_bitcode(std::string_view text) {
  return text.starts_with(kBitcode) || text.starts_with(kWrapped);
}

bool sniff_qir(const Source& source) {
  const std::string_view head = source.text().substr(0, kLooked);
  if (is_bitcode(head)) return true;
  const std::size_t first = head.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos || head.find('\0') != std::string_view::npos) return false;
  constexpr std::string_view kStarts[] = {";",       "%",       "@",        "!",          "source_filename",
                                          "target ", "define ", "declare ", "attributes "};
  const bool is_ir =
      std::ranges::any_of(kStarts, [&](std::string_view s) { return head.substr(first).starts_with(s); });
  return is_ir && head.find("__quantum__") != std::string_view::npos;
}

Imported import_qir(const Source& source, const ImportLimits& limits) {
  if (is_bitcode(source.text()))
    throw Error(ErrorCode::unsupported, "this is LLVM bitcode", source.name,
                "give its text (llvm-dis module.bc), or read it with skerry.qir.loads and PyQIR in Python");
  return qir::lower(qir::parse(source.text(), limits, source.name), source.text(), limits, source.name);
}

}  // namespace

extern const Frontend qir_frontend;
const Frontend qir_frontend = {"qir", "QIR as LLVM's text", sniff_qir, import_qir};

}  // namespace skerry::frontend
