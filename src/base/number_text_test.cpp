#include "base/number_text.hpp"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include "base/random.hpp"

namespace skerry::base {
namespace {

template <class T>
std::string of_the_library(T value) {
  std::array<char, 64> buffer{};
  return {buffer.data(), std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr};
}

template <class T>
void expect_shortest(T value) {
  const std::string text = number_text(value), expected = of_the_library(value);
  T back{};
  ASSERT_EQ(std::from_chars(text.data(), text.data() + text.size(), back).ec, std::errc()) << text;
  ASSERT_EQ(back, value) << text << " " << expected;
  int exponent = 0;
  if (std::abs(std::frexp(value, &exponent)) ==
      T{0.5}) {  // a power of two: its neighbours are not as far below as above
    ASSERT_LE(text.size(), expected.size() + 1) << text << " " << expected;
  } else {
    ASSERT_EQ(text, expected);
  }
}

TEST(NumberText, IsTheShortestThatReadsBackTheSame) {
  for (const double value : {0.0,
                             -0.0,
                             0.1,
                             -0.5,
                             1.0,
                             100.0,
                             1e5,
                             1e6,
                             123456.0,
                             1e20,
                             1e21,
                             1e22,
                             1e23,
                             0.0001,
                             0.00001,
                             1234567890123456789012.0,
                             9007199254740993.0,
                             5e-324,
                             2.2250738585072014e-308,
                             std::numeric_limits<double>::max(),
                             3.141592653589793})
    expect_shortest(value);
  for (const float value : {0.1F, 1e10F, 16777216.0F, 1.4e-45F, std::numeric_limits<float>::max()})
    expect_shortest(value);
  Philox random(7);
  for (int i = 0; i < 100000; ++i) {
    const std::uint64_t high = random(), bits = high << 32U | random();
    const auto any = std::bit_cast<double>(bits);
    if (std::isfinite(any)) expect_shortest(any);
    const auto single = std::bit_cast<float>(static_cast<std::uint32_t>(bits));
    if (std::isfinite(single)) expect_shortest(single);
    // The numbers that people write: few digits, small exponents.
    const auto few = static_cast<double>(bits % 100000) * std::pow(10.0, static_cast<double>(bits >> 32U & 31U) - 15.0);
    expect_shortest(few);
    expect_shortest(static_cast<double>(bits >> (bits & 63U)));
  }
}

TEST(NumberText, SpellsWhatIsNoNumber) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(number_text(kInfinity), "inf");
  EXPECT_EQ(number_text(-kInfinity), "-inf");
  EXPECT_EQ(number_text(std::numeric_limits<double>::quiet_NaN()), "nan");
}

void expect_read_as_by_the_library(const std::string& text) {
  double ours = 7.0, theirs = 7.0;
  const auto [end, error] = read_number(text.data(), text.data() + text.size(), ours);
  const auto wanted = std::from_chars(text.data(), text.data() + text.size(), theirs);
  ASSERT_EQ(error, wanted.ec) << text;
  ASSERT_EQ(end, wanted.ptr) << text;
  ASSERT_EQ(std::bit_cast<std::uint64_t>(ours), std::bit_cast<std::uint64_t>(theirs)) << text;
}

TEST(ReadNumber, ReadsAsMuchAsTheStandardLibraryDoes) {
  for (const char* text : {"0",
                           "-0",
                           "0.1",
                           "-1e-3",
                           "1.",
                           ".5",
                           "-.5e1",
                           "5e",
                           "5e+",
                           "5e-x",
                           "1e5.5",
                           "12ab",
                           "1e308",
                           "1e309",
                           "-1e400",
                           "1e-400",
                           "4.9e-324",
                           "2e-324",
                           "0e999",
                           "0.000e-999",
                           "00012",
                           "1.2.3",
                           "9007199254740993",
                           "",
                           "-",
                           ".",
                           "+1",
                           " 1",
                           "e5",
                           "0x10",
                           "-e",
                           "--1"})
    expect_read_as_by_the_library(text);
  Philox random(3);
  constexpr std::string_view kLetters = "0123456789.-+eE x";
  for (int i = 0; i < 100'000; ++i) {
    std::string text;
    for (auto length = random() % 12; length > 0; --length) text += kLetters[random() % kLetters.size()];
    expect_read_as_by_the_library(text);
  }
  for (const std::string text : {"inf", "nan", "-inf"}) {
    double value = 0.0;
    EXPECT_EQ(read_number(text.data(), text.data() + text.size(), value).ec, std::errc::invalid_argument);
  }
}

}  // namespace
}  // namespace skerry::base
