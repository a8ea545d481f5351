#include <cmath>
#include <vector>

#include "ir/circuit/arithmetic.hpp"
#include "ir/text/expression_text.hpp"
#include "ir/text/print.hpp"
#include "ir/text/spelling.hpp"
#include "ir/text/text.hpp"
#include "ir/verify.hpp"

namespace skerry::ir {
namespace {

std::string complex_text(std::complex<double> value) {
  const bool has_imaginary = value.imag() != 0 || std::signbit(value.imag());
  if (!has_imaginary) return number(value.real());
  std::string imaginary = number(value.imag()) + "i";
  if (value.real() == 0 && !std::signbit(value.real())) return imaginary;
  return number(value.real()) + (imaginary[0] == '-' ? "" : "+") + imaginary;
}

class CircuitPrinter {
 public:
  CircuitPrinter(const Circuit& circuit, std::size_t indent, std::string& out)
      : c_(circuit), spelling_(circuit), indent_(indent), out_(out) {}

  void print() {
    out_ += "circuit " + (c_.name.empty() ? "" : "@" + spelled(c_.name) + " ") + "{\n";
    indent_ += 2;
    declarations();
    statements();
    indent_ -= 2;
    out_ += std::string(indent_, ' ') + "}";
  }

 private:
  void line(const std::string& text) { out_ += std::string(indent_, ' ') + text + ";\n"; }

  void declarations() {
    for (const Register& r : c_.wire_registers()) line("wires " + spelled(r.name) + "[" + std::to_string(r.size) + "]");
    for (const Register& r : c_.bit_registers()) line("bits " + spelled(r.name) + "[" + std::to_string(r.size) + "]");
    for (const Parameter& p : c_.parameters()) line("param " + spelled(p.name) + ": " + type_text(p.type));
    for (const Variable& v : c_.variables()) {
      line((v.is_output ? "output " : "var ") + spelled(v.name) + ": " + type_text(v.type));
    }
    for (std::size_t i = 0; i < c_.matrices().size(); ++i) {
      line("matrix #" + std::to_string(i) + " = " + matrix(c_.matrices()[i]));
    }
    for (std::size_t i = 0; i < c_.channels().size(); ++i) {
      line("noise #" + std::to_string(i) + " = " + channel(c_.channels()[i]));
    }
    for (std::size_t i = 0; i < spelling_.lets().size(); ++i) {
      line("let $" + std::to_string(i) + " = " + spelling_.definition(spelling_.lets()[i]));
    }
  }

  static std::string matrix(const Matrix& m) {
    const std::size_t n = std::size_t{1} << m.wires;
    std::string text = "[";
    for (std::size_t i = 0; i < n * n; ++i) {
      if (i != 0) text += i % n == 0 ? "; " : ", ";
      text += complex_text(m.values[i]);
    }
    return text + "]";
  }

  static std::string channel(const Channel& c) {
    std::string text = c.kind();
    if (c.numbers().empty()) {
      for (std::size_t i = 0; i < c.operators().size(); ++i) text += (i == 0 ? " " : ", ") + matrix(c.operators()[i]);
      return text;
    }
    for (std::size_t i = 0; i < c.numbers().size(); ++i) text += (i == 0 ? "(" : ", ") + number(c.numbers()[i]);
    return text + ")" + (c.wires() == 1 ? "" : " on " + std::to_string(c.wires()));
  }

  /// Blocks that are being printed, innermost last: nesting does not recurse.
  struct Open {
    BlockId block;
    BlockId then_else;  ///< block that follows as the else of the same if
    std::size_t next = 0;
  };

  void statements() {
    std::vector<Open> open = {{0, kNoBlock}};
    while (!open.empty()) {
      Open& top = open.back();
      const Block& block = c_.blocks()[top.block];
      if (top.next == block.size()) {
        const BlockId then_else = top.then_else;
        open.pop_back();
        if (open.empty()) return;
        indent_ -= 2;
        out_ += std::string(indent_, ' ') + (then_else == kNoBlock ? "}\n" : "} else {\n");
        if (then_else == kNoBlock) continue;
        indent_ += 2;
        open.push_back({then_else, kNoBlock});
        continue;
      }
      const Instruction at = block[top.next++];
      if (at.op != Op::if_else && at.op != Op::while_loop) {
        line(simple(at));
        continue;
      }
      const Branch& branch = c_.branches()[at.aux];
      out_ += std::string(indent_, ' ') + (at.op == Op::if_else ? "if (" : "while (") +
              spelling_.expression(branch.condition) + ") {\n";
      indent_ += 2;
      open.push_back({branch.then_block, branch.else_block});
    }
  }

  std::string wires(const Instruction& at) const {
    std::string text;
    for (const Wire wire : at.wires) text += (text.empty() ? " " : ", ") + spelling_.wire(wire);
    return text;
  }

  std::string simple(const Instruction& at) const {
    if (at.op == Op::measure) return "measure" + wires(at) + " -> " + spelling_.bit(at.aux);
    if (at.op == Op::assign) return assignment(c_.assignments()[at.aux]);
    if (at.op == Op::break_loop) return "break";
    if (at.op == Op::continue_loop) return "continue";
    std::string text;
    if (at.controls == 1) text = "ctrl @ ";
    if (at.controls > 1) text = "ctrl(" + std::to_string(at.controls) + ") @ ";
    text += op_name(at.op);
    if (at.op == Op::unitary || at.op == Op::channel) text += " #" + std::to_string(at.aux);
    for (std::size_t i = 0; i < at.params.size(); ++i) text += (i == 0 ? "(" : ", ") + spelling_.param(at.params[i]);
    text += (at.params.empty() ? "" : ")") + wires(at);
    if (is_mode_measurement(at.op)) text += " -> " + spelling_.variable(at.aux);
    return text;
  }

  std::string assignment(const Assignment& a) const {
    std::string target;
    if (a.to_bits) {
      target = a.count == 1 ? spelling_.bit(a.first) : spelling_.bits(a.first, a.count);
    } else {
      target = spelling_.variable(a.first);
      if (a.index != kNoExpr) target += "[" + spelling_.expression(a.index) + " of " + std::to_string(a.count) + "]";
    }
    return target + " = " + spelling_.expression(a.value);
  }

  const Circuit& c_;
  Spelling spelling_;
  std::size_t indent_;
  std::string& out_;
};

}  // namespace

void print_circuit(const Circuit& circuit, std::size_t indent, std::string& out) {
  CircuitPrinter(circuit, indent, out).print();
}

std::string print(const Circuit& circuit) {
  verify(circuit);
  std::string out;
  print_circuit(circuit, 0, out);
  return out + "\n";
}

}  // namespace skerry::ir
