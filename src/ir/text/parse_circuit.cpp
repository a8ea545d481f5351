#include <complex>
#include <skerry/limits.hpp>

#include "ir/text/parse.hpp"
#include "ir/text/parse_expression.hpp"
#include "ir/text/text.hpp"
#include "ir/verify.hpp"

namespace skerry::ir {
namespace {

class CircuitReader {
 public:
  explicit CircuitReader(Lexer& lexer) : lexer_(lexer), expressions_(lexer, circuit_) {}

  Circuit read() {
    lexer_.expect("circuit");
    if (lexer_.accept("@")) circuit_.name = lexer_.expect_spelled("the circuit's name");
    lexer_.expect("{");
    while (declaration()) {
    }
    statements();
    return std::move(circuit_);
  }

 private:
  bool declaration() {
    const Token word = lexer_.peek();
    if (word.kind != TokenKind::name) return false;
    if (word.text == "wires" || word.text == "bits") {
      lexer_.take();
      declare_register(word.text == "wires");
    } else if (word.text == "param") {
      lexer_.take();
      const std::string name = lexer_.expect_spelled("a name");
      lexer_.expect(":");
      const std::uint32_t index = circuit_.add_parameter(name, expressions_.type());
      expressions_.declare(name, {Named::Kind::parameter, index});
    } else if (word.text == "var" || word.text == "output") {
      lexer_.take();
      Variable variable;
      variable.name = lexer_.expect_spelled("a name");
      lexer_.expect(":");
      variable.type = expressions_.type();
      variable.is_output = word.text == "output";
      const std::string name = variable.name;
      expressions_.declare(name, {Named::Kind::variable, circuit_.add_variable(std::move(variable))});
    } else if (word.text == "matrix") {
      lexer_.take();
      declare_matrix();
    } else if (word.text == "noise") {
      lexer_.take();
      declare_channel();
    } else if (word.text == "let") {
      lexer_.take();
      declare_let();
    } else {
      return false;
    }
    lexer_.expect(";");
    return true;
  }

  void declare_register(bool is_wires) {
    const std::string name = lexer_.expect_spelled("a register's name");
    lexer_.expect("[");
    const ImportLimits limits;
    const std::uint32_t most =
        is_wires ? limits.max_qubits - circuit_.num_wires() : limits.max_bits - circuit_.num_bits();
    const auto size = static_cast<std::uint32_t>(lexer_.expect_count("size", most));
    lexer_.expect("]");
    if (is_wires) {
      circuit_.add_wires(name, size);
      return expressions_.declare_wires(name, static_cast<std::uint32_t>(circuit_.wire_registers().size() - 1));
    }
    circuit_.add_bits(name, size);
    expressions_.declare(name, {Named::Kind::bits, static_cast<std::uint32_t>(circuit_.bit_registers().size() - 1)});
  }

  void declare_let() {
    lexer_.expect("$");
    const Token place = lexer_.peek();
    if (lexer_.expect_count("expression", 0xffffffffU) != expressions_.num_lets()) {
      Lexer::fail_at(place, "definitions are numbered in order; this is $" + std::to_string(expressions_.num_lets()));
    }
    lexer_.expect("=");
    expressions_.define_let(expressions_.expression());
  }

  void declare_matrix() {
    lexer_.expect("#");
    const Token place = lexer_.peek();
    if (lexer_.expect_count("matrix", 0xffffffffU) != matrices_.size()) {
      Lexer::fail_at(place, "matrices are numbered in order; this is #" + std::to_string(matrices_.size()));
    }
    lexer_.expect("=");
    Matrix matrix = square(place);
    matrices_.push_back(at_place(place, [&] { return circuit_.add_matrix(std::move(matrix)); }));
  }

