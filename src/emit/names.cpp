#include "emit/names.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <skerry/circuit.hpp>

#include "ops/qubit/gate_record.hpp"

namespace skerry::emit {
namespace {

constexpr std::array<std::string_view, 66> kWords = {
    "OPENQASM", "include", "qreg",   "creg",   "gate",     "opaque",  "measure", "reset",   "barrier",  "if",
    "qubit",    "bit",     "bool",   "int",    "uint",     "float",   "angle",   "complex", "duration", "stretch",
    "array",    "const",   "input",  "output", "readonly", "mutable", "let",     "def",     "defcal",   "cal",
    "extern",   "pragma",  "else",   "for",    "in",       "while",   "switch",  "case",    "default",  "break",
    "continue", "return",  "end",    "box",    "delay",    "ctrl",    "negctrl", "inv",     "pow",      "durationof",
    "nop",      "true",    "false",  "pi",     "tau",      "euler",   "sin",     "cos",     "tan",      "exp",
    "ln",       "sqrt",    "arcsin", "arccos", "arctan",   "popcount"};
constexpr std::array<std::string_view, 9> kFunctions = {"mod",  "log",  "floor", "ceiling", "rotl",
                                                        "rotr", "real", "imag",  "sizeof"};

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

}  // namespace

std::string Names::take(std::string_view wanted) {
  std::string name;
  for (const char c : wanted) name += is_letter(c) || (c >= '0' && c <= '9') || c == '_' ? c : '_';
  // OpenQASM 2 wants a lower-case letter first, OpenQASM 3 a letter or an underscore.
  const bool starts_well = !name.empty() && (version_ == 2 ? name[0] >= 'a' && name[0] <= 'z' : is_letter(name[0]));
  if (!starts_well) name.insert(0, "v");
  const auto is_word = [&](std::string_view word) {
    return std::ranges::find(kWords, word) != kWords.end() || std::ranges::find(kFunctions, word) != kFunctions.end() ||
           ops::find_gate(word).has_value() || op_from_name(word).has_value();
  };
  if (is_word(name)) name += "_";
  std::string unique = name;
  for (int k = 2; taken_.contains(unique) || is_word(unique); ++k) unique = name + "_" + std::to_string(k);
  taken_.insert(unique);
  return unique;
}

void append_number(std::string& text, double value) {
  std::array<char, 32> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  const std::string_view shown(digits.data(), static_cast<std::size_t>(end - digits.data()));
  text += shown;
  if (shown.find_first_of(".e") == std::string_view::npos) text += ".0";
}

}  // namespace skerry::emit
