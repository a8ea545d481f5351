#include "serve/short_slices.hpp"

#include <sys/syscall.h>
#include <unistd.h>

namespace skerry::serve {
namespace {

constexpr std::uint64_t kSlice = 100'000;  // ns; the least that the kernel gives

// As the kernel has it: the C library does not.
struct Attributes {
  std::uint32_t size = sizeof(Attributes), policy = 0;
  std::uint64_t flags = 0;
  std::int32_t nice = 0;
  std::uint32_t priority = 0;
  std::uint64_t runtime = 0, deadline = 0, period = 0;
};

// Gives the slice before; 0: nothing was changed.
std::uint64_t set_slice(std::uint64_t slice) noexcept {
  Attributes now;
  if (::syscall(SYS_sched_getattr, 0, &now, sizeof now, 0) != 0 || now.policy != 0 || now.runtime == 0) return 0;
  const std::uint64_t before = now.runtime;
  now.size = sizeof now;
  now.flags = 0;
  now.runtime = slice;
  return ::syscall(SYS_sched_setattr, 0, &now, 0) == 0 ? before : 0;
}

}  // namespace

ShortSlices::ShortSlices() noexcept : before_(set_slice(kSlice)) {}

ShortSlices::~ShortSlices() {
  if (before_ != 0) set_slice(before_);
}

}  // namespace skerry::serve
