/// \file
/// A quantum circuit as a value: a compact gate list over wires, classical bits, symbolic parameters and nested blocks.
///
///     skerry::Circuit bell(2, 2);
///     bell.h(0).cx(0, 1).measure(0, 0).measure(1, 1);
///     auto theta = bell.parameter("theta");
///     bell.rx(2 * theta + 0.1, 0);
#pragma once

#include <complex>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <skerry/channel.hpp>
#include <skerry/expression.hpp>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace skerry {

/// A qubit (or photonic mode) of a circuit; wire 0 is the least significant bit of a basis state.
using Wire = std::uint32_t;

/// What an instruction does: the gates of gates.def, then the structural operations, then what is done to modes. A
/// circuit is over qubits or over modes: gates, measure and reset do not stand beside rows of modes.def.
enum class Op : std::uint16_t {
#define SKERRY_GATE(name, targets, parameters) name,
#include <skerry/gates.def>
#undef SKERRY_GATE
  unitary,     ///< matrix `aux` of the circuit on the target wires, first target least significant
  measure,     ///< one wire in the computational basis into bit `aux`
  reset,       ///< one wire to |0>
  channel,     ///< channel `aux` of the circuit on its wires, in order
  barrier,     ///< nothing moves across these wires (none listed: all)
  delay,       ///< wires idle for parameter 0 seconds
  assign,      ///< assignment `aux`: bits or a variable take the value of an expression
  if_else,     ///< branch `aux`: condition, block if true, block if false
  while_loop,  ///< branch `aux`: condition, body
  break_loop,  ///< leaves the innermost while_loop
  continue_loop,
  end,  ///< ends the program
#define SKERRY_MODE_OP(name, modes, parameters) name,
#include <skerry/modes.def>
#undef SKERRY_MODE_OP
};
inline constexpr std::uint16_t kGateCount = static_cast<std::uint16_t>(Op::unitary);
inline constexpr std::uint16_t kOpCount = static_cast<std::uint16_t>(Op::cutoff) + 1;  // the last row of modes.def

/// True for the rows of gates.def and for unitary: what has a matrix.
constexpr bool is_gate(Op op) noexcept {
  return op <= Op::unitary;
}
/// True for the rows of modes.def.
constexpr bool is_mode_op(Op op) noexcept {
  return op > Op::end;
}
/// True for measure_homodyne and those like it, which write variables.
constexpr bool is_mode_measurement(Op op) noexcept {
  return op >= Op::measure_homodyne && op <= Op::measure_click;
}
/// `rx`, `measure`, ...
std::string_view op_name(Op op) noexcept;
/// Op of a name of gates.def or of the list above; empty when there is none. Controlled spellings (cx) are the records'
/// business.
std::optional<Op> op_from_name(std::string_view name) noexcept;
/// Target wires and parameters of a row of gates.def or modes.def.
int gate_targets(Op op) noexcept;
int gate_parameters(Op op) noexcept;

/// A symbolic input of a circuit, bound at run time.
struct Parameter {
  std::string name;
  ScalarType type;
  bool operator==(const Parameter&) const = default;
};

/// scale * parameter + offset: the common symbolic angle, written as `2 * theta + 0.1`.
struct Affine {
  std::uint32_t parameter = 0;
  double scale = 1.0;
  double offset = 0.0;
};
inline Affine operator*(double k, Affine a) {
  return {a.parameter, k * a.scale, k * a.offset};
}
inline Affine operator*(Affine a, double k) {
  return k * a;
}
inline Affine operator/(Affine a, double k) {
  return (1.0 / k) * a;
}
inline Affine operator+(Affine a, double k) {
  return {a.parameter, a.scale, a.offset + k};
}
inline Affine operator-(Affine a, double k) {
  return a + -k;
}
inline Affine operator-(Affine a) {
  return -1.0 * a;
}

/// A gate parameter: a number, or an expression of the circuit's pool.
struct Param {
  double value = 0.0;
  ExprId expr = kNoExpr;
  bool is_constant() const noexcept { return expr == kNoExpr; }
  bool operator==(const Param&) const = default;
};

/// What builder calls accept as an angle.
using Angle = std::variant<double, Affine, Param>;

/// A named run of wires or bits, in order of declaration.
struct Register {
  std::string name;
  std::uint32_t first = 0, size = 0;
  bool operator==(const Register&) const = default;
};

/// A classical variable of the program.
struct Variable {
  std::string name;
  ScalarType type;
  bool is_output = false;
  bool operator==(const Variable&) const = default;
};

