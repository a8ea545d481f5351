#include "frontend/blackbird/parser.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <numbers>
#include <skerry/error.hpp>

#include "frontend/blackbird/lexer.hpp"
#include "frontend/suggest.hpp"

namespace skerry::frontend::blackbird {
namespace {

constexpr std::uint32_t kMaxElements = 1U << 22;  // of an array

[[noreturn]] void fail(const Token& at, std::string message, std::string hint = {},
                       ErrorCode code = ErrorCode::syntax_error) {
  throw Error(code, std::move(message), std::to_string(at.line) + ":" + std::to_string(at.column), std::move(hint));
}

/// Errors of `body`, whose place nobody knew yet, get this one.
template <class Body>
auto at_place(const Token& place, Body&& body) {
  try {
    return body();
  } catch (const Error& error) {
    if (!error.where().empty()) throw;
    fail(place, error.message(), error.hint(), error.code());
  }
}

class Reader {
 public:
  Reader(std::string_view text, ModeWriter& writer, const ImportLimits& limits, bool names_are_parameters)
      : lexer_(text), writer_(writer), limits_(limits), names_are_parameters_(names_are_parameters) {}

  std::string program() {
    while (lexer_.token().kind != Kind::end) statement();
    return name_;
  }

  Value whole_expression() {
    Value value = expression();
    if (lexer_.token().kind != Kind::end)
      fail(lexer_.token(), "an expression goes on with " + shown(lexer_.token().text));
    return value;
  }

 private:
  struct Nested {
    Nested(Reader& given, const Token& at) : reader(given) {
      if (++reader.depth_ > reader.limits_.max_nesting)
        fail(at, "nested deeper than " + std::to_string(reader.limits_.max_nesting), "raise max_nesting",
             ErrorCode::limit_exceeded);
    }
    Nested(const Nested&) = delete;
    Nested& operator=(const Nested&) = delete;
    ~Nested() { --reader.depth_; }
    Reader& reader;
  };

  void expect(std::string_view wanted) {
    if (lexer_.accept(wanted)) return;
    const Token& found = lexer_.token();
    fail(found, "expected '" + std::string(wanted) + "', found " + found_text(found));
  }
  static std::string found_text(const Token& token) {
    if (token.kind == Kind::end) return "the end";
    return token.kind == Kind::line_end ? "the end of the line" : shown(token.text);
  }
  Token expect_name(const char* what) {
    if (lexer_.token().kind != Kind::name)
      fail(lexer_.token(), std::string("expected ") + what + ", found " + found_text(lexer_.token()));
    return lexer_.take();
  }
  void end_line() {
    if (lexer_.token().kind == Kind::end) return;
    if (lexer_.token().kind != Kind::line_end)
      fail(lexer_.token(), "the line goes on with " + shown(lexer_.token().text));
    lexer_.take();
  }
  void skip_line() {
    while (lexer_.token().kind != Kind::line_end && lexer_.token().kind != Kind::end) lexer_.take();
    end_line();
  }

  static bool is_type(std::string_view word) {
    return word == "int" || word == "float" || word == "complex" || word == "bool" || word == "str";
  }

  void statement() {
    const Token first = lexer_.token();
    at_place(first, [&] { writer_.count_step(); });
    if (first.kind != Kind::name) fail(first, "a line begins with " + found_text(first), "begin with a word");
    if (first.text == "name" || first.text == "version" || first.text == "target" || first.text == "type")
      return metadata();
    if (first.text == "include") fail(first, "programs are not included", "copy the lines", ErrorCode::unsupported);
    if (first.text == "for") return loop();
    if (is_type(first.text)) return declaration();
    operation();
  }

