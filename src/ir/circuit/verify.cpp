#include "ir/verify.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <skerry/error.hpp>

#include "ir/circuit/uses.hpp"

namespace skerry::ir {
namespace {

[[noreturn]] void refuse(std::string where, std::string why) {
  throw Error(ErrorCode::semantic_error, std::move(why), std::move(where));
}

std::string of_total(const char* what, std::size_t index, std::size_t count) {
  return std::string(what) + " " + std::to_string(index) + " of " + std::to_string(count);
}

/// Where runs of variables of one type end: many expressions may name one long array, and each asks in O(1).
class TypeRuns {
 public:
  explicit TypeRuns(const std::vector<Variable>& variables) : ends_(variables.size()) {
    for (std::size_t i = ends_.size(); i-- > 0;) {
      const bool goes_on = i + 1 < ends_.size() && variables[i].type == variables[i + 1].type;
      ends_[i] = goes_on ? ends_[i + 1] : i + 1;
    }
  }
  /// True if the variables [first, first + count), count >= 1, all exist and have one type.
  bool holds(std::uint64_t first, std::uint64_t count) const {
    return first < ends_.size() && ends_[first] >= first + count;
  }

 private:
  std::vector<std::size_t> ends_;
};

/// What must hold once for the whole circuit: types, expressions, matrices.
class Declarations {
 public:
  Declarations(const Circuit& circuit, const TypeRuns& runs) : c_(circuit), runs_(runs) {}

  void check() const {
    for (const Parameter& p : c_.parameters()) check_type("parameter " + p.name, p.type);
    for (const Variable& v : c_.variables()) check_type("variable " + v.name, v.type);
    for (ExprId id = 0; id < c_.expressions().size(); ++id) check_leaf(id);
    for (std::size_t i = 0; i < c_.matrices().size(); ++i) check_matrix(i);
  }

 private:
  static void check_type(const std::string& where, ScalarType type) {
    const bool is_fine = type.kind == ScalarKind::boolean ? type.width == 1 : type.width >= 1 && type.width <= 64;
    if (!is_fine || type.kind > ScalarKind::angle) refuse(where, "a type of " + std::to_string(type.width) + " bits");
  }

  void check_leaf(ExprId id) const {
    const ExprNode& n = c_.expressions()[id];
    const std::string where = "expression " + std::to_string(id);
    const auto check_named = [&](const char* what, std::size_t count, auto type_of) {
      if (n.a >= count) refuse(where, of_total(what, n.a, count));
      if (type_of(n.a) != n.type) refuse(where, std::string(what) + " read with a type it was not declared with");
    };
    if (n.op == ExprOp::parameter) {
      check_named("parameter", c_.parameters().size(), [&](std::uint32_t i) { return c_.parameters()[i].type; });
    } else if (n.op == ExprOp::variable) {
      check_named("variable", c_.variables().size(), [&](std::uint32_t i) { return c_.variables()[i].type; });
    } else if (n.op == ExprOp::bit || n.op == ExprOp::bits) {
      const std::uint64_t last = std::uint64_t{n.a} + (n.op == ExprOp::bits ? n.b : 1);
      if (last > c_.num_bits()) refuse(where, of_total("bit", last - 1, c_.num_bits()));
    } else if (n.op == ExprOp::element) {
      check_array(where, n.a, n.c, n.type);
    }
  }

  void check_array(const std::string& where, std::uint64_t first, std::uint64_t count, ScalarType type) const {
    if (count == 0) refuse(where, "an array of no elements");
    if (first + count > c_.variables().size()) {
      refuse(where, of_total("variable", first + count - 1, c_.variables().size()));
    }
    const bool is_one_type = c_.variables()[first].type == type && runs_.holds(first, count);
    if (!is_one_type) refuse(where, "array elements of different types");
  }

