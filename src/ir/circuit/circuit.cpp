#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <skerry/circuit.hpp>
#include <skerry/error.hpp>

#include "ir/circuit/uses.hpp"

namespace skerry {
namespace {

constexpr double kUnitaryTolerance = 1e-9;     // the promise of Circuit::unitary
constexpr std::uint32_t kMaxMatrixWires = 10;  // checking costs 8^k multiply-adds: a second at 10

[[noreturn]] void refuse(ErrorCode code, Op op, const std::string& why, std::string hint = {}) {
  throw Error(code, "'" + std::string(op_name(op)) + "' " + why, {}, std::move(hint));
}

std::uint32_t grown(std::uint32_t count, std::uint32_t size, const char* what) {
  if (size > std::numeric_limits<std::int32_t>::max() - std::min<std::uint32_t>(count, 0x7fffffffU)) {
    throw Error(ErrorCode::out_of_range, "a circuit of more than 2^31 - 1 " + std::string(what));
  }
  return count + size;
}

void check_wires(Op op, std::span<const Wire> wires, std::uint32_t num_wires) {
  for (const Wire wire : wires) {
    if (wire >= num_wires) {
      refuse(ErrorCode::out_of_range, op,
             "on wire " + std::to_string(wire) + " of a circuit of " + std::to_string(num_wires) + " wires",
             "declare a larger register");
    }
  }
  if (const auto twice = ir::repeated_wire(wires)) {
    refuse(ErrorCode::invalid_argument, op, "uses wire " + std::to_string(*twice) + " twice");
  }
}

void check_index(Op op, std::uint32_t index, std::size_t count, const char* what) {
  if (index < count) return;
  refuse(ErrorCode::out_of_range, op,
         "names " + std::string(what) + " " + std::to_string(index) + " of " + std::to_string(count));
}

void check_counts(Op op, std::size_t targets, std::size_t wanted_targets, std::size_t params,
                  std::size_t wanted_params) {
  if (targets != wanted_targets) {
    refuse(ErrorCode::invalid_argument, op,
           "needs " + std::to_string(wanted_targets) + " target wires, not " + std::to_string(targets));
  }
  if (params != wanted_params) {
    refuse(ErrorCode::invalid_argument, op,
           "needs " + std::to_string(wanted_params) + " parameters, not " + std::to_string(params));
  }
}

void check_unitary(const Matrix& matrix) {
  if (matrix.wires > kMaxMatrixWires || matrix.values.size() != std::size_t{1} << (2 * matrix.wires)) {
    throw Error(ErrorCode::invalid_argument,
                "a matrix on " + std::to_string(matrix.wires) + " wires with " + std::to_string(matrix.values.size()) +
                    " entries",
                {}, "give 2^k x 2^k entries, k at most " + std::to_string(kMaxMatrixWires));
  }
  const std::size_t n = std::size_t{1} << matrix.wires;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      std::complex<double> dot = 0;
      for (std::size_t k = 0; k < n; ++k) dot += matrix.values[i * n + k] * std::conj(matrix.values[j * n + k]);
      // Written so that a NaN fails as well.
      if (!(std::abs(dot - (i == j ? 1.0 : 0.0)) <= kUnitaryTolerance)) {
        throw Error(
            ErrorCode::invalid_argument,
            "a matrix whose rows " + std::to_string(j) + " and " + std::to_string(i) + " are not orthonormal to 1e-9",
            {}, "normalise it");
      }
    }
  }
}

}  // namespace

Circuit::Circuit(std::uint32_t num_wires, std::uint32_t num_bits) {
  if (num_wires != 0) add_wires("q", num_wires);
  if (num_bits != 0) add_bits("c", num_bits);
}

std::uint32_t Circuit::add_wires(std::string register_name, std::uint32_t size) {
  const std::uint32_t first = num_wires_;
  num_wires_ = grown(num_wires_, size, "wires");
  wire_registers_.push_back({std::move(register_name), first, size});
  return first;
}

std::uint32_t Circuit::add_bits(std::string register_name, std::uint32_t size) {
  const std::uint32_t first = num_bits_;
  num_bits_ = grown(num_bits_, size, "bits");
  bit_registers_.push_back({std::move(register_name), first, size});
  return first;
}

std::uint32_t Circuit::add_parameter(std::string parameter_name, ScalarType type) {
  parameters_.push_back({std::move(parameter_name), type});
  return static_cast<std::uint32_t>(parameters_.size() - 1);
}

