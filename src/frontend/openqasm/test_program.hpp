/// \file
/// For tests: programs as strings.
#pragma once

#include <gtest/gtest.h>

#include <skerry/error.hpp>
#include <string>
#include <string_view>

#include "frontend/frontend.hpp"
#include "ir/text/text.hpp"

namespace skerry::frontend::testing {

inline Circuit read(std::string_view text, const ImportLimits& limits = {}, const std::filesystem::path& folder = {}) {
  Source source;
  source.bytes = std::as_bytes(std::span(text));
  source.name = "t.qasm";
  source.folder = folder;
  return std::get<Circuit>(import(source, limits));
}

inline Circuit read2(std::string_view text) {
  return read("OPENQASM 2.0;\ninclude \"qelib1.inc\";\n" + std::string(text));
}
inline Circuit read3(std::string_view text) {
  return read("OPENQASM 3.0;\ninclude \"stdgates.inc\";\n" + std::string(text));
}

/// The statements of the circuit's text, one space between them, declarations of wires and bits left out.
inline std::string statements(const Circuit& circuit) {
  std::string text = ir::print(circuit);
  std::string kept;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string line = text.substr(at, end - at);
    line.erase(0, line.find_first_not_of(' '));
    at = end + 1;
    if (line.starts_with("wires ") || line.starts_with("bits ") || line == "circuit {") continue;
    kept += (kept.empty() ? "" : " ") + line;
  }
  if (kept.ends_with("}")) kept.resize(kept.size() - 1);
  if (kept.ends_with(" ")) kept.resize(kept.size() - 1);
  return kept;
}

/// The error that the program is refused with; fails the test when it is not.
inline Error refusal(std::string_view text, const ImportLimits& limits = {}) {
  try {
    (void)read(text, limits);
  } catch (const Error& e) {
    return e;
  }
  ADD_FAILURE() << "accepted: " << text.substr(0, 200);
  return Error(ErrorCode::internal, "accepted");
}
inline Error refusal2(std::string_view text) {
  return refusal("OPENQASM 2.0;\ninclude \"qelib1.inc\";\n" + std::string(text));
}
inline Error refusal3(std::string_view text) {
  return refusal("OPENQASM 3.0;\ninclude \"stdgates.inc\";\n" + std::string(text));
}

}  // namespace skerry::frontend::testing
