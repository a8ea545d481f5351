#include "ir/text/spelling.hpp"

#include <cmath>

#include "base/number_text.hpp"

namespace skerry::ir {
namespace {

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

template <class T>
std::string shortest(T value) {
  if (std::isnan(value)) return "nan";
  std::string text = base::number_text(value);
  if (text.find_first_of(".ein") == std::string::npos) text += ".0";  // e: exponent; i, n: inf
  return text;
}

}  // namespace

bool is_plain(std::string_view name) noexcept {
  if (name.empty() || !is_letter(name[0])) return false;
  for (const char c : name) {
    if (!is_letter(c) && !(c >= '0' && c <= '9')) return false;
  }
  return true;
}

std::string quoted(std::string_view bytes) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte >= 0x7f) {
      out += "\\x";
      out += kHex[byte >> 4U];
      out += kHex[byte & 15U];
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string spelled(std::string_view name) {
  return is_plain(name) ? std::string(name) : quoted(name);
}

std::string number(double value) {
  return shortest(value);
}
std::string number(float value) {
  return shortest(value);
}

}  // namespace skerry::ir
