#include <bit>
#include <cmath>
#include <unordered_map>

#include "ir/text/print.hpp"
#include "ir/text/spelling.hpp"
#include "ir/text/tensor_text.hpp"
#include "ir/text/text.hpp"
#include "ir/verify.hpp"

namespace skerry::ir {
namespace {

/// `%w`, `%"odd name"`; the value's number is added where the name alone does not say which: `%w#3`, `%#3`.
bool is_value_word(std::string_view name) {
  return name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_/.") ==
         std::string_view::npos;
}

std::string attribute_real(double value) {
  // The payload of a NaN is part of the value, so any but the usual one is written as its bits.
  const auto bits = std::bit_cast<std::uint64_t>(value);
  constexpr std::uint64_t kUsualNan = 0x7ff8000000000000ULL;
  if (std::isnan(value) && bits != kUsualNan) return "bits(" + std::to_string(bits) + ")";
  return number(value);
}

std::string dotted(const std::string& op) {
  for (std::size_t begin = 0; begin <= op.size();) {
    const std::size_t end = std::min(op.find('.', begin), op.size());
    if (!is_plain(std::string_view(op).substr(begin, end - begin))) return quoted(op);
    begin = end + 1;
  }
  return op;
}

class GraphPrinter {
 public:
  GraphPrinter(const Graph& graph, std::size_t indent, std::size_t max_elements, std::string& out)
      : g_(graph), indent_(indent), max_elements_(max_elements), out_(out) {
    for (const Value& value : g_.values()) ++names_[value.name];
  }

  void print() {
    out_ += "graph " + (g_.name.empty() ? "" : "@" + spelled(g_.name) + " ") + "(";
    for (std::size_t i = 0; i < g_.inputs().size(); ++i) out_ += (i == 0 ? "" : ", ") + typed(g_.inputs()[i]);
    out_ += ") -> (" + list(g_.outputs()) + ") {\n";
    indent_ += 2;
    // Constants stand before their first use, so that a weight is found next to the node it is for.
    is_printed_.assign(g_.values().size(), false);
    for (const Node& n : g_.nodes()) {
      for (const ValueId input : n.inputs) constant(input);
      node(n);
    }
    for (ValueId id = 0; id < g_.values().size(); ++id) constant(id);
    indent_ -= 2;
    blank();
    out_ += "}";
  }

 private:
  void blank() { out_.append(indent_, ' '); }

  std::string reference(ValueId id) const {
    if (id == kNoValue) return "_";
    const std::string& name = g_.value(id).name;
    const std::string text = "%" + (is_value_word(name) ? name : quoted(name));
    return name.empty() || names_.find(name)->second != 1 ? text + "#" + std::to_string(id) : text;
  }
  std::string typed(ValueId id) const { return id == kNoValue ? "_" : reference(id) + ": " + g_.value(id).type.text(); }
  std::string list(const std::vector<ValueId>& ids) const {
    std::string text;
    for (const ValueId id : ids) text += (text.empty() ? "" : ", ") + reference(id);
    return text;
  }

  void constant(ValueId id) {
    if (id == kNoValue || is_printed_[id] || !g_.value(id).constant) return;
    is_printed_[id] = true;
    blank();
    out_ += reference(id) + " = constant " + tensor_text(*g_.value(id).constant, max_elements_) + ";\n";
  }

  void node(const Node& node) {
    blank();
    for (std::size_t i = 0; i < node.outputs.size(); ++i) out_ += (i == 0 ? "" : ", ") + typed(node.outputs[i]);
    out_ += (node.outputs.empty() ? "() = " : " = ") + dotted(node.op) + "(" + list(node.inputs) + ")";
    if (!node.attributes.empty()) {
      out_ += " {";
      for (std::size_t i = 0; i < node.attributes.size(); ++i) {
        out_ += (i == 0 ? "" : ", ") + spelled(node.attributes[i].first) + " = ";
        std::visit([this](const auto& value) { attribute(value); }, node.attributes[i].second);
      }
      out_ += "}";
    }
    if (!node.name.empty()) out_ += " @" + spelled(node.name);
    out_ += ";\n";
  }

  void attribute(std::int64_t value) { out_ += std::to_string(value); }
  void attribute(double value) { out_ += attribute_real(value); }
  void attribute(const std::string& value) { out_ += quoted(value); }
  void attribute(const Tensor& value) { out_ += tensor_text(value, max_elements_); }
  void attribute(const Subgraph& value) { GraphPrinter(*value, indent_, max_elements_, out_).print(); }
  void attribute(const CircuitRef& value) { print_circuit(*value, indent_, out_); }
  void attribute(const std::vector<std::int64_t>& values) {
    sequence("ints", values, [](std::int64_t value) { return std::to_string(value); });
  }
  void attribute(const std::vector<double>& values) { sequence("reals", values, attribute_real); }
  void attribute(const std::vector<std::string>& values) { sequence("strings", values, quoted); }
  void attribute(const std::vector<Observable>& values) {
    out_ += "observables ";
    sequence("", values, [](const Observable& o) { return std::to_string(o.num_wires()) + ": " + quoted(o.text()); });
  }

  /// `[1, 2]`; an empty list says of what: `ints []`.
  template <class T, class Text>
  void sequence(std::string_view kind, const std::vector<T>& values, Text&& text) {
    if (values.empty() && !kind.empty()) out_ += std::string(kind) + " ";
    out_ += "[";
    for (std::size_t i = 0; i < values.size(); ++i) out_ += (i == 0 ? "" : ", ") + text(values[i]);
    out_ += "]";
  }

  const Graph& g_;
  std::size_t indent_, max_elements_;
  std::string& out_;
  std::unordered_map<std::string_view, std::uint32_t> names_;
  std::vector<bool> is_printed_;
};

}  // namespace

std::string print(const Graph& graph, std::size_t max_elements) {
  verify(graph);
  std::string out;
  GraphPrinter(graph, 0, max_elements, out).print();
  return out + "\n";
}

}  // namespace skerry::ir
