#include <algorithm>
#include <bit>
#include <charconv>
#include <limits>
#include <skerry/limits.hpp>
#include <unordered_map>

#include "ir/text/parse.hpp"
#include "ir/text/spelling.hpp"
#include "ir/text/tensor_text.hpp"
#include "ir/text/text.hpp"
#include "ir/verify.hpp"

namespace skerry::ir {
namespace {

/// Pauli strings are bit masks over all wires, so a short text could ask for much; all of one text share this.
constexpr std::uint64_t kMaxObservableBytes = std::uint64_t{256} << 20U;

class GraphReader {
 public:
  GraphReader(Lexer& lexer, std::size_t depth, std::uint64_t& observable_bytes)
      : lexer_(lexer), depth_(depth), observable_bytes_(observable_bytes) {}

  Graph read() {
    lexer_.expect("graph");
    if (lexer_.accept("@")) graph_.name = lexer_.expect_spelled("the graph's name");
    lexer_.expect("(");
    if (!lexer_.peek().is(")")) {
      do {
        const Label label = read_label();
        lexer_.expect(":");
        define(label, graph_.add_input(label.name, read_type()));
      } while (lexer_.accept(","));
    }
    lexer_.expect(")");
    lexer_.expect("->");
    lexer_.expect("(");
    // Outputs are named before they are made, so their labels wait for the body.
    std::vector<Label> outputs;
    if (!lexer_.peek().is(")")) {
      do {
        outputs.push_back(read_label());
      } while (lexer_.accept(","));
    }
    lexer_.expect(")");
    lexer_.expect("{");
    while (!lexer_.accept("}")) statement();
    for (const Label& output : outputs) graph_.mark_output(find(output));
    return std::move(graph_);
  }

 private:
  struct Label {
    std::string name, key;  ///< key: the number if there is one, `=`, the name
    Token place;
  };

  Label read_label() {
    Label label;
    label.place = lexer_.peek();
    if (!label.place.is("%")) lexer_.fail("expected a value such as %x, found " + label.place.described());
    label.name = lexer_.take_value_name();
    label.key = "=" + label.name;
    if (lexer_.accept("#")) {
      const std::uint64_t number = lexer_.expect_count("value", std::numeric_limits<std::uint32_t>::max());
      label.key = std::to_string(number) + label.key;
    } else if (label.name.empty()) {
      Lexer::fail_at(label.place, "a value without a name needs a number: %#3");
    }
    return label;
  }

  void define(const Label& label, ValueId id) {
    if (!values_.emplace(label.key, id).second) {
      Lexer::fail_at(label.place, "this value is made already", ErrorCode::semantic_error);
    }
  }
  ValueId find(const Label& label) const {
    const auto found = values_.find(label.key);
    if (found != values_.end()) return found->second;
    Lexer::fail_at(label.place, "value '%" + label.name.substr(0, 80) + "' is not made before this",
                   ErrorCode::semantic_error);
  }

  // `f32[N]`, or that in parentheses behind what stands around it: `seq(f32[N])`.
  TensorType read_type() {
    std::vector<Wrap> wraps;
    while (const auto wrap = wrap_of(lexer_.peek())) {
      if (wraps.size() == kMaxWraps)
        lexer_.fail("more than " + std::to_string(kMaxWraps) + " types inside each other", ErrorCode::limit_exceeded);
      wraps.push_back(*wrap);
      lexer_.take();
      lexer_.expect("(");
    }
    TensorType type = read_tensor_type();
    for (std::size_t i = 0; i < wraps.size(); ++i) lexer_.expect(")");
    type.wraps = std::move(wraps);
    return type;
  }

  static std::optional<Wrap> wrap_of(const Token& word) {
    for (const Wrap wrap : {Wrap::sequence, Wrap::optional, Wrap::map_of_i64, Wrap::map_of_string}) {
      if (word.is(wrap_name(wrap))) return wrap;
    }
    return std::nullopt;
  }

  TensorType read_tensor_type() {
    const Token word = lexer_.take();
    TensorType type;
    type.dtype = at_place(word, [&] { return dtype_from_name(word.text); });
    lexer_.expect("[");
    if (lexer_.accept("*")) {
      lexer_.expect("]");
      return type;
    }
    type.shape.emplace();
    if (!lexer_.peek().is("]")) {
      do {
        if (type.shape->size() >= static_cast<std::size_t>(Shape::kMaxRank)) {
          lexer_.fail("more than " + std::to_string(Shape::kMaxRank) + " axes", ErrorCode::limit_exceeded);
        }
        type.shape->push_back(read_dim());
      } while (lexer_.accept(","));
    }
    lexer_.expect("]");
    return type;
  }

