// Blackbird of a circuit over modes: a line for each instruction, in order.

#include <skerry/error.hpp>

#include "emit/emit.hpp"
#include "ir/text/spelling.hpp"

namespace skerry::emit {
namespace {

constexpr std::string_view kExpressions[] = {
#define SKERRY_EXPR(name, operands) #name,
#include <skerry/expressions.def>
#undef SKERRY_EXPR
};

constexpr std::size_t kDeepest = 256;  // of an expression, as readers bound it

class Writer {
 public:
  explicit Writer(const Circuit& circuit) : circuit_(circuit), mode_of_(circuit.variables().size(), kNobody) {}

  std::string write() {
    text_ = ir::is_plain(circuit_.name) ? "name " + circuit_.name + "\n" : std::string("name circuit\n");
    text_ += "version 1.0\n\n";
    for (std::size_t i = 0; i < circuit_.body().size(); ++i) {
      where_ = "gate " + std::to_string(i);
      instruction(circuit_.body()[i]);
    }
    return std::move(text_);
  }

 private:
  static constexpr std::uint32_t kNobody = 0xffffffffU;

  [[noreturn]] void refuse(const std::string& what) const {
    throw Error(ErrorCode::unsupported, "Blackbird has no " + what, where_, "keep it as a package");
  }

  void instruction(const Instruction& at) {
    if (at.op == Op::barrier || at.op == Op::delay) return;
    if (!is_mode_op(at.op)) refuse("'" + std::string(op_name(at.op)) + "'");
    text_ += name_of(at.op);
    text_ += "(";
    for (std::size_t i = 0; i < at.params.size(); ++i) {
      text_ += i == 0 ? "" : ", ";
      if (i == 1 && (at.op == Op::select_homodyne)) text_ += "select=";
      if (at.op == Op::select_photons) text_ += "select=";
      text_ += at.params[i].is_constant() ? number(at.params[i].value) : expression(at.params[i].expr, 0);
    }
    text_ += ") | ";
    if (at.wires.size() == 1) text_ += std::to_string(at.wires[0]);
    for (std::size_t i = 0; at.wires.size() > 1 && i < at.wires.size(); ++i)
      text_ += (i == 0 ? "[" : ", ") + std::to_string(at.wires[i]);
    text_ += at.wires.size() > 1 ? "]\n" : "\n";
    if (!is_mode_measurement(at.op)) return;
    // The last outcome of a mode is what q0 means: an older one has no name any more.
    for (std::uint32_t& mode : mode_of_)
      if (mode == at.wires[0]) mode = kNobody;
    if (at.op != Op::measure_heterodyne) mode_of_[at.aux] = at.wires[0];
  }

  /// The name at Strawberry Fields; ours for what it does not have.
  static std::string_view name_of(Op op) {
    constexpr std::pair<Op, std::string_view> kNames[] = {{Op::displacement, "Dgate"},
                                                          {Op::squeezing, "Sgate"},
                                                          {Op::rotation, "Rgate"},
                                                          {Op::kerr, "Kgate"},
                                                          {Op::cross_kerr, "CKgate"},
                                                          {Op::cubic_phase, "Vgate"},
                                                          {Op::beam_splitter, "BSgate"},
                                                          {Op::two_mode_squeezing, "S2gate"},
                                                          {Op::loss, "LossChannel"},
                                                          {Op::prepare_vacuum, "Vacuum"},
                                                          {Op::prepare_fock, "Fock"},
                                                          {Op::prepare_thermal, "Thermal"},
                                                          {Op::measure_homodyne, "MeasureHomodyne"},
                                                          {Op::measure_heterodyne, "MeasureHeterodyne"},
                                                          {Op::measure_photons, "MeasureFock"},
                                                          {Op::measure_click, "MeasureThreshold"},
                                                          {Op::select_homodyne, "MeasureHomodyne"},
                                                          {Op::select_photons, "MeasureFock"}};
    for (const auto& [known, name] : kNames)
      if (known == op) return name;
    return op_name(op);
  }

  static std::string number(double value) { return value < 0 ? "(" + ir::number(value) + ")" : ir::number(value); }

  std::string expression(ExprId id, std::size_t depth) const {  // NOLINT(misc-no-recursion): kDeepest deep
    if (depth > kDeepest) refuse("expression of more than " + std::to_string(kDeepest) + " levels");
    const ExprNode& node = circuit_.expressions()[id];
    const auto inner = [&](ExprId operand) { return expression(operand, depth + 1); };
    const std::string name(kExpressions[static_cast<std::size_t>(node.op)]);
    if (node.op == ExprOp::constant) return number(node.value.as_real());
    if (node.op == ExprOp::parameter) {
      if (!ir::is_plain(circuit_.parameters()[node.a].name)) refuse("parameter with such a name");
      return "{" + circuit_.parameters()[node.a].name + "}";
    }
    if (node.op == ExprOp::variable) {
      if (mode_of_[node.a] == kNobody) refuse("name for an outcome that is not its mode's last");
      return "q" + std::to_string(mode_of_[node.a]);
    }
    if (node.op == ExprOp::neg) return "(-" + inner(node.a) + ")";
    constexpr ExprOp kFunctions[] = {ExprOp::sin,  ExprOp::cos,  ExprOp::tan, ExprOp::asin,
                                     ExprOp::acos, ExprOp::atan, ExprOp::exp, ExprOp::sqrt};
    for (const ExprOp function : kFunctions)
      if (node.op == function) return name + "(" + inner(node.a) + ")";
    if (node.op == ExprOp::ln) return "log(" + inner(node.a) + ")";
    constexpr std::pair<ExprOp, std::string_view> kInfix[] = {
        {ExprOp::add, "+"}, {ExprOp::sub, "-"}, {ExprOp::mul, "*"}, {ExprOp::div, "/"}, {ExprOp::pow, "**"}};
    for (const auto& [infix, sign] : kInfix)
      if (node.op == infix) return "(" + inner(node.a) + " " + std::string(sign) + " " + inner(node.b) + ")";
    refuse("'" + name + "'");
  }

  const Circuit& circuit_;
  std::vector<std::uint32_t> mode_of_;  // whose last outcome each variable is
  std::string text_, where_;
};

}  // namespace

std::string blackbird(const Circuit& circuit) {
  if (!acts_on_modes(circuit))
    throw Error(ErrorCode::unsupported, "Blackbird is for optical modes, and the wires are qubits", circuit.name,
                "write OpenQASM");
  return Writer(circuit).write();
}

}  // namespace skerry::emit
