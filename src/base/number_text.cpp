#include "base/number_text.hpp"

#include <locale.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>

namespace skerry::base {
namespace {

// Decimal point and no grouping, whatever the program has set. Never freed.
locale_t plain_locale() {
  static const locale_t plain = ::newlocale(LC_ALL_MASK, "C", nullptr);
  return plain;
}

struct Decimal {
  std::string digits;  // without zeros at the end
  int exponent = 0;    // of the first digit
};

// snprintf puts the locale's sign between the digits; only these and the exponent are taken.
Decimal rounded(double value, int digits) {
  std::array<char, 64> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%.*e", digits - 1, value);
  Decimal decimal;
  const char* at = buffer.data();
  for (; *at != 'e'; ++at) {
    if (*at >= '0' && *at <= '9') decimal.digits += *at;
  }
  decimal.exponent = std::atoi(at + 1);
  decimal.digits.erase(decimal.digits.find_last_not_of('0') + 1);
  return decimal;
}

std::string scientific(const Decimal& decimal) {
  std::string text = decimal.digits.substr(0, 1);
  if (decimal.digits.size() > 1) text += "." + decimal.digits.substr(1);
  const int size = std::abs(decimal.exponent);
  return text + (decimal.exponent < 0 ? "e-" : "e+") + (size < 10 ? "0" : "") + std::to_string(size);
}

std::string fixed(const Decimal& decimal, double value) {
  const int count = static_cast<int>(decimal.digits.size());
  if (decimal.exponent < 0)
    return "0." + std::string(static_cast<std::size_t>(-decimal.exponent - 1), '0') + decimal.digits;
  const auto whole = static_cast<std::size_t>(decimal.exponent) + 1;
  if (count > decimal.exponent + 1) return decimal.digits.substr(0, whole) + "." + decimal.digits.substr(whole);
  std::array<char, 64> exact{};  // an integer is written with all of its digits
  std::snprintf(exact.data(), exact.size(), "%.0f", value);
  return exact.data();
}

// A decimal of digits10 digits is the only one of its length near a number, so the shortest text is found in it; what
// needs more has at most max_digits10. Below the normal numbers there are fewer bits, and fewer digits.
template <class T>
std::string shortest(T given) {
  if (std::isnan(given)) return std::signbit(given) ? "-nan" : "nan";
  const std::string sign = std::signbit(given) ? "-" : "";
  const T value = std::abs(given);
  if (std::isinf(value)) return sign + "inf";
  if (value == T{0}) return sign + "0";
  Decimal decimal;
  for (int digits = std::isnormal(value) ? std::numeric_limits<T>::digits10 : 1;
       digits <= std::numeric_limits<T>::max_digits10; ++digits) {
    decimal = rounded(static_cast<double>(value), digits);
    const std::string text = scientific(decimal);
    const T back = sizeof(T) == sizeof(float) ? static_cast<T>(::strtof_l(text.c_str(), nullptr, plain_locale()))
                                              : static_cast<T>(::strtod_l(text.c_str(), nullptr, plain_locale()));
    if (back == value) break;
  }
  const std::string long_way = scientific(decimal);
  // Beyond this range the text with an exponent is shorter, whatever the digits.
  if (decimal.exponent < -5 || decimal.exponent > 25) return sign + long_way;
  const std::string plain = fixed(decimal, static_cast<double>(value));
  return sign + (plain.size() <= long_way.size() ? plain : long_way);
}

}  // namespace

std::string number_text(double value) {
  return shortest(value);
}

std::string number_text(float value) {
  return shortest(value);
}

std::from_chars_result read_number(const char* first, const char* last, double& value) {
  const auto digits = [last](const char* at) {
    return std::find_if(at, last, [](char c) { return c < '0' || c > '9'; });
  };
  const char* const begin = first != last && *first == '-' ? first + 1 : first;
  const char* end = digits(begin);
  auto count = end - begin;
  if (end != last && *end == '.') {
    const char* const rest = digits(end + 1);
    count += rest - end - 1;
    if (count > 0) end = rest;
  }
  if (count == 0) return {first, std::errc::invalid_argument};
  if (end != last && (*end == 'e' || *end == 'E')) {
    const char* exponent = end + 1;
    if (exponent != last && (*exponent == '-' || *exponent == '+')) ++exponent;
    if (const char* const rest = digits(exponent); rest != exponent) end = rest;
  }
  const double read = ::strtod_l(std::string(first, end).c_str(), nullptr, plain_locale());
  const bool is_zero = std::all_of(begin, std::find_if(begin, end, [](char c) { return c == 'e' || c == 'E'; }),
                                   [](char c) { return c == '0' || c == '.'; });
  if (std::isinf(read) || (read == 0.0 && !is_zero)) return {end, std::errc::result_out_of_range};
  value = read;
  return {end, std::errc()};
}

}  // namespace skerry::base