  /// `depolarizing(0.01) on 2` or `kraus [1, 0; 0, 0.6], [0, 0.8; 0, 0]`.
  void declare_channel() {
    lexer_.expect("#");
    const Token place = lexer_.peek();
    if (lexer_.expect_count("channel", 0xffffffffU) != circuit_.channels().size()) {
      Lexer::fail_at(place, "channels are numbered in order; this is #" + std::to_string(circuit_.channels().size()));
    }
    lexer_.expect("=");
    const Token kind = lexer_.take();
    if (kind.kind != TokenKind::name) Lexer::fail_at(kind, "expected a channel, found " + kind.described());
    if (kind.text == "kraus") {
      std::vector<Matrix> operators;
      do {
        operators.push_back(square(lexer_.peek()));
      } while (lexer_.accept(","));
      at_place(place, [&] { circuit_.add_channel(Channel::kraus(std::move(operators))); });
      return;
    }
    lexer_.expect("(");
    std::vector<double> numbers;
    do {
      numbers.push_back(entry().real());
    } while (lexer_.accept(","));
    lexer_.expect(")");
    std::uint32_t wires = 1;
    if (lexer_.accept("on")) wires = static_cast<std::uint32_t>(lexer_.expect_count("wires", Channel::kMaxWires));
    at_place(kind, [&] { circuit_.add_channel(Channel::named(kind.text, numbers, wires)); });
  }

  /// `[1, 0; 0, 1]`
  Matrix square(const Token& place) {
    lexer_.expect("[");
    Matrix matrix;
    std::size_t rows = 0;
    do {
      do {
        matrix.values.push_back(entry());
      } while (lexer_.accept(","));
      ++rows;
    } while (lexer_.accept(";"));
    lexer_.expect("]");
    while ((std::size_t{1} << matrix.wires) < rows) ++matrix.wires;
    if (rows != std::size_t{1} << matrix.wires || matrix.values.size() != rows * rows) {
      Lexer::fail_at(place,
                     "a matrix of " + std::to_string(rows) + " rows and " + std::to_string(matrix.values.size()) +
                         " entries is not 2^k x 2^k",
                     ErrorCode::semantic_error);
    }
    return matrix;
  }

  /// `1.0`, `-0.5i`, `0.5+0.5i`.
  std::complex<double> entry() {
    double parts[2] = {0, 0};
    bool is_imaginary = false;
    for (int i = 0; i < 2 && !is_imaginary; ++i) {
      const bool has_sign = lexer_.peek().is("-") || lexer_.peek().is("+");
      if (i == 1 && !has_sign) break;
      const bool is_negative = has_sign && lexer_.take().is("-");
      const Token digits = lexer_.take();
      is_imaginary = digits.suffix == "i";
      if (digits.kind != TokenKind::number || (!digits.suffix.empty() && !is_imaginary) || (i == 1 && !is_imaginary)) {
        Lexer::fail_at(digits, "expected a complex number such as 0.5-0.5i, found " + digits.described());
      }
      parts[is_imaginary ? 1 : 0] = is_negative ? -real_of(digits) : real_of(digits);
    }
    return {parts[0], parts[1]};
  }

  /// A block that is being read, innermost last: nesting does not recurse.
  struct Open {
    BlockId block;
    bool is_loop;
    ExprId condition;
    BlockId then_block = kNoBlock;  ///< of the if whose else this is
    Token place;
  };

  void statements() {
    std::vector<Open> open;
    while (true) {
      if (lexer_.peek().is("}")) {
        if (open.empty()) break;
        lexer_.take();
        close(open);
      } else if (lexer_.peek().is("if") || lexer_.peek().is("while")) {
        if (open.size() >= kMaxNesting) {
          lexer_.fail("blocks nest deeper than " + std::to_string(kMaxNesting), ErrorCode::limit_exceeded);
        }
        const Token word = lexer_.take();
        lexer_.expect("(");
        const ExprId condition = expressions_.expression();
        lexer_.expect(")");
        lexer_.expect("{");
        open.push_back({circuit_.open_block(), word.text == "while", condition, kNoBlock, word});
      } else {
        simple();
        lexer_.expect(";");
      }
    }
    lexer_.expect("}");
  }

