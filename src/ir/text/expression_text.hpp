/// \file
/// Expressions and the names they use as text: `2.0 * theta + c[0:2]`.
#pragma once

#include <map>
#include <skerry/circuit.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::ir {

/// True for words that mean something at the start of a statement or in an expression; names like them are quoted.
bool is_reserved(std::string_view word) noexcept;

/// Spells the wires, bits, parameters, variables and expressions of one circuit. A name that is not unique among its
/// kind is avoided: `$wire[5]`, `$bit[2]`, `$var[0]`, `$param[1]` count from the circuit's start.
class Spelling {
 public:
  explicit Spelling(const Circuit& circuit);

  std::string wire(Wire wire) const;
  std::string bit(std::uint32_t bit) const;
  /// `c[0:2]`, or `c` for a whole register; ends included.
  std::string bits(std::uint32_t first, std::uint32_t count) const;
  std::string variable(std::uint32_t index) const;
  std::string expression(ExprId id) const;
  std::string param(const Param& param) const;

  /// Expressions printed once as `let $0 = ...;` because they are large and shared or deep, in order of definition.
  const std::vector<ExprId>& lets() const noexcept { return lets_; }
  /// The right side of a let.
  std::string definition(ExprId id) const;

 private:
  void choose_lets();
  std::string classical(std::string_view name) const;
  std::string leaf(const ExprNode& node) const;
  std::string operation(const ExprNode& node) const;
  std::string operand(ExprId id, int least) const;
  int level(ExprId id) const;

  const Circuit& circuit_;
  std::map<std::string, std::uint32_t, std::less<>> wire_names_, classical_names_;  ///< how often each occurs
  std::vector<ExprId> lets_;
  std::vector<std::uint32_t> let_of_;  ///< index in lets_ by ExprId, or kNoExpr
};

}  // namespace skerry::ir
