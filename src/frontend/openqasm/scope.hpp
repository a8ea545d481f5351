/// \file
/// What the names of a program stand for.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "frontend/openqasm/source.hpp"
#include "frontend/openqasm/value.hpp"

namespace skerry::frontend::openqasm {

/// Wires or bits in order: a stretch of neighbours, or any selection.
struct Run {
  std::uint32_t first = 0, size = 0;
  bool is_scalar = false;  ///< one, not a register of one: it broadcasts
  /// Shared because aliases, slices and arguments of subroutines are copies of one selection.
  std::shared_ptr<const std::vector<std::uint32_t>> selection;

  std::uint32_t operator[](std::uint32_t i) const { return selection ? (*selection)[i] : first + i; }
};

enum class SymbolKind : std::uint8_t { qubits, bits, value, variable, array, gate, library_gate, subroutine };

struct Symbol {
  SymbolKind kind = SymbolKind::value;
  bool is_read_only = false;     ///< bits, variables and arrays that the running subroutine may not change
  std::uint32_t level = 0;       ///< depth of the scope that declared it, 0 for the program
  std::uint32_t shadowed = kNo;  ///< symbol of the same name in an outer scope
  std::uint32_t index = 0;       ///< first cell of a variable or array; gate; subroutine
  Place place;
  std::string_view name;
  Run run;                                ///< qubits, bits
  Value value;                            ///< constants, inputs, parameters
  std::vector<std::uint32_t> dimensions;  ///< of an array

  static constexpr std::uint32_t kNo = 0xffffffffU;
};

/// Names in nested scopes. A barrier hides the scopes between itself and the program: what the body of a gate or
/// subroutine sees.
class Scope {
 public:
  /// Innermost symbol of that name that is visible, nullptr when there is none. Valid until the next declare().
  const Symbol* find(std::string_view name) const;
  /// The symbol of that name in the innermost scope itself.
  const Symbol* find_here(std::string_view name) const;
  void declare(Symbol symbol);

  void open() { starts_.push_back(symbols_.size()); }
  void close();
  std::uint32_t level() const { return static_cast<std::uint32_t>(starts_.size()); }

  /// Hides everything but level 0 and what is opened from now on; gives the old barrier for lift_barrier().
  std::uint32_t set_barrier();
  void lift_barrier(std::uint32_t old) { barrier_ = old; }

  const std::vector<Symbol>& symbols() const { return symbols_; }

 private:
  std::unordered_map<std::string_view, std::uint32_t> latest_;
  std::vector<Symbol> symbols_;
  std::vector<std::size_t> starts_;
  std::uint32_t barrier_ = 0;
};

}  // namespace skerry::frontend::openqasm
