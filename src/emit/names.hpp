/// \file
/// Names that OpenQASM allows, each once.
#pragma once

#include <set>
#include <string>
#include <string_view>

namespace skerry::emit {

/// Gives every name asked for its own spelling: lower-case letter first, letters, digits and underscores, no word of
/// the language or of its libraries, no two alike.
class Names {
 public:
  explicit Names(int version) : version_(version) {}
  std::string take(std::string_view wanted);

 private:
  int version_;
  std::set<std::string, std::less<>> taken_;
};

/// Shortest decimal that reads back as the same number.
void append_number(std::string& text, double value);

}  // namespace skerry::emit
