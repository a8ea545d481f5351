/// \file
/// Words of LLVM's textual IR, and complaints with their place.
#pragma once

#include <skerry/error.hpp>
#include <string>
#include <string_view>

#include "frontend/qir/module.hpp"

namespace skerry::frontend::qir {

struct Token {
  enum Kind : std::uint8_t {
    word,    ///< `call`, `i64`, `c`
    local,   ///< %name; text without the sigil and quotes
    global,  ///< @name
    label,   ///< name:
    group,   ///< #0
    text,    ///< "..." without the quotes
    number,  ///< 12, -1.5e+00, 0x3FF0000000000000
    sign,    ///< one character
    line_end,
    end,
  } kind = end;
  std::string_view text_of;
  Place place = 0;
  bool is(std::string_view wanted) const { return (kind == word || kind == sign) && text_of == wanted; }
};

/// Reads tokens one after the other; every token is a view into the text.
class Lexer {
 public:
  Lexer(std::string_view text, const std::string& name) : text_(text), name_(name) { next(); }

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
  /// Errors: syntax_error.
  void expect(std::string_view wanted);
  void skip_line();
  void skip_line_ends() {
    while (token_.kind == Token::line_end) next();
  }
  /// The text of a token as it is written here, shortened for a message.
  std::string shown() const;
  [[noreturn]] void fail(ErrorCode code, Place place, std::string message, std::string hint = {}) const;

 private:
  void next();
  void named(Token::Kind kind, std::size_t sigil);
  char at(std::size_t place) const { return place < text_.size() ? text_[place] : '\0'; }

  std::string_view text_;
  const std::string& name_;
  std::size_t at_ = 0;
  Token token_;
};

/// A word of the text for a message: at most 40 characters, those that cannot be printed as `?`.
std::string shown_word(std::string_view word);

/// Throws with `name:line:column`.
[[noreturn]] void fail_at(std::string_view text, const std::string& name, ErrorCode code, Place place,
                          std::string message, std::string hint = {});

}  // namespace skerry::frontend::qir
