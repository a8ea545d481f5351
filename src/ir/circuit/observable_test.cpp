#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <skerry/error.hpp>
#include <skerry/observable.hpp>

namespace skerry {
namespace {

TEST(Observable, ReadsTheFormulaOfItsHeader) {
  const Observable sum = Observable::parse("0.5*Z0 Z1 - 1.2*X2 + 3", 3);
  const Observable same = Observable::from_sparse_list(
      std::vector<std::tuple<std::string, std::vector<std::uint32_t>, double>>{
          {"ZZ", {0, 1}, 0.5}, {"X", {2}, -1.2}, {"", {}, 3.0}},
      3);
  EXPECT_EQ(sum, same);
  EXPECT_EQ(sum.text(), "0.5*Z0 Z1 - 1.2*X2 + 3");
  EXPECT_EQ(Observable::parse("0.5Z0Z1-1.2X2+3I", 3), sum);
  EXPECT_EQ(Observable::parse("-Y1", 2).terms()[0].x[0], 2U);
  EXPECT_EQ(Observable::parse("-Y1", 2).terms()[0].z[0], 2U);
  EXPECT_EQ(Observable::parse("-Y1", 2).terms()[0].coefficient, -1.0);
  EXPECT_TRUE(Observable::parse("0", 2).terms().empty());
}

TEST(Observable, PutsWiresPastAWordIntoTheNext) {
  const Observable sum = Observable::parse("X64 Z129", 130);
  EXPECT_EQ(sum.terms()[0].x, (std::vector<std::uint64_t>{0, 1, 0}));
  EXPECT_EQ(sum.terms()[0].z, (std::vector<std::uint64_t>{0, 0, 2}));
}

void expect_refused(std::string_view text, ErrorCode code, const std::string& where) {
  try {
    Observable::parse(text, 2);
    FAIL() << text;
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), code) << e.what();
    EXPECT_EQ(e.where(), where) << text;
  }
}

TEST(Observable, RefusesWithTheColumn) {
  expect_refused("", ErrorCode::syntax_error, "column 1");
  expect_refused("Z0 + ", ErrorCode::syntax_error, "column 6");
  expect_refused("Z0 Q1", ErrorCode::syntax_error, "column 4");
  expect_refused("Z", ErrorCode::syntax_error, "column 2");
  expect_refused("* Z0", ErrorCode::syntax_error, "column 1");
  expect_refused("nan*Z0", ErrorCode::syntax_error, "column 1");
  expect_refused("1e999*Z0", ErrorCode::syntax_error, "column 1");
  expect_refused("Z0 Z9", ErrorCode::out_of_range, "column 5");
  expect_refused("Z0 Z0", ErrorCode::invalid_argument, "column 5");
}

TEST(Observable, RefusesTermsThatDoNotFit) {
  Observable sum(2);
  const std::uint32_t zero[] = {0};
  EXPECT_THROW(sum.add("ZZ", zero, 1.0), Error);
  EXPECT_THROW(sum.add("Q", zero, 1.0), Error);
  EXPECT_THROW(sum.add("Z", zero, INFINITY), Error);
  Observable vast(4'000'000'000U);
  EXPECT_THROW(vast.add("Z", zero, 1.0), Error);
}

}  // namespace
}  // namespace skerry
