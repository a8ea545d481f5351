#include <algorithm>
#include <bit>
#include <cmath>
#include <skerry/error.hpp>
#include <skerry/expression.hpp>

#include "ir/circuit/arithmetic.hpp"

namespace skerry {
namespace {

std::uint64_t value_bits(const Scalar& value) {
  return static_cast<std::uint64_t>(value.integer);
}

std::uint64_t mixed(std::uint64_t hash, std::uint64_t word) {
  hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;  // 2^64 / golden ratio: spreads consecutive ids
  return hash ^ (hash >> 32U);
}

std::uint64_t hash_of(const ExprNode& n) {
  std::uint64_t hash = mixed(static_cast<std::uint64_t>(n.op), (std::uint64_t{n.a} << 32U) | n.b);
  hash = mixed(hash, (std::uint64_t{n.c} << 16U) | (static_cast<std::uint64_t>(n.type.kind) << 8U) | n.type.width);
  return mixed(hash, value_bits(n.value));
}

bool same(const ExprNode& l, const ExprNode& r) {
  return l.op == r.op && l.a == r.a && l.b == r.b && l.c == r.c && l.type == r.type && l.value.type == r.value.type &&
         value_bits(l.value) == value_bits(r.value);
}

void check_type(ScalarType type) {
  if (type.width >= 1 && type.width <= 64 && type.kind <= ScalarKind::angle) return;
  throw Error(ErrorCode::semantic_error, "a classical type of " + std::to_string(type.width) + " bits", {},
              "use 1 to 64 bits");
}

/// Scratch of evaluate(): kept between calls because conditions are evaluated once a shot.
struct Walk {
  std::vector<std::uint32_t> stamp, position;
  std::vector<ExprId> needed, pending;
  std::vector<Scalar> values;
  std::uint32_t epoch = 0;