  void metadata() {
    const Token word = lexer_.take();
    if (word.text == "name") {
      const Token name = expect_name("a name");
      if (name.text.size() > limits_.max_name_bytes)
        fail(name, "a name of " + std::to_string(name.text.size()) + " bytes", "raise max_name_bytes",
             ErrorCode::limit_exceeded);
      name_ = std::string(name.text);
      return end_line();
    }
    if (word.text == "version") {
      const Token number = lexer_.take();
      if (number.kind != Kind::number || !number.text.starts_with("1"))
        fail(number, "version " + found_text(number) + " of Blackbird", "1.0 and its like are read",
             ErrorCode::unsupported);
      return end_line();
    }
    if (word.text == "type") return skip_line();
    // A device's name may have signs in it; of its options the cutoff concerns the circuit.
    while (lexer_.token().kind == Kind::name || lexer_.token().kind == Kind::number || lexer_.token().is("-") ||
           lexer_.token().is("."))
      lexer_.take();
    if (lexer_.accept("(")) {
      while (!lexer_.accept(")")) {
        const Token option = expect_name("an option");
        expect("=");
        const Token place = lexer_.token();
        const Value value = lexer_.token().is("[") ? list() : expression();
        if (option.text == "cutoff_dim" || option.text == "cutoff") set_cutoff(place, value);
        if (!lexer_.accept(",") && !lexer_.token().is(")")) fail(lexer_.token(), "expected ',' or ')'");
      }
    }
    end_line();
  }

  void set_cutoff(const Token& place, const Value& value) {
    if (value.kind != Value::Kind::number || value.number.imag() != 0)
      fail(place, "a cutoff that is no number", {}, ErrorCode::semantic_error);
    writer_.set_cutoff(value.number.real());
  }

  void loop() {
    const Token word = lexer_.take();
    const Nested nested(*this, word);
    const Token type = expect_name("a type");
    if (!is_type(type.text)) fail(type, "expected a type, found " + shown(type.text), "write for int i in 0:4");
    const std::string variable(expect_name("a name").text);
    if (!lexer_.accept("in")) fail(lexer_.token(), "expected 'in', found " + found_text(lexer_.token()));
    std::vector<Value> values = loop_values(word);
    if (lexer_.token().kind == Kind::end) fail(lexer_.token(), "a loop without a body");
    end_line();
    if (lexer_.token().indent <= word.indent || lexer_.token().kind == Kind::end)
      fail(lexer_.token(), "a loop without a body", "indent what is repeated");
    const Lexer body = lexer_;
    const auto outer = variables_.find(variable);
    const std::optional<Value> hidden = outer == variables_.end() ? std::nullopt : std::optional(outer->second);
    for (const Value& value : values) {
      lexer_ = body;
      variables_[variable] = value;
      while (in_body(word)) statement();
    }
    if (values.empty())
      while (in_body(word)) skip_line();
    if (hidden) {
      variables_[variable] = *hidden;
    } else {
      variables_.erase(variable);
    }
  }
  bool in_body(const Token& loop) const {
    return lexer_.token().kind != Kind::end && lexer_.token().indent > loop.indent;
  }

  /// `0:10`, `0:10:2`, `[1, 2, 5]`.
  std::vector<Value> loop_values(const Token& place) {
    std::vector<Value> values;
    if (lexer_.token().is("[")) {
      const Value all = list();
      for (const auto& element : all.elements) values.push_back(Value::of(element));
      return values;
    }
    const std::int64_t begin = whole(expression(), place);
    expect(":");
    const std::int64_t end = whole(expression(), place);
    const std::int64_t step = lexer_.accept(":") ? whole(expression(), place) : 1;
    if (step == 0) fail(place, "a loop in steps of 0", {}, ErrorCode::semantic_error);
    for (std::int64_t i = begin; step > 0 ? i < end : i > end; i += step) {
      at_place(place, [&] { writer_.count_step(); });
      values.push_back(Value::of(static_cast<double>(i)));
    }
    return values;
  }

  static std::int64_t whole(const Value& value, const Token& place) {
    const double number = value.number.real();
    if (value.kind != Value::Kind::number || value.number.imag() != 0 || number != std::floor(number) ||
        std::abs(number) > 1e9)
      fail(place, "a whole number is needed", {}, ErrorCode::semantic_error);
    return static_cast<std::int64_t>(number);
  }

