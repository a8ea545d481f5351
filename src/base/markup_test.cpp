#include "base/markup.hpp"

#include <gtest/gtest.h>

namespace skerry::base {
namespace {

TEST(Markup, ShowsTextAsItIsAndRunsNothingOfIt) {
  EXPECT_EQ(escaped_markup("<b onclick='x()'>\"Q&A\"</b>"),
            "&lt;b onclick=&#39;x()&#39;&gt;&quot;Q&amp;A&quot;&lt;/b&gt;");
  EXPECT_EQ(escaped_markup(std::string_view("a\0b\n\x1b[c", 7)), "a b  [c");
  EXPECT_EQ(escaped_markup("θ — 北"), "θ — 北");
}

}  // namespace
}  // namespace skerry::base
