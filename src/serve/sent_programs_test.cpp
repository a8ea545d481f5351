#include "serve/sent_programs.hpp"

#include <gtest/gtest.h>

#include "base/thrown_by.hpp"
#include "package/digest.hpp"

namespace skerry::serve {
namespace {

using base::thrown_by;

constexpr std::uint64_t kLarge = 1000;  // beside which what a place takes is little

wire::CircuitRequest sent(char letter, std::uint64_t bytes = kLarge) {
  wire::CircuitRequest request{.program = std::string(bytes, letter)};
  request.program_digest = package::hex(package::sha256(std::as_bytes(std::span(request.program))));
  return request;
}

bool knows(SentPrograms& programs, const std::string& owner, char letter) {
  wire::CircuitRequest request = sent(letter);
  const std::string bytes = std::exchange(request.program, {});
  try {
    programs.complete(owner, request);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::not_found);
    EXPECT_EQ(error.where(), "program");
    return false;
  }
  EXPECT_EQ(request.program, bytes);
  EXPECT_TRUE(request.program_digest.empty());
  return true;
}

void send(SentPrograms& programs, const std::string& owner, char letter) {
  wire::CircuitRequest request = sent(letter);
  programs.complete(owner, request);
  EXPECT_EQ(request.program, std::string(kLarge, letter)) << "it is to be run now, too";
}

TEST(SentPrograms, AreThereForWhoSentThemAndForNobodyElse) {
  SentPrograms programs(1 << 20);
  EXPECT_FALSE(knows(programs, "ann", 'a'));
  send(programs, "ann", 'a');
  EXPECT_TRUE(knows(programs, "ann", 'a'));
  EXPECT_FALSE(knows(programs, "bob", 'a'));
  const SentCounters now = programs.counters();
  EXPECT_EQ(now.programs, 1U);
  EXPECT_EQ(now.known, 1U);
  EXPECT_EQ(now.unknown, 2U);
}

TEST(SentPrograms, WithoutADigestAreNeitherKeptNorLookedFor) {
  SentPrograms programs(1 << 20);
  wire::CircuitRequest request{.program = "OPENQASM 3.0;"};
  programs.complete("ann", request);
  EXPECT_EQ(request.program, "OPENQASM 3.0;");
  EXPECT_EQ(programs.counters().programs, 0U);
}

TEST(SentPrograms, OfAnotherDigestAreRefusedAndNotKept) {
  SentPrograms programs(1 << 20);
  wire::CircuitRequest request = sent('a');
  request.program[500] = 'b';
  EXPECT_EQ(thrown_by([&] { programs.complete("ann", request); }).code(), ErrorCode::corrupt);
  EXPECT_FALSE(knows(programs, "ann", 'a'));
  EXPECT_EQ(programs.counters().programs, 0U);
}

TEST(SentPrograms, LeaveByTheirLastUseWhenThereIsNoRoom) {
  SentPrograms programs(5000);  // three, with what their places take
  for (const char letter : {'a', 'b', 'c'}) send(programs, "ann", letter);
  EXPECT_TRUE(knows(programs, "ann", 'a'));
  send(programs, "ann", 'd');
  EXPECT_FALSE(knows(programs, "ann", 'b')) << "it was asked for the longest ago";
  for (const char letter : {'a', 'c', 'd'}) EXPECT_TRUE(knows(programs, "ann", letter)) << letter;
  EXPECT_LE(programs.counters().bytes, 5000U);
  EXPECT_EQ(programs.counters().dropped, 1U);
  wire::CircuitRequest larger = sent('x', 6000);
  programs.complete("ann", larger);
  EXPECT_EQ(programs.counters().programs, 3U) << "what never fits pushes nobody out";
}

TEST(SentPrograms, OfWhoKeepsMostGoFirst) {
  SentPrograms programs(5000);
  send(programs, "bob", 'b');
  for (const char letter : {'1', '2', '3', '4', '5'}) send(programs, "ann", letter);
  EXPECT_TRUE(knows(programs, "bob", 'b')) << "though nobody has waited longer";
  EXPECT_FALSE(knows(programs, "ann", '3'));
  EXPECT_TRUE(knows(programs, "ann", '5'));
}

TEST(SentPrograms, OfNoRoomAtAllAreRunAndNotKept) {
  SentPrograms programs(0);
  send(programs, "ann", 'a');
  EXPECT_FALSE(knows(programs, "ann", 'a'));
}

}  // namespace
}  // namespace skerry::serve
