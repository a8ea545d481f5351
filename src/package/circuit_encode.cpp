#include <algorithm>
#include <bit>
#include <skerry/error.hpp>
#include <string>

#include "package/circuit_codec.hpp"
#include "package/names.hpp"

namespace skerry::package {
namespace {

/// Names in the order in which they were first asked for.
template <class Key>
class NameTable {
 public:
  explicit NameTable(std::string_view (*name_of)(Key) noexcept) : name_of_(name_of) {}

  std::uint16_t operator[](Key key) {
    const auto slot = static_cast<std::size_t>(key);
    if (slot >= index_.size()) index_.resize(slot + 1, kUnused);
    if (index_[slot] == kUnused) {
      index_[slot] = static_cast<std::uint16_t>(names_.size());
      names_.push_back(name_of_(key));
    }
    return index_[slot];
  }
  const std::vector<std::string_view>& names() const noexcept { return names_; }

 private:
  static constexpr std::uint16_t kUnused = 0xffff;
  std::string_view (*name_of_)(Key) noexcept;
  std::vector<std::uint16_t> index_;
  std::vector<std::string_view> names_;
};

fbs::ScalarType type_of(ScalarType type) {
  return {static_cast<std::uint8_t>(type.kind), type.width};
}

flatbuffers::Offset<fbs::Block> encode_block(const Block& block, ProgramBuilder& builder, NameTable<Op>& ops) {
  std::vector<fbs::Instruction> rows;
  std::vector<std::uint32_t> wires, expressions;
  std::vector<double> values;
  bool is_symbolic = false;
  rows.reserve(block.size());
  for (std::size_t i = 0; i < block.size(); ++i) {
    const Instruction instruction = block[i];
    rows.emplace_back(ops[instruction.op], instruction.controls, instruction.aux,
                      static_cast<std::uint32_t>(instruction.wires.size()),
                      static_cast<std::uint32_t>(instruction.params.size()));
    wires.insert(wires.end(), instruction.wires.begin(), instruction.wires.end());
    for (const Param& param : instruction.params) {
      values.push_back(param.value);
      expressions.push_back(param.expr);
      is_symbolic |= !param.is_constant();
    }
  }
  if (!is_symbolic) expressions.clear();
  const auto row_list = builder.structs(rows);
  const auto wire_list = builder.list<std::uint32_t>(wires);
  const auto value_list = builder.list<double>(values);
  const auto expression_list = builder.list<std::uint32_t>(expressions);
  return fbs::CreateBlock(builder.buffer(), row_list, wire_list, value_list, expression_list);
}

auto encode_registers(const std::vector<Register>& registers, ProgramBuilder& builder) {
  std::vector<flatbuffers::Offset<fbs::Register>> tables;
  for (const Register& r : registers) {
    const auto name = builder.text(r.name);
    tables.push_back(fbs::CreateRegister(builder.buffer(), name, r.size));
  }
  return builder.tables(tables);
}

auto encode_parameters(const std::vector<Parameter>& parameters, ProgramBuilder& builder) {
  std::vector<flatbuffers::Offset<fbs::Parameter>> tables;
  for (const Parameter& parameter : parameters) {
    const auto name = builder.text(parameter.name);
    const fbs::ScalarType type = type_of(parameter.type);
    tables.push_back(fbs::CreateParameter(builder.buffer(), name, &type));
  }
  return builder.tables(tables);
}

auto encode_variables(const std::vector<Variable>& variables, ProgramBuilder& builder) {
  std::vector<flatbuffers::Offset<fbs::Variable>> tables;
  for (const Variable& variable : variables) {
    const auto name = builder.text(variable.name);
    const fbs::ScalarType type = type_of(variable.type);
    tables.push_back(fbs::CreateVariable(builder.buffer(), name, &type, variable.is_output));
  }
  return builder.tables(tables);
}

auto encode_expressions(const ExprPool& pool, ProgramBuilder& builder, NameTable<ExprOp>& names) {
  std::vector<fbs::Expression> rows;
  rows.reserve(pool.size());
  for (ExprId id = 0; id < pool.size(); ++id) {
    const ExprNode& node = pool[id];
    const bool is_real = node.value.type.kind >= ScalarKind::real;
    const auto value =
        is_real ? std::bit_cast<std::uint64_t>(node.value.real) : static_cast<std::uint64_t>(node.value.integer);
    rows.emplace_back(names[node.op], type_of(node.type), node.a, node.b, node.c,
                      node.op == ExprOp::constant ? value : 0);
  }
  return builder.structs(rows);
}

auto encode_matrices(const std::vector<Matrix>& matrices, ProgramBuilder& builder) {
  std::vector<flatbuffers::Offset<fbs::Matrix>> tables;
  for (const Matrix& matrix : matrices) {
    // std::complex<double> is two doubles in a row by the standard.
    const auto* first = reinterpret_cast<const double*>(matrix.values.data());
    const auto values = builder.list(std::span<const double>(first, 2 * matrix.values.size()));
    tables.push_back(fbs::CreateMatrix(builder.buffer(), matrix.wires, values));
  }
  return builder.tables(tables);
}

auto encode_channels(const std::vector<Channel>& channels, ProgramBuilder& builder) {
  std::vector<flatbuffers::Offset<fbs::Channel>> tables;
  for (const Channel& channel : channels) {
    const bool is_named = !channel.numbers().empty();
    const auto kind = builder.text(channel.kind());
    const auto numbers = builder.list<double>(channel.numbers());
    const auto operators = encode_matrices(is_named ? std::vector<Matrix>() : channel.operators(), builder);
    tables.push_back(fbs::CreateChannel(builder.buffer(), kind, channel.wires(), numbers, operators));
  }
  return builder.tables(tables);
}

auto encode_branches(const std::vector<Branch>& branches, ProgramBuilder& builder) {
  std::vector<fbs::Branch> rows;
  for (const Branch& branch : branches) rows.emplace_back(branch.condition, branch.then_block, branch.else_block);
  return builder.structs(rows);
}

auto encode_assignments(const std::vector<Assignment>& assignments, ProgramBuilder& builder) {
  std::vector<fbs::Assignment> rows;
  for (const Assignment& a : assignments) rows.emplace_back(a.to_bits ? 1 : 0, a.first, a.count, a.index, a.value);
  return builder.structs(rows);
}

void check_limits(const Circuit& circuit) {
  const auto refuse = [&circuit](const char* what, std::uint32_t count) {
    throw Error(ErrorCode::limit_exceeded,
                "a package holds circuits of at most " + std::to_string(kMaxWires) + " " + what + ", not " +
                    std::to_string(count),
                circuit.name);
  };
  if (circuit.num_wires() > kMaxWires) refuse("wires", circuit.num_wires());
  if (circuit.num_bits() > kMaxWires) refuse("bits", circuit.num_bits());
}

}  // namespace

flatbuffers::Offset<fbs::Circuit> encode_circuit(const Circuit& circuit, ProgramBuilder& builder) {
  check_limits(circuit);
  NameTable<Op> ops(op_name);
  NameTable<ExprOp> expression_ops(expression_name);
  std::vector<flatbuffers::Offset<fbs::Block>> blocks;
  const auto is_reached = reachable_blocks(circuit);
  for (std::size_t i = 0; i < is_reached.size(); ++i) {
    blocks.push_back(encode_block(is_reached[i] != 0 ? circuit.blocks()[i] : Block(), builder, ops));
  }
  const auto block_list = builder.tables(blocks);
  const auto name = builder.text(circuit.name);
  const auto wire_registers = encode_registers(circuit.wire_registers(), builder);
  const auto bit_registers = encode_registers(circuit.bit_registers(), builder);
  const auto parameters = encode_parameters(circuit.parameters(), builder);
  const auto variables = encode_variables(circuit.variables(), builder);
  const auto expressions = encode_expressions(circuit.expressions(), builder, expression_ops);
  const auto branches = encode_branches(circuit.branches(), builder);
  const auto assignments = encode_assignments(circuit.assignments(), builder);
  const auto matrices = encode_matrices(circuit.matrices(), builder);
  const auto channels = encode_channels(circuit.channels(), builder);
  const auto op_names = builder.texts(ops.names());
  const auto expression_names = builder.texts(expression_ops.names());
  return fbs::CreateCircuit(builder.buffer(), name, circuit.num_wires(), circuit.num_bits(), wire_registers,
                            bit_registers, parameters, variables, op_names, expression_names, expressions, block_list,
                            branches, assignments, matrices, channels);
}

}  // namespace skerry::package
