#include <algorithm>
#include <charconv>
#include <cmath>
#include <skerry/error.hpp>
#include <skerry/observable.hpp>

#include "base/number_text.hpp"

namespace skerry {
namespace {

constexpr std::size_t kMaxMaskBytes = std::size_t{256} << 20U;  // of all terms: bounds what a short text can ask for

bool is_pauli(char c) {
  return c == 'I' || c == 'X' || c == 'Y' || c == 'Z';
}

/// Reader of `0.5*Z0 Z1 - 1.2*X2 + 3`; columns count from 1.
class Reader {
 public:
  Reader(std::string_view text, Observable& into) : text_(text), into_(into) {}

  void read() {
    skip();
    if (text_.substr(place_) == "0") return;  // the sum of no terms
    for (bool is_first = true; is_first || place_ < text_.size(); is_first = false) {
      term(sign(is_first));
      skip();
    }
  }

 private:
  [[noreturn]] void fail(const std::string& message) const {
    throw Error(ErrorCode::syntax_error, message, "column " + std::to_string(place_ + 1), "write 0.5*Z0 Z1 - 1.2*X2");
  }
  void skip() {
    while (place_ < text_.size() && (text_[place_] == ' ' || text_[place_] == '\t')) ++place_;
  }
  bool next_is(char c) const { return place_ < text_.size() && text_[place_] == c; }

  double sign(bool is_first) {
    skip();
    if (next_is('+') || next_is('-')) return text_[place_++] == '-' ? -1.0 : 1.0;
    if (!is_first) fail("expected + or - between terms");
    return 1.0;
  }

  void term(double coefficient) {
    skip();
    const bool has_number = place_ < text_.size() && !is_pauli(text_[place_]);
    if (has_number) coefficient *= number();
    skip();
    const bool has_star = next_is('*');
    if (has_star && !has_number) fail("expected a number before *");
    if (has_star) ++place_;
    std::string letters;
    std::vector<std::uint32_t> wires;
    bool has_letters = false;
    for (skip(); place_ < text_.size() && is_pauli(text_[place_]); skip()) {
      has_letters = true;
      factor(letters, wires);
    }
    if (!has_letters && (has_star || !has_number)) fail("expected a Pauli letter");
    try {
      into_.add(letters, wires, coefficient);
    } catch (const Error& e) {
      throw e.at("column " + std::to_string(place_));
    }
  }

  double number() {
    double value = 0;
    const char* begin = text_.data() + place_;
    const auto [end, status] = base::read_number(begin, text_.data() + text_.size(), value);
    if (status != std::errc() || !std::isfinite(value) || *begin == '-') fail("expected a number or a Pauli letter");
    place_ += static_cast<std::size_t>(end - begin);
    return value;
  }

  void factor(std::string& letters, std::vector<std::uint32_t>& wires) {
    const char letter = text_[place_++];
    std::uint32_t wire = 0;
    const char* begin = text_.data() + place_;
    const auto [end, status] = std::from_chars(begin, text_.data() + text_.size(), wire);
    if (status == std::errc::result_out_of_range) fail("a wire number past 2^32");
    if (status != std::errc()) {
      if (letter != 'I') fail("expected a wire after " + std::string(1, letter));
      return;
    }
    place_ += static_cast<std::size_t>(end - begin);
    letters += letter;
    wires.push_back(wire);
  }

  std::string_view text_;
  Observable& into_;
  std::size_t place_ = 0;
};

}  // namespace

Observable Observable::from_sparse_list(
    std::span<const std::tuple<std::string, std::vector<std::uint32_t>, double>> terms, std::uint32_t num_wires) {
  Observable sum(num_wires);
  for (const auto& [letters, wires, coefficient] : terms) sum.add(letters, wires, coefficient);
  return sum;
}

Observable Observable::parse(std::string_view text, std::uint32_t num_wires) {
  Observable sum(num_wires);
  Reader(text, sum).read();
  return sum;
}

void Observable::add(std::string_view letters, std::span<const std::uint32_t> wires, double coefficient) {
  if (letters.size() != wires.size()) {
    throw Error(ErrorCode::invalid_argument, "'" + std::string(letters) + "' has " + std::to_string(letters.size()) +
                                                 " letters for " + std::to_string(wires.size()) + " wires");
  }
  if (!std::isfinite(coefficient)) {
    throw Error(ErrorCode::invalid_argument, "a coefficient that is not a finite number");
  }
  const std::size_t words = (std::size_t{num_wires_} + 63) / 64;
  if ((terms_.size() + 1) * words * 2 * sizeof(std::uint64_t) > kMaxMaskBytes) {
    throw Error(ErrorCode::limit_exceeded, "an observable of more than 256 MiB of Pauli strings");
  }
  PauliTerm term{coefficient, std::vector<std::uint64_t>(words), std::vector<std::uint64_t>(words)};
  std::vector<std::uint64_t> seen(words);
  for (std::size_t i = 0; i < letters.size(); ++i) {
    const char letter = letters[i];
    const std::uint32_t wire = wires[i];
    if (!is_pauli(letter)) {
      throw Error(ErrorCode::invalid_argument, "'" + std::string(1, letter) + "' is not a Pauli letter", {},
                  "use I, X, Y and Z");
    }
    if (wire >= num_wires_) {
      throw Error(ErrorCode::out_of_range,
                  "wire " + std::to_string(wire) + " of an observable on " + std::to_string(num_wires_) + " wires");
    }
    const std::uint64_t bit = std::uint64_t{1} << (wire % 64);
    if ((seen[wire / 64] & bit) != 0) {
      throw Error(ErrorCode::invalid_argument, "wire " + std::to_string(wire) + " twice in one Pauli string");
    }
    seen[wire / 64] |= bit;
    if (letter == 'X' || letter == 'Y') term.x[wire / 64] |= bit;
    if (letter == 'Z' || letter == 'Y') term.z[wire / 64] |= bit;
  }
  terms_.push_back(std::move(term));
}

std::string Observable::text() const {
  if (terms_.empty()) return "0";
  std::string out;
  for (const PauliTerm& term : terms_) {
    const bool is_negative = std::signbit(term.coefficient);
    if (out.empty()) {
      out += is_negative ? "-" : "";
    } else {
      out += is_negative ? " - " : " + ";
    }
    out += base::number_text(std::abs(term.coefficient));
    std::string factors;
    for (std::uint32_t wire = 0; wire < num_wires_; ++wire) {
      const bool x = (term.x[wire / 64] >> (wire % 64) & 1U) != 0;
      const bool z = (term.z[wire / 64] >> (wire % 64) & 1U) != 0;
      if (!x && !z) continue;
      factors += (factors.empty() ? "" : " ") + std::string(1, x ? (z ? 'Y' : 'X') : 'Z') + std::to_string(wire);
    }
    if (factors.empty() && term.coefficient == 0) factors = "I";  // a bare 0 is the empty sum
    if (!factors.empty()) out += "*" + factors;
  }
  return out;
}

}  // namespace skerry
