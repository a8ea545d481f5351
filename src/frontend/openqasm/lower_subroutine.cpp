#include <algorithm>

#include "frontend/openqasm/lower.hpp"

namespace skerry::frontend::openqasm {

void Lowering::define_subroutine(const Stmt& stmt) {
  only_outside_gates("a definition", stmt.place);
  if (scope_.level() != 0)
    fail(ErrorCode::semantic_error, stmt.place, "a subroutine is defined inside a block", "define it at the top");
  check_new(stmt.name, stmt.name_place);
  const std::span<const Formal> formals = Ast::items(ast_.formals, stmt.parameters);
  Symbol symbol;
  symbol.kind = SymbolKind::subroutine;
  symbol.name = stmt.name;
  symbol.place = stmt.name_place;
  symbol.index = static_cast<std::uint32_t>(subroutines_.size());
  subroutines_.push_back({stmt.name,
                          stmt.name_place,
                          {formals.begin(), formals.end()},
                          stmt.type,
                          stmt.body,
                          FlowScan(ast_, [](std::string_view) { return true; }).scan(stmt.body)});
  scope_.declare(std::move(symbol));
  keeps_nodes_ = true;
}

// The body is written out at each call, in a scope that sees its parameters and the program's own names.
Value Lowering::call_subroutine(const Expr& call, const Symbol& symbol) {
  const Subroutine subroutine = subroutines_[symbol.index];
  const std::span<const Node> arguments = ast_.list(call.list);
  const std::string quoted = "subroutine '" + std::string(subroutine.name) + "'";
  if (std::any_of(frames_.begin(), frames_.end(), [&](const Frame& f) { return f.name == subroutine.name; }))
    fail(ErrorCode::unsupported, call.place, quoted + " calls itself: recursion is not supported", "write a loop");
  if (frames_.size() >= sources_.limits().max_nesting)
    fail(ErrorCode::limit_exceeded, call.place,
         "subroutines are nested deeper than max_nesting = " + std::to_string(sources_.limits().max_nesting));
  if (arguments.size() != subroutine.formals.size())
    fail(ErrorCode::semantic_error, call.place,
         quoted + " takes " + std::to_string(subroutine.formals.size()) + " arguments, not " +
             std::to_string(arguments.size()));
  constexpr std::uint64_t kSteps = 8;  // scopes and bindings: a call takes as long as some gates do
  gates_.count(kSteps, call.place);
  const FlowFacts& facts = subroutine.facts;
  const bool may_alias = std::any_of(subroutine.formals.begin(), subroutine.formals.end(),
                                     [](const Formal& f) { return f.type.is_mutable; });
  scope_.open();
  std::vector<Symbol> symbols;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const Formal& f = subroutine.formals[i];
    const bool is_assigned = std::find(facts.assigned.begin(), facts.assigned.end(), f.name) != facts.assigned.end();
    symbols.push_back(bound(f, arguments[i], is_assigned || may_alias));
  }
  const std::uint32_t barrier = scope_.set_barrier();
  scope_.open();
  for (Symbol& s : symbols) {
    check_new(s.name, s.place);
    scope_.declare(std::move(s));
  }
  const Value result = inlined(subroutine, call.place, facts.returns ? flow_scan().scan(subroutine.body) : facts);
  scope_.close();
  scope_.lift_barrier(barrier);
  scope_.close();
  if (result.is_constant()) return result;
  // Read now, before the next call writes the same bits and variables again.
  const std::uint32_t kept = new_cells(result.type, result.is_duration, 1, std::string(subroutine.name), call.place);
  assign_cell(kept, result, call.place);
  return cell_value(kept);
}

// A body that returns under a condition of run time stands in `while (true) { ...; break; }`; `return` leaves that.
Value Lowering::inlined(const Subroutine& subroutine, Place place, const FlowFacts& facts) {
  Frame frame;
  frame.name = subroutine.name;
  frame.type = subroutine.type;
  frame.is_wrapped = facts.returns;
  const bool has_value = subroutine.type.kind != TypeKind::none;
  const ScalarType type = has_value ? scalar_type(subroutine.type, subroutine.place) : kInt;
  std::uint32_t result_cell = 0;
  BlockId wrapper = kNoBlock;
  if (frame.is_wrapped) {
    enter_region(facts);
    result_cell = new_cells(type, subroutine.type.kind == TypeKind::duration, 1,
                            std::string(subroutine.name) + ".return", subroutine.place);
    cells_[result_cell].is_known = false;
    frame.result_slot = slot(result_cell);
    wrapper = open_block();
    ++emitted_loops_;
  }
  frame.region = region_;
  frame.emitted_loops = emitted_loops_;
  frames_.push_back(frame);
  loops_.push_back({Loop::subroutine, region_, false, kNoSlot});
  const Flow flow = block(subroutine.body);
  if (flow == Flow::end) circuit_.append(Op::end, {});
  loops_.pop_back();
  const std::optional<Value> result = frames_.back().result;
  frames_.pop_back();
  if (frame.is_wrapped) {
    circuit_.append(Op::break_loop, {});
    --emitted_loops_;
    close_block();
    circuit_.while_loop(always(), wrapper);
    return cell_value(result_cell);
  }
  if (has_value && !result && flow != Flow::end)
    fail(ErrorCode::semantic_error, place,
         "subroutine '" + std::string(subroutine.name) + "' ends without returning a value");
  return result.value_or(Value::of(std::int64_t{0}));
}

