#include "base/hash.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace skerry::base {
namespace {

Hash128 hash_of(std::string_view text) {
  return hash128(std::as_bytes(std::span(text)));
}

// As `xxhsum -H2` 0.8 prints them.
TEST(Hash128, GivesTheKnownAnswers) {
  EXPECT_EQ(hash_of("").hex(), "99aa06d3014798d86001c324468d497f");
  EXPECT_EQ(hash_of("a").hex(), "a96faf705af16834e6c632b61e964e1f");
}

TEST(Hash128, EveryByteCounts) {
  std::string text(1000, 'x');
  const Hash128 before = hash_of(text);
  for (char& c : text) {
    c = 'y';
    EXPECT_NE(hash_of(text), before);
    c = 'x';
  }
  EXPECT_EQ(hash_of(text), before);
}

}  // namespace
}  // namespace skerry::base
