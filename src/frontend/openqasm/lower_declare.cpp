#include <algorithm>

#include "frontend/openqasm/functions.hpp"
#include "frontend/openqasm/lower.hpp"

namespace skerry::frontend::openqasm {
namespace {

std::uint64_t key_of(Place place, std::size_t frames) {
  return (std::uint64_t{place.offset} << 16U) | (frames & 0xffffU);
}

}  // namespace

void Lowering::check_new(std::string_view name, Place place) {
  if (built_in_constant(name))
    fail(ErrorCode::semantic_error, place, "'" + std::string(name) + "' is a built-in constant", "choose another name");
  const Symbol* known = scope_.find_here(name);
  if (known == nullptr || known->kind == SymbolKind::library_gate) return;
  if (known->kind == SymbolKind::gate && known->is_read_only) return;  // a gate of a library gives way
  fail(ErrorCode::semantic_error, place,
       "'" + std::string(name.substr(0, 60)) + "' is declared already, at " + sources_.where(known->place),
       "choose another name");
}

void Lowering::declare_value(std::string_view name, Place place, const Value& v) {
  check_new(name, place);
  Symbol symbol;
  symbol.kind = SymbolKind::value;
  symbol.name = name;
  symbol.place = place;
  symbol.value = v;
  scope_.declare(std::move(symbol));
}

void Lowering::declare(const Stmt& stmt) {
  only_outside_gates("a declaration", stmt.place);
  check_new(stmt.name, stmt.name_place);
  if (stmt.storage == Storage::input) return declare_input(stmt);
  if (stmt.storage == Storage::constant) return declare_constant(stmt);
  switch (stmt.type.kind) {
    case TypeKind::qubit:
      return declare_qubits(stmt);
    case TypeKind::bit:
      return declare_bits(stmt);
    case TypeKind::array:
      return declare_array(stmt);
    case TypeKind::boolean:
    case TypeKind::integer:
    case TypeKind::unsigned_integer:
    case TypeKind::real:
    case TypeKind::angle:
    case TypeKind::duration:
    case TypeKind::none:
      return declare_variable(stmt);
  }
}

std::uint32_t Lowering::size_of(Node node, std::string_view what) {
  if (node == kNone) return 1;
  const std::int64_t size = constant_integer(node, what);
  if (size < 1)
    fail(ErrorCode::semantic_error, expr(node).place, std::string(what) + " is " + std::to_string(size),
         "it must be at least 1");
  if (size > 0x7fffffff)
    fail(ErrorCode::limit_exceeded, expr(node).place, std::string(what) + " is " + std::to_string(size),
         "declare less");
  return static_cast<std::uint32_t>(size);
}

void Lowering::declare_qubits(const Stmt& stmt) {
  if (scope_.level() != 0)
    fail(ErrorCode::semantic_error, stmt.place, "qubits are declared inside a block", "declare them at the top");
  if (stmt.value != kNone)
    fail(ErrorCode::semantic_error, stmt.name_place, "qubits cannot be given a value", "they start as |0>");
  const std::uint32_t size = size_of(stmt.type.width, "the size of a register");
  const std::uint32_t limit = sources_.limits().max_qubits;
  if (size > limit - std::min(limit, circuit_.num_wires()))
    fail(ErrorCode::limit_exceeded, stmt.name_place,
         std::to_string(std::uint64_t{size} + circuit_.num_wires()) +
             " qubits are more than max_qubits = " + std::to_string(limit),
         "declare fewer or raise max_qubits");
  Symbol symbol;
  symbol.kind = SymbolKind::qubits;
  symbol.name = stmt.name;
  symbol.place = stmt.name_place;
  symbol.run = {circuit_.add_wires(std::string(stmt.name), size), size, stmt.type.width == kNone, nullptr};
  scope_.declare(std::move(symbol));
}

// Bits of the program itself are a register; those of blocks are kept apart, and used again when a loop comes back.
Run Lowering::new_bits(std::string_view name, std::uint32_t size, bool is_scalar, Place place) {
  const bool is_local = scope_.level() != 0;
  const std::uint64_t key = key_of(place, frames_.size());
  if (is_local) {
    const auto known = local_bits_.find(key);
    if (known != local_bits_.end()) return {known->second, size, is_scalar, nullptr};
  }
  const std::uint32_t limit = sources_.limits().max_bits;
  if (size > limit - std::min(limit, circuit_.num_bits()))
    fail(ErrorCode::limit_exceeded, place,
         std::to_string(std::uint64_t{size} + circuit_.num_bits()) +
             " bits are more than max_bits = " + std::to_string(limit),
         "declare fewer or raise max_bits");
  std::string unique(name);
  if (is_local) unique += "." + std::to_string(circuit_.num_bits());
  const std::uint32_t first = circuit_.add_bits(std::move(unique), size);
  if (is_local) local_bits_.emplace(key, first);
  return {first, size, is_scalar, nullptr};
}

// Where a measurement goes that the program does not keep in bits of its own.
Run Lowering::hidden_bits(const Run& wires, Place place) {
  scope_.open();
  Run made = new_bits("measured", wires.size, wires.is_scalar, place);
  scope_.close();
  return made;
}

void Lowering::declare_bits(const Stmt& stmt) {
  const std::uint32_t size = size_of(stmt.type.width, "the size of a register");
  Symbol symbol;
  symbol.kind = SymbolKind::bits;
  symbol.name = stmt.name;
  symbol.place = stmt.name_place;
  symbol.run = new_bits(stmt.name, size, stmt.type.width == kNone, stmt.name_place);
  if (stmt.value != kNone) assign_bits(symbol.run, stmt.value, stmt.name_place);
  scope_.declare(std::move(symbol));
}

ScalarType Lowering::scalar_type(const Type& type, Place place) {
  const std::uint32_t width = type.width == kNone ? 64 : size_of(type.width, "the width of a type");
  if (width > 64)
    fail(ErrorCode::unsupported, place, "a value of " + std::to_string(width) + " bits is not supported",
         "use up to 64");
  const auto narrow = static_cast<std::uint8_t>(width);
  switch (type.kind) {
    case TypeKind::boolean:
      return kBool;
    case TypeKind::integer:
      return {ScalarKind::integer, narrow};
    case TypeKind::unsigned_integer:
      return {ScalarKind::unsigned_integer, narrow};
    case TypeKind::angle:
      return {ScalarKind::angle, narrow};
    case TypeKind::bit:
      return type.width == kNone ? kBool : ScalarType{ScalarKind::unsigned_integer, narrow};
    case TypeKind::real:
    case TypeKind::duration:
      return kReal;
    case TypeKind::none:
    case TypeKind::qubit:
    case TypeKind::array:
      break;
  }
  fail(ErrorCode::semantic_error, place, "this is not the type of a single value");
}

void Lowering::declare_constant(const Stmt& stmt) {
  const ScalarType type = scalar_type(stmt.type, stmt.place);
  Value v = value(stmt.value);
  if (!v.is_constant())
    fail(ErrorCode::semantic_error, expr(stmt.value).place,
         "the value of constant '" + std::string(stmt.name) + "' is known only when the program runs",
         "leave out const");
  const bool is_duration = stmt.type.kind == TypeKind::duration;
  v = at_place(expr(stmt.value).place, [&] { return cast(pool(), v, type); });
  v.is_duration = is_duration;
  declare_value(stmt.name, stmt.name_place, v);
}

void Lowering::declare_input(const Stmt& stmt) {
  if (scope_.level() != 0)
    fail(ErrorCode::semantic_error, stmt.place, "an input is declared inside a block", "declare it at the top");
  if (stmt.type.kind == TypeKind::array)
    fail(ErrorCode::unsupported, stmt.place, "an array as input is not supported", "declare an input for each element");
  const ScalarType type = scalar_type(stmt.type, stmt.place);
  const std::uint32_t index = circuit_.add_parameter(std::string(stmt.name), type);
  const ExprId id = circuit_.expressions().leaf(ExprOp::parameter, index, type);
  declare_value(stmt.name, stmt.name_place, {{}, id, type, stmt.type.kind == TypeKind::duration});
}

std::uint32_t Lowering::new_cells(ScalarType type, bool is_duration, std::uint32_t count, std::string name,
                                  Place place) {
  const auto first = static_cast<std::uint32_t>(cells_.size());
  const auto group = static_cast<std::uint32_t>(groups_.size());
  groups_.push_back({first, count, kNoSlot, std::move(name), place, false});
  Cell cell;
  cell.type = type;
  cell.is_duration = is_duration;
  cell.value = Scalar::of(std::int64_t{0}).cast(type);
  cell.region = region_;
  cell.group = group;
  cells_.insert(cells_.end(), count, cell);
  return first;
}

void Lowering::declare_variable(const Stmt& stmt) {
  const ScalarType type = scalar_type(stmt.type, stmt.place);
  const bool is_duration = stmt.type.kind == TypeKind::duration;
  if (stmt.storage == Storage::output && scope_.level() != 0)
    fail(ErrorCode::semantic_error, stmt.place, "an output is declared inside a block", "declare it at the top");
  Value initial;
  if (stmt.value != kNone) {
    if (expr(stmt.value).kind == ExprKind::measure) {
      const Run wires = qubits(expr(stmt.value).a);
      Run made = hidden_bits(wires, expr(stmt.value).place);
      measure_into(wires, made, expr(stmt.value).place);
      initial = bits_value(made, expr(stmt.value).place);
    } else {
      initial = value(stmt.value);
    }
  }
  Symbol symbol;
  symbol.kind = SymbolKind::variable;
  symbol.name = stmt.name;
  symbol.place = stmt.name_place;
  symbol.index = new_cells(type, is_duration, 1, std::string(stmt.name), stmt.name_place);
  groups_.back().is_output = stmt.storage == Storage::output;
  if (stmt.value != kNone) assign_cell(symbol.index, initial, expr(stmt.value).place);
  scope_.declare(std::move(symbol));
}

void Lowering::declare_array(const Stmt& stmt) {
  Type element = stmt.type;
  element.kind = stmt.type.element;
  const ScalarType type = scalar_type(element, stmt.place);
  Symbol symbol;
  std::uint64_t count = 1;
  for (const Node n : ast_.list(stmt.type.dimensions)) {
    symbol.dimensions.push_back(size_of(n, "a dimension of an array"));
    count *= symbol.dimensions.back();
    if (count > sources_.limits().max_bits)
      fail(ErrorCode::limit_exceeded, expr(n).place,
           "an array of more elements than max_bits = " + std::to_string(sources_.limits().max_bits),
           "declare a smaller array");
  }
  symbol.kind = SymbolKind::array;
  symbol.name = stmt.name;
  symbol.place = stmt.name_place;
  symbol.index = new_cells(type, element.kind == TypeKind::duration, static_cast<std::uint32_t>(count),
                           std::string(stmt.name), stmt.name_place);
  groups_.back().is_output = stmt.storage == Storage::output;
  if (stmt.value != kNone) fill_array(stmt.value, symbol.index, symbol.dimensions);
  scope_.declare(std::move(symbol));
}

void Lowering::fill_array(Node initial, std::uint32_t cell, std::span<const std::uint32_t> dimensions) {
  const Expr& e = expr(initial);
  if (dimensions.empty()) {
    assign_cell(cell, value(initial), e.place);
    return;
  }
  if (e.kind != ExprKind::set || e.list.count != dimensions[0])
    fail(ErrorCode::semantic_error, e.place, "the elements of an array do not fit its shape",
         "write " + std::to_string(dimensions[0]) + " of them in { }");
  std::uint32_t stride = 1;
  for (const std::uint32_t d : dimensions.subspan(1)) stride *= d;
  for (const Node n : ast_.list(e.list)) {
    fill_array(n, cell, dimensions.subspan(1));
    cell += stride;
  }
}

// let both = a[0:1] ++ b; qubits or bits; the alias is another name for the same wires.
void Lowering::declare_alias(const Stmt& stmt) {
  only_outside_gates("an alias", stmt.place);
  check_new(stmt.name, stmt.name_place);
  Symbol symbol;
  symbol.name = stmt.name;
  symbol.place = stmt.name_place;
  if (std::optional<Run> run = bits(stmt.value)) {
    symbol.kind = SymbolKind::bits;
    symbol.run = std::move(*run);
  } else {
    symbol.kind = SymbolKind::qubits;
    symbol.run = qubits(stmt.value);
  }
  scope_.declare(std::move(symbol));
}

}  // namespace skerry::frontend::openqasm
