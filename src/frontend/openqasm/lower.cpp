#include "frontend/openqasm/lower.hpp"

#include "frontend/suggest.hpp"

namespace skerry::frontend::openqasm {

Lowering::Lowering(Sources& sources, std::size_t file)
    : sources_(sources), parser_(sources, ast_, file), gates_(sources, circuit_) {}

Circuit Lowering::run() {
  bool begun = false;
  for (;;) {
    const Ast::Mark mark = ast_.mark();
    const Node node = parser_.next_statement();
    if (!begun) begin(parser_.version());
    begun = true;
    if (node == kNone || statement(node) == Flow::end) break;
    if (!keeps_nodes_) ast_.drop_to(mark);
    keeps_nodes_ = false;
  }
  finish();
  return std::move(circuit_);
}

void Lowering::begin(int version) {
  version_ = version;
  load(language(version));
}

// Outputs keep their last value in a variable, known or not.
void Lowering::finish() {
  for (const Group& group : groups_)
    for (std::uint32_t i = 0; group.is_output && i < group.count; ++i) materialise(group.first_cell + i);
  gates_.close_phase();
}

void Lowering::load(const Library& library) {
  in_library_ = true;
  for (const LibraryGate& gate : library.gates) {
    const Symbol* known = scope_.find(gate.name);
    if (known != nullptr) continue;  // the program's own, or included twice
    Symbol symbol;
    symbol.kind = SymbolKind::library_gate;
    symbol.name = gate.name;
    symbol.index = (static_cast<std::uint32_t>(gate.gate.op) << 16U) | gate.gate.controls;
    scope_.declare(symbol);
  }
  if (!library.text.empty()) {
    const std::size_t file = sources_.add(std::string(library.name), library.text, {});
    Parser text(sources_, ast_, file);
    text.set_version(3);
    for (Node node = text.next_statement(); node != kNone; node = text.next_statement())
      if (scope_.find(ast_.stmts[node].name) == nullptr) define_gate(Stmt(ast_.stmts[node]));
  }
  in_library_ = false;
}

void Lowering::include(const Stmt& stmt) {
  if (scope_.level() != 0)
    fail(ErrorCode::syntax_error, stmt.place, "an include stands inside a block", "move it to the top");
  if (const Library* library = find_library(stmt.name)) {
    if (version_ == 2 && library->name == "stdgates.inc")
      fail(ErrorCode::not_found, stmt.name_place, "stdgates.inc is the library of OpenQASM 3",
           "include qelib1.inc or write OPENQASM 3.0;");
    load(*library);
    return;
  }
  parser_.enter(sources_.include(stmt.name, parser_.file(), stmt.name_place), stmt.name_place);
}

Lowering::Flow Lowering::block(List body) {
  for (const Node node : ast_.list(body)) {
    const Flow flow = statement(node);
    if (flow != Flow::next) return flow;
  }
  return Flow::next;
}

Lowering::Flow Lowering::scoped_block(List body) {
  scope_.open();
  const Flow flow = block(body);
  scope_.close();
  return flow;
}

void Lowering::only_outside_gates(std::string_view what, Place place) const {
  if (body_ == nullptr) return;
  fail(ErrorCode::semantic_error, place, std::string(what) + " cannot stand in the body of a gate",
       "bodies hold gates only");
}

void Lowering::fail_unknown(std::string_view what, std::string_view name, Place place) const {
  Nearest nearest(name);
  for (const Symbol& symbol : scope_.symbols())
    if (symbol.name.front() != '_') nearest.offer(symbol.name);
  fail(ErrorCode::semantic_error, place,
       std::string(what) + " '" + std::string(name.substr(0, 60)) + "' is not declared",
       nearest.hint("declare it first"));
}

Lowering::Flow Lowering::statement(Node node) {
  const Stmt& stmt = ast_.stmts[node];
  const Level level(*this, stmt.place);
  return lowered(stmt);
}

Lowering::Flow Lowering::lowered(const Stmt& stmt) {
  switch (stmt.kind) {
    case StmtKind::call:
      call_gate(stmt);
      return Flow::next;
    case StmtKind::measure:
      measure(stmt);
      return Flow::next;
    case StmtKind::declare:
      declare(stmt);
      return Flow::next;
    case StmtKind::alias:
      declare_alias(stmt);
      return Flow::next;
    case StmtKind::assign:
      assign(stmt);
      return Flow::next;
    case StmtKind::gate:
    case StmtKind::opaque:
      define_gate(stmt);
      return Flow::next;
    case StmtKind::subroutine:
      define_subroutine(stmt);
      return Flow::next;
    case StmtKind::include:
      include(Stmt(stmt));  // a copy: the library's nodes join the pool
      return Flow::next;
    case StmtKind::expression:
      value(stmt.value);
      return Flow::next;
    case StmtKind::reset:
      reset(stmt);
      return Flow::next;
    case StmtKind::barrier:
      barrier(stmt);
      return Flow::next;
    case StmtKind::delay:
      delay(stmt);
      return Flow::next;
    case StmtKind::if_else:
      return if_else(stmt);
    case StmtKind::for_loop:
      return for_loop(stmt);
    case StmtKind::while_loop:
      return while_loop(stmt);
    case StmtKind::switch_case:
      return switch_case(stmt);
    case StmtKind::break_loop:
    case StmtKind::continue_loop:
      return leave_loop(stmt);
    case StmtKind::return_value:
      return return_value(stmt);
    case StmtKind::scope:
      return scoped_block(stmt.body);
    case StmtKind::box:
      return box(stmt);
    case StmtKind::end:
      only_outside_gates("end", stmt.place);
      if (region_ == 0) return Flow::end;
      circuit_.append(Op::end, {});
      return Flow::stopped;
    case StmtKind::empty:
    case StmtKind::version:
      return Flow::next;
  }
  return Flow::next;
}

}  // namespace skerry::frontend::openqasm
