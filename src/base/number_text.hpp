/// \file
/// Floating point numbers as text, without the tables of 100 and 20 kB that the standard library's own functions bring
/// into a device's program.
#pragma once

#include <charconv>
#include <string>

namespace skerry::base {

/// What std::to_chars(value) writes ("0.1", "1e+20", "-inf", "nan"), whatever the locale, but for a last digit more
/// where the shortest text is not the nearest of its length (beside powers of two). It reads back as the same number.
std::string number_text(double value);
std::string number_text(float value);

/// What std::from_chars(first, last, value) reads, whatever the locale, but for infinities and what is no number, which
/// are no text here.
std::from_chars_result read_number(const char* first, const char* last, double& value);

}  // namespace skerry::base
