/// \file
/// Tokens of the text form, one at a time, each with its place.
#pragma once

#include <cstdint>
#include <skerry/error.hpp>
#include <string>
#include <string_view>

namespace skerry::ir {

enum class TokenKind : std::uint8_t { name, string, number, symbol, end };

/// A name, a string (its bytes, unescaped), a number (digits and suffix apart) or a symbol (`->`, `**`, `{`).
struct Token {
  TokenKind kind = TokenKind::end;
  std::string text;
  std::string suffix;  ///< of a number: `u8` in `3u8`
  bool is_real = false;
  std::uint32_t line = 1, column = 1;

  bool is(std::string_view symbol_or_name) const {
    return (kind == TokenKind::symbol || kind == TokenKind::name) && text == symbol_or_name;
  }
  /// For messages: `'->'`, `the end`.
  std::string described() const;
};

/// Reads text that outlives it. Errors: syntax_error with line:column.
class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) { advance(); }

  /// The next token; after it the one that follows.
  const Token& peek() const noexcept { return token_; }
  Token take();
  bool accept(std::string_view symbol_or_name);
  Token expect(std::string_view symbol_or_name);
  /// A name or a string: whatever may be called.
  std::string expect_spelled(const char* what);
  /// A whole number without suffix, at most `most`.
  std::uint64_t expect_count(const char* what, std::uint64_t most);

  /// Precondition: the next token is `%`. Takes it and the value's name glued to it: `%w/0.a`, `%"odd"`, `%`.
  std::string take_value_name();
  /// Precondition: the next token is `<`. Takes everything up to `>`, and that.
  std::string take_raw();

  [[noreturn]] void fail(const std::string& message, ErrorCode code = ErrorCode::syntax_error) const {
    fail_at(token_, message, code);
  }
  [[noreturn]] static void fail_at(const Token& place, const std::string& message,
                                   ErrorCode code = ErrorCode::syntax_error);
  static std::string where(const Token& place);

 private:
  void advance();
  void skip_blanks();
  void read_string();
  void read_number();
  char escaped();
  char at(std::size_t ahead = 0) const { return place_ + ahead < text_.size() ? text_[place_ + ahead] : '\0'; }
  void step();

  std::string_view text_;
  std::size_t place_ = 0;
  std::uint32_t line_ = 1, column_ = 1;
  Token token_;
};

}  // namespace skerry::ir
