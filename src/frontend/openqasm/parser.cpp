#include "frontend/openqasm/parser.hpp"

#include <array>

#include "frontend/suggest.hpp"

namespace skerry::frontend::openqasm {

Parser::Parser(Sources& sources, Ast& ast, std::size_t file) : sources_(sources), ast_(ast), lexer_(sources, file) {
  advance();
}

Node Parser::next_statement() {
  while (at(Tok::end_of_text)) {
    if (outer_.empty()) return kNone;
    lexer_ = outer_.back().lexer;
    token_ = outer_.back().token;
    outer_.pop_back();
  }
  const Node node = statement();
  begun_ = true;
  return node;
}

void Parser::enter(std::size_t file, Place place) {
  if (outer_.size() >= sources_.limits().max_include_depth)
    sources_.fail(
        ErrorCode::limit_exceeded, place,
        "includes are nested deeper than max_include_depth = " + std::to_string(sources_.limits().max_include_depth),
        "does a file include itself?");
  outer_.push_back({lexer_, token_});
  lexer_ = Lexer(sources_, file);
  advance();
}

bool Parser::take(Tok kind) {
  if (token_.kind != kind) return false;
  advance();
  return true;
}

void Parser::fail_here(std::string message, std::string hint) const {
  sources_.fail(ErrorCode::syntax_error, token_.place, std::move(message), std::move(hint));
}

void Parser::refuse(std::string_view what, std::string hint) const {
  sources_.fail(ErrorCode::unsupported, token_.place, std::string(what) + " is not supported", std::move(hint));
}

void Parser::expect(Tok kind, std::string_view after) {
  if (take(kind)) return;
  std::string saw(describe(token_.kind));
  if (at(Tok::identifier)) saw = "'" + std::string(token_.text.substr(0, 40)) + "'";
  fail_here(std::string(describe(kind)) + " is missing " + std::string(after) + ", found " + saw);
}

void Parser::expect_semicolon() {
  expect(Tok::semicolon, "at the end of the statement");
}

std::string_view Parser::expect_name(std::string_view what) {
  if (!at(Tok::identifier))
    fail_here("the name of " + std::string(what) + " is missing, found " + std::string(describe(token_.kind)));
  if (at_keyword() != Keyword::none)
    fail_here("'" + std::string(token_.text) + "' is a reserved word and cannot name " + std::string(what),
              "choose another name");
  const std::string_view name = token_.text;
  advance();
  return name;
}

Keyword Parser::at_keyword() const {
  return at(Tok::identifier) ? keyword(token_.text, version_) : Keyword::none;
}

bool Parser::take_keyword(Keyword k) {
  if (at_keyword() != k) return false;
  advance();
  return true;
}

Stmt Parser::start(StmtKind kind) const {
  Stmt stmt;
  stmt.kind = kind;
  stmt.place = stmt.name_place = token_.place;
  return stmt;
}

Node Parser::statement() {
  const Nesting level(*this);
  while (at(Tok::at)) {  // an annotation belongs to the next statement and changes nothing here
    lexer_.skip_line(token_);
    advance();
  }
  if (at(Tok::identifier)) {
    const Keyword k = keyword(token_.text, version_);
    return k == Keyword::none ? name_statement() : keyword_statement(k);
  }
  if (at(Tok::hash)) {
    lexer_.skip_line(token_);
    advance();
    return ast_.add(start(StmtKind::empty));
  }
  if (at(Tok::l_brace) && version_ >= 3) return scope();
  if (at(Tok::semicolon)) {
    advance();
    return ast_.add(start(StmtKind::empty));
  }
  fail_here("a statement cannot start with " + std::string(describe(token_.kind)));
}

Node Parser::keyword_statement(Keyword k) {
  using enum Keyword;
  switch (k) {
    case OPENQASM_:
      return version_statement();
    case include_:
      return include_statement();
    case qreg_:
      return old_register(true);
    case creg_:
      return old_register(false);
    case gate_:
      return gate_definition();
    case opaque_:
      return opaque_declaration();
    case measure_:
      return measure_statement();
    case reset_:
      return reset_statement();
    case barrier_:
      return barrier_statement();
    case if_:
      return if_statement();
    case qubit_:
    case bit_:
    case bool_:
    case int_:
    case uint_:
    case float_:
    case angle_:
    case complex_:
    case duration_:
    case stretch_:
    case array_:
      return declaration(Storage::variable);
    case const_:
      return stored_declaration(Storage::constant);
    case input_:
      return stored_declaration(Storage::input);
    case output_:
      return stored_declaration(Storage::output);
    case let_:
      return alias();
    case def_:
      return subroutine();
    case defcal_:
    case defcalgrammar_:
    case cal_:
      refuse("'" + std::string(token_.text) + "' (pulse-level control)",
             "leave calibrations out; gates are simulated as ideal");
    case extern_:
      refuse("'extern' (a function of another program)", "write the function as a def");
    case pragma_: {
      lexer_.skip_line(token_);
      advance();
      return ast_.add(start(StmtKind::empty));
    }
    case for_:
      return for_statement();
    case while_:
      return while_statement();
    case switch_:
      return switch_statement();
    case break_:
      return simple(StmtKind::break_loop);
    case continue_:
      return simple(StmtKind::continue_loop);
    case end_:
      return simple(StmtKind::end);
    case return_:
      return return_statement();
    case box_:
      return box();
    case delay_:
      return delay_statement();
    case ctrl_:
    case negctrl_:
    case inv_:
    case pow_:
      return modified_call();
    case durationof_:
      refuse("'durationof'", "write the duration as a number");
    case nop_: {
      advance();
      if (!at(Tok::semicolon)) operand_list();
      expect_semicolon();
      return ast_.add(start(StmtKind::empty));
    }
    case readonly_:
    case mutable_:
    case else_:
    case in_:
    case case_:
    case default_:
    case true_:
    case false_:
    case none:
      break;
  }
  fail_here("a statement cannot start with '" + std::string(token_.text) + "'");
}

Node Parser::version_statement() {
  Stmt stmt = start(StmtKind::version);
  advance();
  if (begun_)
    sources_.fail(ErrorCode::syntax_error, stmt.place, "OPENQASM is not the first statement", "move it to the top");
  if (!at(Tok::integer) && !at(Tok::real))
    fail_here("a version number is missing after OPENQASM", "write OPENQASM 3.0;");
  constexpr std::array<std::string_view, 5> kKnown = {"2", "2.0", "3", "3.0", "3.1"};
  for (const std::string_view known : kKnown)
    if (token_.text == known) version_ = known.front() - '0', stmt.value = 0;
  if (stmt.value == kNone)
    sources_.fail(ErrorCode::unsupported, token_.place,
                  "OpenQASM " + std::string(token_.text.substr(0, 20)) + " is not a version this reads",
                  "versions 2.0, 3.0 and 3.1 are");
  advance();
  expect_semicolon();
  return ast_.add(stmt);
}

Node Parser::include_statement() {
  Stmt stmt = start(StmtKind::include);
  advance();
  if (!at(Tok::string)) fail_here("the name of the file to include is missing", "write include \"stdgates.inc\";");
  stmt.name = token_.text;
  stmt.name_place = token_.place;
  advance();
  // A program without a version is OpenQASM 3, unless it asks for the library of OpenQASM 2.
  if (!begun_ && outer_.empty() && stmt.name == "qelib1.inc") version_ = 2;
  expect_semicolon();
  return ast_.add(stmt);
}

Node Parser::simple(StmtKind kind) {
  const Stmt stmt = start(kind);
  advance();
  expect_semicolon();
  return ast_.add(stmt);
}

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
