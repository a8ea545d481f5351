#include "frontend/openqasm/parser.hpp"

namespace skerry::frontend::openqasm {

// qreg q[3]; creg c[2]; (the size is optional in OpenQASM 3)
Node Parser::old_register(bool quantum) {
  Stmt stmt = start(StmtKind::declare);
  advance();
  stmt.is_version_2_register = true;
  stmt.type.kind = quantum ? TypeKind::qubit : TypeKind::bit;
  stmt.name_place = token_.place;
  stmt.name = expect_name("a register");
  if (take(Tok::l_bracket)) {
    stmt.type.width = expression();
    expect(Tok::r_bracket, "after the size of a register");
  } else if (version_ == 2) {
    fail_here("the size of register '" + std::string(stmt.name.substr(0, 40)) + "' is missing", "write it in [ ]");
  }
  expect_semicolon();
  return ast_.add(stmt);
}

bool Parser::at_type() const {
  switch (at_keyword()) {
    using enum Keyword;
    case bit_:
    case bool_:
    case int_:
    case uint_:
    case float_:
    case angle_:
    case duration_:
    case complex_:
    case stretch_:
    case array_:
      return true;
    default:
      return false;
  }
}

Type Parser::type() {
  Type made;
  bool takes_width = true;
  switch (at_keyword()) {
    using enum Keyword;
    case bit_:
      made.kind = TypeKind::bit;
      break;
    case qubit_:
      made.kind = TypeKind::qubit;
      break;
    case int_:
      made.kind = TypeKind::integer;
      break;
    case uint_:
      made.kind = TypeKind::unsigned_integer;
      break;
    case float_:
      made.kind = TypeKind::real;
      break;
    case angle_:
      made.kind = TypeKind::angle;
      break;
    case bool_:
      made.kind = TypeKind::boolean;
      takes_width = false;
      break;
    case duration_:
      made.kind = TypeKind::duration;
      takes_width = false;
      break;
    case complex_:
      refuse("'complex'", "keep the real and the imaginary part in two floats");
    case stretch_:
      refuse("'stretch'", "give each delay its duration");
    case array_:
      fail_here("an array cannot stand here", "arrays are declared at the top and passed to subroutines");
    default:
      fail_here("a type is missing, found " + std::string(describe(token_.kind)));
  }
  advance();
  if (takes_width && take(Tok::l_bracket)) {
    made.width = expression();
    expect(Tok::r_bracket, "after the width of a type");
  }
  return made;
}

// array[int[8], 2, 3], and as a parameter array[int[8], #dim = 2] too.
Type Parser::array_type(bool is_parameter) {
  advance();
  expect(Tok::l_bracket, "after array");
  Type made = type();
  if (made.kind == TypeKind::qubit || made.kind == TypeKind::bit)
    fail_here("an array cannot hold bits or qubits", "declare a register");
  made.element = made.kind;
  made.kind = TypeKind::array;
  expect(Tok::comma, "after the element type of an array");
  Items dimensions(*this);
  if (is_parameter && take(Tok::hash)) {
    if (expect_name("a dimension") != "dim") fail_here("'#' is followed by dim", "write #dim = 1");
    expect(Tok::assign, "after #dim");
    expression();  // the argument knows its own shape
  } else {
    do dimensions.add(expression());
    while (take(Tok::comma));
  }
  made.dimensions = dimensions.list();
  expect(Tok::r_bracket, "after the dimensions of an array");
  return made;
}

Node Parser::stored_declaration(Storage storage) {
  advance();
  if (!at_type()) fail_here("a type is missing, found " + std::string(describe(token_.kind)), "write const int n = 2;");
  return declaration(storage);
}

Node Parser::declaration(Storage storage) {
  Stmt stmt = start(StmtKind::declare);
  stmt.storage = storage;
  stmt.type = at_keyword() == Keyword::array_ ? array_type(false) : type();
  if (at(Tok::l_paren)) fail_here("a cast cannot start a statement", "assign its value to a variable");
  stmt.name_place = token_.place;
  stmt.name = expect_name("a variable");
  if (take(Tok::assign)) stmt.value = initialiser();
  if (storage == Storage::constant && stmt.value == kNone)
    fail_here("a constant needs a value", "write = and the value");
  if (storage == Storage::input && stmt.value != kNone)
    sources_.fail(ErrorCode::syntax_error, stmt.name_place, "an input cannot have a value of its own",
                  "give it when the program is run");
  expect_semicolon();
  return ast_.add(stmt);
}

// What may stand behind = in a declaration: an expression, a measurement or the elements of an array.
Node Parser::initialiser() {
  const Nesting level(*this);
  if (at(Tok::l_brace)) {
    Expr e;
    e.kind = ExprKind::set;
    e.place = token_.place;
    advance();
    Items items(*this);
    while (!at(Tok::r_brace)) {
      items.add(initialiser());
      if (!take(Tok::comma)) break;
    }
    e.list = items.list();
    expect(Tok::r_brace, "after the elements of an array");
    return ast_.add(e);
  }
  if (at_keyword() == Keyword::measure_) {
    Expr e;
    e.kind = ExprKind::measure;
    e.place = token_.place;
    advance();
    e.a = operand();
    return ast_.add(e);
  }
  return expression();
}

Node Parser::alias() {
  Stmt stmt = start(StmtKind::alias);
  advance();
  stmt.name_place = token_.place;
  stmt.name = expect_name("an alias");
  expect(Tok::assign, "after the name of an alias");
  stmt.value = alias_value();
  expect_semicolon();
  return ast_.add(stmt);
}

Node Parser::alias_value() {
  Node left = expression();
  while (at(Tok::concat)) {
    Expr e;
    e.kind = ExprKind::concat;
    e.place = token_.place;
    advance();
    e.a = left;
    e.b = expression();
    left = ast_.add(e);
  }
  return left;
}

// Names only: the parameters (angles) or the qubits of a gate.
List Parser::gate_formals(bool quantum, Tok close) {
  List made{static_cast<std::uint32_t>(ast_.formals.size()), 0};
  while (!at(close)) {
    Formal f;
    f.type.kind = quantum ? TypeKind::qubit : TypeKind::angle;
    f.place = token_.place;
    f.name = expect_name(quantum ? "a qubit" : "a parameter");
    ast_.formals.push_back(f);
    ++made.count;
    if (!take(Tok::comma)) break;
  }
  return made;
}

Node Parser::gate_definition() {
  Stmt stmt = start(StmtKind::gate);
  advance();
  stmt.name_place = token_.place;
  stmt.name = expect_name("a gate");
  if (take(Tok::l_paren)) {
    stmt.parameters = gate_formals(false, Tok::r_paren);
    expect(Tok::r_paren, "after the parameters of a gate");
  }
  stmt.operands = gate_formals(true, Tok::l_brace);
  if (!at(Tok::l_brace)) expect(Tok::l_brace, "before the body of a gate");
  stmt.body = block();
  return ast_.add(stmt);
}

Node Parser::opaque_declaration() {
  Stmt stmt = start(StmtKind::opaque);
  advance();
  stmt.name_place = token_.place;
  stmt.name = expect_name("a gate");
  if (take(Tok::l_paren)) {
    stmt.parameters = gate_formals(false, Tok::r_paren);
    expect(Tok::r_paren, "after the parameters of a gate");
  }
  stmt.operands = gate_formals(true, Tok::semicolon);
  expect_semicolon();
  return ast_.add(stmt);
}

Formal Parser::old_formal(bool quantum) {
  Formal f;
  advance();
  f.type.kind = quantum ? TypeKind::qubit : TypeKind::bit;
  f.place = token_.place;
  f.name = expect_name("a parameter");
  if (take(Tok::l_bracket)) {
    f.type.width = expression();
    expect(Tok::r_bracket, "after the size of a register");
  }
  return f;
}

Formal Parser::formal() {
  const Keyword k = at_keyword();
  if (k == Keyword::qreg_ || k == Keyword::creg_) return old_formal(k == Keyword::qreg_);
  Formal f;
  if (k == Keyword::readonly_ || k == Keyword::mutable_) {
    advance();
    if (at_keyword() != Keyword::array_) fail_here("only arrays are readonly or mutable", "write mutable array[...]");
    f.type = array_type(true);
    f.type.is_mutable = k == Keyword::mutable_;
  } else {
    f.type = type();
  }
  f.place = token_.place;
  f.name = expect_name("a parameter");
  return f;
}

Node Parser::subroutine() {
  Stmt stmt = start(StmtKind::subroutine);
  advance();
  stmt.name_place = token_.place;
  stmt.name = expect_name("a subroutine");
  expect(Tok::l_paren, "after the name of a subroutine");
  stmt.parameters.first = static_cast<std::uint32_t>(ast_.formals.size());
  while (!at(Tok::r_paren)) {
    ast_.formals.push_back(formal());
    ++stmt.parameters.count;
    if (!take(Tok::comma)) break;
  }
  expect(Tok::r_paren, "after the parameters of a subroutine");
  if (take(Tok::arrow)) stmt.type = type();
  if (!at(Tok::l_brace)) expect(Tok::l_brace, "before the body of a subroutine");
  stmt.body = block();
  return ast_.add(stmt);
}

}  // namespace skerry::frontend::openqasm
