#include "frontend/openqasm/parser.hpp"

namespace skerry::frontend::openqasm {

List Parser::block() {
  expect(Tok::l_brace, "before a block");
  Items body(*this);
  while (!at(Tok::r_brace)) {
    if (at(Tok::end_of_text)) fail_here("'}' is missing at the end of a block");
    body.add(statement());
  }
  advance();
  return body.list();
}

List Parser::block_or_statement() {
  if (at(Tok::l_brace)) return block();
  Items body(*this);
  body.add(statement());
  return body.list();
}

Node Parser::scope() {
  Stmt stmt = start(StmtKind::scope);
  stmt.body = block();
  return ast_.add(stmt);
}

Node Parser::box() {
  Stmt stmt = start(StmtKind::box);
  advance();
  if (take(Tok::l_bracket)) {
    stmt.value = expression();
    expect(Tok::r_bracket, "after the duration of a box");
  }
  stmt.body = block();
  return ast_.add(stmt);
}

Node Parser::if_statement() {
  Stmt stmt = start(StmtKind::if_else);
  advance();
  expect(Tok::l_paren, "after if");
  stmt.value = expression();
  expect(Tok::r_paren, "after the condition");
  stmt.body = block_or_statement();
  if (take_keyword(Keyword::else_)) stmt.orelse = block_or_statement();
  return ast_.add(stmt);
}

// for int i in [0:2] { }, for uint i in {1, 5} { }, for float x in values { }
Node Parser::for_statement() {
  Stmt stmt = start(StmtKind::for_loop);
  advance();
  stmt.type = type();
  stmt.name_place = token_.place;
  stmt.name = expect_name("the loop variable");
  if (!take_keyword(Keyword::in_)) fail_here("'in' is missing after the loop variable", "write for int i in [0:3]");
  if (at(Tok::l_bracket)) {
    const Place place = token_.place;
    advance();
    const Node first = at(Tok::colon) ? kNone : expression();
    stmt.value = range(first, place);
    expect(Tok::r_bracket, "after the range of a loop");
  } else {
    stmt.value = at(Tok::l_brace) ? set() : expression();
  }
  stmt.body = block_or_statement();
  return ast_.add(stmt);
}

Node Parser::while_statement() {
  Stmt stmt = start(StmtKind::while_loop);
  advance();
  expect(Tok::l_paren, "after while");
  stmt.value = expression();
  expect(Tok::r_paren, "after the condition");
  stmt.body = block_or_statement();
  return ast_.add(stmt);
}

Node Parser::switch_statement() {
  Stmt stmt = start(StmtKind::switch_case);
  advance();
  expect(Tok::l_paren, "after switch");
  stmt.value = expression();
  expect(Tok::r_paren, "after the value of a switch");
  expect(Tok::l_brace, "before the cases of a switch");
  std::vector<Case> cases;
  while (!take(Tok::r_brace)) {
    Case one;
    if (take_keyword(Keyword::case_)) {
      Items values(*this);
      do values.add(expression());
      while (take(Tok::comma));
      one.values = values.list();
    } else if (!take_keyword(Keyword::default_)) {
      fail_here("a switch holds case and default only, found " + std::string(describe(token_.kind)));
    }
    one.body = block();
    cases.push_back(one);
  }
  stmt.cases = {static_cast<std::uint32_t>(ast_.cases.size()), static_cast<std::uint32_t>(cases.size())};
  ast_.cases.insert(ast_.cases.end(), cases.begin(), cases.end());
  return ast_.add(stmt);
}

Node Parser::return_statement() {
  Stmt stmt = start(StmtKind::return_value);
  advance();
  if (!at(Tok::semicolon)) stmt.value = initialiser();
  expect_semicolon();
  return ast_.add(stmt);
}

}  // namespace skerry::frontend::openqasm
