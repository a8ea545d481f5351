#include "ir/text/lexer.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace skerry::ir {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

// Longest first.
constexpr std::array<std::string_view, 9> kPairs = {"->", "**", "==", "!=", "<=", ">=", "<<", ">>", "&&"};
constexpr std::string_view kSingles = "{}()[]<>,;:=+-*/%&|^!~@#$?";

}  // namespace

std::string Token::described() const {
  if (kind == TokenKind::end) return "the end";
  if (kind == TokenKind::string) return "a string";
  constexpr std::size_t kShown = 40;
  return "'" + text.substr(0, kShown) + suffix.substr(0, kShown) + "'";
}

std::string Lexer::where(const Token& place) {
  return std::to_string(place.line) + ":" + std::to_string(place.column);
}

void Lexer::fail_at(const Token& place, const std::string& message, ErrorCode code) {
  throw Error(code, message, where(place));
}

void Lexer::step() {
  if (text_[place_++] == '\n') {
    ++line_;
    column_ = 1;
  } else {
    ++column_;
  }
}

void Lexer::skip_blanks() {
  while (place_ < text_.size()) {
    const char c = at();
    if (c == '/' && at(1) == '/') {
      while (place_ < text_.size() && at() != '\n') step();
    } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
      step();
    } else {
      return;
    }
  }
}

char Lexer::escaped() {
  const auto hex = [this]() -> int {
    const char c = at();
    if (is_digit(c)) return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    fail("expected two hexadecimal digits after \\x in a string");
  };
  const char c = at();
  if (place_ < text_.size()) step();
  if (c == 'n') return '\n';
  if (c == 't') return '\t';
  if (c == '"' || c == '\\') return c;
  if (c != 'x') fail("unknown escape in a string; use \\n \\t \\\" \\\\ \\xHH");
  const int high = hex();
  step();
  const int low = hex();
  step();
  return static_cast<char>(high * 16 + low);
}

void Lexer::read_string() {
  token_.kind = TokenKind::string;
  step();
  while (at() != '"') {
    if (place_ >= text_.size() || at() == '\n') fail("a string that does not end on its line");
    if (at() == '\\') {
      step();
      token_.text += escaped();
    } else {
      token_.text += at();
      step();
    }
  }
  step();
}

void Lexer::read_number() {
  token_.kind = TokenKind::number;
  const auto digits = [this] {
    while (is_digit(at())) {
      token_.text += at();
      step();
    }
  };
  digits();
  if (at() == '.' && is_digit(at(1))) {
    token_.is_real = true;
    token_.text += '.';
    step();
    digits();
  }
  const bool is_signed = at(1) == '+' || at(1) == '-';
  if (at() == 'e' && is_digit(at(is_signed ? 2 : 1))) {
    token_.is_real = true;
    token_.text += 'e';
    step();
    if (is_signed) {
      token_.text += at();
      step();
    }
    digits();
  }
  while (is_letter(at()) || is_digit(at())) {
    token_.suffix += at();
    step();
  }
}

void Lexer::advance() {
  skip_blanks();
  token_ = Token{};
  token_.line = line_;
  token_.column = column_;
  if (place_ >= text_.size()) return;
  const char c = at();
  if (c == '"') return read_string();
  if (is_digit(c)) return read_number();
  if (is_letter(c)) {
    token_.kind = TokenKind::name;
    while (is_letter(at()) || is_digit(at())) {
      token_.text += at();
      step();
    }
    return;
  }
  token_.kind = TokenKind::symbol;
  const std::string_view two = text_.substr(place_, 2);
  if (std::ranges::find(kPairs, two) != kPairs.end() || two == "||") {
    token_.text = two;
    step();
  } else if (c != '\0' && kSingles.find(c) != std::string_view::npos) {
    token_.text = c;
  } else if (c == '.') {
    token_.text = c;
  } else {
    fail("a character that has no meaning here");
  }
  step();
}

Token Lexer::take() {
  Token taken = std::move(token_);
  advance();
  return taken;
}

bool Lexer::accept(std::string_view symbol_or_name) {
  if (!token_.is(symbol_or_name)) return false;
  advance();
  return true;
}

Token Lexer::expect(std::string_view symbol_or_name) {
  if (!token_.is(symbol_or_name)) fail("expected '" + std::string(symbol_or_name) + "', found " + token_.described());
  return take();
}

std::string Lexer::expect_spelled(const char* what) {
  if (token_.kind != TokenKind::name && token_.kind != TokenKind::string) {
    fail("expected " + std::string(what) + ", found " + token_.described());
  }
  return take().text;
}

std::uint64_t Lexer::expect_count(const char* what, std::uint64_t most) {
  if (token_.kind != TokenKind::number || token_.is_real || !token_.suffix.empty()) {
    fail("expected " + std::string(what) + ", found " + token_.described());
  }
  std::uint64_t value = 0;
  const auto [end, status] = std::from_chars(token_.text.data(), token_.text.data() + token_.text.size(), value);
  if (status != std::errc() || value > most) {
    fail(std::string(what) + " " + token_.described() + " is past " + std::to_string(most), ErrorCode::limit_exceeded);
  }
  advance();
  return value;
}

std::string Lexer::take_value_name() {
  std::string name;
  if (at() == '"') {
    advance();
    name = std::move(token_.text);
  } else {
    while (is_letter(at()) || is_digit(at()) || at() == '/' || at() == '.') {
      name += at();
      step();
    }
  }
  advance();
  return name;
}

std::string Lexer::take_raw() {
  std::string raw;
  while (at() != '>') {
    if (place_ >= text_.size()) fail("expected '>' at the end of the data");
    raw += at();
    step();
  }
  step();
  advance();
  return raw;
}

}  // namespace skerry::ir
