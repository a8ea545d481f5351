#include "frontend/openqasm/lower.hpp"

namespace skerry::frontend::openqasm {

FlowScan Lowering::flow_scan() const {
  return FlowScan(ast_, [this](std::string_view name) {
    const Symbol* symbol = scope_.find(name);
    if (symbol == nullptr) return false;
    switch (symbol->kind) {
      case SymbolKind::value:
        return !symbol->value.is_constant();
      case SymbolKind::bits:
      case SymbolKind::subroutine:
        return true;
      case SymbolKind::variable:
      case SymbolKind::array: {
        const Group& group = groups_[cells_[symbol->index].group];
        for (std::uint32_t i = 0; i < group.count; ++i)
          if (!cells_[group.first_cell + i].is_known) return true;
        return false;
      }
      case SymbolKind::qubits:
      case SymbolKind::gate:
      case SymbolKind::library_gate:
        return false;
    }
    return false;
  });
}

BlockId Lowering::open_block() {
  ++region_;
  gates_.open_phase();
  return circuit_.open_block();
}

void Lowering::close_block() {
  gates_.close_phase();
  circuit_.close_block();
  --region_;
}

Lowering::Flow Lowering::if_else(const Stmt& stmt) {
  const Value test = condition(stmt.value);
  if (test.is_constant()) return scoped_block(test.constant.as_bool() ? stmt.body : stmt.orelse);
  only_outside_gates("a branch", stmt.place);
  enter_region(flow_scan().scan(stmt.body));
  enter_region(flow_scan().scan(stmt.orelse));
  gates_.count(1, stmt.place);
  const BlockId then_block = open_block();
  scoped_block(stmt.body);
  close_block();
  BlockId else_block = kNoBlock;
  if (stmt.orelse.count != 0) {
    else_block = open_block();
    scoped_block(stmt.orelse);
    close_block();
  }
  circuit_.if_else(test.expr, then_block, else_block);
  return Flow::next;
}

// The values of a loop's variable, or nothing when the ends of its range are known only at run time.
std::optional<std::vector<Value>> Lowering::loop_values(const Stmt& stmt) {
  const Expr& over = expr(stmt.value);
  const ScalarType type = scalar_type(stmt.type, stmt.place);
  std::vector<Value> values;
  const auto add = [&](const Value& v, Place place) {
    values.push_back(at_place(place, [&] { return cast(pool(), v, type); }));
  };
  if (over.kind == ExprKind::range) {
    for (const Node end : {over.a, over.b, over.c})
      if (end != kNone && !value(end).is_constant()) return std::nullopt;
    for (const std::int64_t i : range_values(over, 0)) add(Value::of(i), over.place);
    return values;
  }
  if (over.kind == ExprKind::set) {
    for (const Node n : ast_.list(over.list)) add(value(n), expr(n).place);
    return values;
  }
  const Symbol* symbol = run_symbol(stmt.value);
  if (symbol != nullptr && symbol->kind == SymbolKind::array && symbol->dimensions.size() == 1) {
    for (std::uint32_t i = 0, first = symbol->index, n = symbol->dimensions[0]; i < n; ++i)
      add(cell_value(first + i), over.place);
    return values;
  }
  if (const std::optional<Run> run = bits(stmt.value)) {
    for (std::uint32_t i = 0; i < run->size; ++i) {
      const Value bit{{}, pool().leaf(ExprOp::bit, (*run)[i], kBool), kBool, false};
      add(bit, over.place);
    }
    return values;
  }
  fail(ErrorCode::semantic_error, over.place, "a loop goes over a range, a set, an array or a register of bits");
}

Lowering::Flow Lowering::for_loop(const Stmt& stmt) {
  const std::optional<std::vector<Value>> values = loop_values(stmt);
  if (!values) return counted_loop(stmt);
  const FlowFacts facts = flow_scan().scan(stmt.body);
  if (!facts.breaks && !facts.continues) return unrolled_loop(stmt, *values);
  return wrapped_loop(stmt, *values, facts);
}

Lowering::Flow Lowering::iteration(const Stmt& stmt, const Value& v) {
  gates_.count(1, stmt.place);
  scope_.open();
  declare_value(stmt.name, stmt.name_place, v);
  const Flow flow = block(stmt.body);
  scope_.close();
  return flow;
}

Lowering::Flow Lowering::unrolled_loop(const Stmt& stmt, const std::vector<Value>& values) {
  loops_.push_back({Loop::unrolled, region_, false, kNoSlot});
  Flow flow = Flow::next;
  for (const Value& v : values) {
    flow = iteration(stmt, v);
    if (flow != Flow::next && flow != Flow::continue_loop) break;
  }
  loops_.pop_back();
  return flow == Flow::break_loop || flow == Flow::continue_loop ? Flow::next : flow;
}

// The iterations are written out inside `while (true) { ...; break; }`, which a run-time `break` leaves; each of them
// inside another one where there is a run-time `continue`.
Lowering::Flow Lowering::wrapped_loop(const Stmt& stmt, const std::vector<Value>& values, const FlowFacts& facts) {
  only_outside_gates("a branch", stmt.place);
  enter_region(facts);
  Loop loop{Loop::wrapped, 0, facts.continues, kNoSlot};
  if (facts.continues) {
    const std::uint32_t flag = new_cells(kBool, false, 1, "left", stmt.place);
    loop.left_flag = slot(flag);
    circuit_.assign({false, loop.left_flag, 1, kNoExpr, circuit_.expressions().constant(Scalar::of(false))});
  }
  const BlockId outer = open_block();
  ++emitted_loops_;
  loop.region = region_ + (facts.continues ? 1U : 0U);
  loops_.push_back(loop);
  for (const Value& v : values) {
    if (!facts.continues) {
      const Flow flow = iteration(stmt, v);
      if (flow != Flow::next && flow != Flow::continue_loop) break;
      continue;
    }
    const BlockId inner = open_block();
    const Flow flow = iteration(stmt, v);
    circuit_.append(Op::break_loop, {});
    close_block();
    circuit_.while_loop(always(), inner);
    if (flow == Flow::stopped || flow == Flow::return_value) break;
    const ExprId left = circuit_.expressions().leaf(ExprOp::variable, loop.left_flag, kBool);
    const BlockId leave = open_block();
    circuit_.append(Op::break_loop, {});
    close_block();
    circuit_.if_else(left, leave);
  }
  loops_.pop_back();
  circuit_.append(Op::break_loop, {});
  --emitted_loops_;
  close_block();
  circuit_.while_loop(always(), outer);
  return Flow::next;
}

// A range whose ends are known at run time only: a loop of the circuit that counts in a variable.
Lowering::Flow Lowering::counted_loop(const Stmt& stmt) {
  only_outside_gates("a loop", stmt.place);
  const Expr over = expr(stmt.value);
  if (over.a == kNone || over.c == kNone) fail(ErrorCode::semantic_error, over.place, "a range without an end");
  const std::int64_t step = over.b == kNone ? 1 : constant_integer(over.b, "the step of a range");
  if (step == 0) fail(ErrorCode::semantic_error, over.place, "the step of a range is 0");
  const ScalarType type = scalar_type(stmt.type, stmt.place);
  enter_region(flow_scan().scan(stmt.body));
  scope_.open();
  Symbol counter;
  counter.kind = SymbolKind::variable;
  counter.is_read_only = true;
  counter.name = stmt.name;
  counter.place = stmt.name_place;
  counter.index = new_cells(type, false, 1, std::string(stmt.name), stmt.name_place);
  const std::uint32_t cell = counter.index;
  scope_.declare(counter);
  // One step early, and stepped at the top of the body, so that `continue` needs no care.
  const Value before = at_place(
      over.place, [&] { return binary(pool(), ExprOp::sub, cast(pool(), value(over.a), type), Value::of(step)); });
  assign_cell(cell, before, over.place);
  materialise(cell);
  const Value last = value(over.c);
  const auto stepped = [&] {
    return at_place(over.place, [&] { return binary(pool(), ExprOp::add, cell_value(cell), Value::of(step)); });
  };
  const Value test =
      at_place(over.place, [&] { return binary(pool(), step > 0 ? ExprOp::le : ExprOp::ge, stepped(), last); });
  const BlockId body = open_block();
  ++emitted_loops_;
  loops_.push_back({Loop::emitted, region_, false, kNoSlot});
  assign_cell(cell, stepped(), over.place);
  scoped_block(stmt.body);
  loops_.pop_back();
  --emitted_loops_;
  close_block();
  scope_.close();
  circuit_.while_loop(node(circuit_.expressions(), test), body);
  return Flow::next;
}

// Written out while its condition is known; a loop of the circuit as soon as it is not.
Lowering::Flow Lowering::while_loop(const Stmt& stmt) {
  only_outside_gates("a while loop", stmt.place);
  const FlowFacts facts = flow_scan().scan(stmt.body);
  if (calls_subroutine(stmt.value)) {
    calling_while(stmt, facts);
    return Flow::next;
  }
  const bool is_counted = flow_scan().mentions(stmt.value, facts.assigned) && !facts.breaks && !facts.continues;
  loops_.push_back({Loop::unrolled, region_, false, kNoSlot});
  Flow flow = Flow::next;
  for (;;) {
    gates_.count(1, stmt.place);
    const Value test = condition(stmt.value);
    if (test.is_constant() && !test.constant.as_bool()) break;
    if (!is_counted || !test.is_constant()) {
      emitted_while(stmt, flow_scan().scan(stmt.body));
      break;
    }
    flow = scoped_block(stmt.body);
    if (flow != Flow::next && flow != Flow::continue_loop) break;
  }
  loops_.pop_back();
  return flow == Flow::break_loop || flow == Flow::continue_loop ? Flow::next : flow;
}

void Lowering::emitted_while(const Stmt& stmt, const FlowFacts& facts) {
  enter_region(facts);
  const Value test = condition(stmt.value);
  const BlockId body = open_block();
  ++emitted_loops_;
  loops_.push_back({Loop::emitted, region_, false, kNoSlot});
  scoped_block(stmt.body);
  loops_.pop_back();
  --emitted_loops_;
  close_block();
  circuit_.while_loop(node(circuit_.expressions(), test), body);
}

bool Lowering::calls_subroutine(Node expression) const {
  return flow_scan().calls_any(expression, [this](std::string_view name) {
    const Symbol* symbol = scope_.find(name);
    return symbol != nullptr && symbol->kind == SymbolKind::subroutine;
  });
}

// A condition that calls a subroutine does something each time round: `while (true) { if (!condition) break; body }`.
void Lowering::calling_while(const Stmt& stmt, const FlowFacts& facts) {
  FlowFacts arguments;
  for (const Symbol& symbol : scope_.symbols())
    if (symbol.kind == SymbolKind::array) arguments.assigned.push_back(symbol.name);  // it may be given any of them
  enter_region(facts);
  enter_region(arguments);
  const BlockId body = open_block();
  ++emitted_loops_;
  loops_.push_back({Loop::emitted, region_, false, kNoSlot});
  const Value going = condition(stmt.value);
  const Value test = at_place(stmt.place, [&] { return unary(pool(), ExprOp::logical_not, going); });
  const BlockId leave = open_block();
  circuit_.append(Op::break_loop, {});
  close_block();
  circuit_.if_else(node(circuit_.expressions(), test), leave);
  scoped_block(stmt.body);
  loops_.pop_back();
  --emitted_loops_;
  close_block();
  circuit_.while_loop(always(), body);
}

Lowering::Flow Lowering::switch_case(const Stmt& stmt) {
  const Value subject = value(stmt.value);
  const std::span<const Case> cases = Ast::items(ast_.cases, stmt.cases);
  if (!subject.is_constant()) {
    only_outside_gates("a branch", stmt.place);
    for (const Case& c : cases) enter_region(flow_scan().scan(c.body));
    return switch_runtime(stmt, subject, 0);
  }
  for (const Case& c : cases) {
    bool matches = c.values.count == 0;
    for (const Node n : ast_.list(c.values)) {
      const Value v = value(n);
      matches |= binary(pool(), ExprOp::eq, subject, v).constant.as_bool();
    }
    if (matches) return scoped_block(c.body);
  }
  return Flow::next;
}

// if (subject == a || subject == b) { } else { the remaining cases }
Lowering::Flow Lowering::switch_runtime(const Stmt& stmt, const Value& subject, std::size_t first_case) {
  const std::span<const Case> cases = Ast::items(ast_.cases, stmt.cases);
  if (first_case == cases.size()) return Flow::next;
  if (first_case >= sources_.limits().max_nesting)
    fail(ErrorCode::limit_exceeded, stmt.place,
         "more cases than max_nesting = " + std::to_string(sources_.limits().max_nesting), "raise max_nesting");
  const Case& c = cases[first_case];
  if (c.values.count == 0) return scoped_block(c.body);
  Value test;
  for (const Node n : ast_.list(c.values)) {
    const Value v = value(n);
    if (!v.is_constant()) fail(ErrorCode::semantic_error, expr(n).place, "the value of a case is not a constant");
    const Value same = at_place(expr(n).place, [&] { return binary(pool(), ExprOp::eq, subject, v); });
    test = n == ast_.list(c.values)[0] ? same : binary(pool(), ExprOp::logical_or, test, same);
  }
  gates_.count(1, stmt.place);
  const BlockId then_block = open_block();
  scoped_block(c.body);
  close_block();
  BlockId else_block = kNoBlock;
  if (first_case + 1 < cases.size()) {
    else_block = open_block();
    switch_runtime(stmt, subject, first_case + 1);
    close_block();
  }
  circuit_.if_else(node(circuit_.expressions(), test), then_block, else_block);
  return Flow::next;
}

Lowering::Flow Lowering::leave_loop(const Stmt& stmt) {
  const bool is_break = stmt.kind == StmtKind::break_loop;
  const Flow known = is_break ? Flow::break_loop : Flow::continue_loop;
  if (loops_.empty() || loops_.back().kind == Loop::subroutine)
    fail(ErrorCode::semantic_error, stmt.place,
         is_break ? "break stands outside of a loop" : "continue stands outside of a loop");
  const Loop& loop = loops_.back();
  if (loop.kind == Loop::unrolled) {
    if (loop.region == region_) return known;
    fail(ErrorCode::unsupported, stmt.place, "leaving a loop that was written out, on a condition of run time",
         "write it as a while loop");
  }
  if (loop.kind == Loop::emitted) {
    circuit_.append(is_break ? Op::break_loop : Op::continue_loop, {});
    return Flow::stopped;
  }
  if (!is_break && !loop.wraps_iterations) return known;  // known while reading: the next iteration follows
  if (is_break && loop.wraps_iterations)
    circuit_.assign({false, loop.left_flag, 1, kNoExpr, circuit_.expressions().constant(Scalar::of(true))});
  circuit_.append(Op::break_loop, {});
  return is_break ? Flow::stopped : Flow::continue_loop;
}

}  // namespace skerry::frontend::openqasm