Symbol Lowering::bound(const Formal& formal, Node argument, bool is_copied) {
  if (formal.type.kind == TypeKind::array) return bound_array(formal, argument);
  if (formal.type.kind == TypeKind::bit) return bound_bits(formal, argument, is_copied);
  Symbol symbol;
  symbol.name = formal.name;
  symbol.place = formal.place;
  if (formal.type.kind == TypeKind::qubit) {
    symbol.kind = SymbolKind::qubits;
    symbol.run = qubits(argument);
    const std::uint32_t size = size_of(formal.type.width, "the size of a register");
    if (symbol.run.size != size)
      fail(ErrorCode::semantic_error, expr(argument).place,
           "parameter '" + std::string(formal.name) + "' takes " + std::to_string(size) + " qubits, not " +
               std::to_string(symbol.run.size));
    symbol.run.is_scalar = formal.type.width == kNone;
    return symbol;
  }
  const ScalarType type = scalar_type(formal.type, formal.place);
  const Value given = value(argument);
  const bool is_duration = formal.type.kind == TypeKind::duration;
  if (given.is_duration != is_duration)
    fail(ErrorCode::semantic_error, expr(argument).place, "a duration and a number are not the same");
  Value v = at_place(expr(argument).place, [&] { return cast(pool(), given, type); });
  v.is_duration = is_duration;
  if (!is_copied) {
    symbol.kind = SymbolKind::value;
    symbol.value = v;
    return symbol;
  }
  symbol.kind = SymbolKind::variable;
  symbol.index = new_cells(type, is_duration, 1, std::string(formal.name), formal.place);
  assign_cell(symbol.index, v, expr(argument).place);
  return symbol;
}

Symbol Lowering::bound_bits(const Formal& formal, Node argument, bool is_copied) {
  Symbol symbol;
  symbol.kind = SymbolKind::bits;
  symbol.name = formal.name;
  symbol.place = formal.place;
  const std::uint32_t size = size_of(formal.type.width, "the size of a register");
  const bool is_scalar = formal.type.width == kNone;
  const std::optional<Run> given = bits(argument);
  if (given && given->size != size)
    fail(ErrorCode::semantic_error, expr(argument).place,
         "parameter '" + std::string(formal.name) + "' takes " + std::to_string(size) + " bits, not " +
             std::to_string(given->size));
  if (given && !is_copied) {
    symbol.run = *given;
    symbol.run.is_scalar = is_scalar;
    symbol.is_read_only = true;
    return symbol;
  }
  symbol.run = new_bits(formal.name, size, is_scalar, formal.place);
  assign_bits(symbol.run, argument, expr(argument).place);
  return symbol;
}

Symbol Lowering::bound_array(const Formal& formal, Node argument) {
  const Symbol* given = run_symbol(argument);
  if (given == nullptr || given->kind != SymbolKind::array)
    fail(ErrorCode::semantic_error, expr(argument).place, "parameter '" + std::string(formal.name) + "' takes an array",
         "name one");
  if (formal.type.is_mutable && given->is_read_only)
    fail(ErrorCode::semantic_error, expr(argument).place, "a read-only array is given to a mutable parameter");
  Symbol symbol = *given;
  symbol.name = formal.name;
  symbol.place = formal.place;
  symbol.shadowed = Symbol::kNo;
  symbol.is_read_only = !formal.type.is_mutable;
  return symbol;
}

Value Lowering::returned(const Stmt& stmt) {
  const Frame& frame = frames_.back();
  if (stmt.value == kNone || frame.type.kind == TypeKind::none) {
    if ((stmt.value == kNone) == (frame.type.kind == TypeKind::none)) return Value::of(std::int64_t{0});
    fail(ErrorCode::semantic_error, stmt.place,
         stmt.value == kNone ? "return without the value that the subroutine promises"
                             : "return with a value that the subroutine does not promise");
  }
  const ScalarType type = scalar_type(frame.type, stmt.place);
  const bool is_duration = frame.type.kind == TypeKind::duration;
  Value v = assigned_value(stmt);
  v = at_place(stmt.place, [&] { return cast(pool(), v, type); });
  v.is_duration = is_duration;
  return v;
}

Lowering::Flow Lowering::return_value(const Stmt& stmt) {
  if (frames_.empty()) fail(ErrorCode::semantic_error, stmt.place, "return stands outside of a subroutine");
  const Value v = returned(stmt);
  Frame& frame = frames_.back();
  if (!frame.is_wrapped && frame.region == region_) {
    frame.result = v;
    return Flow::return_value;
  }
  if (!frame.is_wrapped || frame.emitted_loops != emitted_loops_)
    fail(ErrorCode::unsupported, stmt.place, "a return out of a loop of the running circuit is not supported",
         "break out of the loop first");
  if (frame.type.kind != TypeKind::none)
    circuit_.assign({false, frame.result_slot, 1, kNoExpr, node(circuit_.expressions(), v)});
  circuit_.append(Op::break_loop, {});
  return Flow::stopped;
}

}  // namespace skerry::frontend::openqasm