  void check_matrix(std::size_t index) const {
    const Matrix& m = c_.matrices()[index];
    const std::string where = "matrix " + std::to_string(index);
    if (m.wires > 31 || m.values.size() != std::size_t{1} << (2 * m.wires)) {
      refuse(where, std::to_string(m.values.size()) + " entries on " + std::to_string(m.wires) + " wires");
    }
    const bool is_finite = std::ranges::all_of(
        m.values, [](std::complex<double> v) { return std::isfinite(v.real()) && std::isfinite(v.imag()); });
    if (!is_finite) refuse(where, "an entry that is not a finite number");
  }

  const Circuit& c_;
  const TypeRuns& runs_;
};

/// Walks the blocks from the body; each is entered once.
class Blocks {
 public:
  Blocks(const Circuit& circuit, const TypeRuns& runs)
      : c_(circuit), runs_(runs), is_used_(circuit.blocks().size(), 0) {}

  void check() {
    is_used_[0] = 1;
    pending_.push_back({0, 1, false});
    while (!pending_.empty()) {
      const Place place = pending_.back();
      pending_.pop_back();
      const Block& block = c_.blocks()[place.block];
      for (std::size_t i = 0; i < block.size(); ++i) {
        place_ = place;
        gate_ = i;
        check_instruction(block[i]);
      }
    }
  }

 private:
  struct Place {
    BlockId block;
    std::size_t depth;
    bool is_in_loop;
  };

  [[noreturn]] void fail(const Instruction& at, const std::string& why) const {
    std::string op = static_cast<std::uint16_t>(at.op) < kOpCount ? std::string(op_name(at.op))
                                                                  : "op " + std::to_string(static_cast<int>(at.op));
    refuse("block " + std::to_string(place_.block) + " gate " + std::to_string(gate_), "'" + op + "' " + why);
  }
  void need(bool holds, const Instruction& at, const char* why) const {
    if (!holds) fail(at, why);
  }

  void check_instruction(const Instruction& at) {
    need(static_cast<std::uint16_t>(at.op) < kOpCount, at, "is not an operation");
    check_kind(at);
    check_wires(at);
    need(at.controls <= at.wires.size(), at, "has more controls than wires");
    need(at.controls == 0 || is_gate(at.op), at, "cannot be controlled");
    for (const Param& p : at.params) {
      need(!p.is_constant() || std::isfinite(p.value), at, "has a parameter that is not a finite number");
      need(p.is_constant() || p.expr < c_.expressions().size(), at, "has an expression that does not exist");
    }
    check_operands(at);
  }

  /// Wires are qubits or modes, all of them.
  void check_kind(const Instruction& at) {
    const bool on_modes = is_mode_op(at.op);
    if (!on_modes && !is_gate(at.op) && at.op != Op::measure && at.op != Op::reset) return;
    if (!on_modes_) on_modes_ = on_modes;
    need(*on_modes_ == on_modes, at,
         on_modes ? "acts on modes, in a circuit of qubits" : "acts on qubits, in a circuit of modes");
    need(!on_modes || place_.depth == 1, at, "stands in a branch or loop; circuits of modes are straight");
  }

  /// The variables that a measurement of a mode writes.
  void check_outcome(const Instruction& at) const {
    const std::uint64_t last = std::uint64_t{at.aux} + (at.op == Op::measure_heterodyne ? 1 : 0);
    need(last < c_.variables().size(), at, "writes a variable that does not exist");
    for (std::uint64_t i = at.aux; i <= last; ++i)
      need(c_.variables()[i].type == ScalarType{}, at, "writes a variable that is not a float[64]");
  }

  void check_wires(const Instruction& at) const {
    for (const Wire wire : at.wires) {
      if (wire >= c_.num_wires()) fail(at, "is on " + of_total("wire", wire, c_.num_wires()));
    }
    if (const auto twice = repeated_wire(at.wires)) fail(at, "uses wire " + std::to_string(*twice) + " twice");
  }

  void check_counts(const Instruction& at, std::size_t targets, std::size_t params) const {
    need(at.targets().size() == targets, at, "has the wrong number of target wires");
    need(at.params.size() == params, at, "has the wrong number of parameters");
  }

