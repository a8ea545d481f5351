#include "serve/decisions.hpp"

#include <gtest/gtest.h>

namespace skerry::serve {
namespace {

CircuitNotes notes_with(std::string_view method) {
  CircuitNotes notes{.need_bytes = 96, .limit_bytes = 64, .read_ns = 1};
  method.copy(notes.method.data(), notes.method.size());
  return notes;
}

TEST(Decisions, TellWhereACircuitWentAndWhy) {
  const Submitter stranger{.name = "a"}, friendly{.name = "b", .is_stranger = false};
  const Error over(ErrorCode::budget_exceeded, "needs 96 and 64 are allowed"),
      wrong(ErrorCode::syntax_error, "no gate");
  const Error stopped(ErrorCode::cancelled, "the caller went away");
  EXPECT_EQ(decision_of("circuit", stranger, true, notes_with("mps"), nullptr)->place, "worker");
  EXPECT_EQ(decision_of("circuit", friendly, true, notes_with("mps"), nullptr)->place, "local");
  EXPECT_EQ(decision_of("circuit", friendly, true, notes_with("mps"), nullptr)->reason, "its sender is trusted");
  const auto refused = decision_of("job", friendly, false, notes_with("mps"), &over);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->place, "refused");
  EXPECT_EQ(refused->need_bytes, 96U);
  EXPECT_EQ(refused->limit_bytes, 64U);
  EXPECT_NE(refused->reason.find("64 are allowed"), std::string::npos);
  EXPECT_FALSE(decision_of("circuit", friendly, false, {}, &wrong)) << "what is wrong in itself has no place";
  EXPECT_EQ(decision_of("circuit", friendly, false, notes_with("mps"), &stopped)->place, "local");
  EXPECT_FALSE(decision_of("circuit", friendly, false, {}, &stopped)) << "it had not been read";
  EXPECT_EQ(decision_of("plan", friendly, false, notes_with("mps"), nullptr)->place, "refused") << "96 of 64 bytes";
}

TEST(Decisions, TakeFromSendersAndWorkersNothingThatIsNoPlainWord) {
  Submitter who{.name = "a", .is_stranger = false};
  const auto client = [&](const std::string& told) {
    who.placement = told;
    const auto made = decision_of("circuit", who, false, notes_with("mps"), nullptr);
    return std::pair(made->client, made->client_reason);
  };
  EXPECT_EQ(client("cloud needs 4 GB"), std::pair(std::string("cloud"), std::string("needs 4 GB")));
  EXPECT_EQ(client("edge"), std::pair(std::string("edge"), std::string()));
  EXPECT_EQ(client("cloudy weather").first, "");
  EXPECT_EQ(client("").first, "");
  EXPECT_EQ(client("hybrid " + std::string(10'000, 'x')).second.size(), Decisions::kMostText);
  who.placement.clear();
  EXPECT_EQ(decision_of("circuit", who, false, notes_with("a\"} 1\nb"), nullptr)->method, "other");
  EXPECT_EQ(decision_of("circuit", who, false, notes_with(std::string(24, 'm')), nullptr)->method.size(), 24U);
}

TEST(Decisions, AreKeptInBoundsAndCountedForEver) {
  Decisions decisions;
  for (int i = 0; i < 1000; ++i)
    decisions.add(
        {.who = i % 2 == 0 ? "a" : "b", .what = "circuit", .place = "local", .method = "m" + std::to_string(i)});
  const std::string a = "a";
  EXPECT_EQ(decisions.recent(nullptr).size(), Decisions::kKept);
  EXPECT_EQ(decisions.recent(nullptr)[0].method, "m999");
  EXPECT_EQ(decisions.recent(&a).size(), Decisions::kKept / 2);
  std::uint64_t all = 0;
  for (const auto& [name, count] : decisions.counters().places) all += count;
  EXPECT_EQ(all, 1000U);
  EXPECT_LE(decisions.counters().places.size(), Decisions::kMostNames + 1);
}

}  // namespace
}  // namespace skerry::serve
