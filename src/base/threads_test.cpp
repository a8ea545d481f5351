#include "base/threads.hpp"

#include <gtest/gtest.h>
#include <pthread.h>
#include <rapidcheck.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <mutex>
#include <set>
#include <skerry/error.hpp>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "base/machine.hpp"
#include "base/obey.hpp"
#include "base/random.hpp"
#include "base/thrown_by.hpp"
#include "base/wake.hpp"

namespace skerry::base {
namespace {

using namespace std::chrono_literals;

/// A process budget for one test.
class Threads : public testing::TestWithParam<int> {
 protected:
  void SetUp() override { set_thread_budget(GetParam()); }
  void TearDown() override { set_thread_budget(0); }
};

TEST_P(Threads, EveryIndexIsVisitedOnceInPiecesOfTheGrain) {
  EXPECT_TRUE(rc::check("pieces tile the range", [] {
    const std::size_t begin = *rc::gen::inRange<std::size_t>(0, 100);
    const std::size_t end = *rc::gen::inRange<std::size_t>(0, 3000);
    const std::size_t grain = *rc::gen::inRange<std::size_t>(1, 400);
    std::vector<std::atomic<int>> visits(3000);
    std::atomic<bool> odd_piece{false};
    parallel_for(begin, end, grain, [&](std::size_t first, std::size_t last) {
      if ((first - begin) % grain != 0 || (last != end && last - first != grain) || last > end) odd_piece = true;
      for (std::size_t i = first; i < last; ++i) ++visits[i];
    });
    RC_ASSERT(!odd_piece);
    for (std::size_t i = 0; i < visits.size(); ++i) RC_ASSERT(visits[i] == (i >= begin && i < end ? 1 : 0));
  }));
}

TEST_P(Threads, ThoseWokenEarlyVisitEveryIndexOnceSoonerOrLater) {
  for (const auto pause : {0us, 200us, 5000us}) {
    wake_threads(thread_budget());
    std::this_thread::sleep_for(pause);
    std::vector<std::atomic<int>> visits(500);
    parallel_for(0, visits.size(), 7, [&](std::size_t first, std::size_t last) {
      wake_threads(8);  // a loop within a loop wakes nobody
      for (std::size_t i = first; i < last; ++i) ++visits[i];
    });
    for (const auto& count : visits) ASSERT_EQ(count, 1);
  }
}

// Loops too short for anybody to come, one after the other: workers are then told to leave their caller's processor.
TEST_P(Threads, LoopsThatNobodyJoinsVisitEveryIndexWhateverProcessorsTheirCallerMayUse) {
  cpu_set_t before;
  ASSERT_EQ(pthread_getaffinity_np(pthread_self(), sizeof before, &before), 0);
  for (const bool one_processor : {false, true}) {
    if (one_processor) {
      cpu_set_t here;
      CPU_ZERO(&here);
      CPU_SET(static_cast<std::size_t>(sched_getcpu()), &here);
      ASSERT_EQ(pthread_setaffinity_np(pthread_self(), sizeof here, &here), 0);
    }
    for (int loop = 0; loop < 300; ++loop) {
      std::vector<std::atomic<int>> visits(5);
      parallel_for(0, visits.size(), 1, [&](std::size_t i, std::size_t) { ++visits[i]; });
      for (const auto& count : visits) ASSERT_EQ(count, 1);
    }
  }
  EXPECT_EQ(pthread_setaffinity_np(pthread_self(), sizeof before, &before), 0);
}

TEST_P(Threads, RangesAtTheEndOfTheNumbersDoNotWrap) {
  constexpr std::size_t kMost = std::numeric_limits<std::size_t>::max();
  std::atomic<std::size_t> covered{0};
  parallel_for(kMost - 10, kMost, 3, [&](std::size_t first, std::size_t last) { covered += last - first; });
  parallel_for(kMost - 10, kMost, kMost, [&](std::size_t first, std::size_t last) { covered += last - first; });
  EXPECT_EQ(covered, 20u);
}

TEST_P(Threads, NeverRunsMoreThreadsThanTheBudget) {
  std::atomic<int> now{0}, most{0};
  parallel_for(0, 200, 1, [&](std::size_t, std::size_t) {
    const int threads = ++now;
    int seen = most;
    while (seen < threads && !most.compare_exchange_weak(seen, threads)) {
    }
    std::this_thread::sleep_for(50us);
    --now;
  });
  EXPECT_LE(most, GetParam());
  EXPECT_GE(most, 1);
}

TEST_P(Threads, NestedLoopsRunInPlace) {
  std::atomic<bool> left{false};
  std::atomic<int> calls{0};
  parallel_for(0, 16, 1, [&](std::size_t, std::size_t) {
    const auto thread = std::this_thread::get_id();
    parallel_for(0, 16, 1, [&](std::size_t, std::size_t) {
      if (std::this_thread::get_id() != thread) left = true;
      ++calls;
    });
  });
  EXPECT_EQ(calls, 256);
  EXPECT_FALSE(left);
}

TEST_P(Threads, FirstExceptionArrivesAndThePoolLivesOn) {
  for (int round = 0; round < 50; ++round) {
    std::atomic<int> calls{0};
    try {
      parallel_for(0, 100000, 1, [&](std::size_t first, std::size_t) {
        ++calls;
        if (first % 7 == 3) throw std::runtime_error("piece");
      });
      FAIL();
    } catch (const std::runtime_error& error) {
      EXPECT_STREQ(error.what(), "piece");
    }
    EXPECT_LT(calls, 100000);
  }
  std::atomic<int> calls{0};
  parallel_for(0, 100, 1, [&](std::size_t, std::size_t) { ++calls; });
  EXPECT_EQ(calls, 100);
}

TEST_P(Threads, ThoseWhoHelpObeyWhomTheCallerObeys) {
  std::stop_source source;
  const RunControl control{.stop = source.get_token()};
  const Obey obey(&control);
  std::atomic<int> calls{0};
  const auto loop = [&] {
    parallel_for(0, 100, 1, [&](std::size_t, std::size_t) {
      EXPECT_EQ(obeyed, &control);
      check_stop();
      ++calls;
    });
  };
  loop();
  EXPECT_EQ(calls, 100);
  source.request_stop();
  EXPECT_THROW(loop(), Error);
  EXPECT_EQ(calls, 100);
}

TEST_P(Threads, SubnormalsAreFlushedInsideAndNotAfter) {
  volatile double tiny = std::numeric_limits<double>::min();
  std::atomic<int> kept{0};
  parallel_for(0, 64, 1, [&](std::size_t, std::size_t) {
    std::this_thread::sleep_for(20us);
    volatile double half = tiny;
    half = half / 2;
    if (half != 0) ++kept;
  });
  EXPECT_EQ(kept, 0);
  volatile double half = tiny / 2;
  EXPECT_NE(half, 0);
}

/// A rounded sum of random numbers, whose last bits depend on the order of addition.
double piecewise_sum(int threads) {
  set_thread_budget(threads);
  constexpr std::size_t kCount = 20000, kGrain = 137;
  std::vector<double> parts((kCount + kGrain - 1) / kGrain);
  parallel_for(0, kCount, kGrain, [&](std::size_t first, std::size_t last) {
    Philox random(11);
    random.seek(2 * first);
    for (std::size_t i = first; i < last; ++i) parts[first / kGrain] += random.uniform();
  });
  double sum = 0;
  for (const double part : parts) sum += part;
  return sum;
}

TEST_P(Threads, ResultsAreThoseOfOneThread) {
  const double alone = piecewise_sum(1);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(piecewise_sum(GetParam()), alone);
}

TEST_P(Threads, CallersShareThePool) {
  std::atomic<std::size_t> sum{0};
  {
    std::vector<std::jthread> callers;
    for (int caller = 0; caller < 4; ++caller) {
      callers.emplace_back([&] {
        for (int i = 0; i < 300; ++i) {
          parallel_for(0, 40, 3, [&](std::size_t first, std::size_t last) { sum += last - first; });
        }
      });
    }
  }
  EXPECT_EQ(sum, 4u * 300u * 40u);
}

INSTANTIATE_TEST_SUITE_P(Budget, Threads, testing::Values(1, 2, 3, 8, 40));

/// Whether a loop of `count` pieces has `count` threads at once: each piece ends only when all have begun.
bool all_meet(int count) {
  std::atomic<int> arrived{0}, met{0};
  parallel_for(0, static_cast<std::size_t>(count), 1, [&](std::size_t, std::size_t) {
    ++arrived;
    const auto limit = std::chrono::steady_clock::now() + 10s;
    while (arrived < count && std::chrono::steady_clock::now() < limit) std::this_thread::yield();
    if (arrived == count) ++met;
  });
  return met == count;
}

TEST(ThreadBudget, PoolReallyUsesItsThreads) {
  set_thread_budget(3);
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(all_meet(3));
  set_thread_budget(0);
}

TEST(ThreadBudget, SleepingWorkersWakeUp) {
  set_thread_budget(4);
  for (int i = 0; i < 10; ++i) {
    std::this_thread::sleep_for(2ms);  // longer than a worker stays awake
    EXPECT_TRUE(all_meet(4));
    std::this_thread::sleep_for(2ms);
    const ThreadLimit two(2);
    EXPECT_TRUE(all_meet(2));
  }
  set_thread_budget(0);
}

TEST(ThreadBudget, LimitNarrowsOneThreadForAScope) {
  set_thread_budget(4);
  {
    const ThreadLimit two(2);
    EXPECT_EQ(thread_budget(), 2);
    {
      const ThreadLimit wider(3);
      EXPECT_EQ(thread_budget(), 2);
    }
    int other = 0;
    std::jthread([&] { other = thread_budget(); }).join();
    EXPECT_EQ(other, 4);
    std::set<std::thread::id> seen;
    std::mutex mutex;
    parallel_for(0, 50, 1, [&](std::size_t, std::size_t) {
      std::this_thread::sleep_for(20us);
      const std::lock_guard lock(mutex);
      seen.insert(std::this_thread::get_id());
    });
    EXPECT_LE(seen.size(), 2u);
  }
  EXPECT_EQ(thread_budget(), 4);
  set_thread_budget(0);
}

TEST(ThreadBudget, NonsenseIsRefused) {
  EXPECT_EQ(thrown_by([] { set_thread_budget(-1); }).code(), ErrorCode::invalid_argument);
  EXPECT_EQ(thrown_by([] { set_thread_budget(kMaxThreads + 1); }).code(), ErrorCode::invalid_argument);
  EXPECT_EQ(thrown_by([] { ThreadLimit(0); }).code(), ErrorCode::invalid_argument);
  EXPECT_EQ(thrown_by([] { parallel_for(0, 1, 0, [](std::size_t, std::size_t) {}); }).code(),
            ErrorCode::invalid_argument);
}

/// Sets or unsets a variable for a scope and lets the budget be asked for anew.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    const char* old = std::getenv(name);
    had_ = old != nullptr;
    if (had_) old_ = old;
    value == nullptr ? unsetenv(name) : setenv(name, value, 1);
    set_thread_budget(0);
  }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;
  ~Variable() {
    had_ ? setenv(name_, old_.c_str(), 1) : unsetenv(name_);
    set_thread_budget(0);
  }

