#include "frontend/openqasm/lexer.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace skerry::frontend::openqasm {
namespace {

enum Class : std::uint8_t { kOther = 0, kSpace = 1, kLetter = 2, kDigit = 4 };

// Bytes from 0x80 on are letters: the text is known to be UTF-8, and OpenQASM 3 names may use any of its letters.
constexpr std::array<std::uint8_t, 256> classes() {
  std::array<std::uint8_t, 256> table{};
  for (const char c : {' ', '\t', '\r', '\n', '\f', '\v'}) table[static_cast<unsigned char>(c)] = kSpace;
  for (unsigned c = '0'; c <= '9'; ++c) table[c] = kDigit;
  for (unsigned c = 'a'; c <= 'z'; ++c) table[c] = table[c - 'a' + 'A'] = kLetter;
  for (unsigned c = 0x80; c < 0x100; ++c) table[c] = kLetter;
  table['_'] = kLetter;
  return table;
}
constexpr std::array<std::uint8_t, 256> kClasses = classes();

bool is(char c, unsigned mask) {
  return (kClasses[static_cast<unsigned char>(c)] & mask) != 0;
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

constexpr std::array<std::string_view, 57> kNames = {"the end of the text",
                                                     "a name",
                                                     "an integer",
                                                     "a number",
                                                     "a duration",
                                                     "an imaginary number",
                                                     "a string",
                                                     "a physical qubit",
                                                     "'('",
                                                     "')'",
                                                     "'['",
                                                     "']'",
                                                     "'{'",
                                                     "'}'",
                                                     "';'",
                                                     "','",
                                                     "':'",
                                                     "'.'",
                                                     "'@'",
                                                     "'#'",
                                                     "'->'",
                                                     "'='",
                                                     "'+='",
                                                     "'-='",
                                                     "'*='",
                                                     "'/='",
                                                     "'%='",
                                                     "'**='",
                                                     "'&='",
                                                     "'|='",
                                                     "'^='",
                                                     "'~='",
                                                     "'<<='",
                                                     "'>>='",
                                                     "'+'",
                                                     "'-'",
                                                     "'*'",
                                                     "'/'",
                                                     "'%'",
                                                     "'**'",
                                                     "'++'",
                                                     "'^'",
                                                     "'&'",
                                                     "'|'",
                                                     "'~'",
                                                     "'!'",
                                                     "'&&'",
                                                     "'||'",
                                                     "'=='",
                                                     "'!='",
                                                     "'<'",
                                                     "'<='",
                                                     "'>'",
                                                     "'>='",
                                                     "'<<'",
                                                     "'>>'"};

}  // namespace

std::string_view describe(Tok kind) {
  return kNames[static_cast<std::size_t>(kind)];
}

Lexer::Lexer(const Sources& sources, std::size_t file)
    : sources_(&sources),
      file_(file),
      text_(sources.text(file).data()),
      at_(text_),
      end_(text_ + sources.text(file).size()) {}

Place Lexer::place(const char* at) const {
  return {sources_->begin(file_).offset + static_cast<std::uint32_t>(at - text_)};
}

Token Lexer::make(Tok kind, const char* start) const {
  return {kind, place(start), {start, static_cast<std::size_t>(at_ - start)}};
}

bool Lexer::take(char c) {
  if (at_ == end_ || *at_ != c) return false;
  ++at_;
  return true;
}

void Lexer::skip_space() {
  while (at_ != end_) {
    if (is(*at_, kSpace)) {
      ++at_;
    } else if (*at_ == '/' && end_ - at_ > 1 && at_[1] == '/') {
      at_ = std::find(at_, end_, '\n');
    } else if (*at_ == '/' && end_ - at_ > 1 && at_[1] == '*') {
      skip_block_comment();
    } else {
      return;
    }
  }
}

void Lexer::skip_block_comment() {
  constexpr std::string_view kClose = "*/";
  const char* close = std::search(at_ + 2, end_, kClose.begin(), kClose.end());
  if (close == end_) sources_->fail(ErrorCode::syntax_error, place(at_), "this comment has no end", "close it with */");
  at_ = close + kClose.size();
}

void Lexer::skip_line(const Token& token) {
  at_ = std::find(token.text.data(), end_, '\n');
}

Token Lexer::next() {
  skip_space();
  if (at_ == end_) return {Tok::end_of_text, place(at_), {}};
  const char* start = at_;
  if (is(*start, kLetter)) return word(start);
  if (is_digit(*start) || (*start == '.' && end_ - start > 1 && is_digit(start[1]))) return number(start);
  if (*start == '"' || *start == '\'') return string(start);
  if (*start == '$') return hardware_qubit(start);
  return punctuation(start);
}

Token Lexer::word(const char* start) {
  while (at_ != end_ && is(*at_, kLetter | kDigit)) ++at_;
  const auto length = static_cast<std::size_t>(at_ - start);
  if (length > sources_->limits().max_name_bytes)
    sources_->fail(ErrorCode::limit_exceeded, place(start),
                   "a name has " + std::to_string(length) + " bytes, max_name_bytes is " +
                       std::to_string(sources_->limits().max_name_bytes),
                   "use a shorter name");
  return make(Tok::identifier, start);
}

Token Lexer::number(const char* start) {
  const auto digits = [this] {
    while (at_ != end_ && (is_digit(*at_) || (*at_ == '_' && end_ - at_ > 1 && is_digit(at_[1])))) ++at_;
  };
  if (*at_ == '0' && end_ - at_ > 1 && std::string_view("xXbBoO").find(at_[1]) != std::string_view::npos) {
    at_ += 2;
    while (at_ != end_ && is(*at_, kLetter | kDigit)) ++at_;
    return make(Tok::integer, start);
  }
  Tok kind = Tok::integer;
  digits();
  if (take('.')) {
    kind = Tok::real;
    digits();
  }
  if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
    const char* mark = at_++;
    if (at_ != end_ && (*at_ == '+' || *at_ == '-')) ++at_;
    if (at_ != end_ && is_digit(*at_)) {
      kind = Tok::real;
      digits();
    } else {
      at_ = mark;
    }
  }
  return number_suffix(kind, start);
}

