/// \file
/// What the parsers of circuits and graphs share: a circuit may stand inside a graph.
#pragma once

#include <skerry/circuit.hpp>
#include <skerry/graph.hpp>

#include "ir/text/lexer.hpp"

namespace skerry::ir {

/// Reads `circuit @name { ... }`; not verified yet. Errors: those of ir::parse.
Circuit read_circuit(Lexer& lexer);
/// Reads `graph @name (...) -> (...) { ... }`; not verified yet. Errors: those of ir::parse.
Graph read_graph(Lexer& lexer);

/// A number's digits as a double or float. Errors: syntax_error past the type's range.
double real_of(const Token& number);
float float_of(const Token& number);

/// Runs a builder call and gives what it refuses the place of a token.
template <class Call>
auto at_place(const Token& place, Call&& call) {
  try {
    return call();
  } catch (const Error& e) {
    const bool is_limit = e.code() == ErrorCode::limit_exceeded;
    throw Error(is_limit ? e.code() : ErrorCode::semantic_error, e.message(), Lexer::where(place), e.hint());
  }
}

}  // namespace skerry::ir
