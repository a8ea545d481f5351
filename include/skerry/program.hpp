/// \file
/// A program: one circuit, or one graph, in which circuits may be nodes.
#pragma once

#include <skerry/circuit.hpp>
#include <skerry/graph.hpp>
#include <variant>

namespace skerry {

/// What load gives and everything else takes.
using Program = std::variant<Circuit, Graph>;

}  // namespace skerry
