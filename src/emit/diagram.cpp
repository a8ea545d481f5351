#include "emit/diagram.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <numeric>
#include <utility>

#include "base/markup.hpp"
#include "ir/text/expression_text.hpp"

namespace skerry::emit {
namespace {

// A drawing is for people; what goes on longer is cut, and says so.
constexpr std::size_t kMostColumns = 200;
constexpr std::uint32_t kMostWires = 64;
constexpr std::size_t kLongestLabel = 24;

bool is_flow(Op op) {
  return op == Op::if_else || op == Op::while_loop;
}

bool continues(char c) {
  return (static_cast<unsigned char>(c) & 0xc0U) == 0x80U;
}
// Letters of a UTF-8 text.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return !continues(c); }));
}
std::string shortened(std::string text) {
  if (width_of(text) <= kLongestLabel) return text;
  std::size_t end = 0;
  for (std::size_t seen = 0; seen < kLongestLabel; ++end) seen += continues(text[end]) ? 0 : 1;
  return text.substr(0, end - 1) + "…";
}
std::string repeated(std::string_view piece, std::size_t times) {
  std::string text;
  for (std::size_t i = 0; i < times; ++i) text += piece;
  return text;
}

class Arranger {
 public:
  explicit Arranger(const Circuit& circuit)
      : circuit_(circuit),
        spelling_(circuit),
        wires_(std::min(circuit.num_wires(), kMostWires)),
        free_(circuit.num_wires(), 0) {}

  Drawing run() {
    Drawing drawing;
    for (Wire wire = 0; wire < wires_; ++wire) drawing.names.push_back(spelling_.wire(wire));
    std::size_t left_out = 0;
    const Block& body = circuit_.body();
    for (std::size_t i = 0; i < body.size(); ++i) {
      DrawnElement element = drawn(body[i]);
      if (element.targets.empty() && element.controls.empty()) continue;
      if (element.column >= kMostColumns) {
        ++left_out;
        continue;
      }
      drawing.columns = std::max(drawing.columns, element.column + 1);
      drawing.elements.push_back(std::move(element));
    }
    if (circuit_.num_wires() > wires_) drawing.note = std::to_string(circuit_.num_wires() - wires_) + " more qubits";
    if (left_out > 0) {
      drawing.note += (drawing.note.empty() ? "" : ", ") + std::to_string(left_out) + " more instructions";
    }
    return drawing;
  }

 private:
  DrawnElement drawn(const Instruction& at) {
    std::vector<Wire> wires(at.wires.begin(), at.wires.end());
    const bool reads_bits = is_flow(at.op) || at.op == Op::assign;
    if (is_flow(at.op)) wires = touched(circuit_.branches()[at.aux]);
    if ((at.op == Op::barrier || reads_bits) && wires.empty()) wires = all();
    DrawnElement element;
    for (std::size_t k = 0; k < wires.size(); ++k) {
      if (wires[k] < wires_) (k < at.controls ? element.controls : element.targets).push_back(wires[k]);
    }
    std::erase_if(wires, [&](Wire wire) { return wire >= wires_; });
    if (wires.empty()) return element;
    const auto [first, last] = std::ranges::minmax(wires);
    for (Wire wire = first; wire <= last; ++wire) element.column = std::max(element.column, free_[wire]);
    if (reads_bits) element.column = std::max(element.column, measured_);  // bits are read after they were written
    for (Wire wire = first; wire <= last; ++wire) free_[wire] = element.column + 1;
    if (reads_bits || at.op == Op::measure) measured_ = std::max(measured_, element.column + 1);
    element.label = label(at);
    // Controls alone (the targets are further down than is drawn) still need something to hang from.
    if (element.targets.empty()) element.targets = std::exchange(element.controls, {});
    return element;
  }

  std::vector<Wire> all() const {
    std::vector<Wire> wires(circuit_.num_wires());
    std::iota(wires.begin(), wires.end(), 0U);
    return wires;
  }

  std::vector<Wire> touched(const Branch& outer) const {
    std::vector<std::uint8_t> seen(circuit_.num_wires(), 0);
    std::vector<Branch> waiting = {outer};
    while (!waiting.empty()) {
      const Branch branch = waiting.back();
      waiting.pop_back();
      for (const BlockId id : {branch.then_block, branch.else_block}) {
        if (id == kNoBlock) continue;
        const Block& block = circuit_.blocks()[id];
        for (std::size_t i = 0; i < block.size(); ++i) {
          const Instruction at = block[i];
          for (const Wire wire : at.wires) seen[wire] = 1;
          if (is_flow(at.op)) waiting.push_back(circuit_.branches()[at.aux]);
        }
      }
    }
    std::vector<Wire> wires;
    for (Wire wire = 0; wire < seen.size(); ++wire) {
      if (seen[wire] != 0) wires.push_back(wire);
    }
    return wires;
  }

