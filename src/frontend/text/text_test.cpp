#include <gtest/gtest.h>

#include "frontend/openqasm/test_program.hpp"

namespace skerry::frontend {
namespace {

using testing::read;

// Nothing else of the table takes these words, so that what is no text of ours is of no known format.
bool is_ours(std::string_view text) {
  return std::string_view(testing::refusal(text).what()).find("no known format") == std::string_view::npos;
}

TEST(Text, WhatIrPrintsIsReadBackThroughTheDoor) {
  Circuit bell(2, 2);
  bell.h(0).cx(0, 1).measure(0, 0).measure(1, 1);
  EXPECT_EQ(read(ir::print(bell)), bell);
  EXPECT_EQ(read("// of a colleague\n\n  // twice\n" + ir::print(bell)), bell);
}

TEST(Text, IsKnownByItsFirstWordAlone) {
  EXPECT_TRUE(is_ours("circuit {"));
  EXPECT_TRUE(is_ours("// a note\ngraph {"));
  EXPECT_FALSE(is_ours("circuitry {}"));
  EXPECT_FALSE(is_ours("// circuit {}"));
}

TEST(Text, ALongerTextThanAllowedIsRefusedBeforeItIsRead) {
  Source source;
  const std::string_view text = "circuit { this is not read }";
  source.bytes = std::as_bytes(std::span(text));
  ImportLimits limits;
  limits.max_text_bytes = 10;
  try {
    import(source, limits);
    FAIL() << "was read";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::limit_exceeded);
  }
}

}  // namespace
}  // namespace skerry::frontend
