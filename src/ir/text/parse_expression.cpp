#include "ir/text/parse_expression.hpp"

#include <algorithm>
#include <charconv>
#include <numbers>
#include <optional>

#include "ir/circuit/arithmetic.hpp"
#include "ir/text/expression_text.hpp"
#include "ir/text/operators.hpp"
#include "ir/text/parse.hpp"
#include "ir/verify.hpp"

namespace skerry::ir {
namespace {

constexpr std::uint32_t kAmbiguousRegister = 0xffffffffU;

std::optional<ScalarKind> kind_of(std::string_view word) {
  if (word == "bool") return ScalarKind::boolean;
  if (word == "int") return ScalarKind::integer;
  if (word == "uint") return ScalarKind::unsigned_integer;
  if (word == "real") return ScalarKind::real;
  if (word == "angle") return ScalarKind::angle;
  return std::nullopt;
}

/// The type a number's suffix names: i8, u8, r32, a64; none: int or real.
ScalarType literal_type(const Token& number) {
  if (number.suffix.empty()) {
    return number.is_real ? ScalarType{} : ScalarType{ScalarKind::integer, 64};
  }
  const std::string_view letters = "iura";  // in the order of ScalarKind, after boolean
  const std::size_t kind = letters.find(number.suffix[0]);
  unsigned width = 0;
  const char* last = number.suffix.data() + number.suffix.size();
  const auto [end, status] = std::from_chars(number.suffix.data() + 1, last, width);
  if (kind == std::string_view::npos || status != std::errc() || end != last || width < 1 || width > 64) {
    Lexer::fail_at(number, "no number has the suffix '" + number.suffix.substr(0, 40) + "'; use i8, u8, r64 or a64");
  }
  return {static_cast<ScalarKind>(kind + 1), static_cast<std::uint8_t>(width)};
}

const ExprOp* function_named(std::string_view word) {
  static const auto* const table = [] {
    auto* map = new std::unordered_map<std::string_view, ExprOp>;
    for (int i = 0; i <= static_cast<int>(ExprOp::rotr); ++i) {
      const auto op = static_cast<ExprOp>(i);
      if (expr_operands(op) != 0 && op != ExprOp::cast) map->emplace(expr_name(op), op);
    }
    return map;
  }();
  const auto found = table->find(word);
  return found == table->end() ? nullptr : &found->second;
}

}  // namespace

double real_of(const Token& number) {
  double value = 0;
  const char* end = number.text.data() + number.text.size();
  if (std::from_chars(number.text.data(), end, value).ec == std::errc()) return value;
  Lexer::fail_at(number, "a number outside the range of doubles");
}

float float_of(const Token& number) {
  float value = 0;
  const char* end = number.text.data() + number.text.size();
  if (std::from_chars(number.text.data(), end, value).ec == std::errc()) return value;
  Lexer::fail_at(number, "a number outside the range of floats");
}

struct ExpressionReader::Nested {
  explicit Nested(ExpressionReader& reader) : reader_(reader) {
    if (reader_.depth_ >= kMaxNesting) {
      reader_.lexer_.fail("expressions nest deeper than " + std::to_string(kMaxNesting), ErrorCode::limit_exceeded);
    }
    ++reader_.depth_;
  }
  ~Nested() { --reader_.depth_; }
  Nested(const Nested&) = delete;
  Nested& operator=(const Nested&) = delete;
  ExpressionReader& reader_;
};

void ExpressionReader::declare_wires(const std::string& name, std::uint32_t register_index) {
  const auto [entry, is_new] = wire_registers_.emplace(name, register_index);
  if (!is_new) entry->second = kAmbiguousRegister;
}

void ExpressionReader::declare(const std::string& name, Named named) {
  const auto [entry, is_new] = names_.emplace(name, named);
  if (!is_new) entry->second.kind = Named::Kind::ambiguous;
}

const Named& ExpressionReader::named(const Token& name) const {
  const auto found = names_.find(name.text);
  if (found == names_.end()) {
    Lexer::fail_at(name, "'" + name.text.substr(0, 80) + "' is not declared", ErrorCode::semantic_error);
  }
  if (found->second.kind == Named::Kind::ambiguous) {
    Lexer::fail_at(name, "'" + name.text.substr(0, 80) + "' is declared twice; say $bit[0], $var[0] or $param[0]",
                   ErrorCode::semantic_error);
  }
  return found->second;
}

std::uint32_t ExpressionReader::number_in_brackets(const char* what, std::size_t count) {
  lexer_.expect("[");
  const Token place = lexer_.peek();
  const std::uint64_t index = lexer_.expect_count(what, 0xffffffffU);
  if (index >= count) {
    Lexer::fail_at(place, std::string(what) + " " + std::to_string(index) + " of " + std::to_string(count),
                   ErrorCode::semantic_error);
  }
  lexer_.expect("]");
  return static_cast<std::uint32_t>(index);
}

Wire ExpressionReader::wire() {
  const Token start = lexer_.peek();
  if (lexer_.accept("$")) {
    lexer_.expect("wire");
    return number_in_brackets("wire", circuit_.num_wires());
  }
  const std::string name = lexer_.expect_spelled("a wire");
  const auto found = wire_registers_.find(name);
  if (found == wire_registers_.end() || found->second == kAmbiguousRegister) {
    const bool is_unknown = found == wire_registers_.end();
    Lexer::fail_at(start, "'" + name.substr(0, 80) + (is_unknown ? "' is no register of wires" : "' is declared twice"),
                   ErrorCode::semantic_error);
  }
  const Register& r = circuit_.wire_registers()[found->second];
  return r.first + number_in_brackets("wire", r.size);
}

std::pair<std::uint32_t, std::uint32_t> ExpressionReader::range(const Register& among) {
  lexer_.expect("[");
  const Token place = lexer_.peek();
  const std::uint64_t first = lexer_.expect_count("bit", 0xffffffffU);
  const bool is_range = lexer_.accept(":");
  const std::uint64_t last = is_range ? lexer_.expect_count("bit", 0xffffffffU) : first;
  lexer_.expect("]");
  if (last >= among.size || last < first) {
    Lexer::fail_at(place,
                   "bits " + std::to_string(first) + " to " + std::to_string(last) + " of a register of " +
                       std::to_string(among.size),
                   ErrorCode::semantic_error);
  }
  return {among.first + static_cast<std::uint32_t>(first), is_range ? static_cast<std::uint32_t>(last - first + 1) : 0};
}

std::uint32_t ExpressionReader::bit() {
  const Token start = lexer_.peek();
  const Assignment place = target(nullptr);
  if (!place.to_bits || place.count != 1) Lexer::fail_at(start, "expected one bit", ErrorCode::semantic_error);
  return place.first;
}

Assignment ExpressionReader::target(const Token* first) {
  const Token start = first != nullptr ? *first : lexer_.take();
  const auto bits_of = [this](const Register& among) {
    const auto [bit, count] = range(among);
    return Assignment{true, bit, std::max(count, 1U)};
  };
  Assignment result;
  if (start.is("$")) {
    if (lexer_.accept("bit")) return bits_of(all_bits());
    lexer_.expect("var");
    result.first = number_in_brackets("variable", circuit_.variables().size());
  } else {
    if (start.kind != TokenKind::name && start.kind != TokenKind::string) {
      Lexer::fail_at(start, "expected a statement, found " + start.described());
    }
    const Named& found = named(start);
    if (found.kind == Named::Kind::parameter) {
      Lexer::fail_at(start, "a parameter cannot be assigned", ErrorCode::semantic_error);
    }
    if (found.kind == Named::Kind::bits) {
      const Register& r = circuit_.bit_registers()[found.index];
      return lexer_.peek().is("[") ? bits_of(r) : Assignment{true, r.first, r.size};
    }
    result.first = found.index;
  }
  if (lexer_.accept("[")) {
    result.index = expression();
    lexer_.expect("of");
    result.count = static_cast<std::uint32_t>(lexer_.expect_count("length", 0xffffffffU));
    lexer_.expect("]");
  }
  return result;
}

ScalarType ExpressionReader::type() {
  const Token word = lexer_.take();
  const auto kind = kind_of(word.kind == TokenKind::name ? word.text : "");
  if (!kind) Lexer::fail_at(word, "expected bool, int, uint, real or angle, found " + word.described());
  return type_of(*kind);
}

ScalarType ExpressionReader::type_of(ScalarKind kind) {
  const std::uint8_t most = kind == ScalarKind::boolean ? 1 : 64;
  if (!lexer_.accept("[")) return {kind, most};
  const Token place = lexer_.peek();
  const std::uint64_t width = lexer_.expect_count("width", most);
  if (width == 0) Lexer::fail_at(place, "a type of no bits", ErrorCode::semantic_error);
  lexer_.expect("]");
  return {kind, static_cast<std::uint8_t>(width)};
}

Param ExpressionReader::param() {
  const bool is_negative = lexer_.peek().is("-");
  if (!is_negative && lexer_.peek().kind != TokenKind::number) return {0.0, expression()};
  // The common case, a number alone, must not fill the pool: look whether anything follows it.
  const Lexer before = lexer_;
  if (is_negative) lexer_.take();
  const Token digits = lexer_.take();
  const bool is_alone =
      digits.kind == TokenKind::number && digits.suffix.empty() && (lexer_.peek().is(",") || lexer_.peek().is(")"));
  if (is_alone) return {is_negative ? -real_of(digits) : real_of(digits)};
  lexer_ = before;
  return {0.0, expression()};
}

ExprId ExpressionReader::infix(int least) {
  const Nested nested(*this);
  ExprId left = prefix();
  while (true) {
    const Token& next = lexer_.peek();
    const auto* found = std::ranges::find_if(kInfixOperators, [&next](const InfixOperator& candidate) {
      return next.kind == TokenKind::symbol && candidate.symbol == next.text;
    });
    if (found == kInfixOperators.end() || found->level < least) return left;
    const Token symbol = lexer_.take();
    const ExprId right = infix(found->level + 1);
    left = at_place(symbol, [&] { return circuit_.expressions().binary(found->op, left, right); });
  }
}

ExprId ExpressionReader::prefix() {
  const Token& next = lexer_.peek();
  const auto* found = std::ranges::find_if(kPrefixOperators, [&next](const PrefixOperator& candidate) {
    return next.kind == TokenKind::symbol && candidate.symbol == next.text;
  });
  if (found == kPrefixOperators.end()) return power();
  const Nested nested(*this);
  const Token symbol = lexer_.take();
  const ExprId operand = prefix();
  return at_place(symbol, [&] { return circuit_.expressions().unary(found->op, operand); });
}

ExprId ExpressionReader::power() {
  const ExprId base = atom();
  if (!lexer_.peek().is("**")) return base;
  const Nested nested(*this);
  const Token symbol = lexer_.take();
  const ExprId exponent = prefix();
  return at_place(symbol, [&] { return circuit_.expressions().binary(ExprOp::pow, base, exponent); });
}

ExprId ExpressionReader::atom() {
  if (lexer_.accept("(")) {
    const ExprId inner = expression();
    lexer_.expect(")");
    return inner;
  }
  if (lexer_.peek().kind == TokenKind::number) return number();
  if (lexer_.accept("$")) return sigil();
  const Token name = lexer_.peek();
  if (name.kind == TokenKind::string) {
    lexer_.take();
    return reference(name);
  }
  if (name.kind == TokenKind::name) return word(lexer_.take());
  lexer_.fail("expected an expression, found " + name.described());
}

ExprId ExpressionReader::number() {
  const Token token = lexer_.take();
  const ScalarType type = literal_type(token);
  if (type.kind >= ScalarKind::real) {
    Scalar value = Scalar::of(real_of(token));
    value.type = type;
    return at_place(token, [&] { return circuit_.expressions().constant(value); });
  }
  std::uint64_t value = 0;
  const char* last = token.text.data() + token.text.size();
  const auto [end, status] = std::from_chars(token.text.data(), last, value);
  const bool fits = type.width == 64 || value >> type.width == 0;
  if (status != std::errc() || end != last || !fits) {
    Lexer::fail_at(token, token.described() + " does not fit in " + type_text(type), ErrorCode::semantic_error);
  }
  return circuit_.expressions().constant(Scalar::of(static_cast<std::int64_t>(value), type));
}

ExprId ExpressionReader::sigil() {
  const Token what = lexer_.peek();
  if (what.kind == TokenKind::number) {
    const std::uint64_t index = lexer_.expect_count("expression", 0xffffffffU);
    if (index < lets_.size()) return lets_[index];
    Lexer::fail_at(what, "$" + std::to_string(index) + " is not defined", ErrorCode::semantic_error);
  }
  if (lexer_.accept("bit")) return bit_leaf(all_bits());
  if (lexer_.accept("var")) return variable(number_in_brackets("variable", circuit_.variables().size()));
  lexer_.expect("param");
  const std::uint32_t index = number_in_brackets("parameter", circuit_.parameters().size());
  return circuit_.expressions().leaf(ExprOp::parameter, index, circuit_.parameters()[index].type);
}

ExprId ExpressionReader::word(const Token& name) {
  if (name.text == "true" || name.text == "false") {
    return circuit_.expressions().constant(Scalar::of(name.text == "true"));
  }
  if (name.text == "pi") return circuit_.expressions().constant(std::numbers::pi);
  if (lexer_.peek().is("(") || kind_of(name.text)) return function(name);
  return reference(name);
}

ExprId ExpressionReader::function(const Token& name) {
  ScalarType cast_to;
  const auto kind = kind_of(name.text);
  const ExprOp* op = function_named(name.text);
  if (kind) {
    cast_to = type_of(*kind);
  } else if (op == nullptr) {
    Lexer::fail_at(name, "no function " + name.described());
  }
  lexer_.expect("(");
  const ExprId first = expression();
  ExprId second = kNoExpr;
  if (op != nullptr && !kind && expr_operands(*op) == 2) {
    lexer_.expect(",");
    second = expression();
  }
  lexer_.expect(")");
  return at_place(name, [&] {
    ExprPool& pool = circuit_.expressions();
    if (kind) return pool.cast(first, cast_to);
    return second == kNoExpr ? pool.unary(*op, first) : pool.binary(*op, first, second);
  });
}

ExprId ExpressionReader::reference(const Token& name) {
  const Named found = named(name);
  if (found.kind == Named::Kind::variable) return variable(found.index);
  ExprPool& pool = circuit_.expressions();
  if (found.kind == Named::Kind::parameter) {
    return pool.leaf(ExprOp::parameter, found.index, circuit_.parameters()[found.index].type);
  }
  const Register& r = circuit_.bit_registers()[found.index];
  if (lexer_.peek().is("[")) return bit_leaf(r);
  return at_place(name, [&] { return pool.leaf(ExprOp::bits, r.first, {}, r.size); });
}

ExprId ExpressionReader::bit_leaf(const Register& among) {
  const Token place = lexer_.peek();
  const auto [first, count] = range(among);
  ExprPool& pool = circuit_.expressions();
  if (count == 0) return pool.leaf(ExprOp::bit, first, {});
  return at_place(place, [&pool, first = first, count = count] { return pool.leaf(ExprOp::bits, first, {}, count); });
}

ExprId ExpressionReader::variable(std::uint32_t index) {
  const ScalarType type = circuit_.variables()[index].type;
  const Token place = lexer_.peek();
  ExprPool& pool = circuit_.expressions();
  if (!lexer_.accept("[")) return pool.leaf(ExprOp::variable, index, type);
  const ExprId at = expression();
  lexer_.expect("of");
  const auto length = static_cast<std::uint32_t>(lexer_.expect_count("length", 0xffffffffU));
  lexer_.expect("]");
  return at_place(place, [&] { return pool.leaf(ExprOp::element, index, type, at, length); });
}

}  // namespace skerry::ir
