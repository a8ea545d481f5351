/// \file
/// A circuit as a drawing: which instruction stands in which column, and what is written there.
#pragma once

#include <cstdint>
#include <skerry/circuit.hpp>
#include <string>
#include <vector>

namespace skerry::emit {

/// One instruction of a drawing. The labels ⊕, × and ● stand alone, ░ is a barrier, others get a box.
struct DrawnElement {
  std::size_t column = 0;
  std::vector<Wire> controls, targets;
  std::string label;

  bool is_symbol() const { return label == "⊕" || label == "×" || label == "●"; }
  bool is_barrier() const { return label == "░"; }
};

struct Drawing {
  std::vector<std::string> names;  ///< of the wires, least significant first
  std::vector<DrawnElement> elements;
  std::size_t columns = 0;
  std::string note;  ///< what was left out
};

/// Puts each instruction of the body into the first column in which all that it crosses is free; 200 columns and 64
/// wires at most. Cost: O(instructions).
Drawing arrange(const Circuit& circuit);

/// One line per wire. UTF-8.
std::string diagram_text(const Circuit& circuit);
/// The same as a drawing in the colour of the surrounding text. What the circuit says is escaped; nothing in it runs.
std::string diagram_svg(const Circuit& circuit);

}  // namespace skerry::emit
