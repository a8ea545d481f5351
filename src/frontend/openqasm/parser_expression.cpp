#include <charconv>
#include <cmath>
#include <string>

#include "frontend/openqasm/parser.hpp"

namespace skerry::frontend::openqasm {
namespace {

struct BinaryRow {
  int precedence = 0;  // 0: not a binary operator
  ExprOp op = ExprOp::constant;
};

// OpenQASM 3 language specification, table of operator precedence; ** is handled by power().
BinaryRow binary_row(Tok kind, int version) {
  switch (kind) {
    case Tok::or_or:
      return {1, ExprOp::logical_or};
    case Tok::and_and:
      return {2, ExprOp::logical_and};
    case Tok::pipe:
      return {3, ExprOp::bit_or};
    case Tok::caret:
      return version == 2 ? BinaryRow{} : BinaryRow{4, ExprOp::bit_xor};  // a power in OpenQASM 2
    case Tok::amp:
      return {5, ExprOp::bit_and};
    case Tok::equal:
      return {6, ExprOp::eq};
    case Tok::not_equal:
      return {6, ExprOp::ne};
    case Tok::less:
      return {7, ExprOp::lt};
    case Tok::less_equal:
      return {7, ExprOp::le};
    case Tok::greater:
      return {7, ExprOp::gt};
    case Tok::greater_equal:
      return {7, ExprOp::ge};
    case Tok::shl:
      return {8, ExprOp::shl};
    case Tok::shr:
      return {8, ExprOp::shr};
    case Tok::plus:
      return {9, ExprOp::add};
    case Tok::minus:
      return {9, ExprOp::sub};
    case Tok::star:
      return {10, ExprOp::mul};
    case Tok::slash:
      return {10, ExprOp::div};
    case Tok::percent:
      return {10, ExprOp::mod};
    default:
      return {};
  }
}

// A literal's characters without the underscores, which may stand between digits.
std::string_view without_underscores(std::string_view text, std::string& storage) {
  if (text.find('_') == std::string_view::npos) return text;
  storage.clear();
  for (const char c : text)
    if (c != '_') storage += c;
  return storage;
}

double seconds_per(std::string_view unit) {
  if (unit == "ns") return 1e-9;
  if (unit == "ms") return 1e-3;
  if (unit == "s") return 1.0;
  if (unit == "dt") return 2e-9 / 9.0;  // 4.5 GHz, the sample rate of the devices that this unit comes from
  return 1e-6;                          // us, with a u or one of the two Unicode micro signs
}

}  // namespace

Node Parser::lone_expression() {
  const Node node = expression();
  if (!at(Tok::end_of_text)) fail_here("an expression is followed by " + std::string(describe(token_.kind)));
  return node;
}

Node Parser::expression() {
  return binary(1);
}

Node Parser::binary(int min_precedence) {
  Node left = unary();
  for (;;) {
    const BinaryRow row = binary_row(token_.kind, version_);
    if (row.precedence == 0 || row.precedence < min_precedence) return left;
    Expr e;
    e.kind = ExprKind::binary;
    e.op = row.op;
    e.place = token_.place;
    advance();
    e.a = left;
    e.b = binary(row.precedence + 1);
    left = ast_.add(e);
  }
}

Node Parser::unary() {
  const Nesting level(*this);
  Expr e;
  e.kind = ExprKind::unary;
  e.place = token_.place;
  if (at(Tok::minus))
    e.op = ExprOp::neg;
  else if (at(Tok::bang))
    e.op = ExprOp::logical_not;
  else if (at(Tok::tilde))
    e.op = ExprOp::bit_not;
  else if (!at(Tok::plus))
    return power();
  const bool plus = at(Tok::plus);
  advance();
  e.a = unary();
  return plus ? e.a : ast_.add(e);
}

Node Parser::power() {
  const Node base = postfix();
  if (!at(Tok::power) && !(version_ == 2 && at(Tok::caret))) return base;
  Expr e;
  e.kind = ExprKind::binary;
  e.op = ExprOp::pow;
  e.place = token_.place;
  advance();
  e.a = base;
  e.b = unary();
  return ast_.add(e);
}

Node Parser::postfix() {
  return indexed(primary());
}

// base[i][j, k]...; each index is one level of nesting.
Node Parser::indexed(Node base) {
  std::uint32_t depth = 0;
  while (at(Tok::l_bracket)) {
    if (++depth > sources_.limits().max_nesting)
      sources_.fail(ErrorCode::limit_exceeded, token_.place,
                    "more indices than max_nesting = " + std::to_string(sources_.limits().max_nesting));
    Expr e;
    e.kind = ExprKind::index;
    e.place = token_.place;
    e.a = base;
    advance();
    Items items(*this);
    do items.add(index_item());
    while (take(Tok::comma));
    e.list = items.list();
    expect(Tok::r_bracket, "after an index");
    base = ast_.add(e);
  }
  return base;
}

Node Parser::index_item() {
  if (at(Tok::l_brace)) return set();
  const Place place = token_.place;
  const Node first = at(Tok::colon) ? kNone : expression();
  return at(Tok::colon) ? range(first, place) : first;
}

// first : last or first : step : last, the first already read; any part but the colon may be missing.
Node Parser::range(Node first, Place place) {
  Expr e;
  e.kind = ExprKind::range;
  e.place = place;
  e.a = first;
  expect(Tok::colon, "in a range");
  const auto part = [this] { return at(Tok::colon) || at(Tok::r_bracket) ? kNone : expression(); };
  e.c = part();
  if (take(Tok::colon)) {
    e.b = e.c;
    e.c = part();
  }
  return ast_.add(e);
}

Node Parser::set() {
  Expr e;
  e.kind = ExprKind::set;
  e.place = token_.place;
  expect(Tok::l_brace, "before a set");
  e.list = expressions(Tok::r_brace);
  return ast_.add(e);
}

List Parser::expressions(Tok close) {
  Items items(*this);
  while (!at(close)) {
    items.add(expression());
    if (!take(Tok::comma)) break;
  }
  expect(close, "after the list");
  return items.list();
}

Node Parser::primary() {
  switch (token_.kind) {
    case Tok::integer:
    case Tok::real:
    case Tok::duration:
      return number();
    case Tok::identifier:
      return word();
    case Tok::imaginary:
      refuse("an imaginary number", "keep the real and the imaginary part in two floats");
    case Tok::string: {
      Expr e;
      e.kind = ExprKind::bitstring;
      e.place = token_.place;
      e.text = token_.text;
      if (e.text.empty() || e.text.find_first_not_of("01_") != std::string_view::npos)
        fail_here("a string of bits holds 0, 1 and _ only");
      advance();
      return ast_.add(e);
    }
    case Tok::hardware_qubit: {
      Expr e;
      e.kind = ExprKind::hardware;
      e.place = token_.place;
      const auto [end, error] =
          std::from_chars(token_.text.data() + 1, token_.text.data() + token_.text.size(), e.integer);
      if (error != std::errc{}) fail_here("the number of a physical qubit is too large");
      advance();
      return ast_.add(e);
    }
    case Tok::l_paren: {
      advance();
      const Node inner = expression();
      expect(Tok::r_paren, "after an expression");
      return inner;
    }
    default:
      break;
  }
  fail_here("an expression is missing, found " + std::string(describe(token_.kind)));
}

Node Parser::number() {
  Expr e;
  e.place = token_.place;
  std::string storage;
  std::string_view text = without_underscores(token_.text, storage);
  if (at(Tok::duration)) {
    const std::size_t unit = text.find_first_not_of("0123456789.eE+- \t");
    e.kind = ExprKind::duration;
    e.real = seconds_per(text.substr(unit));
    text = text.substr(0, text.find_last_of("0123456789.", unit) + 1);
  }
  if (at(Tok::integer)) {
    const bool prefixed = text.size() > 1 && text[0] == '0' && (text[1] < '0' || text[1] > '9');
    const char letter = prefixed ? static_cast<char>(text[1] | 0x20) : ' ';
    const int base = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 10;
    if (prefixed) text.remove_prefix(2);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), e.integer, base);
    const bool whole = end == text.data() + text.size() && !text.empty();
    if (error == std::errc{} && whole) {
      e.kind = ExprKind::integer;
      advance();
      return ast_.add(e);
    }
    if (prefixed) fail_here(whole ? "this integer does not fit 64 bits" : "this is not an integer");
  }
  double value = 0.0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end != text.data() + text.size() && error == std::errc{}) fail_here("this is not a number");
  if (error != std::errc{} && !(error == std::errc::result_out_of_range && text.find("e-") != std::string_view::npos))
    sources_.fail(ErrorCode::out_of_range, e.place, "this number is too large for a double",
                  "the largest is about 1.8e308");
  if (error != std::errc{}) value = 0.0;  // below the smallest double
  if (e.kind == ExprKind::duration) {
    e.real *= value;
  } else {
    e.kind = ExprKind::real;
    e.real = value;
  }
  advance();
  return ast_.add(e);
}

