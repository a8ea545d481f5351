#include <bit>
#include <skerry/error.hpp>
#include <string>
#include <utility>

#include "package/circuit_codec.hpp"
#include "package/names.hpp"

namespace skerry::package {
namespace {

[[noreturn]] void damaged(std::string message) {
  throw Error(ErrorCode::corrupt, std::move(message));
}

void check_index(std::uint64_t index, std::uint64_t count, const char* what) {
  if (index >= count) damaged(std::string(what) + " " + std::to_string(index) + " of " + std::to_string(count));
}

ScalarType scalar_type(const fbs::ScalarType* type) {
  if (type == nullptr) damaged("a declaration has no type");
  if (type->kind() > static_cast<std::uint8_t>(ScalarKind::angle) || type->width() < 1 || type->width() > 64) {
    damaged("classical type " + std::to_string(type->kind()) + " of " + std::to_string(type->width()) + " bits");
  }
  return {static_cast<ScalarKind>(type->kind()), type->width()};
}

template <class Key, class Find>
std::vector<Key> known_names(const std::vector<std::string>& names, const char* what, Find find) {
  std::vector<Key> keys;
  for (const std::string& name : names) {
    const std::optional<Key> key = find(name);
    if (!key) {
      throw Error(ErrorCode::version_too_new, "there is no " + std::string(what) + " '" + name + "' in this program",
                  {}, "update this program");
    }
    keys.push_back(*key);
  }
  return keys;
}

/// Makes one circuit from one table. Branches and assignments are made in the body, which is replaced at the end: they
/// have no builder call that leaves out the instruction.
class CircuitDecoder {
 public:
  CircuitDecoder(const fbs::Circuit& table, Fields& fields) : table_(table), fields_(fields) {}

  Circuit decode() {
    circuit_.name = fields_.text(table_.name());
    declare();
    expressions();
    const std::uint32_t blocks = fields_.count(table_.blocks());
    if (blocks == 0) damaged("a circuit without a body");
    for (std::uint32_t i = 1; i < blocks; ++i) {
      circuit_.open_block();
      circuit_.close_block();
    }
    matrices();
    channels();
    branches();
    assignments();
    ops_ = known_names<Op>(fields_.texts(table_.op_names()), "operation", op_from_name);
    for (std::uint32_t i = 0; i < blocks; ++i) circuit_.replace_block(i, block(*table_.blocks()->Get(i)));
    check_unreached();
    return std::move(circuit_);
  }

 private:
  void declare() {
    declare_registers(table_.wire_registers(), &Circuit::add_wires, "wires");
    declare_registers(table_.bit_registers(), &Circuit::add_bits, "bits");
    if (circuit_.num_wires() != table_.num_wires() || circuit_.num_bits() != table_.num_bits()) {
      damaged("the registers do not add up to the circuit's wires and bits");
    }
    for (std::uint32_t i = 0, n = fields_.count(table_.parameters()); i < n; ++i) {
      const auto& parameter = *table_.parameters()->Get(i);
      circuit_.add_parameter(fields_.text(parameter.name()), scalar_type(parameter.type()));
    }
    for (std::uint32_t i = 0, n = fields_.count(table_.variables()); i < n; ++i) {
      const auto& variable = *table_.variables()->Get(i);
      circuit_.add_variable({fields_.text(variable.name()), scalar_type(variable.type()), variable.is_output()});
    }
  }

  void declare_registers(const flatbuffers::Vector<flatbuffers::Offset<fbs::Register>>* registers,
                         std::uint32_t (Circuit::*add)(std::string, std::uint32_t), const char* what) {
    std::uint64_t total = 0;
    for (std::uint32_t i = 0, n = fields_.count(registers); i < n; ++i) {
      const auto& r = *registers->Get(i);
      total += r.size();
      if (total > kMaxWires) {
        throw Error(ErrorCode::limit_exceeded,
                    "a circuit of more than the " + std::to_string(kMaxWires) + " " + what + " a package may have");
      }
      (circuit_.*add)(fields_.text(r.name()), r.size());
    }
  }

  void expressions() {
    const auto ops = known_names<ExprOp>(fields_.texts(table_.expression_names()), "expression", expression_from_name);
    const auto rows = fields_.list(table_.expressions());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      check_index(rows[i].op(), ops.size(), "expression name");
      const ExprId id = expression(rows[i], ops[rows[i].op()]);
      // The pool folds constants and joins equals; a pool that was written has neither left.
      if (id != i || !is_same(circuit_.expressions()[id], rows[i])) {
        damaged("expression " + std::to_string(i) + " is not in its simplest form");
      }
    }
  }

  ExprId expression(const fbs::Expression& row, ExprOp op) {
    ExprPool& pool = circuit_.expressions();
    const ScalarType type = scalar_type(&row.type());
    if (op == ExprOp::constant) return pool.constant(constant_of(row, type));
    const int operands = expression_operands(op);
    if (operands >= 1) check_index(row.a(), pool.size(), "operand");
    if (operands == 2 || op == ExprOp::element) check_index(row.b(), pool.size(), "operand");
    if (op == ExprOp::cast) return pool.cast(row.a(), type);
    if (operands == 1) return pool.unary(op, row.a());
    if (operands == 2) return pool.binary(op, row.a(), row.b());
    check_leaf(row, op);
    return pool.leaf(op, row.a(), type, row.b(), row.c());
  }

  void check_leaf(const fbs::Expression& row, ExprOp op) const {
    if (op == ExprOp::parameter) check_index(row.a(), circuit_.parameters().size(), "parameter");
    if (op == ExprOp::variable) check_index(row.a(), circuit_.variables().size(), "variable");
    if (op == ExprOp::bit) check_index(row.a(), circuit_.num_bits(), "bit");
    if (op == ExprOp::bits) check_index(std::uint64_t{row.a()} + row.b(), circuit_.num_bits() + 1ULL, "end of bits");
    if (op == ExprOp::element) {
      check_index(std::uint64_t{row.a()} + row.c(), circuit_.variables().size() + 1, "end of elements");
    }
  }

