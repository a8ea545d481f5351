#include "serve/short_slices.hpp"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <thread>

namespace skerry::serve {
namespace {

// Nanoseconds of the calling thread; 0 where the kernel does not tell. By the layout of sched_setattr(2).
std::uint64_t slice_of_this_thread() {
  std::array<std::byte, 48> attributes{};
  if (::syscall(SYS_sched_getattr, 0, attributes.data(), attributes.size(), 0) != 0) return 0;
  std::uint64_t runtime = 0;
  std::memcpy(&runtime, attributes.data() + 24, sizeof runtime);
  return runtime;
}

std::uint64_t slice_of_a_new_thread() {
  std::uint64_t slice = 0;
  std::thread([&] { slice = slice_of_this_thread(); }).join();
  return slice;
}

TEST(ShortSlices, AreThoseOfTheThreadsThatAreStartedMeanwhile) {
  const std::uint64_t before = slice_of_this_thread();
  if (before == 0) GTEST_SKIP() << "this kernel gives no slices of one's own";
  ASSERT_GT(before, 100'000U);
  {
    const ShortSlices theirs;
    EXPECT_EQ(slice_of_this_thread(), 100'000U);
    EXPECT_EQ(slice_of_a_new_thread(), 100'000U);
  }
  EXPECT_EQ(slice_of_this_thread(), before);
  EXPECT_EQ(slice_of_a_new_thread(), before);
}

}  // namespace
}  // namespace skerry::serve
