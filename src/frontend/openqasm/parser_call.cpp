// Statements about qubits, and those that start with a name: gate calls, subroutine calls, assignments.
#include "frontend/openqasm/parser.hpp"

namespace skerry::frontend::openqasm {

Node Parser::measure_statement() {
  Stmt stmt = start(StmtKind::measure);
  advance();
  Items operands(*this);
  operands.add(operand());
  stmt.operands = operands.list();
  if (at(Tok::arrow) || version_ == 2) {
    expect(Tok::arrow, "after the measured qubit");
    stmt.target = operand();
  }
  expect_semicolon();
  return ast_.add(stmt);
}

Node Parser::reset_statement() {
  Stmt stmt = start(StmtKind::reset);
  advance();
  stmt.operands = operand_list();
  expect_semicolon();
  return ast_.add(stmt);
}

Node Parser::barrier_statement() {
  Stmt stmt = start(StmtKind::barrier);
  advance();
  if (!at(Tok::semicolon)) stmt.operands = operand_list();
  expect_semicolon();
  return ast_.add(stmt);
}

Node Parser::delay_statement() {
  Stmt stmt = start(StmtKind::delay);
  advance();
  expect(Tok::l_bracket, "after delay");
  stmt.value = expression();
  expect(Tok::r_bracket, "after the duration");
  if (!at(Tok::semicolon)) stmt.operands = operand_list();
  expect_semicolon();
  return ast_.add(stmt);
}

// A statement that starts with a name is a gate call, a subroutine call or an assignment; what follows the name tells.
Node Parser::name_statement() {
  Stmt call_stmt = start(StmtKind::call);
  call_stmt.name = token_.text;
  advance();
  switch (token_.kind) {
    case Tok::l_paren: {
      advance();
      call_stmt.parameters = expressions(Tok::r_paren);
      if (!at(Tok::semicolon) || version_ == 2 || call_stmt.name == "gphase") return gate_call(call_stmt);
      Expr call_expr;
      call_expr.kind = ExprKind::call;
      call_expr.place = call_stmt.place;
      call_expr.text = call_stmt.name;
      call_expr.list = call_stmt.parameters;
      call_stmt.kind = StmtKind::expression;
      call_stmt.value = ast_.add(call_expr);
      advance();
      return ast_.add(call_stmt);
    }
    case Tok::identifier:
    case Tok::hardware_qubit:
      return gate_call(call_stmt);
    case Tok::semicolon:
      return gate_call(call_stmt);
    default:
      break;
  }
  if (version_ == 2)
    fail_here("an operand is missing after '" + std::string(call_stmt.name.substr(0, 40)) + "', found " +
              std::string(describe(token_.kind)));
  Expr name;
  name.kind = ExprKind::name;
  name.place = call_stmt.place;
  name.text = call_stmt.name;
  const Node target = indexed(ast_.add(name));
  return assignment(target, call_stmt.place);
}

Node Parser::assignment(Node target, Place place) {
  Stmt stmt = start(StmtKind::assign);
  stmt.place = place;
  stmt.target = target;
  struct Compound {
    Tok token;
    ExprOp op;
  };
  constexpr std::array kCompound = {
      Compound{Tok::assign, ExprOp::constant},  Compound{Tok::plus_assign, ExprOp::add},
      Compound{Tok::minus_assign, ExprOp::sub}, Compound{Tok::star_assign, ExprOp::mul},
      Compound{Tok::slash_assign, ExprOp::div}, Compound{Tok::percent_assign, ExprOp::mod},
      Compound{Tok::power_assign, ExprOp::pow}, Compound{Tok::and_assign, ExprOp::bit_and},
      Compound{Tok::or_assign, ExprOp::bit_or}, Compound{Tok::xor_assign, ExprOp::bit_xor},
      Compound{Tok::shl_assign, ExprOp::shl},   Compound{Tok::shr_assign, ExprOp::shr}};
  for (const Compound& compound : kCompound) {
    if (!at(compound.token)) continue;
    stmt.op = compound.op;
    advance();
    stmt.value = at_keyword() == Keyword::measure_ ? initialiser() : expression();
    expect_semicolon();
    return ast_.add(stmt);
  }
  fail_here("'=' or an operand is missing after a name, found " + std::string(describe(token_.kind)));
}

Node Parser::gate_call(Stmt call_stmt) {
  if (!at(Tok::semicolon)) call_stmt.operands = operand_list();
  expect_semicolon();
  return ast_.add(call_stmt);
}

Node Parser::modified_call() {
  Stmt stmt = start(StmtKind::call);
  std::vector<Modifier> modifiers;
  for (;;) {
    Modifier modifier;
    modifier.place = token_.place;
    switch (at_keyword()) {
      case Keyword::ctrl_:
        modifier.kind = ModifierKind::ctrl;
        break;
      case Keyword::negctrl_:
        modifier.kind = ModifierKind::negctrl;
        break;
      case Keyword::inv_:
        modifier.kind = ModifierKind::inv;
        break;
      case Keyword::pow_:
        modifier.kind = ModifierKind::pow;
        break;
      default: {
        stmt.modifiers = {static_cast<std::uint32_t>(ast_.modifiers.size()),
                          static_cast<std::uint32_t>(modifiers.size())};
        ast_.modifiers.insert(ast_.modifiers.end(), modifiers.begin(), modifiers.end());
        stmt.name_place = token_.place;
        stmt.name = expect_name("a gate");
        if (take(Tok::l_paren)) stmt.parameters = expressions(Tok::r_paren);
        return gate_call(stmt);
      }
    }
    advance();
    if (modifier.kind != ModifierKind::inv && take(Tok::l_paren)) {
      modifier.argument = expression();
      expect(Tok::r_paren, "after the modifier's argument");
    }
    if (modifier.kind == ModifierKind::pow && modifier.argument == kNone)
      fail_here("pow needs its exponent", "write pow(2) @");
    expect(Tok::at, "after a gate modifier");
    modifiers.push_back(modifier);
  }
}

List Parser::operand_list() {
  Items operands(*this);
  do operands.add(operand());
  while (take(Tok::comma));
  return operands.list();
}

Node Parser::operand() {
  if (!at(Tok::identifier) && !at(Tok::hardware_qubit))
    fail_here("an operand is missing, found " + std::string(describe(token_.kind)), "name a qubit or register");
  return postfix();
}

}  // namespace skerry::frontend::openqasm