  static Scalar constant_of(const fbs::Expression& row, ScalarType type) {
    Scalar value;
    value.type = type;
    if (type.kind >= ScalarKind::real) {
      value.real = std::bit_cast<double>(row.value());
    } else {
      value.integer = static_cast<std::int64_t>(row.value());
    }
    return value;
  }

  static bool is_same(const ExprNode& node, const fbs::Expression& row) {
    std::uint64_t value = 0;
    if (node.op == ExprOp::constant) {
      value = node.type.kind >= ScalarKind::real ? std::bit_cast<std::uint64_t>(node.value.real)
                                                 : static_cast<std::uint64_t>(node.value.integer);
    }
    return node.a == row.a() && node.b == row.b() && node.c == row.c() && value == row.value() &&
           static_cast<std::uint8_t>(node.type.kind) == row.type().kind() && node.type.width == row.type().width();
  }

  void matrices() {
    // Each is checked to be unitary, which takes 8^wires steps: a few kilobytes must not buy hours.
    constexpr std::uint64_t kMaxSteps = std::uint64_t{1} << (3 * kMaxMatrixWires);
    std::uint64_t steps = 0;
    for (std::uint32_t i = 0, n = fields_.count(table_.matrices()); i < n; ++i) {
      const auto& matrix = *table_.matrices()->Get(i);
      const std::uint32_t wires = matrix.wires();
      if (wires > kMaxMatrixWires) {
        damaged("matrix " + std::to_string(i) + " is on " + std::to_string(wires) + " wires");
      }
      steps += std::uint64_t{1} << (3 * wires);
      if (steps > kMaxSteps) throw Error(ErrorCode::limit_exceeded, "the matrices take too long to check");
      circuit_.add_matrix(square(matrix));
    }
  }

  Matrix square(const fbs::Matrix& matrix) {
    const std::uint32_t wires = matrix.wires();
    const auto values = fields_.list(matrix.values());
    if (values.size() != std::size_t{2} << (2 * wires)) {
      damaged("a matrix on " + std::to_string(wires) + " wires has " + std::to_string(values.size()) + " numbers");
    }
    Matrix result{wires, std::vector<std::complex<double>>(values.size() / 2)};
    for (std::size_t k = 0; k < result.values.size(); ++k) result.values[k] = {values[2 * k], values[2 * k + 1]};
    return result;
  }

  void channels() {
    for (std::uint32_t i = 0, n = fields_.count(table_.channels()); i < n; ++i) {
      const auto& channel = *table_.channels()->Get(i);
      const std::string kind = fields_.text(channel.kind());
      const auto numbers = fields_.list(channel.numbers());
      if (kind != "kraus") {
        circuit_.add_channel(Channel::named(kind, numbers, channel.wires()));
        continue;
      }
      std::vector<Matrix> operators;
      for (std::uint32_t k = 0, m = fields_.count(channel.operators()); k < m; ++k) {
        const auto& matrix = *channel.operators()->Get(k);
        if (matrix.wires() > Channel::kMaxWires) damaged("a channel on " + std::to_string(matrix.wires()) + " wires");
        operators.push_back(square(matrix));
      }
      circuit_.add_channel(Channel::kraus(std::move(operators)));
    }
  }

  void branches() {
    for (const fbs::Branch& row : fields_.list(table_.branches())) {
      circuit_.if_else(row.condition(), row.then_block(), row.else_block());
    }
  }

  void assignments() {
    for (const fbs::Assignment& row : fields_.list(table_.assignments())) {
      if (row.to_bits() > 1) damaged("an assignment to place " + std::to_string(row.to_bits()));
      circuit_.assign({row.to_bits() == 1, row.first(), row.count(), row.index(), row.value()});
    }
  }

  void check_unreached() const {
    const auto is_reached = reachable_blocks(circuit_);
    for (std::size_t i = 0; i < is_reached.size(); ++i) {
      if (is_reached[i] == 0 && !circuit_.blocks()[i].empty()) {
        damaged("block " + std::to_string(i) + " is not empty though nothing leads to it");
      }
    }
  }

  Block block(const fbs::Block& table) {
    const auto rows = fields_.list(table.instructions());
    auto wires = fields_.list(table.wires());
    const auto values = fields_.list(table.values());
    const auto expressions = fields_.list(table.expressions());
    if (!expressions.empty() && expressions.size() != values.size()) damaged("parameters and expressions differ");
    std::vector<Param> all_params(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      all_params[i] = {values[i], expressions.empty() ? kNoExpr : expressions[i]};
    }
    std::span<const Param> params(all_params);
    Block block;
    block.reserve(rows.size(), wires.size(), params.size());
    for (const fbs::Instruction& row : rows) {
      check_index(row.op(), ops_.size(), "operation name");
      if (row.wires() > wires.size() || row.params() > params.size()) damaged("a block ends within an instruction");
      block.append(ops_[row.op()], wires.first(row.wires()), params.first(row.params()), row.controls(), row.aux());
      wires = wires.subspan(row.wires());
      params = params.subspan(row.params());
    }
    if (!wires.empty() || !params.empty()) damaged("a block has wires or parameters that no instruction uses");
    return block;
  }

  const fbs::Circuit& table_;
  Fields& fields_;
  Circuit circuit_;
  std::vector<Op> ops_;
};

}  // namespace

Circuit decode_circuit(const fbs::Circuit& table, Fields& fields) {
  return CircuitDecoder(table, fields).decode();
}

}  // namespace skerry::package
