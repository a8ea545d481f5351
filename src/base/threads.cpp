#include "base/threads.hpp"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdlib>
#include <skerry/error.hpp>
#include <string>
#include <string_view>

#include "base/machine.hpp"
#include "base/thread_pool.hpp"

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace skerry::base {
namespace {

constinit std::atomic<int> process_budget{0};  // 0: not yet asked for
constinit thread_local int thread_limit = kMaxThreads;

/// The number at the front of an environment variable (OMP_NUM_THREADS may be a list "4,2"); 0 where there is none.
int number_in_environment(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr) return 0;
  const std::string_view text(value);
  int number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number < 1 ? 0 : std::min(number, kMaxThreads);
}

int default_budget() {
  const char* own = std::getenv("SKERRY_NUM_THREADS");
  if (own != nullptr && *own != '\0') {
    if (const int threads = number_in_environment("SKERRY_NUM_THREADS")) return threads;
    throw Error(ErrorCode::invalid_argument, "\"" + std::string(own) + "\" is not a number of threads",
                "SKERRY_NUM_THREADS", "set it to 1 or more, or unset it");
  }
  if (const int threads = number_in_environment("OMP_NUM_THREADS")) return threads;
  return std::min(usable_cpus(), kMaxThreads);
}

void check_threads(int threads, int least) {
  if (threads >= least && threads <= kMaxThreads) return;
  throw Error(
      ErrorCode::invalid_argument,
      std::to_string(threads) + " threads are outside " + std::to_string(least) + " to " + std::to_string(kMaxThreads),
      "threads", "choose a number in this range");
}

// Bits that flush subnormal results and inputs: FTZ | DAZ of MXCSR, FZ of FPCR.
#if defined(__x86_64__)
constexpr unsigned long kFlushBits = 0x8040;
unsigned long float_control() noexcept {
  return _mm_getcsr();
}
void set_float_control(unsigned long value) noexcept {
  _mm_setcsr(static_cast<unsigned>(value));
}
#elif defined(__aarch64__)
constexpr unsigned long kFlushBits = 1UL << 24;
unsigned long float_control() noexcept {
  unsigned long value;
  asm volatile("mrs %0, fpcr" : "=r"(value));
  return value;
}
void set_float_control(unsigned long value) noexcept {
  asm volatile("msr fpcr, %0" : : "r"(value));
}
#else
constexpr unsigned long kFlushBits = 0;
unsigned long float_control() noexcept {
  return 0;
}
void set_float_control(unsigned long) noexcept {}
#endif

}  // namespace

int thread_budget() {
  int threads = process_budget.load(std::memory_order_relaxed);
  if (threads == 0) {
    const int chosen = default_budget();
    // Whoever sets a budget meanwhile wins.
    threads = process_budget.compare_exchange_strong(threads, chosen, std::memory_order_relaxed) ? chosen : threads;
  }
  return std::min(threads, thread_limit);
}

void set_thread_budget(int threads) {
  check_threads(threads, 0);
  process_budget.store(threads, std::memory_order_relaxed);
}

ThreadLimit::ThreadLimit(int threads) : outer_(thread_limit) {
  check_threads(threads, 1);
  thread_limit = std::min(outer_, threads);
}

ThreadLimit::~ThreadLimit() {
  thread_limit = outer_;
}

// Where they are flushed already nothing is written: that costs as much as a small step's arithmetic.
FlushSubnormals::FlushSubnormals() noexcept : outer_(float_control()) {
  if ((outer_ & kFlushBits) != kFlushBits) set_float_control(outer_ | kFlushBits);
}
FlushSubnormals::~FlushSubnormals() {
  if ((outer_ & kFlushBits) == kFlushBits) return;
  // Only the bits that were changed: exception flags raised in between stay raised.
  set_float_control((float_control() & ~kFlushBits) | (outer_ & kFlushBits));
}

void parallel_for(std::size_t begin, std::size_t end, std::size_t grain, RangeFunction fn) {
  if (grain == 0) throw Error(ErrorCode::invalid_argument, "the grain of a loop is 0", "parallel_for");
  if (begin >= end) return;
  const FlushSubnormals flush;
  const std::size_t pieces = (end - begin - 1) / grain + 1;
  const int threads =
      inside_loop() || pieces == 1 ? 1 : static_cast<int>(std::min(pieces, static_cast<std::size_t>(thread_budget())));
  if (threads == 1) {
    for (; end - begin > grain; begin += grain) {
      fn(begin, begin + grain);
      check_stop();
    }
    fn(begin, end);
    return;
  }
  run_on_pool(begin, end, grain, pieces, threads, fn);
}

}  // namespace skerry::base
