#include <algorithm>
#include <cmath>

#include "frontend/openqasm/lower.hpp"

namespace skerry::frontend::openqasm {

// The body is lowered once, over the gate's own qubits and parameters, and written out at each use.
void Lowering::define_gate(const Stmt& stmt) {
  only_outside_gates("a definition", stmt.place);
  if (scope_.level() != 0)
    fail(ErrorCode::semantic_error, stmt.place, "a gate is defined inside a block", "define it at the top");
  check_new(stmt.name, stmt.name_place);
  GateDefinition definition;
  definition.name = stmt.name;
  definition.place = stmt.name_place;
  definition.params = stmt.parameters.count;
  definition.qubits = stmt.operands.count;
  definition.is_opaque = stmt.kind == StmtKind::opaque;
  if (definition.qubits == 0)
    fail(ErrorCode::semantic_error, stmt.name_place, "gate '" + std::string(stmt.name) + "' has no qubits");
  GateBody body;
  body_ = &body;
  gate_name_ = stmt.name;
  scope_.open();
  std::uint32_t index = 0;
  for (const Formal& f : Ast::items(ast_.formals, stmt.parameters)) {
    const ExprId id = body.pool.leaf(ExprOp::parameter, index++, kReal);
    declare_value(f.name, f.place, {{}, id, kReal, false});
  }
  index = 0;
  for (const Formal& f : Ast::items(ast_.formals, stmt.operands)) {
    check_new(f.name, f.place);
    Symbol symbol;
    symbol.kind = SymbolKind::qubits;
    symbol.name = f.name;
    symbol.place = f.place;
    symbol.run = {index++, 1, true, nullptr};
    scope_.declare(std::move(symbol));
  }
  block(stmt.body);
  scope_.close();
  body_ = nullptr;
  gate_name_ = {};
  Symbol symbol;
  symbol.kind = SymbolKind::gate;
  symbol.name = stmt.name;
  symbol.place = stmt.name_place;
  symbol.is_read_only = in_library_;
  symbol.index = gates_.define(std::move(definition), std::move(body));
  scope_.declare(std::move(symbol));
}

GateRef Lowering::find_gate(const Stmt& stmt) const {
  const Symbol* symbol = scope_.find(stmt.name);
  if (symbol == nullptr) {
    if (stmt.name == gate_name_)
      fail(ErrorCode::semantic_error, stmt.name_place, "gate '" + std::string(stmt.name) + "' uses itself",
           "gates cannot be recursive");
    fail_unknown("gate", stmt.name, stmt.name_place);
  }
  if (symbol->kind == SymbolKind::gate) return {Op::gphase, 0, symbol->index};
  if (symbol->kind == SymbolKind::library_gate)
    return {static_cast<Op>(symbol->index >> 16U), static_cast<std::uint16_t>(symbol->index & 0xffffU)};
  fail(ErrorCode::semantic_error, stmt.name_place, "'" + std::string(stmt.name.substr(0, 60)) + "' is not a gate");
}

void Lowering::apply(const Application& application) {
  check_distinct(application);
  if (body_ != nullptr)
    body_->calls.add(application);
  else
    gates_.apply(application);
}

void Lowering::check_distinct(const Application& application) const {
  const std::span<const Wire> wires = application.wires;
  bool repeats = false;
  if (wires.size() <= 8) {
    for (std::size_t i = 1; i < wires.size(); ++i)
      repeats |= std::find(wires.begin(), wires.begin() + static_cast<std::ptrdiff_t>(i), wires[i]) !=
                 wires.begin() + static_cast<std::ptrdiff_t>(i);
  } else {
    std::vector<Wire> sorted(wires.begin(), wires.end());
    std::sort(sorted.begin(), sorted.end());
    repeats = std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end();
  }
  if (repeats)
    fail(ErrorCode::semantic_error, application.place, "a gate is given the same qubit twice", "name different qubits");
}

// What the modifiers of a call add: controls in front of the operands, and powers.
void Lowering::read_modifiers(const Stmt& stmt, Modifiers& made) {
  for (const Modifier& m : Ast::items(ast_.modifiers, stmt.modifiers)) {
    if (m.kind == ModifierKind::inv) {
      made.exponents.push_back(-1.0);
    } else if (m.kind == ModifierKind::pow) {
      const Value v = value(m.argument);
      if (!v.is_constant())
        fail(ErrorCode::unsupported, m.place, "the exponent of pow is known only when the program runs",
             "make it a constant");
      made.exponents.push_back(v.constant.as_real());
    } else {
      const std::int64_t count = m.argument == kNone ? 1 : constant_integer(m.argument, "the number of controls");
      if (count < 1)
        fail(ErrorCode::semantic_error, m.place, "the number of controls is " + std::to_string(count),
             "it must be at least 1");
      // More controls than operands is told as a wrong number of operands, so no list of that size is made.
      const std::uint64_t room = stmt.operands.count + std::uint64_t{1};
      made.controls += std::min(static_cast<std::uint64_t>(count), std::uint64_t{1} << 32U);
      if (made.controls <= room)
        made.negated.resize(static_cast<std::size_t>(made.controls), m.kind == ModifierKind::negctrl ? 1 : 0);
    }
  }
  std::reverse(made.exponents.begin(), made.exponents.end());  // the innermost is taken first
}

void Lowering::call_gate(const Stmt& stmt) {
  const GateRef gate = find_gate(stmt);
  Modifiers modifiers;
  if (stmt.modifiers.count != 0) read_modifiers(stmt, modifiers);
  const std::uint32_t params = gates_.params(gate);
  const std::uint64_t qubit_count = gates_.qubits(gate) + modifiers.controls;
  const auto count = [&](std::uint64_t needed, std::uint64_t given, std::string_view what) {
    if (needed != given)
      fail(ErrorCode::semantic_error, stmt.place,
           "gate '" + std::string(stmt.name) + "' takes " + std::to_string(needed) + std::string(what) + ", not " +
               std::to_string(given));
  };
  count(params, stmt.parameters.count, params == 1 ? " parameter" : " parameters");
  count(qubit_count, stmt.operands.count, qubit_count == 1 ? " qubit" : " qubits");
  // A stack, because an operand may call a subroutine that calls gates.
  const std::size_t base = values_.size();
  for (const Node n : ast_.list(stmt.parameters)) {
    const Value v = value(n);
    values_.push_back(v);
  }
  const std::size_t first_run = runs_.size();
  const std::uint32_t size = operand_runs(stmt);
  const auto given = std::span<const Value>(values_).subspan(base);
  broadcast({gate, false, stmt.place, given, {}, modifiers.negated, modifiers.exponents}, first_run, size);
  values_.resize(base);
  runs_.resize(first_run);
}

// Pushes the operands on runs_ and gives how often the gate is applied.
std::uint32_t Lowering::operand_runs(const Stmt& stmt) {
  std::uint32_t size = 1;
  bool has_register = false;
  for (const Node n : ast_.list(stmt.operands)) {
    const Run run = qubits(n);
    runs_.push_back(run);
    if (run.is_scalar) continue;
    if (has_register && run.size != size)
      fail(ErrorCode::semantic_error, stmt.place,
           "registers of " + std::to_string(size) + " and " + std::to_string(run.size) + " qubits in one call of '" +
               std::string(stmt.name) + "'",
           "use registers of the same size");
    has_register = true;
    size = run.size;
  }
  return size;
}

// Registers of one size are taken qubit by qubit, single qubits again and again beside them.
void Lowering::broadcast(Application application, std::size_t first_run, std::uint32_t size) {
  for (std::uint32_t i = 0; i < size; ++i) {
    wires_.clear();
    for (std::size_t r = first_run; r < runs_.size(); ++r) wires_.push_back(runs_[r][runs_[r].is_scalar ? 0 : i]);
    application.wires = wires_;
    apply(application);
  }
}

}  // namespace skerry::frontend::openqasm
