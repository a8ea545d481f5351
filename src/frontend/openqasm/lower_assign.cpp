#include <algorithm>

#include "frontend/openqasm/lower.hpp"

namespace skerry::frontend::openqasm {

std::uint32_t Lowering::slot(std::uint32_t cell) {
  Group& group = groups_[cells_[cell].group];
  if (group.slot == kNoSlot) {
    const std::uint64_t key = (std::uint64_t{group.place.offset} << 16U) | (frames_.size() & 0xffffU);
    const auto known = slots_.find(key);
    if (known != slots_.end()) {
      group.slot = known->second;
    } else {
      const bool is_array = group.count > 1;
      for (std::uint32_t i = 0; i < group.count; ++i) {
        const std::string name = is_array ? group.name + "[" + std::to_string(i) + "]" : group.name;
        const std::uint32_t made = circuit_.add_variable({name, cells_[group.first_cell + i].type, group.is_output});
        if (i == 0) group.slot = made;
      }
      slots_.emplace(key, group.slot);
    }
  }
  return group.slot + (cell - group.first_cell);
}

Value Lowering::cell_value(std::uint32_t cell) {
  const Cell& c = cells_[cell];
  if (c.is_known) {
    Value known = Value::of(c.value);
    known.is_duration = c.is_duration;
    return known;
  }
  const ScalarType type = c.type;
  const bool is_duration = c.is_duration;
  return {{}, pool().leaf(ExprOp::variable, slot(cell), type), type, is_duration};
}

// From here on the cell's value is read from its variable.
void Lowering::materialise(std::uint32_t cell) {
  if (!cells_[cell].is_known) return;
  const Value known = cell_value(cell);
  cells_[cell].is_known = false;
  circuit_.assign({false, slot(cell), 1, kNoExpr, node(circuit_.expressions(), known)});
}

void Lowering::assign_cell(std::uint32_t cell, const Value& v, Place place) {
  gates_.count(1, place);
  const ScalarType type = cells_[cell].type;
  if (v.is_duration != cells_[cell].is_duration)
    fail(ErrorCode::semantic_error, place,
         v.is_duration ? "a duration is assigned to a number" : "a number is assigned to a duration",
         "write a number with ns, us, ms or s for a duration");
  const Value wanted = at_place(place, [&] { return cast(pool(), v, type); });
  if (wanted.is_constant() && cells_[cell].region == region_) {
    cells_[cell].is_known = true;
    cells_[cell].value = wanted.constant;
    return;
  }
  // enter_region() has seen to it that what a branch assigns is not known; another answer would be a wrong program.
  if (cells_[cell].is_known && cells_[cell].region != region_)
    fail(ErrorCode::internal, place, "an assignment under a condition was not foreseen");
  cells_[cell].is_known = false;
  circuit_.assign({false, slot(cell), 1, kNoExpr, node(circuit_.expressions(), wanted)});
}

// What a run-time branch or loop assigns is known no more, inside it and after it.
void Lowering::enter_region(const FlowFacts& facts) {
  for (const std::string_view name : facts.assigned) {
    const Symbol* symbol = scope_.find(name);
    if (symbol == nullptr || (symbol->kind != SymbolKind::variable && symbol->kind != SymbolKind::array)) continue;
    const Group& group = groups_[cells_[symbol->index].group];
    for (std::uint32_t i = 0, first = group.first_cell, count = group.count; i < count; ++i) materialise(first + i);
  }
}

void Lowering::assign(const Stmt& stmt) {
  only_outside_gates("an assignment", stmt.place);
  const Expr& target = expr(stmt.target);
  Node named = stmt.target;
  while (expr(named).kind == ExprKind::index) named = expr(named).a;
  const Symbol* found = run_symbol(named);
  if (found == nullptr) fail_unknown("variable", expr(named).text, expr(named).place);
  const Symbol symbol = *found;
  const std::string quoted = "'" + std::string(symbol.name.substr(0, 60)) + "'";
  const bool is_outer = !frames_.empty() && symbol.level == 0;
  switch (symbol.kind) {
    case SymbolKind::value:
      fail(ErrorCode::semantic_error, stmt.place, quoted + " is a constant and cannot be assigned",
           "declare it without const");
    case SymbolKind::qubits:
    case SymbolKind::gate:
    case SymbolKind::library_gate:
    case SymbolKind::subroutine:
      fail(ErrorCode::semantic_error, stmt.place, quoted + " is not a variable");
    case SymbolKind::bits:
    case SymbolKind::variable:
    case SymbolKind::array:
      break;
  }
  if (symbol.is_read_only || is_outer)
    fail(ErrorCode::semantic_error, stmt.place,
         quoted + (is_outer ? " is a variable of the program and cannot be changed by a subroutine" : " is read-only"),
         is_outer ? "return the value" : "declare the parameter mutable");
  if (symbol.kind == SymbolKind::bits) {
    const Run run = *bits(stmt.target);
    if (stmt.op == ExprOp::constant) return assign_bits(run, stmt.value, stmt.place);
    const Value old = bits_value(run, stmt.place);
    const Value operand = value(stmt.value);
    return assign_run(run, 0, run.size, at_place(stmt.place, [&] { return binary(pool(), stmt.op, old, operand); }),
                      stmt.place);
  }
  if (symbol.kind == SymbolKind::array) return assign_element(symbol, stmt, target);
  if (target.kind == ExprKind::index)
    fail(ErrorCode::unsupported, target.place, "assigning one bit of a number is not supported",
         "use a register of bits");
  assign_cell(symbol.index, new_value(stmt, [&] { return cell_value(symbol.index); }), stmt.place);
}

Value Lowering::assigned_value(const Stmt& stmt) {
  const Expr& e = expr(stmt.value);
  if (e.kind != ExprKind::measure) return value(stmt.value);
  const Run wires = qubits(e.a);
  const Run made = hidden_bits(wires, e.place);
  measure_into(wires, made, e.place);
  return bits_value(made, e.place);
}

void Lowering::assign_bits(const Run& target, Node source, Place place) {
  const Expr& e = expr(source);
  if (e.kind == ExprKind::measure) return measure_into(qubits(e.a), target, place);
  if (e.kind == ExprKind::bitstring) return assign_bitstring(target, e, place);
  if (const std::optional<Run> from = bits(source); from && from->size > 1) {
    if (from->size != target.size)
      fail(ErrorCode::semantic_error, place,
           std::to_string(from->size) + " bits are assigned to " + std::to_string(target.size));
    for (std::uint32_t first = 0; first < target.size; first += 64) {
      const std::uint32_t count = std::min<std::uint32_t>(64, target.size - first);
      assign_run(target, first, count, bits_value(*from, first, count, place), place);
    }
    return;
  }
  const Value v = value(source);
  if (v.type.kind >= ScalarKind::real)
    fail(ErrorCode::semantic_error, e.place, "a number with a fraction is assigned to bits", "cast it to an integer");
  if (target.size > 64)
    fail(ErrorCode::unsupported, place, "a number is assigned to " + std::to_string(target.size) + " bits",
         "assign a string of bits");
  assign_run(target, 0, target.size, v, place);
}

// "0110": the last character is bit 0.
void Lowering::assign_bitstring(const Run& target, const Expr& e, Place place) {
  std::string digits;
  for (const char c : e.text)
    if (c != '_') digits += c;
  std::reverse(digits.begin(), digits.end());
  if (digits.size() != target.size)
    fail(ErrorCode::semantic_error, e.place,
         "a string of " + std::to_string(digits.size()) + " bits is assigned to " + std::to_string(target.size));
  for (std::uint32_t first = 0; first < target.size; first += 64) {
    const std::uint32_t count = std::min<std::uint32_t>(64, target.size - first);
    std::uint64_t bits = 0;
    for (std::uint32_t i = 0; i < count; ++i) bits |= std::uint64_t{digits[first + i] == '1'} << i;
    assign_run(target, first, count, Value::of(Scalar::of(static_cast<std::int64_t>(bits), kUint)), place);
  }
}

// Bits [first, first + count) of the run, at most 64, take the low bits of the value; bit by bit where they are not
// neighbours.
void Lowering::assign_run(const Run& target, std::uint32_t first, std::uint32_t count, const Value& v, Place place) {
  gates_.count(1, place);
  if (count == 0) return;
  bool neighbours = true;
  for (std::uint32_t i = 1; i < count; ++i) neighbours = neighbours && target[first + i] == target[first] + i;
  at_place(place, [&] {
    if (neighbours) {
      const ScalarType type =
          count == 1 ? kBool : ScalarType{ScalarKind::unsigned_integer, static_cast<std::uint8_t>(count)};
      circuit_.assign({true, target[first], count, kNoExpr, node(circuit_.expressions(), cast(pool(), v, type))});
      return;
    }
    // The value is computed before any bit changes: it may read the very bits that it is assigned to.
    const std::uint32_t kept = new_cells(kUint, false, 1, "bits", place);
    cells_[kept].is_known = false;
    circuit_.assign({false, slot(kept), 1, kNoExpr, node(circuit_.expressions(), cast(pool(), v, kUint))});
    for (std::uint32_t i = 0; i < count; ++i) {
      const Value shifted = binary(pool(), ExprOp::shr, cell_value(kept), Value::of(std::int64_t{i}));
      const Value bit = cast(pool(), binary(pool(), ExprOp::bit_and, shifted, Value::of(std::int64_t{1})), kBool);
      circuit_.assign({true, target[first + i], 1, kNoExpr, node(circuit_.expressions(), bit)});
    }
  });
}

std::vector<Value> Lowering::index_values(const Symbol& array, const Expr& index) {
  std::vector<Value> values;
  const auto add = [&](const Expr& e) {
    for (const Node n : ast_.list(e.list)) values.push_back(value(n));
  };
  std::vector<const Expr*> chain = {&index};  // a[1][2] is a[1, 2]
  while (expr(chain.back()->a).kind == ExprKind::index) chain.push_back(&expr(chain.back()->a));
  std::reverse(chain.begin(), chain.end());
  for (const Expr* e : chain) add(*e);
  if (values.size() != array.dimensions.size())
    fail(ErrorCode::semantic_error, index.place,
         "array '" + std::string(array.name) + "' has " + std::to_string(array.dimensions.size()) +
             " dimensions, not " + std::to_string(values.size()));
  return values;
}

std::optional<std::uint32_t> Lowering::known_cell(const Symbol& array, const std::vector<Value>& indices,
                                                  Place place) const {
  std::uint32_t at = 0;
  for (std::size_t d = 0; d < indices.size(); ++d) {
    if (!indices[d].is_constant()) return std::nullopt;
    at = at * array.dimensions[d] + position(indices[d].constant.as_integer(), array.dimensions[d], array.name, place);
  }
  return array.index + at;
}

Value Lowering::flat_index(const Symbol& array, const std::vector<Value>& indices, Place place) {
  return at_place(place, [&] {
    Value at = Value::of(std::int64_t{0});
    for (std::size_t d = 0; d < indices.size(); ++d) {
      at = binary(pool(), ExprOp::mul, at, Value::of(std::int64_t{array.dimensions[d]}));
      at = binary(pool(), ExprOp::add, at, cast(pool(), indices[d], kInt));
    }
    return at;
  });
}

Value Lowering::element_value(const Symbol& array, const Expr& index, const std::vector<Value>& indices) {
  if (const std::optional<std::uint32_t> cell = known_cell(array, indices, index.place)) return cell_value(*cell);
  const Group group = groups_[cells_[array.index].group];
  for (std::uint32_t i = 0; i < group.count; ++i) materialise(group.first_cell + i);
  const Value at = flat_index(array, indices, index.place);
  const ScalarType type = cells_[array.index].type;
  const ExprId id = pool().leaf(ExprOp::element, slot(array.index), type, node(pool(), at), group.count);
  return {{}, id, type, cells_[array.index].is_duration};
}

void Lowering::assign_element(const Symbol& array, const Stmt& stmt, const Expr& index) {
  if (index.kind != ExprKind::index) {
    if (expr(stmt.value).kind != ExprKind::set || stmt.op != ExprOp::constant)
      fail(ErrorCode::unsupported, stmt.place, "assigning a whole array is not supported", "assign its elements");
    return fill_array(stmt.value, array.index, array.dimensions);
  }
  const std::vector<Value> indices = index_values(array, index);
  if (const std::optional<std::uint32_t> cell = known_cell(array, indices, index.place)) {
    const Value v = new_value(stmt, [&] { return cell_value(*cell); });
    return assign_cell(*cell, v, stmt.place);
  }
  const Group group = groups_[cells_[array.index].group];
  for (std::uint32_t i = 0; i < group.count; ++i) materialise(group.first_cell + i);
  const Value at = flat_index(array, indices, index.place);
  const Value v = new_value(stmt, [&] { return element_value(array, index, indices); });
  const ScalarType type = cells_[array.index].type;
  const Value wanted = at_place(stmt.place, [&] { return cast(pool(), v, type); });
  gates_.count(1, stmt.place);
  circuit_.assign({false, slot(array.index), group.count, node(pool(), at), node(pool(), wanted)});
}

}  // namespace skerry::frontend::openqasm