  Dim read_dim() {
    if (lexer_.accept("?")) return {};
    if (lexer_.peek().kind == TokenKind::number) {
      return static_cast<std::int64_t>(lexer_.expect_count("extent", std::numeric_limits<std::int64_t>::max()));
    }
    const Token place = lexer_.peek();
    Dim dim(lexer_.expect_spelled("an extent"));
    if (dim.symbol.empty()) Lexer::fail_at(place, "an unknown extent without a name is written ?");
    return dim;
  }

  Tensor read_tensor() {
    const Token place = lexer_.peek();
    const TensorType type = read_tensor_type();
    const auto shape = at_place(place, [&] { return type.static_shape(); });
    if (!shape) Lexer::fail_at(place, "a constant needs a known shape", ErrorCode::semantic_error);
    return read_elements(lexer_, type.dtype, *shape);
  }

  void statement() {
    std::vector<std::string> names;
    std::vector<TensorType> types;
    std::vector<Label> labels;
    const ImportLimits limits;
    if (graph_.nodes().size() >= limits.max_nodes) {
      lexer_.fail("more than " + std::to_string(limits.max_nodes) + " nodes", ErrorCode::limit_exceeded);
    }
    if (lexer_.accept("(")) {
      lexer_.expect(")");
    } else {
      do {
        labels.emplace_back();
        types.emplace_back();
        names.emplace_back();
        if (lexer_.accept("_")) continue;
        labels.back() = read_label();
        if (labels.size() == 1 && lexer_.accept("=")) return constant_or_fail(labels[0]);
        lexer_.expect(":");
        types.back() = read_type();
        // add_node() takes an empty name for "not wanted"; the value's own name is set below.
        names.back() = "_";
      } while (lexer_.accept(","));
    }
    lexer_.expect("=");
    const NodeId id = graph_.add_node(read_node(), names, types);
    for (std::size_t i = 0; i < labels.size(); ++i) {
      const ValueId output = graph_.node(id).outputs[i];
      if (output == kNoValue) continue;
      graph_.value(output).name = labels[i].name;
      define(labels[i], output);
    }
    lexer_.expect(";");
  }

  void constant_or_fail(const Label& label) {
    if (!lexer_.accept("constant")) lexer_.fail("expected 'constant'; outputs of a node have types: %y: f32[N] = ...");
    define(label, graph_.add_constant(label.name, read_tensor()));
    lexer_.expect(";");
  }

  Node read_node() {
    Node node;
    node.op = lexer_.expect_spelled("an operator");
    while (lexer_.accept(".")) node.op += "." + lexer_.expect_spelled("an operator");
    lexer_.expect("(");
    if (!lexer_.peek().is(")")) {
      do {
        node.inputs.push_back(lexer_.accept("_") ? kNoValue : find(read_label()));
      } while (lexer_.accept(","));
    }
    lexer_.expect(")");
    if (lexer_.accept("{")) {
      do {
        const Token place = lexer_.peek();
        std::string name = lexer_.expect_spelled("an attribute");
        if (node.find(name) != nullptr) Lexer::fail_at(place, "attribute '" + name.substr(0, 80) + "' twice");
        lexer_.expect("=");
        node.set(std::move(name), read_attribute());
      } while (lexer_.accept(","));
      lexer_.expect("}");
    }
    if (lexer_.accept("@")) node.name = lexer_.expect_spelled("the node's name");
    return node;
  }

  Attribute read_attribute() {
    const Token first = lexer_.peek();
    if (first.kind == TokenKind::string) return lexer_.take().text;
    if (first.is("[")) return read_list();
    if (first.is("graph")) {
      if (depth_ >= kMaxNesting) {
        lexer_.fail("graphs nest deeper than " + std::to_string(kMaxNesting), ErrorCode::limit_exceeded);
      }
      return std::make_shared<const Graph>(GraphReader(lexer_, depth_ + 1, observable_bytes_).read());
    }
    if (first.is("circuit")) return std::make_shared<const Circuit>(read_circuit(lexer_));
    if (lexer_.accept("observables")) return read_observables();
    if (lexer_.accept("ints")) return read_empty<std::int64_t>();
    if (lexer_.accept("reals")) return read_empty<double>();
    if (lexer_.accept("strings")) return read_empty<std::string>();
    if (is_number()) return read_number();
    return read_tensor();
  }