std::uint32_t Circuit::add_variable(Variable variable) {
  variables_.push_back(std::move(variable));
  return static_cast<std::uint32_t>(variables_.size() - 1);
}

Affine Circuit::parameter(std::string_view parameter_name) {
  const auto found = std::ranges::find(parameters_, parameter_name, &Parameter::name);
  if (found != parameters_.end()) return {static_cast<std::uint32_t>(found - parameters_.begin())};
  return {add_parameter(std::string(parameter_name))};
}

Param Circuit::param(const Angle& angle) {
  if (const auto* value = std::get_if<double>(&angle)) return {*value};
  if (const auto* param = std::get_if<Param>(&angle)) return *param;
  const auto& affine = std::get<Affine>(angle);
  if (affine.parameter >= parameters_.size()) {
    throw Error(ErrorCode::out_of_range, "parameter " + std::to_string(affine.parameter) + " of a circuit that has " +
                                             std::to_string(parameters_.size()));
  }
  ExprId id = expressions_.leaf(ExprOp::parameter, affine.parameter, parameters_[affine.parameter].type);
  if (affine.scale != 1.0) id = expressions_.binary(ExprOp::mul, expressions_.constant(affine.scale), id);
  if (affine.offset != 0.0) id = expressions_.binary(ExprOp::add, id, expressions_.constant(affine.offset));
  return {0.0, id};
}

Circuit& Circuit::append(Op op, std::initializer_list<Wire> wires, std::initializer_list<Angle> params,
                         std::uint16_t controls) {
  constexpr std::size_t kMostParameters = 3;  // of a row of gates.def
  if (params.size() > kMostParameters) {
    refuse(ErrorCode::invalid_argument, op, "with " + std::to_string(params.size()) + " parameters");
  }
  std::array<Param, kMostParameters> converted;
  std::size_t count = 0;
  for (const Angle& angle : params) converted[count++] = param(angle);
  return append(op, std::span(wires.begin(), wires.size()), std::span(converted).first(count), controls);
}

Circuit& Circuit::append(Op op, std::span<const Wire> wires, std::span<const Param> params, std::uint16_t controls,
                         std::uint32_t aux) {
  check_wires(op, wires, num_wires_);
  if (controls > wires.size()) refuse(ErrorCode::invalid_argument, op, "with more controls than wires");
  if (controls != 0 && !is_gate(op)) refuse(ErrorCode::invalid_argument, op, "cannot be controlled");
  const std::size_t targets = wires.size() - controls;
  std::size_t wanted_targets = 0;
  std::size_t wanted_params = 0;
  switch (op) {
    case Op::unitary:
      check_index(op, aux, matrices_.size(), "matrix");
      wanted_targets = matrices_[aux].wires;
      break;
    case Op::measure:
      check_index(op, aux, num_bits_, "bit");
      wanted_targets = 1;
      break;
    case Op::reset:
      wanted_targets = 1;
      break;
    case Op::channel:
      check_index(op, aux, channels_.size(), "channel");
      wanted_targets = channels_[aux].wires();
      break;
    case Op::barrier:
      wanted_targets = targets;
      break;
    case Op::delay:
      wanted_targets = targets;
      wanted_params = 1;
      break;
    case Op::assign:
      check_index(op, aux, assignments_.size(), "assignment");
      break;
    case Op::if_else:
    case Op::while_loop:
      check_index(op, aux, branches_.size(), "branch");
      break;
    case Op::break_loop:
    case Op::continue_loop:
    case Op::end:
      break;
#define SKERRY_GATE(name, gate_targets, gate_parameters) \
  case Op::name:                                         \
    wanted_targets = gate_targets;                       \
    wanted_params = gate_parameters;                     \
    break;
#include <skerry/gates.def>
#undef SKERRY_GATE
#define SKERRY_MODE_OP(name, modes, parameters) case Op::name:
#include <skerry/modes.def>
#undef SKERRY_MODE_OP
      if (is_mode_measurement(op))
        check_index(op, aux + (op == Op::measure_heterodyne ? 1U : 0U), variables_.size(), "variable");
      wanted_targets = static_cast<std::size_t>(gate_targets(op));
      wanted_params = static_cast<std::size_t>(gate_parameters(op));
      break;
  }
  check_counts(op, targets, wanted_targets, params.size(), wanted_params);
  bool is_canonical = true;
  for (const Param& p : params) {
    if (p.is_constant() ? !std::isfinite(p.value) : p.expr >= expressions_.size()) {
      refuse(
          ErrorCode::invalid_argument, op,
          p.is_constant() ? "with a parameter that is not a finite number" : "with an expression that does not exist");
    }
    is_canonical = is_canonical && (p.is_constant() || (p.value == 0.0 && !expressions_.is_constant(p.expr)));
  }
  if (is_canonical) {
    open().append(op, wires, params, controls, aux);
    return *this;
  }
  // An expression that folded to a number is stored as that number, so that equal gates are equal rows.
  std::vector<Param> canonical(params.begin(), params.end());
  for (Param& p : canonical) {
    if (p.is_constant()) continue;
    p = expressions_.is_constant(p.expr) ? Param{expressions_[p.expr].value.as_real()} : Param{0.0, p.expr};
  }
  open().append(op, wires, canonical, controls, aux);
  return *this;
}

