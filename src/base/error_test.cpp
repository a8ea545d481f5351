#include <gtest/gtest.h>

#include <set>
#include <skerry/error.hpp>
#include <string>

#include "base/expected.hpp"

namespace skerry {
namespace {

TEST(Error, TellsWhereWhatAndHint) {
  const Error error(ErrorCode::out_of_range, "wire 9 is outside q[8]", "7:12", "declare a larger register");
  EXPECT_STREQ(error.what(), "7:12: wire 9 is outside q[8]; declare a larger register");
  EXPECT_STREQ(error.at("ghz.qasm").what(), "ghz.qasm:7:12: wire 9 is outside q[8]; declare a larger register");
  EXPECT_STREQ(Error(ErrorCode::internal, "lost").at("plan").what(), "plan: lost");
}

TEST(Error, TableHasOneNameAndExceptionPerCode) {
  std::set<std::string_view> names, exceptions;
  const int count = static_cast<int>(ErrorCode::internal) + 1;
  for (int i = 0; i < count; ++i) {
    const ErrorInfo& info = error_info(static_cast<ErrorCode>(i));
    names.insert(info.name);
    exceptions.insert(info.python_exception);
    EXPECT_TRUE(std::set<int>({2, 3, 4, 5, 6, 70}).contains(info.exit_code)) << info.name;
    EXPECT_TRUE(info.http_status >= 400 && info.http_status < 600) << info.name;
    EXPECT_TRUE(info.grpc_status > 0 && info.grpc_status <= 16) << info.name;
  }
  EXPECT_EQ(names.size(), static_cast<std::size_t>(count));
  EXPECT_EQ(exceptions.size(), static_cast<std::size_t>(count));
}

TEST(Expected, HoldsAValueOrAReason) {
  const Expected<std::string> yes(std::string("value"));
  const Expected<std::string> no(Unexpected{"not this one"});
  ASSERT_TRUE(yes);
  EXPECT_EQ(*yes, "value");
  ASSERT_FALSE(no);
  EXPECT_EQ(no.error(), "not this one");
}

}  // namespace
}  // namespace skerry
