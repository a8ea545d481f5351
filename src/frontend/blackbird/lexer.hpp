/// \file
/// Words of Blackbird, one after the other.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace skerry::frontend::blackbird {

enum class Kind : std::uint8_t { name, number, text, sign, line_end, end };

struct Token {
  Kind kind = Kind::end;
  std::string_view text;
  bool is_imaginary = false, is_integer = false;
  std::size_t line = 1, column = 1;
  std::size_t indent = 0;  ///< of the line that it stands in
  bool is(std::string_view wanted) const { return (kind == Kind::name || kind == Kind::sign) && text == wanted; }
};

constexpr bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// The word for a message: at most 40 characters, those that cannot be printed as `?`.
std::string shown(std::string_view text);

/// Tokens one after the other. Its position is a value: loops come back to it.
class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {
    skip_blank_lines();
    next();
  }
  const Token& token() const { return token_; }
  Token take() {
    const Token taken = token_;
    next();
    return taken;
  }
  bool accept(std::string_view wanted) {
    if (!token_.is(wanted)) return false;
    next();
    return true;
  }

 private:
  char at(std::size_t place) const { return place < text_.size() ? text_[place] : '\0'; }

  void skip_space() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '#') {
        while (at_ < text_.size() && text_[at_] != '\n') ++at_;
      } else if (c == '\n' && open_ > 0) {
        begin_line(++at_);
      } else if (c == ' ' || c == '\t' || c == '\r') {
        ++at_;
      } else {
        return;
      }
    }
  }

  void begin_line(std::size_t place) {
    ++line_;
    line_begin_ = place;
  }

  /// To the first token of the next line that has any; notes how far it is indented.
  void skip_blank_lines() {
    for (;;) {
      skip_space();
      if (at(at_) != '\n' || at_ >= text_.size()) break;
      begin_line(++at_);
    }
    indent_ = at_ - line_begin_;
  }

  void next() {
    skip_space();
    token_ = {Kind::end, {}, false, false, line_, at_ - line_begin_ + 1, indent_};
    if (at_ >= text_.size()) {
      token_.indent = 0;
      return;
    }
    const std::size_t first = at_;
    const char c = text_[at_];
    if (c == '\n') {
      token_.kind = Kind::line_end;
      token_.text = text_.substr(at_, 1);
      skip_blank_lines();
      return;
    }
    if (is_letter(c)) {
      while (is_letter(at(at_)) || is_digit(at(at_))) ++at_;
      token_.kind = Kind::name;
    } else if (is_digit(c) || (c == '.' && is_digit(at(at_ + 1)))) {
      number();
      return;
    } else if (c == '"') {
      ++at_;
      while (at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\n') ++at_;
      token_.kind = at(at_) == '"' ? Kind::text : Kind::sign;
      token_.text = text_.substr(first + 1, at_ - first - 1);
      if (token_.kind == Kind::sign) token_.text = text_.substr(first, 1);
      if (at_ < text_.size() && text_[at_] == '"') ++at_;
      return;
    } else {
      token_.kind = Kind::sign;
      at_ += c == '*' && at(at_ + 1) == '*' ? 2 : 1;
      if (c == '(' || c == '[' || c == '{') ++open_;
      if ((c == ')' || c == ']' || c == '}') && open_ > 0) --open_;
    }
    token_.text = text_.substr(first, at_ - first);
  }

  void number() {
    const std::size_t first = at_;
    const auto digits = [this] {
      while (is_digit(at(at_))) ++at_;
    };
    token_.is_integer = true;
    digits();
    if (at(at_) == '.') {
      token_.is_integer = false;
      ++at_;
      digits();
    }
    if ((at(at_) == 'e' || at(at_) == 'E') &&
        (is_digit(at(at_ + 1)) || ((at(at_ + 1) == '+' || at(at_ + 1) == '-') && is_digit(at(at_ + 2))))) {
      token_.is_integer = false;
      at_ += 2;
      digits();
    }
    token_.kind = Kind::number;
    token_.text = text_.substr(first, at_ - first);
    if (at(at_) == 'j') {
      token_.is_imaginary = true;
      ++at_;
    }
  }

  std::string_view text_;
  std::size_t at_ = 0, line_ = 1, line_begin_ = 0, indent_ = 0, open_ = 0;
  Token token_;
};

}  // namespace skerry::frontend::blackbird