/// One row of a block, as a view; valid until the block changes.
struct Instruction {
  Op op{};
  std::uint16_t controls = 0;     ///< the first `controls` wires are controls (all must be 1)
  std::uint32_t aux = 0;          ///< see Op
  std::span<const Wire> wires;    ///< controls, then targets
  std::span<const Param> params;  ///< radians unless the gate says otherwise
  std::span<const Wire> targets() const { return wires.subspan(controls); }
  std::span<const Wire> control_wires() const { return wires.first(controls); }
};

/// A straight list of instructions as a structure of arrays; control flow refers to other blocks by index.
class Block {
 public:
  std::size_t size() const noexcept { return ops_.size(); }
  bool empty() const noexcept { return ops_.empty(); }
  Instruction operator[](std::size_t i) const noexcept;
  void append(Op op, std::span<const Wire> wires, std::span<const Param> params = {}, std::uint16_t controls = 0,
              std::uint32_t aux = 0);
  void append(const Instruction& instruction) {
    append(instruction.op, instruction.wires, instruction.params, instruction.controls, instruction.aux);
  }
  void reserve(std::size_t instructions, std::size_t wires, std::size_t params);
  /// Bytes held.
  std::uint64_t bytes() const noexcept;
  bool operator==(const Block&) const = default;

 private:
  std::vector<Op> ops_;
  std::vector<std::uint16_t> controls_;
  std::vector<std::uint32_t> aux_, wire_begin_, param_begin_;
  std::vector<Wire> wires_;
  std::vector<Param> params_;
};

using BlockId = std::uint32_t;
inline constexpr BlockId kNoBlock = 0xffffffffU;

/// Condition and blocks of an if_else or while_loop (then_block is the body).
struct Branch {
  ExprId condition = kNoExpr;
  BlockId then_block = kNoBlock, else_block = kNoBlock;
  bool operator==(const Branch&) const = default;
};

/// Target and value of an assign: bits [first, first + count) or variable `first` (+ index expression for an array).
struct Assignment {
  bool to_bits = false;
  std::uint32_t first = 0, count = 1;
  ExprId index = kNoExpr;
  ExprId value = kNoExpr;
  bool operator==(const Assignment&) const = default;
};

/// A program over qubits. Copying copies; equality is structural. Not for concurrent mutation.
class Circuit {
 public:
  Circuit() = default;
  /// Registers `q` and `c` of the given sizes (an empty one is left out).
  explicit Circuit(std::uint32_t num_wires, std::uint32_t num_bits = 0);

  std::string name;

  std::uint32_t num_wires() const noexcept { return num_wires_; }
  std::uint32_t num_bits() const noexcept { return num_bits_; }
  const std::vector<Register>& wire_registers() const noexcept { return wire_registers_; }
  const std::vector<Register>& bit_registers() const noexcept { return bit_registers_; }
  const std::vector<Parameter>& parameters() const noexcept { return parameters_; }
  const std::vector<Variable>& variables() const noexcept { return variables_; }
  const std::vector<Block>& blocks() const noexcept { return blocks_; }
  const std::vector<Branch>& branches() const noexcept { return branches_; }
  const std::vector<Assignment>& assignments() const noexcept { return assignments_; }
  const std::vector<Matrix>& matrices() const noexcept { return matrices_; }
  const std::vector<Channel>& channels() const noexcept { return channels_; }
  const ExprPool& expressions() const noexcept { return expressions_; }
  ExprPool& expressions() noexcept { return expressions_; }
  const Block& body() const noexcept { return blocks_[0]; }

  /// Declares. Each gives the index of the first new wire, bit, parameter, variable.
  std::uint32_t add_wires(std::string register_name, std::uint32_t size);
  std::uint32_t add_bits(std::string register_name, std::uint32_t size);
  std::uint32_t add_parameter(std::string parameter_name, ScalarType type = {});
  std::uint32_t add_variable(Variable variable);
  /// The parameter as an angle; declared at first use.
  Affine parameter(std::string_view parameter_name);

  /// Appends to the open block (the body, unless begin_block was called). Wires: controls first, then targets.
  /// Errors: out_of_range (wire, bit), invalid_argument (a wire twice, wrong number of wires or parameters).
  Circuit& append(Op op, std::initializer_list<Wire> wires, std::initializer_list<Angle> params = {},
                  std::uint16_t controls = 0);
  Circuit& append(Op op, std::span<const Wire> wires, std::span<const Param> params, std::uint16_t controls = 0,
                  std::uint32_t aux = 0);
  Circuit& measure(Wire wire, std::uint32_t bit);
  /// Measures wire i into bit i, declaring a register `meas` when there are too few bits.
  Circuit& measure_all();
  Circuit& reset(Wire wire) { return append(Op::reset, {wire}); }
  Circuit& barrier() { return append(Op::barrier, {}); }
  /// Declares a matrix and gives its index, the `aux` of Op::unitary.
  /// Errors: invalid_argument for one that is not 2^k x 2^k with k <= 10, or not unitary to 1e-9.
  std::uint32_t add_matrix(Matrix matrix);
  /// add_matrix() and the gate that applies it.
  Circuit& unitary(Matrix matrix, std::span<const Wire> wires, std::uint16_t controls = 0);
  /// Declares a channel and gives its index, the `aux` of Op::channel.
  std::uint32_t add_channel(Channel channel);
  /// add_channel(), unless an equal one is declared, and the instruction: noise that is part of the program, honoured
  /// by the methods that take noise and refused by the others.
  Circuit& channel(Channel channel, std::span<const Wire> wires);

