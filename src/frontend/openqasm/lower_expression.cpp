#include <algorithm>

#include "frontend/openqasm/functions.hpp"
#include "frontend/openqasm/lower.hpp"
#include "frontend/suggest.hpp"

namespace skerry::frontend::openqasm {
namespace {

bool is_integral(const Value& v) {
  return v.type.kind < ScalarKind::real;
}

bool is_arithmetic(ExprOp op) {
  return op == ExprOp::add || op == ExprOp::sub || op == ExprOp::mul || op == ExprOp::div || op == ExprOp::pow;
}

}  // namespace

Value Lowering::literal(const Expr& e) {
  switch (e.kind) {
    case ExprKind::integer: {
      const auto value = static_cast<std::int64_t>(e.integer);
      return Value::of(Scalar::of(value, value < 0 ? kUint : kInt));
    }
    case ExprKind::boolean:
      return Value::of(e.integer != 0);
    case ExprKind::duration: {
      Value seconds = Value::of(e.real);
      seconds.is_duration = true;
      return seconds;
    }
    case ExprKind::bitstring: {
      std::uint64_t bits = 0;
      std::uint32_t width = 0;
      for (const char c : e.text) {
        if (c == '_') continue;
        if (++width > 64)
          fail(ErrorCode::unsupported, e.place, "a string of more than 64 bits in an expression",
               "assign it to a register");
        bits = (bits << 1U) | (c == '1' ? 1U : 0U);
      }
      return Value::of(Scalar::of(static_cast<std::int64_t>(bits),
                                  {ScalarKind::unsigned_integer, static_cast<std::uint8_t>(std::max(width, 1U))}));
    }
    default:
      return Value::of(e.real);
  }
}

Value Lowering::value(Node node) {
  const Expr& e = expr(node);
  if (e.kind <= ExprKind::duration) return literal(e);
  const Level level(*this, e.place);
  switch (e.kind) {
    case ExprKind::integer:
    case ExprKind::real:
    case ExprKind::boolean:
    case ExprKind::bitstring:
    case ExprKind::duration:
      break;
    case ExprKind::name:
      return name_value(e);
    case ExprKind::unary: {
      const Value a = value(e.a);
      return at_place(e.place, [&] { return unary(pool(), e.op, a); });
    }
    case ExprKind::binary:
      return binary_value(node);
    case ExprKind::call:
      return call_value(e);
    case ExprKind::cast:
      return cast_value(e);
    case ExprKind::index:
      return index_value(e);
    case ExprKind::concat:
      if (const std::optional<Run> run = bits(node)) return bits_value(*run, e.place);
      break;
    case ExprKind::measure:
      fail(ErrorCode::semantic_error, e.place, "a measurement is not part of an expression",
           "assign it to a bit first");
    case ExprKind::hardware:
    case ExprKind::range:
    case ExprKind::set:
      break;
  }
  fail(ErrorCode::semantic_error, e.place, "this is not a number");
}

Value Lowering::name_value(const Expr& e) {
  const Symbol* symbol = scope_.find(e.text);
  if (symbol == nullptr) {
    if (const std::optional<double> constant = built_in_constant(e.text)) return Value::of(*constant);
    fail_unknown(body_ != nullptr ? "parameter" : "variable", e.text, e.place);
  }
  const bool is_outside = body_ != nullptr && symbol->level == 0;
  switch (symbol->kind) {
    case SymbolKind::value:
      if (is_outside && !symbol->value.is_constant()) break;
      return symbol->value;
    case SymbolKind::variable:
      if (is_outside) break;
      return cell_value(symbol->index);
    case SymbolKind::bits:
      if (is_outside) break;
      return bits_value(symbol->run, e.place);
    case SymbolKind::qubits:
    case SymbolKind::array:
    case SymbolKind::gate:
    case SymbolKind::library_gate:
    case SymbolKind::subroutine:
      fail(ErrorCode::semantic_error, e.place, "'" + std::string(e.text.substr(0, 60)) + "' is not a number");
  }
  fail(ErrorCode::semantic_error, e.place, "the body of a gate cannot see '" + std::string(e.text.substr(0, 60)) + "'",
       "pass it as a parameter");
}

// Up to 64 bits as one unsigned number, bit `first` of the run least significant.
Value Lowering::bits_value(const Run& run, std::uint32_t first, std::uint32_t count, Place place) {
  if (count > 64)
    fail(ErrorCode::unsupported, place, "a register of " + std::to_string(count) + " bits as a number; up to 64 are",
         "take a slice of it");
  ExprPool& p = pool();
  if (run.is_scalar) {
    const ExprId id = p.leaf(ExprOp::bit, run[0], kBool);
    return {{}, id, kBool, false};
  }
  const ScalarType type{ScalarKind::unsigned_integer, static_cast<std::uint8_t>(count)};
  bool neighbours = true;
  for (std::uint32_t i = 1; i < count; ++i) neighbours = neighbours && run[first + i] == run[first] + i;
  if (count == 0) return Value::of(Scalar::of(std::int64_t{0}, kUint));
  if (neighbours) return {{}, p.leaf(ExprOp::bits, run[first], type, count), type, false};
  Value sum = Value::of(Scalar::of(std::int64_t{0}, type));
  for (std::uint32_t i = 0; i < count; ++i) {
    const Value one = cast(p, {{}, p.leaf(ExprOp::bit, run[first + i], kBool), kBool, false}, type);
    sum = binary(p, ExprOp::bit_or, sum, binary(p, ExprOp::shl, one, Value::of(std::int64_t{i})));
  }
  return sum;
}

// 1 + 2 + 3 + ... hangs to the left, so the left spine is walked and not recursed into.
Value Lowering::binary_value(Node node) {
  std::vector<Node> spine;
  while (expr(node).kind == ExprKind::binary) {
    spine.push_back(node);
    node = expr(node).a;
  }
  const Expr& innermost = expr(spine.back());
  if (innermost.op == ExprOp::eq || innermost.op == ExprOp::ne) {
    const std::optional<Run> wide = bits(node);
    if (wide && wide->size > 64) {
      Value left = compare_wide(innermost, *wide, innermost.b);
      for (spine.pop_back(); !spine.empty(); spine.pop_back())
        left = combine(expr(spine.back()), left, value(expr(spine.back()).b));
      return left;
    }
  }
  Value left = value(node);
  for (; !spine.empty(); spine.pop_back()) left = combine(expr(spine.back()), left, value(expr(spine.back()).b));
  return left;
}

// All numbers of OpenQASM 2 are real: 1/2 is a half.
Value Lowering::numeric(Value v) const {
  return version_ == 2 && v.is_constant() && is_integral(v) ? Value::of(v.constant.as_real()) : v;
}

Value Lowering::combine(const Expr& e, const Value& a, const Value& b) {
  return at_place(e.place, [&] {
    if (is_arithmetic(e.op)) return binary(pool(), e.op, numeric(a), numeric(b));
    return binary(pool(), e.op, a, b);
  });
}

// A register past 64 bits can be compared with a constant, 64 bits at a time.
Value Lowering::compare_wide(const Expr& e, const Run& run, Node other) {
  const Value constant = value(other);
  if (!constant.is_constant() || !is_integral(constant))
    fail(ErrorCode::unsupported, e.place,
         "a register of " + std::to_string(run.size) +
             " bits is compared with something that is not an integer constant");
  Value all = Value::of(true);
  for (std::uint32_t first = 0; first < run.size; first += 64) {
    const Value chunk = bits_value(run, first, std::min<std::uint32_t>(64, run.size - first), e.place);
    const Value want = first == 0 ? cast(pool(), constant, kUint) : Value::of(std::int64_t{0});
    const Value same = binary(pool(), ExprOp::eq, chunk, want);
    all = all.is_constant() ? same : binary(pool(), ExprOp::logical_and, all, same);
  }
  return e.op == ExprOp::eq ? all : unary(pool(), ExprOp::logical_not, all);
}

Value Lowering::condition(Node node) {
  const Value v = value(node);
  return at_place(expr(node).place, [&] { return cast(pool(), v, kBool); });
}

Value Lowering::cast_value(const Expr& e) {
  const Type& type = ast_.types[e.b];
  const ScalarType to = scalar_type(type, e.place);
  const Value v = value(e.a);
  if (v.is_duration && type.kind != TypeKind::duration)
    fail(ErrorCode::semantic_error, e.place, "a duration cannot become another type", "divide it by a duration");
  return at_place(e.place, [&] { return cast(pool(), v, to); });
}

// Elements of arrays, bits of registers, bits of integers.
Value Lowering::index_value(const Expr& e) {
  Node root = e.a;
  while (expr(root).kind == ExprKind::index) root = expr(root).a;
  const Symbol* symbol = run_symbol(root);
  if (symbol != nullptr && symbol->kind == SymbolKind::array)
    return element_value(*symbol, e, index_values(*symbol, e));
  const std::optional<Run> run = bits(e.a);
  if (run) return bits_value(selected(*run, symbol != nullptr ? symbol->name : "the selection", e), e.place);
  const Value v = value(e.a);
  if (!is_integral(v) || e.list.count != 1) fail(ErrorCode::semantic_error, e.place, "this has no elements");
  const Expr& item = expr(ast_.list(e.list)[0]);
  if (item.kind == ExprKind::set)
    fail(ErrorCode::unsupported, item.place, "a set of bits of a number is not supported", "take them one by one");
  const auto shifted = [&](const Value& by) {
    return binary(pool(), ExprOp::shr, cast(pool(), v, {ScalarKind::unsigned_integer, v.type.width}), by);
  };
  if (item.kind != ExprKind::range) {
    const Value at = value(ast_.list(e.list)[0]);
    if (at.is_constant()) position(at.constant.as_integer(), v.type.width, "a number of bits ", item.place);
    return at_place(e.place, [&] {
      return cast(pool(), binary(pool(), ExprOp::bit_and, shifted(at), Value::of(std::int64_t{1})), kBool);
    });
  }
  const std::vector<std::int64_t> positions = range_values(item, v.type.width);
  for (const std::int64_t i : positions) position(i, v.type.width, "a number of bits ", item.place);
  if (item.b != kNone || positions.empty())
    fail(ErrorCode::unsupported, item.place, "a slice of a number with a step is not supported",
         "take the bits one by one");
  const ScalarType to{ScalarKind::unsigned_integer, static_cast<std::uint8_t>(positions.size())};
  return at_place(e.place, [&] { return cast(pool(), shifted(Value::of(positions[0])), to); });
}

Value Lowering::size_value(const Expr& e) {
  const std::span<const Node> arguments = ast_.list(e.list);
  const Symbol* symbol = arguments.empty() ? nullptr : run_symbol(arguments[0]);
  if (symbol == nullptr || arguments.size() > 2)
    fail(ErrorCode::semantic_error, e.place, "sizeof needs the name of an array or register");
  if (symbol->kind == SymbolKind::qubits || symbol->kind == SymbolKind::bits)
    return Value::of(std::int64_t{symbol->run.size});
  if (symbol->kind != SymbolKind::array)
    fail(ErrorCode::semantic_error, e.place, "sizeof needs the name of an array or register");
  const std::int64_t dimension = arguments.size() == 2 ? constant_integer(arguments[1], "the dimension") : 0;
  const auto count = static_cast<std::uint32_t>(symbol->dimensions.size());
  return Value::of(std::int64_t{symbol->dimensions[position(dimension, count, "the dimensions ", e.place)]});
}

Value Lowering::call_value(const Expr& e) {
  const Symbol* symbol = scope_.find(e.text);
  if (symbol != nullptr && symbol->kind == SymbolKind::subroutine) {
    only_outside_gates("a call of a subroutine", e.place);
    return call_subroutine(e, Symbol(*symbol));
  }
  if (e.text == "sizeof") return size_value(e);
  if (e.text == "real" || e.text == "imag")
    fail(ErrorCode::unsupported, e.place, "'" + std::string(e.text) + "' (complex numbers) is not supported");
  const Function* function = find_function(e.text);
  if (function == nullptr) {
    Nearest nearest(e.text);
    for (const Function& f : functions()) nearest.offer(f.name);
    fail(ErrorCode::semantic_error, e.place, "function '" + std::string(e.text.substr(0, 60)) + "' is not declared",
         nearest.hint("declare it with def"));
  }
  const std::span<const Node> arguments = ast_.list(e.list);
  if (arguments.size() != function->arguments)
    fail(ErrorCode::semantic_error, e.place,
         "'" + std::string(e.text) + "' takes " + std::to_string(function->arguments) + " arguments, not " +
             std::to_string(arguments.size()));
  const Value a = value(arguments[0]);
  if (function->arguments == 1) return at_place(e.place, [&] { return unary(pool(), function->op, a); });
  return combine({ExprKind::binary, function->op, e.place, kNone, kNone, kNone, {}, {}, 0, 0.0}, a,
                 value(arguments[1]));
}

}  // namespace skerry::frontend::openqasm
