#include "edge/carry.hpp"

#include <gtest/gtest.h>

namespace skerry::edge {
namespace {

/// A run of ten seconds in all that has come to its ninth, with a state of 16 MB.
CarryQuestion late() {
  return {.elapsed = 8.5,
          .limit = 9.0,
          .standing = {.done = 0.85, .next = 0.95, .state_bytes = 16 << 20},
          .available_bytes = std::uint64_t{4} << 30,
          .most_bytes = std::uint64_t{1} << 30,
          .endpoint_seems_up = true,
          .bytes_per_second = 1e8};
}

TEST(Carrying, IsThoughtOfOnlyWhenTheNextStretchWouldBeTooLate) {
  CarryQuestion question = late();
  question.limit = 20.0;
  EXPECT_FALSE(decide(question).leave);
  EXPECT_EQ(decide(question).reason, "");
  question.limit = 9.6;
  EXPECT_TRUE(decide(question).leave) << "a stretch may take somewhat longer than those before";
  question.limit = 10.2;
  question.standing.next = 1.0;
  EXPECT_FALSE(decide(question).leave) << "it is predicted to end in time";
  question.limit = 9.6;
  question.standing.done = 0.0;
  EXPECT_FALSE(decide(question).leave) << "nothing is known of its speed";
}

TEST(Carrying, AVeryShortStretchIsNotTrustedToEndBesideOthersWork) {
  CarryQuestion question = late();
  question.standing.next = 0.8501;
  question.limit = 9.0;
  EXPECT_FALSE(decide(question).leave) << "half a second is left for a millisecond";
  question.elapsed = 8.6;
  EXPECT_TRUE(decide(question).leave);
}

TEST(Carrying, AStretchMayBeDelayedAsMuchAsThoseBeforeIt) {
  CarryQuestion question = late();
  question.standing.next = 0.87;
  question.limit = 9.2;
  EXPECT_FALSE(decide(question).leave) << "0.7 seconds are left for 0.26";
  question.delay = 0.3;
  EXPECT_FALSE(decide(question).leave);
  question.delay = 0.5;
  EXPECT_TRUE(decide(question).leave);
}

TEST(Carrying, IsWorthWhatItSaves) {
  const CarryDecision yes = decide(late());
  EXPECT_TRUE(yes.leave);
  EXPECT_FALSE(yes.lacks_memory);
  EXPECT_NE(yes.reason.find("max_execution_time"), std::string::npos) << yes.reason;
  EXPECT_NE(yes.reason.find("all anew"), std::string::npos) << yes.reason;
  CarryQuestion slow = late();
  slow.bytes_per_second = 1e6;  // 17 seconds for 8.5 that are computed
  const CarryDecision no = decide(slow);
  EXPECT_FALSE(no.leave);
  EXPECT_NE(no.reason.find("carrying"), std::string::npos) << no.reason;
  slow.bytes_per_second = 2.5e6;
  EXPECT_TRUE(decide(slow).leave);
  slow.bytes_per_second.reset();
  EXPECT_TRUE(decide(slow).leave) << "a link that nobody measured is tried";
}

TEST(Carrying, StaysWhereItCannotGo) {
  CarryQuestion question = late();
  question.endpoint_seems_up = false;
  EXPECT_NE(decide(question).reason.find("down"), std::string::npos);
  EXPECT_FALSE(decide(question).leave);
  question = late();
  question.standing.state_bytes = std::uint64_t{1} << 30;
  EXPECT_NE(decide(question).reason.find("too large"), std::string::npos);
  EXPECT_FALSE(decide(question).leave);
  question = late();
  question.most_bytes = 40 << 20;
  EXPECT_NE(decide(question).reason.find("max_memory_mb"), std::string::npos);
  EXPECT_FALSE(decide(question).leave);
}

TEST(Carrying, MemoryThatRunsOutIsAReasonLongBeforeTheTime) {
  CarryQuestion question = late();
  question.limit = 1000.0;
  question.available_bytes = 40 << 20;
  const CarryDecision decision = decide(question);
  EXPECT_TRUE(decision.leave);
  EXPECT_TRUE(decision.lacks_memory);
  EXPECT_NE(decision.reason.find("memory"), std::string::npos) << decision.reason;
}

}  // namespace
}  // namespace skerry::edge