  void declaration() {
    const Token type = lexer_.take();
    const bool is_array = lexer_.accept("array");
    const Token name = expect_name("a name");
    if (name.text == "pi" || is_outcome(name.text))
      fail(name, shown(name.text) + " has a meaning already", "take another name", ErrorCode::semantic_error);
    std::vector<std::uint32_t> shape;
    if (is_array && lexer_.accept("[")) {
      do {
        const Token place = lexer_.token();
        const std::int64_t extent = whole(expression(), place);
        if (extent < 0 || extent > kMaxElements)
          fail(place, "an extent of " + std::to_string(extent), {}, ErrorCode::limit_exceeded);
        shape.push_back(static_cast<std::uint32_t>(extent));
      } while (lexer_.accept(","));
      expect("]");
    }
    expect("=");
    Value value;
    if (is_array) {
      value = rows(type);
      const bool fits =
          shape.empty() || shape == value.shape ||
          (shape.size() == 1 && value.shape.size() == 2 && value.shape[0] == 1 && value.shape[1] == shape[0]);
      if (!fits) fail(name, "the array's rows do not fit its shape", {}, ErrorCode::semantic_error);
    } else {
      value = expression();
      check_type(type, value);
      end_line();
    }
    variables_[std::string(name.text)] = std::move(value);
  }

  static void check_type(const Token& type, const Value& value) {
    if (value.kind != Value::Kind::number) return;
    const bool fits =
        type.text == "complex" ||
        (value.number.imag() == 0 && (type.text != "int" || value.number.real() == std::floor(value.number.real())));
    if (!fits) fail(type, "the value is no " + std::string(type.text), {}, ErrorCode::semantic_error);
  }

  /// Rows of numbers, each a line that is indented.
  Value rows(const Token& type) {
    Value result;
    result.kind = Value::Kind::array;
    if (lexer_.token().is("[")) {
      result = list();
      end_line();
      return result;
    }
    end_line();
    std::uint32_t count = 0, columns = 0;
    while (lexer_.token().kind != Kind::end && lexer_.token().indent > type.indent) {
      const Token row = lexer_.token();
      std::uint32_t here = 0;
      do {
        push(result, row);
        ++here;
      } while (lexer_.accept(","));
      if (count != 0 && here != columns)
        fail(row, "a row of " + std::to_string(here) + " numbers after one of " + std::to_string(columns), {},
             ErrorCode::semantic_error);
      columns = here;
      ++count;
      end_line();
    }
    if (count == 0) fail(lexer_.token(), "an array without rows", "indent its rows");
    result.shape = {count, columns};
    return result;
  }

  void push(Value& array, const Token& place) {
    const Value element = expression();
    if (element.kind != Value::Kind::number) fail(place, "an element that is no number", {}, ErrorCode::semantic_error);
    if (array.elements.size() >= kMaxElements)
      fail(place, "an array of more than 2^22 numbers", {}, ErrorCode::limit_exceeded);
    array.elements.push_back(element.number);
  }

  /// `[1, 2]`, or `[[1, 2], [3, 4]]`.
  Value list() {
    const Token place = lexer_.token();
    const Nested nested(*this, place);
    Value result;
    result.kind = Value::Kind::array;
    expect("[");
    while (!lexer_.accept("]")) {
      if (lexer_.token().is("[")) {
        const Value row = list();
        if (result.elements.size() + row.elements.size() > kMaxElements)
          fail(place, "an array of more than 2^22 numbers", {}, ErrorCode::limit_exceeded);
        result.elements.insert(result.elements.end(), row.elements.begin(), row.elements.end());
      } else {
        push(result, lexer_.token());
      }
      if (!lexer_.accept(",") && !lexer_.token().is("]"))
        fail(lexer_.token(), "expected ',' or ']', found " + found_text(lexer_.token()));
    }
    result.shape = {static_cast<std::uint32_t>(result.elements.size())};
    return result;
  }

