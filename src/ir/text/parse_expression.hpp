/// \file
/// The names a circuit's text has declared so far, and the expressions over them.
#pragma once

#include <skerry/circuit.hpp>
#include <string>
#include <unordered_map>
#include <vector>

#include "ir/text/lexer.hpp"

namespace skerry::ir {

/// What a classical name stands for. A name declared twice is only reachable by number.
struct Named {
  enum class Kind : std::uint8_t { bits, parameter, variable, ambiguous } kind;
  std::uint32_t index;
};

/// Reads references and expressions of one circuit from a lexer; both outlive it.
/// Errors: syntax_error, semantic_error (unknown names, types), limit_exceeded (nesting), all with line:column.
class ExpressionReader {
 public:
  ExpressionReader(Lexer& lexer, Circuit& circuit) : lexer_(lexer), circuit_(circuit) {}

  void declare_wires(const std::string& name, std::uint32_t register_index);
  void declare(const std::string& name, Named named);
  void define_let(ExprId id) { lets_.push_back(id); }
  std::size_t num_lets() const noexcept { return lets_.size(); }

  ExprId expression() { return infix(1); }
  /// An expression, as a number when it is one; plain numbers leave the pool alone.
  Param param();
  ScalarType type();
  Wire wire();
  /// One bit: `c[2]`, `$bit[7]`.
  std::uint32_t bit();
  /// The left side of an assignment whose first token, a name, was taken already if `first` is given.
  Assignment target(const Token* first);

 private:
  struct Nested;  ///< counts how deep expressions stand in each other

  /// The type a word starts, with its width in brackets.
  ScalarType type_of(ScalarKind kind);
  ExprId infix(int least);
  ExprId prefix();
  ExprId power();
  ExprId atom();
  ExprId number();
  ExprId sigil();
  ExprId word(const Token& name);
  ExprId function(const Token& name);
  ExprId reference(const Token& name);
  ExprId variable(std::uint32_t index);
  ExprId bit_leaf(const Register& among);

  /// Inside `[`: `3` or `3:5` within a register, taken to the `]`. Gives first and count; count 0 for a single one.
  std::pair<std::uint32_t, std::uint32_t> range(const Register& among);
  const Named& named(const Token& name) const;
  Register all_bits() const { return {"$bit", 0, circuit_.num_bits()}; }
  std::uint32_t number_in_brackets(const char* what, std::size_t count);

  Lexer& lexer_;
  Circuit& circuit_;
  std::unordered_map<std::string, std::uint32_t> wire_registers_;
  std::unordered_map<std::string, Named> names_;
  std::vector<ExprId> lets_;
  std::size_t depth_ = 0;
};

}  // namespace skerry::ir
