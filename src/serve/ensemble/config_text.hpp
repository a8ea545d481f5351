/// \file
/// `config.pbtxt`: the text form of protocol buffers, as a tree that knows no schema.
#pragma once

#include <cstdint>
#include <skerry/error.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::serve {

/// One field of a message; repeated fields stand there once for each value.
struct ConfigField {
  std::string name;
  std::string text;  ///< of a scalar: a string without its quotes, a number or a word as it stands
  bool is_string = false, is_message = false;
  std::vector<ConfigField> fields;  ///< of a message
  std::uint32_t line = 0;
};

/// Fields in their order: `name: value`, `name { … }`, `name: [a, b]`; comments begin with `#`.
/// where: the file's name, for errors. Errors: syntax_error with the line; limit_exceeded (64 levels, 1 MiB).
std::vector<ConfigField> parse_config(std::string_view text, const std::string& where);

}  // namespace skerry::serve