  void operation() {
    const Token name = lexer_.take();
    std::vector<Argument> arguments;
    std::vector<Token> places;
    if (lexer_.accept("(")) {
      while (!lexer_.accept(")")) {
        Argument argument;
        const Lexer before = lexer_;
        if (lexer_.token().kind == Kind::name) {
          const Token word = lexer_.take();
          if (lexer_.accept("=")) argument.name = word.text;
        }
        if (argument.name.empty()) lexer_ = before;
        argument.value = lexer_.token().is("[") ? list() : expression();
        arguments.push_back(std::move(argument));
        if (!lexer_.accept(",") && !lexer_.token().is(")"))
          fail(lexer_.token(), "expected ',' or ')', found " + found_text(lexer_.token()));
      }
    }
    if (!lexer_.accept("|"))
      fail(lexer_.token(), "expected '|' and modes, found " + found_text(lexer_.token()),
           "write " + std::string(name.text.substr(0, 40)) + "(...) | 0");
    const std::vector<std::uint32_t> modes = mode_list();
    end_line();
    at_place(name, [&] { writer_.operation(name.text, arguments, modes); });
  }

  /// `0`, `i + 1`, `[0, 1]`, `(0, 1)`, `q[0]`.
  std::vector<std::uint32_t> mode_list() {
    std::vector<std::uint32_t> modes;
    const bool is_square = lexer_.token().is("["), is_round = lexer_.token().is("(");
    if (is_square || is_round) lexer_.take();
    for (;;) {
      const Token place = lexer_.token();
      if (lexer_.token().kind == Kind::name && is_outcome(place.text)) {
        lexer_.take();
        modes.push_back(outcome_mode(place));
      } else {
        const bool is_register = place.is("q");
        if (is_register) {
          lexer_.take();
          expect("[");
        }
        const std::int64_t mode = whole(expression(), place);
        if (is_register) expect("]");
        if (mode < 0) fail(place, "mode " + std::to_string(mode), "modes count from 0", ErrorCode::out_of_range);
        if (modes.size() >= limits_.max_qubits)
          fail(place, "too many modes", "raise max_qubits", ErrorCode::limit_exceeded);
        modes.push_back(static_cast<std::uint32_t>(mode));
      }
      if (!lexer_.accept(",")) break;
    }
    if (is_square) expect("]");
    if (is_round) expect(")");
    return modes;
  }

  static bool is_outcome(std::string_view word) {
    return word.size() >= 2 && word.size() <= 10 && word[0] == 'q' && std::ranges::all_of(word.substr(1), is_digit);
  }
  static std::uint32_t outcome_mode(const Token& word) {
    std::uint32_t mode = 0;
    std::from_chars(word.text.data() + 1, word.text.data() + word.text.size(), mode);
    return mode;
  }

  Value expression() {
    const Nested nested(*this, lexer_.token());
    Value value = product();
    for (;;) {
      const Token sign = lexer_.token();
      if (!sign.is("+") && !sign.is("-")) return value;
      lexer_.take();
      const Value other = product();
      value = at_place(sign, [&] {
        return sign.is("+") ? add(writer_.pool(), value, other) : subtract(writer_.pool(), value, other);
      });
    }
  }

  Value product() {
    Value value = signed_factor();
    for (;;) {
      const Token sign = lexer_.token();
      if (!sign.is("*") && !sign.is("/")) return value;
      lexer_.take();
      const Value other = signed_factor();
      value = at_place(sign, [&] {
        return sign.is("*") ? multiply(writer_.pool(), value, other) : divide(writer_.pool(), value, other);
      });
    }
  }

  Value signed_factor() {
    bool is_negative = false;
    const Token first = lexer_.token();
    while (lexer_.token().is("-") || lexer_.token().is("+")) is_negative = lexer_.take().is("-") != is_negative;
    Value value = factor();
    if (!is_negative) return value;
    return at_place(first, [&] { return multiply(writer_.pool(), Value::of(-1.0), value); });
  }

  Value factor() {
    Value base = atom();
    const Token sign = lexer_.token();
    if (!lexer_.accept("**")) return base;
    const Nested nested(*this, sign);
    const Value exponent = signed_factor();
    return at_place(sign, [&] { return power(writer_.pool(), base, exponent); });
  }

  Value atom() {
    const Token token = lexer_.take();
    if (token.kind == Kind::number) return number(token);
    if (token.kind == Kind::text) {
      Value value;
      value.kind = Value::Kind::text;
      value.text = std::string(token.text);
      return value;
    }
    if (token.is("(")) {
      Value value = expression();
      expect(")");
      return value;
    }
    if (token.is("{")) {
      const Token name = expect_name("a parameter's name");
      expect("}");
      return at_place(name, [&] { return writer_.parameter(name.text); });
    }
    if (token.kind != Kind::name) fail(token, "expected a value, found " + found_text(token));
    return word(token);
  }

