#include "frontend/qir/lexer.hpp"

#include <algorithm>

namespace skerry::frontend::qir {
namespace {

constexpr std::size_t kShown = 40;

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
         c == '$' || c == '-';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

}  // namespace

std::string shown_word(std::string_view word) {
  std::string shown(word.substr(0, kShown));
  std::ranges::replace_if(
      shown, [](char c) { return c < ' ' || c > '~'; }, '?');
  return shown;
}

void fail_at(std::string_view text, const std::string& name, ErrorCode code, Place place, std::string message,
             std::string hint) {
  const std::string_view before = text.substr(0, place);
  const std::size_t start = before.rfind('\n');
  const std::size_t column = before.size() - (start == std::string_view::npos ? 0 : start + 1) + 1;
  const auto line = 1 + std::ranges::count(before, '\n');
  throw Error(code, std::move(message), name + ":" + std::to_string(line) + ":" + std::to_string(column),
              std::move(hint));
}

void Lexer::fail(ErrorCode code, Place place, std::string message, std::string hint) const {
  fail_at(text_, name_, code, place, std::move(message), std::move(hint));
}

std::string Lexer::shown() const {
  if (token_.kind == Token::end) return "the end of the text";
  if (token_.kind == Token::line_end) return "the end of the line";
  return "'" + shown_word(token_.text_of) + "'";
}

void Lexer::expect(std::string_view wanted) {
  if (accept(wanted)) return;
  fail(ErrorCode::syntax_error, token_.place, "'" + std::string(wanted) + "' is missing before " + shown());
}

void Lexer::skip_line() {
  while (token_.kind != Token::line_end && token_.kind != Token::end) next();
}

// %name, @name, %"any name", and #0.
void Lexer::named(Token::Kind kind, std::size_t sigil) {
  std::size_t first = at_ + sigil;
  if (at(first) == '"') {
    const std::size_t close = std::min(text_.find('"', first + 1), text_.size());
    token_ = {kind, text_.substr(first + 1, close - first - 1), at_};
    at_ = std::min(close + 1, text_.size());
    if (close == text_.size()) fail(ErrorCode::syntax_error, token_.place, "the text is not closed", "add a \"");
    return;
  }
  const std::size_t begin = first;
  while (is_word(at(first))) ++first;
  token_ = {kind, text_.substr(begin, first - begin), at_};
  at_ = first;
}

void Lexer::next() {
  while (at(at_) == ' ' || at(at_) == '\t' || at(at_) == '\r') ++at_;
  if (at(at_) == ';') at_ = std::min(text_.find('\n', at_), text_.size());
  if (at_ >= text_.size()) {
    token_ = {Token::end, {}, text_.size()};
    return;
  }
  const char c = text_[at_];
  if (c == '\n') {
    token_ = {Token::line_end, text_.substr(at_, 1), at_};
    ++at_;
  } else if (c == '%') {
    named(Token::local, 1);
  } else if (c == '@') {
    named(Token::global, 1);
  } else if (c == '#') {
    named(Token::group, 1);
  } else if (c == '"') {
    named(Token::text, 0);
    if (at(at_) == ':') {
      token_.kind = Token::label;
      ++at_;
    }
  } else if (is_word(c)) {
    const std::size_t begin = at_;
    // The sign of an exponent is part of a number: 1.5e+00.
    while (is_word(at(at_)) || (at(at_) == '+' && at(at_ - 1) == 'e' && is_digit(at(begin + (c == '-' ? 1 : 0)))))
      ++at_;
    token_ = {Token::word, text_.substr(begin, at_ - begin), begin};
    if (at(at_) == ':') {
      token_.kind = Token::label;
      ++at_;
    } else if (is_digit(c) || (c == '-' && is_digit(at(begin + 1)))) {
      token_.kind = Token::number;
    }
  } else {
    token_ = {Token::sign, text_.substr(at_, 1), at_};
    ++at_;
  }
}

}  // namespace skerry::frontend::qir
