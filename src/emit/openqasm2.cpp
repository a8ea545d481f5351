#include <optional>
#include <set>
#include <skerry/error.hpp>
#include <utility>
#include <vector>

#include "emit/emit.hpp"
#include "emit/gate_text.hpp"
#include "emit/names.hpp"

namespace skerry::emit {
namespace {

class Writer2 {
 public:
  explicit Writer2(const Circuit& circuit) : circuit_(circuit) {
    Names names(2);
    for (const Register& r : circuit.wire_registers()) name_all(r, names, "qreg ", wires_);
    for (const Register& r : circuit.bit_registers()) {
      const std::string name = name_all(r, names, "creg ", bits_);
      bit_registers_.emplace_back(r, name);
    }
    if (!circuit.variables().empty()) refuse("classical variables", "body");
  }

  std::string run() {
    block(circuit_.body(), "");
    return "OPENQASM 2.0;\ninclude \"qelib1.inc\";\n" + definitions_ + head_ + text_;
  }

 private:
  [[noreturn]] static void refuse(const std::string& what, const std::string& where) {
    throw Error(ErrorCode::unsupported, "OpenQASM 2 has no " + what, where, "write OpenQASM 3");
  }

  std::string name_all(const Register& r, Names& names, std::string_view keyword, std::vector<std::string>& each) {
    std::string name = names.take(r.name);
    if (r.size != 0) head_.append(keyword).append(name).append("[").append(std::to_string(r.size)).append("];\n");
    for (std::uint32_t i = 0; i < r.size; ++i) each.push_back(name + "[" + std::to_string(i) + "]");
    return name;
  }

  void block(const Block& block, const std::string& prefix) {
    for (std::size_t i = 0; i < block.size(); ++i) instruction(block[i], prefix, "gate " + std::to_string(i));
  }

  void instruction(const Instruction& at, const std::string& prefix, const std::string& where) {
    if (at.op == Op::unitary) refuse("matrices; compile the circuit for a target", where);
    if (is_gate(at.op)) {
      gate(at, prefix, where);
    } else if (at.op == Op::measure) {
      text_.append(prefix).append("measure ").append(wires_[at.wires[0]]).append(" -> ").append(bits_[at.aux]);
      text_ += ";\n";
    } else if (at.op == Op::reset) {
      text_.append(prefix).append("reset ").append(wires_[at.wires[0]]).append(";\n");
    } else if (at.op == Op::barrier) {
      barrier(at);
    } else if (at.op == Op::if_else) {
      condition(circuit_.branches()[at.aux], prefix, where);
    } else {
      refuse(std::string(op_name(at.op)), where);
    }
  }

  void barrier(const Instruction& at) {
    text_ += "barrier";
    std::string_view separator = " ";
    const auto add = [&](const std::string& wire) {
      text_.append(separator).append(wire);
      separator = ", ";
    };
    if (at.wires.empty()) {
      for (const std::string& wire : wires_) add(wire);
    } else {
      for (const Wire wire : at.wires) add(wires_[wire]);
    }
    text_ += ";\n";
  }

  void gate(const Instruction& at, const std::string& prefix, const std::string& where) {
    if (at.op == Op::gphase && at.controls == 0) return;
    if (at.op == Op::gphase) {  // a phase on the controls is p on one of them under the others
      const auto controls = static_cast<std::uint16_t>(at.controls - 1);
      return gate({.op = Op::p, .controls = controls, .wires = at.wires, .params = at.params}, prefix, where);
    }
    const GateText spelled = gate_text2(at.op, at.controls);
    if (spelled.name.empty()) {
      refuse(std::string(op_name(at.op)) + " with " + std::to_string(at.controls) + " controls", where);
    }
    if (!spelled.definition.empty() && defined_.insert(spelled.name).second) {
      definitions_.append(spelled.definition).append("\n");
    }
    text_.append(prefix).append(spelled.name);
    for (std::size_t i = 0; i < at.params.size(); ++i) {
      text_ += i == 0 ? '(' : ',';
      if (!at.params[i].is_constant()) refuse("symbolic angles; bind the parameters", where);
      append_number(text_, at.params[i].value);
    }
    if (!at.params.empty()) text_ += ')';
    for (std::size_t i = 0; i < at.wires.size(); ++i) text_.append(i == 0 ? " " : ",").append(wires_[at.wires[i]]);
    text_ += ";\n";
  }

  // `register == number`, or one bit of a register of one bit.
  std::optional<std::string> comparison(ExprId id) const {
    const ExprPool& pool = circuit_.expressions();
    const auto whole = [&](ExprId leaf) -> std::optional<std::string> {
      ExprNode node = pool[leaf];
      while (node.op == ExprOp::cast) node = pool[node.a];
      const std::uint32_t count = node.op == ExprOp::bit ? 1 : node.b;
      if (node.op != ExprOp::bit && node.op != ExprOp::bits) return std::nullopt;
      for (const auto& [r, name] : bit_registers_) {
        if (r.first == node.a && r.size == count) return name;
      }
      return std::nullopt;
    };
    const ExprNode& node = pool[id];
    if (node.op == ExprOp::eq) {
      for (const auto& [leaf, number] : {std::pair(node.a, node.b), std::pair(node.b, node.a)}) {
        const auto name = whole(leaf);
        if (name && pool.is_constant(number)) return *name + "==" + std::to_string(pool[number].value.as_integer());
      }
      return std::nullopt;
    }
    const bool negated = node.op == ExprOp::logical_not;
    const auto name = whole(negated ? node.a : id);
    if (!name || pool[negated ? node.a : id].op != ExprOp::bit) return std::nullopt;
    return *name + (negated ? "==0" : "==1");
  }

  void condition(const Branch& branch, const std::string& prefix, const std::string& where) {
    if (branch.else_block != kNoBlock && !circuit_.blocks()[branch.else_block].empty()) refuse("else", where);
    const auto text = comparison(branch.condition);
    if (!text || !prefix.empty()) refuse("such a condition", where);
    const Block& body = circuit_.blocks()[branch.then_block];
    // The condition is asked for every statement, so none of them may change its bits.
    for (std::size_t i = 0; i + 1 < body.size(); ++i) {
      if (body[i].op == Op::measure) refuse("block under a condition that measures", where);
    }
    block(body, "if(" + *text + ") ");
  }

  const Circuit& circuit_;
  std::string head_, definitions_, text_;
  std::vector<std::string> wires_, bits_;
  std::vector<std::pair<Register, std::string>> bit_registers_;
  std::set<std::string_view> defined_;
};

}  // namespace

std::string openqasm2(const Circuit& circuit) {
  return Writer2(circuit).run();
}

}  // namespace skerry::emit
