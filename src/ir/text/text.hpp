/// \file
/// One text form for circuits and graphs, made to be read by people, written by tests and parsed back unchanged.
#pragma once

#include <skerry/circuit.hpp>
#include <skerry/graph.hpp>
#include <string>
#include <string_view>
#include <variant>

namespace skerry::ir {

/// Text of a circuit or graph. parse(print(x)) == x; tensors past `max_elements` elements are printed as a hash and
/// such text does not parse back (for eyes only; by default everything is printed).
std::string print(const Circuit& circuit);
std::string print(const Graph& graph, std::size_t max_elements = static_cast<std::size_t>(-1));

/// Reads what print() writes, comments (`//` to the end of the line) and blank lines allowed, then verifies.
/// Errors: syntax_error, semantic_error, limit_exceeded, each with line:column.
std::variant<Circuit, Graph> parse(std::string_view text);
Circuit parse_circuit(std::string_view text);
Graph parse_graph(std::string_view text);

}  // namespace skerry::ir
