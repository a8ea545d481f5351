#include "ir/text/parse.hpp"

#include <skerry/limits.hpp>

#include "ir/text/text.hpp"
#include "ir/verify.hpp"

namespace skerry::ir {
namespace {

void check_size(std::string_view text) {
  const ImportLimits limits;
  if (text.size() <= limits.max_text_bytes) return;
  throw Error(ErrorCode::limit_exceeded,
              "a text of " + std::to_string(text.size()) + " bytes, at most " + std::to_string(limits.max_text_bytes),
              "1:1");
}

/// Whatever the grammar lets through but the verifier refuses is placed at the start of the text.
template <class T>
T finished(T value, Lexer& lexer, const Token& start) {
  if (lexer.peek().kind != TokenKind::end) lexer.fail("expected the end, found " + lexer.peek().described());
  try {
    verify(value);
  } catch (const Error& e) {
    throw e.at(Lexer::where(start));
  }
  return value;
}

}  // namespace

std::variant<Circuit, Graph> parse(std::string_view text) {
  check_size(text);
  Lexer lexer(text);
  const Token start = lexer.peek();
  if (start.is("circuit")) return finished(read_circuit(lexer), lexer, start);
  if (start.is("graph")) return finished(read_graph(lexer), lexer, start);
  lexer.fail("expected 'circuit' or 'graph', found " + start.described());
}

Circuit parse_circuit(std::string_view text) {
  check_size(text);
  Lexer lexer(text);
  const Token start = lexer.peek();
  return finished(read_circuit(lexer), lexer, start);
}

Graph parse_graph(std::string_view text) {
  check_size(text);
  Lexer lexer(text);
  const Token start = lexer.peek();
  return finished(read_graph(lexer), lexer, start);
}

}  // namespace skerry::ir
