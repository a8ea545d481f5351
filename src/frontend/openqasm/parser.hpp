/// \file
/// Recursive descent over the tokens of a program and its includes; OpenQASM 2 and 3 in one grammar.
#pragma once

#include <string>
#include <vector>

#include "frontend/openqasm/ast.hpp"
#include "frontend/openqasm/keyword.hpp"
#include "frontend/openqasm/lexer.hpp"

namespace skerry::frontend::openqasm {

/// Gives the program one top-level statement after the other. Errors everywhere: syntax_error, unsupported for what is
/// refused by name (pulses, complex numbers, stretch, externs), limit_exceeded past max_nesting.
class Parser {
 public:
  Parser(Sources& sources, Ast& ast, std::size_t file);

  /// The next top-level statement, kNone at the end. An included text follows the statement that enter() was called
  /// after.
  Node next_statement();
  /// Goes on with another text, then back. Errors: limit_exceeded past max_include_depth.
  void enter(std::size_t file, Place place);

  /// The whole text as one expression.
  Node lone_expression();

  int version() const { return version_; }
  void set_version(int version) { version_ = version; }
  /// The text that is being read.
  std::size_t file() const { return lexer_.file(); }

 private:
  struct Nesting;  // counts one level of recursion while it lives
  struct Items;    // gathers a list whose entries may hold lists themselves

  // parser.cpp: tokens
  void advance() { token_ = lexer_.next(); }
  bool take(Tok kind);
  void expect(Tok kind, std::string_view after);
  void expect_semicolon();
  std::string_view expect_name(std::string_view what);
  bool at(Tok kind) const { return token_.kind == kind; }
  Keyword at_keyword() const;
  bool take_keyword(Keyword k);
  [[noreturn]] void fail_here(std::string message, std::string hint = {}) const;
  [[noreturn]] void refuse(std::string_view what, std::string hint = {}) const;
  Stmt start(StmtKind kind) const;

  // parser.cpp: statements by their first word
  Node statement();
  Node keyword_statement(Keyword k);
  Node version_statement();
  Node include_statement();
  Node simple(StmtKind kind);

  // parser_call.cpp: about qubits, or starting with a name
  Node measure_statement();
  Node reset_statement();
  Node barrier_statement();
  Node delay_statement();
  Node name_statement();
  Node assignment(Node target, Place place);
  Node gate_call(Stmt call);
  Node modified_call();
  List operand_list();
  Node operand();

  // parser_declaration.cpp
  Node old_register(bool quantum);
  Node declaration(Storage storage);
  Node stored_declaration(Storage storage);
  Node alias();
  Node gate_definition();
  Node opaque_declaration();
  Node subroutine();
  Formal formal();
  Formal old_formal(bool quantum);
  List gate_formals(bool quantum, Tok close);
  Type type();
  Type array_type(bool is_parameter);
  bool at_type() const;

  // parser_control.cpp
  List block();
  List block_or_statement();
  Node scope();
  Node box();
  Node if_statement();
  Node for_statement();
  Node while_statement();
  Node switch_statement();
  Node return_statement();

  // parser_expression.cpp
  Node expression();
  Node binary(int min_precedence);
  Node unary();
  Node power();
  Node postfix();
  Node indexed(Node base);
  Node primary();
  Node number();
  Node word();
  Node cast();
  Node call(std::string_view name, Place place);
  Node index_item();
  Node range(Node first, Place place);
  Node set();
  Node initialiser();
  Node alias_value();
  List expressions(Tok close);

  Sources& sources_;
  Ast& ast_;
  Lexer lexer_;
  Token token_;
  int version_ = 3;
  bool begun_ = false;
  std::uint32_t depth_ = 0;
  struct Outer {
    Lexer lexer;
    Token token;
  };
  std::vector<Outer> outer_;
  std::vector<Node> gathered_;
};

/// One level of recursion; max_nesting bounds how many live at a time.
struct Parser::Nesting {
  explicit Nesting(Parser& parser) : p(parser) {
    if (++p.depth_ > p.sources_.limits().max_nesting) {
      --p.depth_;
      p.sources_.fail(ErrorCode::limit_exceeded, p.token_.place,
                      "nesting is deeper than max_nesting = " + std::to_string(p.sources_.limits().max_nesting),
                      "nest less deeply or raise max_nesting");
    }
  }
  ~Nesting() { --p.depth_; }
  Nesting(const Nesting&) = delete;
  Nesting& operator=(const Nesting&) = delete;
  Parser& p;
};

/// Entries wait on a stack until their list is complete, then lie side by side in Ast::lists.
struct Parser::Items {
  explicit Items(Parser& parser) : p(parser), base(parser.gathered_.size()) {}
  ~Items() { p.gathered_.resize(base); }
  Items(const Items&) = delete;
  Items& operator=(const Items&) = delete;
  void add(Node node) { p.gathered_.push_back(node); }
  List list() const {
    const List made{static_cast<std::uint32_t>(p.ast_.lists.size()),
                    static_cast<std::uint32_t>(p.gathered_.size() - base)};
    p.ast_.lists.insert(p.ast_.lists.end(), p.gathered_.begin() + static_cast<std::ptrdiff_t>(base), p.gathered_.end());
    return made;
  }
  Parser& p;
  std::size_t base;
};

}  // namespace skerry::frontend::openqasm