Circuit& Circuit::measure(Wire wire, std::uint32_t bit) {
  return append(Op::measure, std::span(&wire, 1), {}, 0, bit);
}

Circuit& Circuit::measure_all() {
  if (num_bits_ < num_wires_) add_bits("meas", num_wires_ - num_bits_);
  for (Wire wire = 0; wire < num_wires_; ++wire) measure(wire, wire);
  return *this;
}

std::uint32_t Circuit::add_matrix(Matrix matrix) {
  check_unitary(matrix);
  matrices_.push_back(std::move(matrix));
  return static_cast<std::uint32_t>(matrices_.size() - 1);
}

Circuit& Circuit::unitary(Matrix matrix, std::span<const Wire> wires, std::uint16_t controls) {
  return append(Op::unitary, wires, {}, controls, add_matrix(std::move(matrix)));
}

std::uint32_t Circuit::add_channel(Channel channel) {
  // One given by matrices or strings, or by an infinite time, is its operators: what text and packages can say again.
  const auto kinds = channel_kinds();
  const bool is_named = std::ranges::find(kinds, channel.kind(), &ChannelKind::name) != kinds.end() &&
                        std::ranges::all_of(channel.numbers(), [](double n) { return std::isfinite(n); });
  if (!is_named && channel.kind() != "kraus") channel = Channel::kraus(channel.operators());
  channels_.push_back(std::move(channel));
  return static_cast<std::uint32_t>(channels_.size() - 1);
}

Circuit& Circuit::channel(Channel channel, std::span<const Wire> wires) {
  const auto known = std::ranges::find(channels_, channel);
  const bool is_new = known == channels_.end();
  const std::uint32_t index =
      is_new ? add_channel(std::move(channel)) : static_cast<std::uint32_t>(known - channels_.begin());
  return append(Op::channel, wires, {}, 0, index);
}

BlockId Circuit::open_block() {
  blocks_.emplace_back();
  open_.push_back(static_cast<BlockId>(blocks_.size() - 1));
  return open_.back();
}

void Circuit::close_block() {
  if (open_.empty()) throw Error(ErrorCode::internal, "close_block() without an open block");
  open_.pop_back();
}

Circuit& Circuit::if_else(ExprId condition, BlockId then_block, BlockId else_block) {
  check_index(Op::if_else, condition, expressions_.size(), "expression");
  check_index(Op::if_else, then_block, blocks_.size(), "block");
  if (else_block != kNoBlock) check_index(Op::if_else, else_block, blocks_.size(), "block");
  branches_.push_back({condition, then_block, else_block});
  return append(Op::if_else, {}, {}, 0, static_cast<std::uint32_t>(branches_.size() - 1));
}

Circuit& Circuit::while_loop(ExprId condition, BlockId body_block) {
  check_index(Op::while_loop, condition, expressions_.size(), "expression");
  check_index(Op::while_loop, body_block, blocks_.size(), "block");
  branches_.push_back({condition, body_block, kNoBlock});
  return append(Op::while_loop, {}, {}, 0, static_cast<std::uint32_t>(branches_.size() - 1));
}

Circuit& Circuit::assign(Assignment assignment) {
  check_index(Op::assign, assignment.value, expressions_.size(), "expression");
  if (assignment.index != kNoExpr) check_index(Op::assign, assignment.index, expressions_.size(), "expression");
  const std::size_t places = assignment.to_bits ? num_bits_ : variables_.size();
  if (assignment.count > places || assignment.first > places - assignment.count) {
    refuse(ErrorCode::out_of_range, Op::assign,
           "to " + std::to_string(assignment.count) + " places from " + std::to_string(assignment.first) + " of " +
               std::to_string(places));
  }
  assignments_.push_back(assignment);
  return append(Op::assign, {}, {}, 0, static_cast<std::uint32_t>(assignments_.size() - 1));
}

}  // namespace skerry
