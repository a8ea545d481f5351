/// \file
/// How OpenQASM spells each gate of the table, and how it is defined where the language's library lacks it.
#pragma once

#include <skerry/circuit.hpp>
#include <string>
#include <string_view>

namespace skerry::emit {

/// A spelling with `controls` of them implied; the rest are written as `ctrl @`.
struct GateText {
  std::string_view name;
  std::uint16_t controls = 0;
  std::string_view definition{};  ///< `gate ... { ... }`, empty for what the library has
};

/// OpenQASM 2: exactly these controls, or an empty name.
GateText gate_text2(Op op, std::uint16_t controls);
/// OpenQASM 3: as many of the controls as a library gate has.
GateText gate_text3(Op op, std::uint16_t controls);

}  // namespace skerry::emit