 private:
  const char* name_;
  std::string old_;
  bool had_ = false;
};

TEST(ThreadBudget, ComesFromTheEnvironmentThenFromTheMachine) {
  const Variable own("SKERRY_NUM_THREADS", "3");
  const Variable open_mp("OMP_NUM_THREADS", "5,2");
  EXPECT_EQ(thread_budget(), 3);
  {
    const Variable none("SKERRY_NUM_THREADS", nullptr);
    EXPECT_EQ(thread_budget(), 5);
    const Variable neither("OMP_NUM_THREADS", "many");
    EXPECT_EQ(thread_budget(), usable_cpus());
  }
  for (const char* nonsense : {"many", "0", "-2"}) {
    const Variable wrong("SKERRY_NUM_THREADS", nonsense);
    const Error error = thrown_by([] { thread_budget(); });
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
    EXPECT_EQ(error.where(), "SKERRY_NUM_THREADS");
  }
  set_thread_budget(7);
  EXPECT_EQ(thread_budget(), 7);
}

#if !defined(__SANITIZE_THREAD__)  // which does not allow new threads in a forked child
TEST(ThreadPool, ForkedChildStartsItsOwn) {
  set_thread_budget(3);
  std::atomic<std::size_t> sum{0};
  const auto add = [&](std::size_t first, std::size_t last) { sum += last - first; };
  parallel_for(0, 1000, 1, add);
  std::atomic<bool> stop{false};
  std::jthread busy([&] {  // the fork falls into somebody else's loops
    while (!stop) parallel_for(0, 50, 1, [](std::size_t, std::size_t) {});
  });
  for (int round = 0; round < 10; ++round) {
    const pid_t child = fork();
    if (child == 0) {
      alarm(20);
      _exit(all_meet(3) && all_meet(3) ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  }
  stop = true;
  busy.join();
  parallel_for(0, 1000, 1, add);
  EXPECT_EQ(sum, 2000u);
  set_thread_budget(0);
}

TEST(ThreadPool, ExitDoesNotWaitForWorkers) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);
    set_thread_budget(4);
    parallel_for(0, 1000, 1, [](std::size_t, std::size_t) {});
    std::exit(0);  // runs static destructors while workers sleep
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}
#endif

}  // namespace
}  // namespace skerry::base