  std::string label(const Instruction& at) const {
    if (at.op == Op::x && at.controls > 0) return "⊕";
    if (at.op == Op::z && at.controls > 0) return "●";
    if (at.op == Op::swap) return "×";
    if (at.op == Op::measure) return "M " + spelling_.bit(at.aux);
    if (at.op == Op::barrier) return "░";
    if (at.op == Op::reset) return "|0⟩";
    if (is_flow(at.op)) {
      const std::string word = at.op == Op::if_else ? "if " : "while ";
      return shortened(word + spelling_.expression(circuit_.branches()[at.aux].condition));
    }
    std::string text(op_name(at.op));
    if (at.params.empty()) return text;
    text += '(';
    for (std::size_t i = 0; i < at.params.size(); ++i) text += (i == 0 ? "" : ", ") + angle(at.params[i]);
    return shortened(text + ")");
  }

  std::string angle(const Param& param) const {
    if (!param.is_constant()) return spelling_.param(param);
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.4g", param.value);
    return text.data();
  }

  const Circuit& circuit_;
  ir::Spelling spelling_;
  std::uint32_t wires_;
  std::vector<std::size_t> free_;  ///< first free column of each wire
  std::size_t measured_ = 0;
};

bool holds(const std::vector<Wire>& wires, Wire wire) {
  return std::ranges::find(wires, wire) != wires.end();
}

std::string cell(const DrawnElement& element, Wire wire) {
  if (holds(element.controls, wire)) return "●";
  return element.is_symbol() || element.is_barrier() ? element.label : "[" + element.label + "]";
}

std::pair<Wire, Wire> span_of(const DrawnElement& element) {
  Wire first = element.targets[0], last = first;
  for (const auto* wires : {&element.controls, &element.targets}) {
    for (const Wire wire : *wires) {
      first = std::min(first, wire);
      last = std::max(last, wire);
    }
  }
  return {first, last};
}

// A column of the text: what stands on each wire and between it and the next.
void draw_column(const Drawing& drawing, std::size_t column, std::vector<std::string>& lines,
                 std::vector<std::string>& gaps) {
  std::size_t width = 1;
  for (const DrawnElement& element : drawing.elements) {
    if (element.column == column) width = std::max(width, width_of(cell(element, element.targets[0])));
  }
  std::vector<std::string> cells(lines.size(), repeated("─", width)), below(lines.size(), std::string(width, ' '));
  const std::size_t middle = (width - 1) / 2;
  const auto at_middle = [&](std::string_view piece, std::string_view fill) {
    return repeated(fill, middle) + std::string(piece) + repeated(fill, width - 1 - middle);
  };
  for (const DrawnElement& element : drawing.elements) {
    if (element.column != column) continue;
    const auto [first, last] = span_of(element);
    for (Wire wire = first; wire <= last; ++wire) {
      const bool on_it = holds(element.controls, wire) || holds(element.targets, wire);
      const std::string content = on_it ? cell(element, wire) : "┼";
      const std::size_t pad = width - width_of(content);
      const std::size_t before = (pad / 2) + (pad & width & 1U);
      cells[wire] = width_of(content) == 1 ? at_middle(content, "─")
                                           : repeated("─", before) + content + repeated("─", pad - before);
      if (wire < last) below[wire] = at_middle("│", " ");
    }
  }
  for (std::size_t wire = 0; wire < lines.size(); ++wire) {
    lines[wire] += "─" + cells[wire];
    gaps[wire] += " " + below[wire];
  }
}

// SVG: sizes in pixels, text in the colour of its surroundings, so that a dark page shows a light drawing.
constexpr double kStepY = 40, kTop = 24, kBox = 26, kLetter = 7.5;

std::string number(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%g", value);
  return text.data();
}
std::string svg_text(double x, double y, std::string_view text, std::string_view anchor) {
  return "<text x=\"" + number(x) + "\" y=\"" + number(y) + "\" text-anchor=\"" + std::string(anchor) +
         "\" dominant-baseline=\"central\" fill=\"currentColor\" stroke=\"none\">" + base::escaped_markup(text) +
         "</text>";
}
std::string svg_line(double x1, double y1, double x2, double y2, std::string_view more = {}) {
  return "<line x1=\"" + number(x1) + "\" y1=\"" + number(y1) + "\" x2=\"" + number(x2) + "\" y2=\"" + number(y2) +
         "\"" + std::string(more) + "/>";
}
std::string svg_dot(double x, double y) {
  return "<circle cx=\"" + number(x) + "\" cy=\"" + number(y) + "\" r=\"4\" fill=\"currentColor\"/>";
}

std::string svg_symbol(std::string_view label, double x, double y) {
  if (label == "●") return svg_dot(x, y);
  if (label == "⊕") {
    return "<circle cx=\"" + number(x) + "\" cy=\"" + number(y) + "\" r=\"9\"/>" + svg_line(x - 9, y, x + 9, y) +
           svg_line(x, y - 9, x, y + 9);
  }
  return svg_line(x - 5, y - 5, x + 5, y + 5) + svg_line(x - 5, y + 5, x + 5, y - 5);
}

std::string svg_element(const DrawnElement& element, double left, double width) {
  const double x = left + width / 2;
  const auto y_of = [](Wire wire) { return kTop + kStepY * wire; };
  const auto [first, last] = span_of(element);
  if (element.is_barrier()) {
    return svg_line(x, y_of(first) - kBox / 2, x, y_of(last) + kBox / 2, " stroke-dasharray=\"3 3\"");
  }
  std::string body = first == last ? "" : svg_line(x, y_of(first), x, y_of(last));
  for (const Wire wire : element.controls) body += svg_dot(x, y_of(wire));
  if (element.is_symbol()) {
    for (const Wire wire : element.targets) body += svg_symbol(element.label, x, y_of(wire));
    return body;
  }
  // One box over all targets.
  const auto [low, high] = std::ranges::minmax(element.targets);
  const double top = y_of(low) - kBox / 2, bottom = y_of(high) + kBox / 2;
  body += "<rect x=\"" + number(left + 4) + "\" y=\"" + number(top) + "\" width=\"" + number(width - 8) +
          "\" height=\"" + number(bottom - top) + "\" rx=\"3\" fill=\"Canvas\"/>";
  return body + svg_text(x, (top + bottom) / 2, element.label, "middle");
}

std::size_t widest_name(const Drawing& drawing) {
  std::size_t widest = 0;
  for (const std::string& name : drawing.names) widest = std::max(widest, width_of(name));
  return widest;
}

}  // namespace

