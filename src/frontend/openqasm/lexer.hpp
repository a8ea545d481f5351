/// \file
/// OpenQASM text to tokens, one at a time, without copying or allocating.
#pragma once

#include <cstdint>
#include <string_view>

#include "frontend/openqasm/source.hpp"

namespace skerry::frontend::openqasm {

enum class Tok : std::uint8_t {
  end_of_text,
  identifier,
  integer,
  real,
  duration,
  imaginary,
  string,
  hardware_qubit,
  l_paren,
  r_paren,
  l_bracket,
  r_bracket,
  l_brace,
  r_brace,
  semicolon,
  comma,
  colon,
  dot,
  at,
  hash,
  arrow,
  assign,
  plus_assign,
  minus_assign,
  star_assign,
  slash_assign,
  percent_assign,
  power_assign,
  and_assign,
  or_assign,
  xor_assign,
  tilde_assign,
  shl_assign,
  shr_assign,
  plus,
  minus,
  star,
  slash,
  percent,
  power,
  concat,
  caret,
  amp,
  pipe,
  tilde,
  bang,
  and_and,
  or_or,
  equal,
  not_equal,
  less,
  less_equal,
  greater,
  greater_equal,
  shl,
  shr,
};

/// `'('`, `a number`, ... for messages.
std::string_view describe(Tok kind);

struct Token {
  Tok kind = Tok::end_of_text;
  Place place;
  std::string_view text;  ///< of a string without its quotes; of a duration with its unit
};

/// One text as tokens. Both versions of the language have the same tokens; words are told apart by the parser.
class Lexer {
 public:
  Lexer(const Sources& sources, std::size_t file);

  /// The next token. Errors: syntax_error for what starts no token and for comments and strings that do not end,
  /// limit_exceeded for a name past max_name_bytes.
  Token next();
  /// Leaves out the rest of the line that `token` is on (pragmas and annotations) .
  void skip_line(const Token& token);

  std::size_t file() const { return file_; }

 private:
  void skip_space();
  void skip_block_comment();
  Token make(Tok kind, const char* start) const;
  Place place(const char* at) const;
  Token word(const char* start);
  Token number(const char* start);
  Token number_suffix(Tok kind, const char* start);
  Token string(const char* start);
  Token hardware_qubit(const char* start);
  Token punctuation(const char* start);
  bool take(char c);

  const Sources* sources_;  ///< a pointer, so that a reader of includes can be put aside and taken up again
  std::size_t file_;
  const char *text_, *at_, *end_;
};

}  // namespace skerry::frontend::openqasm