  /// Opens a new block and gives its id; appends go there until close_block(). Blocks nest as the caller nests calls.
  BlockId open_block();
  void close_block();
  Circuit& if_else(ExprId condition, BlockId then_block, BlockId else_block = kNoBlock);
  Circuit& while_loop(ExprId condition, BlockId body);
  Circuit& assign(Assignment assignment);

  /// A parameter of an Instruction from what builder calls accept.
  Param param(const Angle& angle);

  /// For passes: the block is replaced; branches, assignments, matrices and channels keep their indices.
  void replace_block(BlockId id, Block block) { blocks_[id] = std::move(block); }

  /// A copy in which the parameters have these values (order of declaration) and static expressions are numbers.
  /// Errors: invalid_argument when the count differs (message names the missing parameters).
  [[nodiscard]] Circuit bind(std::span<const double> values) const;

  bool operator==(const Circuit&) const;

  // One method per row of gates.def: circuit.h(0), circuit.rx(theta, 0), circuit.swap(0, 1), circuit.rzz(theta, 0, 1).
  Circuit& gphase(const Angle& a) { return append(Op::gphase, {}, {a}); }
#define SKERRY_GATE_1_0(name) \
  Circuit& name(Wire q) { return append(Op::name, {q}); }
#define SKERRY_GATE_1_1(name) \
  Circuit& name(const Angle& a, Wire q) { return append(Op::name, {q}, {a}); }
#define SKERRY_GATE_2_0(name) \
  Circuit& name(Wire q0, Wire q1) { return append(Op::name, {q0, q1}); }
#define SKERRY_GATE_2_1(name) \
  Circuit& name(const Angle& a, Wire q0, Wire q1) { return append(Op::name, {q0, q1}, {a}); }
#define SKERRY_GATE_1_2(name) \
  Circuit& name(const Angle& a, const Angle& b, Wire q) { return append(Op::name, {q}, {a, b}); }
#define SKERRY_GATE_2_2(name) \
  Circuit& name(const Angle& a, const Angle& b, Wire q0, Wire q1) { return append(Op::name, {q0, q1}, {a, b}); }
#define SKERRY_GATE_1_3(name) \
  Circuit& name(const Angle& a, const Angle& b, const Angle& c, Wire q) { return append(Op::name, {q}, {a, b, c}); }
#define SKERRY_GATE_0_1(name)
#define SKERRY_GATE(name, targets, parameters) SKERRY_GATE_##targets##_##parameters(name)
#include <skerry/gates.def>
#undef SKERRY_GATE
#undef SKERRY_GATE_0_1
#undef SKERRY_GATE_1_0
#undef SKERRY_GATE_1_1
#undef SKERRY_GATE_1_2
#undef SKERRY_GATE_1_3
#undef SKERRY_GATE_2_0
#undef SKERRY_GATE_2_1
#undef SKERRY_GATE_2_2
  Circuit& cx(Wire control, Wire target) { return append(Op::x, {control, target}, {}, 1); }
  Circuit& cz(Wire control, Wire target) { return append(Op::z, {control, target}, {}, 1); }
  Circuit& cp(const Angle& a, Wire control, Wire target) { return append(Op::p, {control, target}, {a}, 1); }
  Circuit& ccx(Wire control0, Wire control1, Wire target) { return append(Op::x, {control0, control1, target}, {}, 2); }

 private:
  Block& open() noexcept { return blocks_[open_.empty() ? 0 : open_.back()]; }

  std::uint32_t num_wires_ = 0, num_bits_ = 0;
  std::vector<Register> wire_registers_, bit_registers_;
  std::vector<Parameter> parameters_;
  std::vector<Variable> variables_;
  std::vector<Block> blocks_ = std::vector<Block>(1);
  std::vector<Branch> branches_;
  std::vector<Assignment> assignments_;
  std::vector<Matrix> matrices_;
  std::vector<Channel> channels_;
  ExprPool expressions_;
  std::vector<BlockId> open_;
};

/// True if the circuit's wires are optical modes: some instruction of its body is a row of modes.def. O(1) for what
/// ir::verify accepts, but for barriers and delays before it.
bool acts_on_modes(const Circuit& circuit) noexcept;

}  // namespace skerry