Drawing arrange(const Circuit& circuit) {
  return Arranger(circuit).run();
}

std::string diagram_text(const Circuit& circuit) {
  const Drawing drawing = arrange(circuit);
  const std::size_t left = widest_name(drawing);
  std::vector<std::string> lines, gaps(drawing.names.size(), std::string(left + 1, ' '));
  for (const std::string& name : drawing.names) lines.push_back(name + std::string(left - width_of(name) + 1, ' '));
  for (std::size_t column = 0; column < drawing.columns; ++column) draw_column(drawing, column, lines, gaps);
  std::string text;
  for (std::size_t wire = 0; wire < lines.size(); ++wire) {
    text += (wire == 0 ? "" : "\n") + lines[wire] + "─";
    if (wire + 1 == lines.size()) continue;
    gaps[wire].erase(gaps[wire].find_last_not_of(' ') + 1);
    text += "\n" + gaps[wire];
  }
  return drawing.note.empty() ? text : text + "\n… " + drawing.note;
}

std::string diagram_svg(const Circuit& circuit) {
  const Drawing drawing = arrange(circuit);
  const double left = 12 + kLetter * static_cast<double>(widest_name(drawing));
  std::vector<double> widths(drawing.columns, 30), begins;
  for (const DrawnElement& element : drawing.elements) {
    if (element.is_symbol()) continue;
    double& width = widths[element.column];
    width = std::max(width, kLetter * static_cast<double>(width_of(element.label)) + 24);
  }
  double end = left + 10;
  for (const double width : widths) {
    begins.push_back(end);
    end += width;
  }
  const double width = end + 10;
  const double wires = std::max(1.0, static_cast<double>(drawing.names.size()));
  const double height = kTop * 2 + kStepY * (wires - 1) + (drawing.note.empty() ? 0 : 24);
  std::string out = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + number(width) + "\" height=\"" +
                    number(height) + "\" viewBox=\"0 0 " + number(width) + " " + number(height) +
                    "\"><g font-family=\"DejaVu Sans Mono, Menlo, monospace\" font-size=\"12\" "
                    "stroke=\"currentColor\" fill=\"none\">";
  for (std::size_t wire = 0; wire < drawing.names.size(); ++wire) {
    const double y = kTop + kStepY * static_cast<double>(wire);
    out += svg_text(left - 4, y, drawing.names[wire], "end") + svg_line(left, y, width - 4, y);
  }
  for (const DrawnElement& element : drawing.elements) {
    out += svg_element(element, begins[element.column], widths[element.column]);
  }
  if (!drawing.note.empty()) out += svg_text(left, height - 12, "… " + drawing.note, "start");
  return out + "</g></svg>";
}

}  // namespace skerry::emit
