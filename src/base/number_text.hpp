/// \file
/// Floating point numbers as the shortest text that reads back as the same number.
#pragma once

#include <string>

namespace skerry::base {

/// What std::to_chars(value) writes ("0.1", "1e+20", "-inf", "nan"), whatever the locale, but for a last digit more
/// where the shortest text is not the nearest of its length (beside powers of two). The standard library's function
/// brings tables of 100 kB into a device's program.
std::string number_text(double value);
std::string number_text(float value);

}  // namespace skerry::base