  void begin(std::size_t pool_size) {
    if (stamp.size() < pool_size) {
      stamp.resize(pool_size);
      position.resize(pool_size);
    }
    if (++epoch == 0) {
      std::ranges::fill(stamp, 0U);
      epoch = 1;
    }
    needed.clear();
    pending.clear();
    values.clear();
  }
  void need(ExprId id) {
    if (stamp[id] == epoch) return;
    stamp[id] = epoch;
    pending.push_back(id);
  }
};

template <class T>
const T& at(std::span<const T> values, std::size_t index, const char* what) {
  if (index < values.size()) return values[index];
  throw Error(ErrorCode::out_of_range, std::string(what) + " " + std::to_string(index) + " is outside the " +
                                           std::to_string(values.size()) + " that have values");
}

Scalar bits_value(const ExprNode& node, std::span<const std::uint8_t> bits) {
  std::uint64_t value = 0;
  for (std::uint32_t i = 0; i < node.b; ++i) {
    value |= std::uint64_t{at(bits, std::size_t{node.a} + i, "bit") != 0} << i;
  }
  return Scalar::of(static_cast<std::int64_t>(value), node.type);
}

Scalar element_value(const ExprNode& node, const Scalar& index, std::span<const Scalar> variables) {
  const bool is_negative = index.type.kind == ScalarKind::integer && index.integer < 0;
  const auto offset = static_cast<std::uint64_t>(index.as_integer());
  if (is_negative || offset >= node.c) {
    throw Error(ErrorCode::out_of_range, "index " + std::to_string(index.as_integer()) + " is outside an array of " +
                                             std::to_string(node.c) + " elements");
  }
  return at(variables, node.a + offset, "variable").cast(node.type);
}

}  // namespace

ExprId ExprPool::intern(const ExprNode& node, bool is_static) {
  const auto slot_of = [this](const ExprNode& wanted) {
    std::size_t slot = hash_of(wanted) & (index_.size() - 1);
    while (index_[slot] != kNoExpr && !same(nodes_[index_[slot]], wanted)) slot = (slot + 1) & (index_.size() - 1);
    return slot;
  };
  if (nodes_.size() * 2 >= index_.size()) {
    index_.assign(std::max<std::size_t>(16, index_.size() * 2), kNoExpr);
    for (ExprId id = 0; id < nodes_.size(); ++id) index_[slot_of(nodes_[id])] = id;
  }
  const std::size_t slot = slot_of(node);
  if (index_[slot] != kNoExpr) return index_[slot];
  if (nodes_.size() >= kNoExpr) throw Error(ErrorCode::limit_exceeded, "more than 2^32 - 1 expressions in a circuit");
  const auto id = static_cast<ExprId>(nodes_.size());
  nodes_.push_back(node);
  static_.push_back(is_static ? 1 : 0);
  index_[slot] = id;
  return id;
}

ExprId ExprPool::constant(Scalar value) {
  check_type(value.type);
  if (value.type.kind >= ScalarKind::real && !std::isfinite(value.real)) {
    throw Error(ErrorCode::semantic_error, "a constant that is not a finite number");
  }
  ExprNode node;
  node.value = value.cast(value.type);  // one representation per value, so that equal constants have equal ids
  node.type = value.type;
  return intern(node, true);
}

ExprId ExprPool::leaf(ExprOp op, std::uint32_t a, ScalarType type, std::uint32_t b, std::uint32_t c) {
  ExprNode node;
  node.op = op;
  node.a = a;
  node.type = type;
  if (op == ExprOp::bit) {
    node.type = {ScalarKind::boolean, 1};
  } else if (op == ExprOp::bits) {
    if (b < 1 || b > 64) {
      throw Error(ErrorCode::semantic_error, std::to_string(b) + " bits read as one number", {}, "read 1 to 64 bits");
    }
    node.b = b;
    node.type = {ScalarKind::unsigned_integer, static_cast<std::uint8_t>(b)};
  } else if (op == ExprOp::element) {
    if (b >= nodes_.size() || nodes_[b].type.kind >= ScalarKind::real) {
      throw Error(ErrorCode::semantic_error, "an array index that is not an integer");
    }
    node.b = b;
    node.c = c;
  } else if (op != ExprOp::parameter && op != ExprOp::variable) {
    throw Error(ErrorCode::internal, "'" + std::string(ir::expr_name(op)) + "' is not a leaf");
  }
  check_type(node.type);
  return intern(node, op == ExprOp::parameter);
}

ExprId ExprPool::unary(ExprOp op, ExprId operand) {
  if (operand >= nodes_.size()) throw Error(ErrorCode::internal, "an operand that does not exist");
  const ScalarType type = ir::result_type(op, nodes_[operand].type, {});
  if (is_constant(operand)) return constant(ir::apply(op, type, nodes_[operand].value, {}));
  ExprNode node;
  node.op = op;
  node.a = operand;
  node.type = type;
  return intern(node, is_static(operand));
}

ExprId ExprPool::binary(ExprOp op, ExprId lhs, ExprId rhs) {
  if (lhs >= nodes_.size() || rhs >= nodes_.size()) throw Error(ErrorCode::internal, "an operand that does not exist");
  if (op == ExprOp::pow && is_constant(rhs) && nodes_[rhs].type.kind == ScalarKind::integer &&
      nodes_[rhs].value.integer < 0) {
    rhs = cast(rhs, {});  // 2 ** -1 is a half: a negative exponent that is known makes the power real
  }
  const ScalarType type = ir::result_type(op, nodes_[lhs].type, nodes_[rhs].type);
  if (op >= ExprOp::add && op <= ExprOp::pow && type.kind == ScalarKind::real) {
    // 2 * theta and 2.0 * theta are one expression.
    if (is_constant(lhs)) lhs = cast(lhs, type);
    if (is_constant(rhs)) rhs = cast(rhs, type);
  }
  if (is_constant(lhs) && is_constant(rhs)) {
    return constant(ir::apply(op, type, nodes_[lhs].value, nodes_[rhs].value));
  }
  ExprNode node;
  node.op = op;
  node.a = lhs;
  node.b = rhs;
  node.type = type;
  return intern(node, is_static(lhs) && is_static(rhs));
}

ExprId ExprPool::cast(ExprId operand, ScalarType to) {
  if (operand >= nodes_.size()) throw Error(ErrorCode::internal, "an operand that does not exist");
  check_type(to);
  if (nodes_[operand].type == to) return operand;
  if (is_constant(operand)) return constant(nodes_[operand].value.cast(to));
  ExprNode node;
  node.op = ExprOp::cast;
  node.a = operand;
  node.type = to;
  return intern(node, is_static(operand));
}

Scalar ExprPool::evaluate(ExprId id, const ExprEnvironment& environment) const {
  if (is_constant(id)) return nodes_[id].value;
  thread_local Walk walk;
  walk.begin(nodes_.size());
  walk.need(id);
  while (!walk.pending.empty()) {
    const ExprId next = walk.pending.back();
    walk.pending.pop_back();
    walk.needed.push_back(next);
    const ExprNode& node = nodes_[next];
    const int operands = ir::expr_operands(node.op);
    if (operands >= 1) walk.need(node.a);
    if (operands == 2 || node.op == ExprOp::element) walk.need(node.b);
  }
  std::ranges::sort(walk.needed);  // ids are topological
  const auto value_of = [&](ExprId operand) -> const Scalar& { return walk.values[walk.position[operand]]; };
  for (const ExprId next : walk.needed) {
    const ExprNode& node = nodes_[next];
    walk.position[next] = static_cast<std::uint32_t>(walk.values.size());
    const int operands = ir::expr_operands(node.op);
    Scalar value;
    if (operands == 2) {
      value = ir::apply(node.op, node.type, value_of(node.a), value_of(node.b));
    } else if (operands == 1) {
      value = ir::apply(node.op, node.type, value_of(node.a), {});
    } else if (node.op == ExprOp::constant) {
      value = node.value;
    } else if (node.op == ExprOp::parameter) {
      value = at(environment.parameters, node.a, "parameter").cast(node.type);
    } else if (node.op == ExprOp::variable) {
      value = at(environment.variables, node.a, "variable").cast(node.type);
    } else if (node.op == ExprOp::bit) {
      value = Scalar::of(at(environment.bits, node.a, "bit") != 0);
    } else if (node.op == ExprOp::bits) {
      value = bits_value(node, environment.bits);
    } else {
      value = element_value(node, value_of(node.b), environment.variables);
    }
    walk.values.push_back(value);
  }
  return walk.values.back();
}

bool ExprPool::operator==(const ExprPool& other) const {
  return std::ranges::equal(nodes_, other.nodes_, same);
}

}  // namespace skerry
