/// \file
/// How names, strings and numbers are spelled in the text form, so that any bytes and any double come back unchanged.
#pragma once

#include <string>
#include <string_view>

namespace skerry::ir {

/// True for a name that needs no quotes: [A-Za-z_][A-Za-z0-9_]*.
bool is_plain(std::string_view name) noexcept;
/// `"..."` with \" \\ \n \t and \xHH for whatever is not printable ASCII.
std::string quoted(std::string_view bytes);
/// The name itself if it is plain, else quoted.
std::string spelled(std::string_view name);

/// Shortest decimal that reads back as the same number, always with a point or an exponent: `2.0`, `0.1`, `1e+22`;
/// `inf`, `-inf`, `nan`.
std::string number(double value);
std::string number(float value);

}  // namespace skerry::ir