Node Parser::word() {
  const Keyword k = at_keyword();
  if (k == Keyword::none) {
    const Token name = token_;
    advance();
    if (at(Tok::l_paren)) return call(name.text, name.place);
    Expr e;
    e.kind = ExprKind::name;
    e.place = name.place;
    e.text = name.text;
    return ast_.add(e);
  }
  if (k == Keyword::true_ || k == Keyword::false_) {
    Expr e;
    e.kind = ExprKind::boolean;
    e.place = token_.place;
    e.integer = k == Keyword::true_ ? 1 : 0;
    advance();
    return ast_.add(e);
  }
  if (k == Keyword::pow_) {  // a modifier elsewhere, a function here
    const Token name = token_;
    advance();
    if (at(Tok::l_paren)) return call(name.text, name.place);
    fail_here("pow needs two arguments here");
  }
  if (k == Keyword::durationof_) refuse("'durationof'", "write the duration as a number");
  if (at_type()) return cast();
  if (k == Keyword::measure_) fail_here("a measurement is not part of an expression", "assign it to a bit first");
  fail_here("'" + std::string(token_.text) + "' cannot stand in an expression");
}

Node Parser::cast() {
  Expr e;
  e.kind = ExprKind::cast;
  e.place = token_.place;
  const Type to = type();
  expect(Tok::l_paren, "after the type of a cast");
  e.a = expression();
  expect(Tok::r_paren, "after the value of a cast");
  ast_.types.push_back(to);
  e.b = static_cast<Node>(ast_.types.size() - 1);
  return ast_.add(e);
}

Node Parser::call(std::string_view name, Place place) {
  Expr e;
  e.kind = ExprKind::call;
  e.place = place;
  e.text = name;
  advance();
  e.list = expressions(Tok::r_paren);
  return ast_.add(e);
}

}  // namespace skerry::frontend::openqasm