// A unit makes a duration, `im` an imaginary number, any other letter a mistake.
Token Lexer::number_suffix(Tok kind, const char* start) {
  const char* after_number = at_;
  while (at_ != end_ && (*at_ == ' ' || *at_ == '\t')) ++at_;
  const char* unit = at_;
  while (at_ != end_ && is(*at_, kLetter | kDigit)) ++at_;
  const std::string_view suffix(unit, static_cast<std::size_t>(at_ - unit));
  constexpr std::array<std::string_view, 7> kUnits = {"ns", "us", "\xC2\xB5s", "\xCE\xBCs", "ms", "s", "dt"};
  if (std::find(kUnits.begin(), kUnits.end(), suffix) != kUnits.end()) return make(Tok::duration, start);
  if (suffix == "im") return make(Tok::imaginary, start);
  at_ = after_number;
  if (!suffix.empty() && unit == after_number)
    sources_->fail(ErrorCode::syntax_error, place(unit),
                   "a number is followed by '" + std::string(suffix.substr(0, 32)) + "'",
                   "a name cannot start with a digit");
  return make(kind, start);
}

Token Lexer::string(const char* start) {
  const char quote = *at_++;
  while (at_ != end_ && *at_ != quote && *at_ != '\n') ++at_;
  if (at_ == end_ || *at_ != quote)
    sources_->fail(ErrorCode::syntax_error, place(start), "this string has no end", "close it on the same line");
  Token token = make(Tok::string, start + 1);
  token.place = place(start);
  ++at_;
  return token;
}

Token Lexer::hardware_qubit(const char* start) {
  ++at_;
  while (at_ != end_ && is_digit(*at_)) ++at_;
  if (at_ == start + 1)
    sources_->fail(ErrorCode::syntax_error, place(start), "'$' is not followed by the number of a qubit", "write $0");
  return make(Tok::hardware_qubit, start);
}

Token Lexer::punctuation(const char* start) {
  const char c = *at_++;
  const auto pick = [&](Tok kind) { return make(kind, start); };
  const auto with_equal = [&](Tok with, Tok without) { return pick(take('=') ? with : without); };
  switch (c) {
    case '(':
      return pick(Tok::l_paren);
    case ')':
      return pick(Tok::r_paren);
    case '[':
      return pick(Tok::l_bracket);
    case ']':
      return pick(Tok::r_bracket);
    case '{':
      return pick(Tok::l_brace);
    case '}':
      return pick(Tok::r_brace);
    case ';':
      return pick(Tok::semicolon);
    case ',':
      return pick(Tok::comma);
    case ':':
      return pick(Tok::colon);
    case '.':
      return pick(Tok::dot);
    case '@':
      return pick(Tok::at);
    case '#':
      return pick(Tok::hash);
    case '=':
      return with_equal(Tok::equal, Tok::assign);
    case '!':
      return with_equal(Tok::not_equal, Tok::bang);
    case '%':
      return with_equal(Tok::percent_assign, Tok::percent);
    case '^':
      return with_equal(Tok::xor_assign, Tok::caret);
    case '~':
      return with_equal(Tok::tilde_assign, Tok::tilde);
    case '/':
      return with_equal(Tok::slash_assign, Tok::slash);
    case '+':
      return take('+') ? pick(Tok::concat) : with_equal(Tok::plus_assign, Tok::plus);
    case '-':
      return take('>') ? pick(Tok::arrow) : with_equal(Tok::minus_assign, Tok::minus);
    case '*':
      return take('*') ? with_equal(Tok::power_assign, Tok::power) : with_equal(Tok::star_assign, Tok::star);
    case '&':
      return take('&') ? pick(Tok::and_and) : with_equal(Tok::and_assign, Tok::amp);
    case '|':
      return take('|') ? pick(Tok::or_or) : with_equal(Tok::or_assign, Tok::pipe);
    case '<':
      return take('<') ? with_equal(Tok::shl_assign, Tok::shl) : with_equal(Tok::less_equal, Tok::less);
    case '>':
      return take('>') ? with_equal(Tok::shr_assign, Tok::shr) : with_equal(Tok::greater_equal, Tok::greater);
    default:
      break;
  }
  const bool printable = c > ' ' && c < '\x7f';
  sources_->fail(ErrorCode::syntax_error, place(start),
                 printable ? std::string("'") + c + "' means nothing here" : "a control character means nothing here");
}

}  // namespace skerry::frontend::openqasm