  static Value number(const Token& token) {
    double value = 0;
    const auto [end, error] = std::from_chars(token.text.data(), token.text.data() + token.text.size(), value);
    if (error != std::errc() || !std::isfinite(value))
      fail(token, shown(token.text) + " is no number that fits", {}, ErrorCode::semantic_error);
    return Value::of(token.is_imaginary ? std::complex<double>(0, value) : std::complex<double>(value, 0));
  }

  Value word(const Token& token) {
    if (lexer_.token().is("(")) {
      lexer_.take();
      const Value argument = expression();
      expect(")");
      const auto value = at_place(token, [&] { return call(writer_.pool(), token.text, argument); });
      if (value) return *value;
      fail(token, "there is no function " + shown(token.text), "use sin, exp, sqrt, log or the like",
           ErrorCode::semantic_error);
    }
    if (const auto found = variables_.find(token.text); found != variables_.end()) {
      if (found->second.kind == Value::Kind::array && lexer_.token().is("[")) return element(token, found->second);
      return found->second;
    }
    if (token.text == "pi") return Value::of(std::numbers::pi);
    if (token.text == "True" || token.text == "False") return Value::of(token.text == "True" ? 1.0 : 0.0);
    if (is_outcome(token.text)) return at_place(token, [&] { return writer_.outcome(outcome_mode(token)); });
    if (names_are_parameters_) return at_place(token, [&] { return writer_.parameter(token.text); });
    Nearest near(token.text);
    for (const auto& [name, value] : variables_) near.offer(name);
    fail(token, shown(token.text) + " is not declared",
         near.hint("declare it, or write {" + std::string(token.text.substr(0, 40)) + "} for a parameter"),
         ErrorCode::semantic_error);
  }

  Value element(const Token& name, const Value& array) {
    std::vector<std::int64_t> index;
    expect("[");
    do {
      const Token place = lexer_.token();
      index.push_back(whole(expression(), place));
    } while (lexer_.accept(","));
    expect("]");
    std::vector<std::uint32_t> shape = array.shape;
    if (index.size() == 1 && shape.size() == 2 && shape[0] == 1) shape = {shape[1]};
    std::size_t at = 0;
    bool fits = index.size() == shape.size();
    for (std::size_t i = 0; fits && i < shape.size(); ++i) {
      fits = index[i] >= 0 && index[i] < shape[i];
      at = at * shape[i] + static_cast<std::size_t>(fits ? index[i] : 0);
    }
    if (!fits) fail(name, "an element outside of " + shown(name.text), {}, ErrorCode::out_of_range);
    return Value::of(array.elements[at]);
  }

  Lexer lexer_;
  ModeWriter& writer_;
  const ImportLimits& limits_;
  bool names_are_parameters_;
  std::map<std::string, Value, std::less<>> variables_;
  std::string name_;
  std::size_t depth_ = 0;
};

}  // namespace

std::string shown(std::string_view text) {
  std::string word(text.substr(0, 40));
  for (char& c : word)
    if (c < ' ' || c > '~') c = '?';
  return "'" + word + "'";
}

Circuit parse(std::string_view text, const ImportLimits& limits, const std::string& name) {
  try {
    ModeWriter writer(limits);
    std::string title = Reader(text, writer, limits, false).program();
    try {
      return writer.finish(std::move(title));
    } catch (const Error& error) {
      if (!error.where().empty()) throw;
      throw error.at("1:1");
    }
  } catch (const Error& error) {
    const std::string& where = error.where();
    throw Error(error.code(), error.message(), name + ":" + where, error.hint());
  }
}

Value parse_expression(std::string_view text, ModeWriter& writer, const ImportLimits& limits) {
  try {
    return Reader(text, writer, limits, true).whole_expression();
  } catch (const Error& error) {
    throw Error(error.code(), error.message() + " in '" + std::string(text.substr(0, 60)) + "'", {}, error.hint());
  }
}

}  // namespace skerry::frontend::blackbird