  void close(std::vector<Open>& open) {
    const Open done = open.back();
    open.pop_back();
    circuit_.close_block();
    const bool is_then = !done.is_loop && done.then_block == kNoBlock;
    if (is_then && lexer_.accept("else")) {
      lexer_.expect("{");
      open.push_back({circuit_.open_block(), false, done.condition, done.block, done.place});
      return;
    }
    at_place(done.place, [&] {
      if (done.is_loop) {
        circuit_.while_loop(done.condition, done.block);
      } else if (is_then) {
        circuit_.if_else(done.condition, done.block);
      } else {
        circuit_.if_else(done.condition, done.then_block, done.block);
      }
    });
  }

  void simple() {
    const Token first = lexer_.take();
    const bool is_name = first.kind == TokenKind::name;
    if (!is_name || lexer_.peek().is("=") || lexer_.peek().is("[")) return assign(first);
    if (first.text == "measure") return measure(first);
    if (first.text == "break") return append(first, Op::break_loop);
    if (first.text == "continue") return append(first, Op::continue_loop);
    std::uint16_t controls = 0;
    Token name = first;
    if (first.text == "ctrl") {
      controls = 1;
      if (lexer_.accept("(")) {
        controls = static_cast<std::uint16_t>(lexer_.expect_count("number of controls", 0xffffU));
        lexer_.expect(")");
      }
      lexer_.expect("@");
      name = lexer_.take();
    }
    const auto op = name.kind == TokenKind::name ? op_from_name(name.text) : std::nullopt;
    const bool is_simple = op && (is_gate(*op) || is_mode_op(*op) || *op == Op::reset || *op == Op::barrier ||
                                  *op == Op::delay || *op == Op::end || *op == Op::channel);
    if (!is_simple) Lexer::fail_at(name, "no gate or statement is called " + name.described());
    append(name, *op, controls);
  }

  void append(const Token& place, Op op, std::uint16_t controls = 0) {
    std::uint32_t aux = 0;
    if (op == Op::channel) {
      lexer_.expect("#");
      aux = static_cast<std::uint32_t>(lexer_.expect_count("channel", 0xffffffffU));
    }
    if (op == Op::unitary) {
      lexer_.expect("#");
      const Token number = lexer_.peek();
      aux = static_cast<std::uint32_t>(lexer_.expect_count("matrix", 0xffffffffU));
      if (aux >= matrices_.size()) {
        Lexer::fail_at(number, "matrix #" + std::to_string(aux) + " is not defined", ErrorCode::semantic_error);
      }
    }
    params_.clear();
    if (lexer_.accept("(")) {
      do {
        params_.push_back(expressions_.param());
      } while (lexer_.accept(","));
      lexer_.expect(")");
    }
    wires_.clear();
    if (!lexer_.peek().is(";")) {
      do {
        wires_.push_back(expressions_.wire());
      } while (lexer_.accept(","));
    }
    if (is_mode_measurement(op)) {
      lexer_.expect("->");
      const Assignment outcome = expressions_.target(nullptr);
      if (outcome.to_bits || outcome.index != kNoExpr) {
        Lexer::fail_at(place, "the outcome of a mode is written to a variable", ErrorCode::semantic_error);
      }
      aux = outcome.first;
    }
    at_place(place, [&] { circuit_.append(op, wires_, params_, controls, aux); });
  }

  void measure(const Token& place) {
    const Wire wire = expressions_.wire();
    lexer_.expect("->");
    const std::uint32_t bit = expressions_.bit();
    at_place(place, [&] { circuit_.measure(wire, bit); });
  }

  void assign(const Token& first) {
    Assignment assignment = expressions_.target(&first);
    lexer_.expect("=");
    assignment.value = expressions_.expression();
    at_place(first, [&] { circuit_.assign(assignment); });
  }

  Lexer& lexer_;
  Circuit circuit_;
  ExpressionReader expressions_;
  std::vector<std::uint32_t> matrices_;
  std::vector<Param> params_;
  std::vector<Wire> wires_;
};

}  // namespace

Circuit read_circuit(Lexer& lexer) {
  return CircuitReader(lexer).read();
}

}  // namespace skerry::ir
