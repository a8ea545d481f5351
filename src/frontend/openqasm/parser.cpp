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

}  // namespace skerry::frontend::openqasm