  template <class T>
  std::vector<T> read_empty() {
    lexer_.expect("[");
    lexer_.expect("]");
    return {};
  }

  bool is_number() const {
    const Token& next = lexer_.peek();
    return next.kind == TokenKind::number || next.is("-") || next.is("inf") || next.is("nan") || next.is("bits");
  }

  /// An integer, or a real if it has a point, an exponent, or is not finite.
  Attribute read_number() {
    const bool is_negative = lexer_.accept("-");
    if (lexer_.accept("inf")) return (is_negative ? -1 : 1) * std::numeric_limits<double>::infinity();
    if (!is_negative && lexer_.accept("nan")) return std::numeric_limits<double>::quiet_NaN();
    if (!is_negative && lexer_.accept("bits")) {
      lexer_.expect("(");
      const std::uint64_t bits = lexer_.expect_count("bits", std::numeric_limits<std::uint64_t>::max());
      lexer_.expect(")");
      return std::bit_cast<double>(bits);
    }
    const Token digits = lexer_.take();
    if (digits.kind != TokenKind::number || !digits.suffix.empty()) {
      Lexer::fail_at(digits, "expected a number, found " + digits.described());
    }
    if (digits.is_real) return is_negative ? -real_of(digits) : real_of(digits);
    const std::string text = (is_negative ? "-" : "") + digits.text;
    std::int64_t value = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc()) {
      Lexer::fail_at(digits, "an integer outside of 64 bits");
    }
    return value;
  }

  Attribute read_list() {
    lexer_.expect("[");
    std::vector<std::int64_t> integers;
    std::vector<double> reals;
    std::vector<std::string> strings;
    do {
      const Token place = lexer_.peek();
      const bool is_string = place.kind == TokenKind::string;
      if (is_string) {
        strings.push_back(lexer_.take().text);
      } else if (const Attribute value = read_number(); const auto* integer = std::get_if<std::int64_t>(&value)) {
        integers.push_back(*integer);
      } else {
        reals.push_back(std::get<double>(value));
      }
      const int kinds = (integers.empty() ? 0 : 1) + (reals.empty() ? 0 : 1) + (strings.empty() ? 0 : 1);
      if (kinds > 1) Lexer::fail_at(place, "a list of different kinds; write reals with a point");
    } while (lexer_.accept(","));
    lexer_.expect("]");
    if (!strings.empty()) return strings;
    if (!reals.empty()) return reals;
    return integers;
  }

  Attribute read_observables() {
    std::vector<Observable> list;
    lexer_.expect("[");
    if (!lexer_.peek().is("]")) {
      do {
        const auto wires = static_cast<std::uint32_t>(lexer_.expect_count("wires", ImportLimits{}.max_qubits));
        lexer_.expect(":");
        const Token text = lexer_.take();
        if (text.kind != TokenKind::string) Lexer::fail_at(text, "expected a sum of Pauli strings in quotes");
        charge(text, wires);
        list.push_back(read_observable(text, wires));
      } while (lexer_.accept(","));
    }
    lexer_.expect("]");
    return list;
  }

  void charge(const Token& text, std::uint32_t wires) {
    // Terms are separated by signs; exponents have signs too, so this can only charge too much.
    const auto signs = std::ranges::count_if(text.text, [](char c) { return c == '+' || c == '-'; });
    observable_bytes_ += (static_cast<std::uint64_t>(signs) + 1) * ((std::uint64_t{wires} + 63) / 64) * 16;
    if (observable_bytes_ <= kMaxObservableBytes) return;
    Lexer::fail_at(text, "observables of more than 256 MiB", ErrorCode::limit_exceeded);
  }

  static Observable read_observable(const Token& text, std::uint32_t wires) {
    try {
      return Observable::parse(text.text, wires);
    } catch (const Error& e) {
      throw Error(e.code() == ErrorCode::limit_exceeded ? e.code() : ErrorCode::semantic_error, e.message(),
                  Lexer::where(text) + ":" + e.where(), e.hint());
    }
  }

  Lexer& lexer_;
  std::size_t depth_;
  std::uint64_t& observable_bytes_;
  Graph graph_;
  std::unordered_map<std::string, ValueId> values_;
};

}  // namespace

Graph read_graph(Lexer& lexer) {
  std::uint64_t observable_bytes = 0;
  return GraphReader(lexer, 1, observable_bytes).read();
}

}  // namespace skerry::ir