  void check_operands(const Instruction& at) {
    switch (at.op) {
      case Op::unitary:
        need(at.aux < c_.matrices().size(), at, "names a matrix that does not exist");
        return check_counts(at, c_.matrices()[at.aux].wires, 0);
      case Op::measure:
        need(at.aux < c_.num_bits(), at, "writes a bit that does not exist");
        return check_counts(at, 1, 0);
      case Op::reset:
        return check_counts(at, 1, 0);
      case Op::channel:
        need(at.aux < c_.channels().size(), at, "names a channel that does not exist");
        return check_counts(at, c_.channels()[at.aux].wires(), 0);
      case Op::barrier:
        return check_counts(at, at.wires.size(), 0);
      case Op::delay:
        return check_counts(at, at.wires.size(), 1);
      case Op::assign:
        check_counts(at, 0, 0);
        return check_assignment(at);
      case Op::break_loop:
      case Op::continue_loop:
        check_counts(at, 0, 0);
        return need(place_.is_in_loop, at, "stands outside of any loop");
      case Op::if_else:
      case Op::while_loop:
        check_counts(at, 0, 0);
        return check_branch(at);
      case Op::end:
        return check_counts(at, 0, 0);
#define SKERRY_GATE(name, gate_targets, gate_parameters) \
  case Op::name:                                         \
    return check_counts(at, gate_targets, gate_parameters);
#include <skerry/gates.def>
#undef SKERRY_GATE
#define SKERRY_MODE_OP(name, modes, parameters) case Op::name:
#include <skerry/modes.def>
#undef SKERRY_MODE_OP
        if (is_mode_measurement(at.op)) check_outcome(at);
        return check_counts(at, static_cast<std::size_t>(gate_targets(at.op)),
                            static_cast<std::size_t>(gate_parameters(at.op)));
    }
  }

  void check_branch(const Instruction& at) {
    need(at.aux < c_.branches().size(), at, "names a branch that does not exist");
    const Branch& branch = c_.branches()[at.aux];
    need(branch.condition < c_.expressions().size(), at, "has a condition that does not exist");
    enter(at, branch.then_block);
    if (branch.else_block == kNoBlock) return;
    need(at.op == Op::if_else, at, "has an else block");
    enter(at, branch.else_block);
  }

  void enter(const Instruction& at, BlockId block) {
    need(block < c_.blocks().size(), at, "has a block that does not exist");
    need(is_used_[block] == 0, at, "has a block that is used already");
    if (place_.depth > kMaxNesting) fail(at, "nests deeper than " + std::to_string(kMaxNesting) + " blocks");
    is_used_[block] = 1;
    pending_.push_back({block, place_.depth + 1, place_.is_in_loop || at.op == Op::while_loop});
  }

  void check_assignment(const Instruction& at) const {
    need(at.aux < c_.assignments().size(), at, "names an assignment that does not exist");
    const Assignment& a = c_.assignments()[at.aux];
    need(a.value < c_.expressions().size(), at, "has a value that does not exist");
    const std::size_t places = a.to_bits ? c_.num_bits() : c_.variables().size();
    need(a.count >= 1 && std::uint64_t{a.first} + a.count <= places, at, "writes places that do not exist");
    if (a.to_bits) {
      need(a.count <= 64, at, "writes more than 64 bits at once");
      return need(a.index == kNoExpr, at, "indexes bits by an expression");
    }
    if (a.index == kNoExpr) return need(a.count == 1, at, "writes several variables at once");
    need(a.index < c_.expressions().size(), at, "has an index that does not exist");
    need(c_.expressions()[a.index].type.kind < ScalarKind::real, at, "has an index that is not an integer");
    need(runs_.holds(a.first, a.count), at, "writes an array of different types");
  }

  const Circuit& c_;
  const TypeRuns& runs_;
  std::vector<std::uint8_t> is_used_;
  std::vector<Place> pending_;
  Place place_{};
  std::optional<bool> on_modes_;
  std::size_t gate_ = 0;
};

}  // namespace

void verify(const Circuit& circuit) {
  const TypeRuns runs(circuit.variables());
  Declarations(circuit, runs).check();
  Blocks(circuit, runs).check();
}

}  // namespace skerry::ir
