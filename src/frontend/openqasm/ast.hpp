/// \file
/// The parsed program: nodes in pools, referred to by index. A top-level statement's nodes are dropped as soon as it
/// has been lowered; only definitions stay, so that a program of any length needs the memory of its longest statement.
#pragma once

#include <cstdint>
#include <skerry/expression.hpp>
#include <span>
#include <string_view>
#include <vector>

#include "frontend/openqasm/source.hpp"

namespace skerry::frontend::openqasm {

using Node = std::uint32_t;  ///< index into one of the pools of Ast
inline constexpr Node kNone = 0xffffffffU;

/// A run of entries of Ast::lists.
struct List {
  std::uint32_t first = 0, count = 0;
};

enum class ExprKind : std::uint8_t {
  integer,
  real,
  boolean,
  bitstring,
  duration,
  name,      ///< text
  hardware,  ///< `$n`: integer
  unary,     ///< op a
  binary,    ///< a op b
  call,      ///< text(list)
  cast,      ///< types[type](a)
  index,     ///< a[list]: an entry is an expression, a range or a set
  range,     ///< a : b : c, as start, step (kNone: 1), stop; start and stop may be kNone
  set,       ///< {list}
  concat,    ///< a ++ b
  measure,   ///< measure a
};

struct Expr {
  ExprKind kind = ExprKind::integer;
  ExprOp op = ExprOp::constant;
  Place place;
  Node a = kNone, b = kNone, c = kNone;
  List list;
  std::string_view text;
  std::uint64_t integer = 0;
  double real = 0.0;
};

enum class TypeKind : std::uint8_t {
  none,
  bit,
  boolean,
  integer,
  unsigned_integer,
  real,
  angle,
  duration,
  qubit,
  array
};

struct Type {
  TypeKind kind = TypeKind::none;
  TypeKind element = TypeKind::none;  ///< of an array
  Node width = kNone;                 ///< `[n]` of the type or of an array's element
  List dimensions;                    ///< of an array
  bool is_mutable = false;            ///< of an array that a subroutine may change
};

enum class ModifierKind : std::uint8_t { ctrl, negctrl, inv, pow };
struct Modifier {
  ModifierKind kind{};
  Place place;
  Node argument = kNone;
};

/// A parameter of a gate or subroutine.
struct Formal {
  std::string_view name;
  Place place;
  Type type;
};

/// One `case` of a switch; `values` is empty for `default`.
struct Case {
  List values, body;
};

enum class StmtKind : std::uint8_t {
  empty,
  version,
  include,
  declare,
  alias,
  gate,
  opaque,
  subroutine,
  call,        ///< modifiers name(parameters) operands
  measure,     ///< measure operands[0] -> target (or nowhere)
  assign,      ///< target op= value
  expression,  ///< value, for its effect
  reset,
  barrier,
  delay,
  if_else,
  for_loop,
  while_loop,
  switch_case,
  break_loop,
  continue_loop,
  return_value,
  end,
  scope,  ///< { body }
  box,
};

enum class Storage : std::uint8_t { variable, constant, input, output };

struct Stmt {
  StmtKind kind = StmtKind::empty;
  Storage storage = Storage::variable;
  ExprOp op = ExprOp::constant;  ///< of a compound assignment; constant: plain
  bool is_version_2_register = false;
  Place place, name_place;
  std::string_view name;
  Type type;                           ///< declared, of the loop variable, or returned
  Node value = kNone, target = kNone;  ///< initialiser, condition, iterated range, ...
  List operands, parameters;           ///< expressions; Formals in a gate (parameters: angles) or subroutine
  List modifiers, body, orelse, cases;
};

/// Pools and the lists over them.
class Ast {
 public:
  std::vector<Expr> exprs;
  std::vector<Stmt> stmts;
  std::vector<Type> types;
  std::vector<Modifier> modifiers;
  std::vector<Formal> formals;
  std::vector<Case> cases;
  std::vector<Node> lists;

  std::span<const Node> list(List l) const { return std::span(lists).subspan(l.first, l.count); }
  template <class T>
  static std::span<const T> items(const std::vector<T>& pool, List l) {
    return std::span(pool).subspan(l.first, l.count);
  }

  Node add(const Expr& e) {
    exprs.push_back(e);
    return static_cast<Node>(exprs.size() - 1);
  }
  Node add(const Stmt& s) {
    stmts.push_back(s);
    return static_cast<Node>(stmts.size() - 1);
  }

  /// Sizes of all pools; dropping to them forgets everything that was added since.
  struct Mark {
    std::size_t exprs, stmts, types, modifiers, formals, cases, lists;
  };
  Mark mark() const {
    return {exprs.size(), stmts.size(), types.size(), modifiers.size(), formals.size(), cases.size(), lists.size()};
  }
  void drop_to(const Mark& m) {
    exprs.resize(m.exprs);
    stmts.resize(m.stmts);
    types.resize(m.types);
    modifiers.resize(m.modifiers);
    formals.resize(m.formals);
    cases.resize(m.cases);
    lists.resize(m.lists);
  }
};

}  // namespace skerry::frontend::openqasm
