#include <gtest/gtest.h>
#include <pthread.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <latch>
#include <mutex>
#include <skerry/error.hpp>
#include <skerry/scheduler.hpp>
#include <string>
#include <thread>
#include <vector>

namespace skerry {
namespace {

using namespace std::chrono_literals;

/// A clock that stands until somebody moves it.
struct HandClock {
  std::atomic<std::int64_t> nanoseconds{0};
  SchedulerClock::time_point now() const { return SchedulerClock::time_point(std::chrono::nanoseconds(nanoseconds)); }
  std::function<SchedulerClock::time_point()> seam() {
    return [this] { return now(); };
  }
  void pass(std::chrono::nanoseconds time) { nanoseconds += time.count(); }
};

/// Holds the one worker until everything was submitted, then tells in which order the rest ran.
class OrderOfTasks {
 public:
  explicit OrderOfTasks(SchedulerOptions options)
      : scheduler_([&] {
          options.workers = 1;
          return std::move(options);
        }()) {
    gate_ = scheduler_.submit([this](const RunControl&) { opened_.wait(); }, {.priority = -1000});
  }
  void add(const std::string& name, const TaskOptions& options = {}) {
    tickets_.push_back(scheduler_.submit([this, name](const RunControl&) { order_.push_back(name); }, options));
  }
  std::vector<std::string> order() {
    opened_.count_down();
    scheduler_.wait_idle();
    return order_;
  }
  RuntimeScheduler& scheduler() { return scheduler_; }
  std::vector<TaskTicket>& tickets() { return tickets_; }

 private:
  std::latch opened_{1};
  std::vector<std::string> order_;
  RuntimeScheduler scheduler_;
  TaskTicket gate_;
  std::vector<TaskTicket> tickets_;
};

ErrorCode scheduler_code(const auto& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.code();
  }
  return ErrorCode::internal;
}

using Names = std::vector<std::string>;

TEST(RuntimeScheduler, RunsTheLowerPriorityNumberFirstAndThenWhoCameFirst) {
  OrderOfTasks tasks({.aging = 0s});
  tasks.add("late", {.priority = 5});
  tasks.add("first", {.priority = 1});
  tasks.add("second", {.priority = 1});
  tasks.add("urgent", {.priority = 0});
  EXPECT_EQ(tasks.order(), (Names{"urgent", "first", "second", "late"}));
}

TEST(RuntimeScheduler, ForgetsIdleTenantsBeyondAThousand) {
  RuntimeScheduler scheduler({.workers = 1});
  for (int i = 0; i < 3000; ++i) {
    scheduler.submit([](const RunControl&) {}, {.tenant = std::to_string(i)}).done.wait();
    scheduler.wait_idle();
  }
  EXPECT_LE(scheduler.statistics().tenants.size(), 1025U);
  EXPECT_EQ(scheduler_code([&] { scheduler.submit([](const RunControl&) {}, {.expected_seconds = 1e300}); }),
            ErrorCode::invalid_argument);
}

TEST(RuntimeScheduler, RunsTheEarlierDeadlineFirst) {
  OrderOfTasks tasks({.aging = 0s});
  const auto now = SchedulerClock::now();
  tasks.add("tomorrow", {.deadline = now + 24h});
  tasks.add("never");
  tasks.add("soon", {.deadline = now + 1h});
  EXPECT_EQ(tasks.order(), (Names{"soon", "tomorrow", "never"}));
}

TEST(RuntimeScheduler, LetsNobodyWaitForeverBehindTheUrgent) {
  HandClock clock;
  OrderOfTasks tasks({.aging = 10s, .now = clock.seam()});
  tasks.add("patient", {.priority = 9});
  clock.pass(11s);
  tasks.add("urgent", {.priority = 0});
  EXPECT_EQ(tasks.order(), (Names{"patient", "urgent"}));
}

TEST(RuntimeScheduler, NeverBeginsWhatExpiredAndRefusesWhatCannotBeInTime) {
  HandClock clock;
  OrderOfTasks tasks({.aging = 0s, .now = clock.seam()});
  tasks.add("expires", {.deadline = clock.now() + 5s});
  tasks.add("stays", {.deadline = clock.now() + 50s, .expected_seconds = 8.0});
  EXPECT_EQ(scheduler_code([&] { tasks.add("hopeless", {.deadline = clock.now() + 6s}); }),
            ErrorCode::deadline_exceeded);
  clock.pass(7s);
  EXPECT_EQ(tasks.order(), (Names{"stays"}));
  EXPECT_EQ(scheduler_code([&] { tasks.tickets()[0].done.get(); }), ErrorCode::deadline_exceeded);
  const SchedulerStatistics counts = tasks.scheduler().statistics();
  EXPECT_EQ(counts.expired, 1U);
  EXPECT_EQ(counts.refused, 1U);
  EXPECT_EQ(counts.completed, 2U);
}

TEST(RuntimeScheduler, RefusesMoreThanItsQueueHolds) {
  OrderOfTasks tasks({.max_queue = 2, .aging = 0s});
  while (tasks.scheduler().statistics().running == 0) std::this_thread::yield();
  tasks.add("a");
  tasks.add("b");
  EXPECT_EQ(scheduler_code([&] { tasks.add("c"); }), ErrorCode::unavailable);
  EXPECT_EQ(tasks.order(), (Names{"a", "b"}));
}

TEST(RuntimeScheduler, DropsWhatWasCancelledAndStopsWhatRuns) {
  RuntimeScheduler scheduler({.workers = 1});
  std::latch began(1);
  TaskTicket running = scheduler.submit([&](const RunControl& control) {
    began.count_down();
    while (true) control.check("waiting to be stopped");
  });
  began.wait();
  TaskTicket waiting = scheduler.submit([](const RunControl&) { FAIL() << "it was cancelled"; });
  waiting.stop.request_stop();
  running.stop.request_stop();
  EXPECT_EQ(scheduler_code([&] { running.done.get(); }), ErrorCode::cancelled);
  EXPECT_EQ(scheduler_code([&] { waiting.done.get(); }), ErrorCode::cancelled);
}

// Simulated service: each task moves the clock. One worker, so the clock is the worker's time.
TEST(RuntimeScheduler, SharesHoldWithinFivePercentWhateverTheTasksLengths) {
  HandClock clock;
  RuntimeScheduler scheduler({.workers = 1, .max_queue = 100'000, .aging = 0s, .now = clock.seam()});
  scheduler.set_weight("gold", 7.0);
  scheduler.set_weight("tin", 3.0);
  std::latch opened(1);
  scheduler.submit([&](const RunControl&) { opened.wait(); }, {.priority = 0});
  std::vector<TaskTicket> tickets;
  std::chrono::milliseconds gold{0}, tin{0};  // written by the one worker
  double gold_share = 0.0;
  const auto send = [&](const char* tenant, std::chrono::milliseconds length, std::chrono::milliseconds& sum) {
    for (int i = 0; i < 2000; ++i) {
      tickets.push_back(scheduler.submit(
          [&, length](const RunControl&) {
            clock.pass(length);
            sum += length;
            if (&sum == &gold && gold == 2000ms) gold_share = std::chrono::duration<double>(gold) / (gold + tin);
          },
          {.tenant = tenant}));
    }
  };
  send("tin", 3ms, tin);
  send("gold", 1ms, gold);
  opened.count_down();
  // The shares of the time in which both had work: until gold's last task ended.
  for (std::size_t i = 2000; i < tickets.size(); ++i) tickets[i].done.get();
  EXPECT_NEAR(gold_share, 0.7, 0.035);
  scheduler.shutdown();
}

std::chrono::nanoseconds cpu_time(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

// What tasks take is what the processor worked for them: how busy the machine is with others, and this process with
// other threads, does not matter.
TEST(RuntimeScheduler, SharesOfTheProcessorsTimeHoldWithinFivePercent) {
  std::atomic<clockid_t> worker{CLOCK_THREAD_CPUTIME_ID};
  const auto now = [&worker] { return SchedulerClock::time_point(cpu_time(worker)); };
  RuntimeScheduler scheduler({.workers = 1, .max_queue = 10'000, .aging = 0s, .now = now});
  scheduler.set_weight("gold", 3.0);
  scheduler.set_weight("tin", 1.0);
  constexpr std::chrono::nanoseconds kMeasured = 200ms;  // both have work for longer than that
  std::latch known(1), opened(1);
  auto gate = scheduler.submit(
      [&](const RunControl&) {
        clockid_t own{};
        ASSERT_EQ(::pthread_getcpuclockid(::pthread_self(), &own), 0);
        worker = own;
        known.count_down();
        opened.wait();
      },
      {.priority = 0});
  known.wait();
  std::chrono::nanoseconds gold{0}, tin{0};  // written by the one worker, until they are measured
  const auto send = [&](const char* tenant, std::chrono::nanoseconds length, std::chrono::nanoseconds& sum) {
    for (auto sent = 0ns; sent < 2 * kMeasured; sent += length) {
      scheduler.submit(
          [&, length](const RunControl&) {
            if (gold + tin >= kMeasured) return;
            const auto begin = cpu_time(CLOCK_THREAD_CPUTIME_ID);
            auto worked = 0ns;
            while (worked < length) worked = cpu_time(CLOCK_THREAD_CPUTIME_ID) - begin;
            sum += worked;
          },
          {.tenant = tenant});
    }
  };
  send("tin", 700us, tin);
  send("gold", 300us, gold);
  opened.count_down();
  scheduler.wait_idle();
  EXPECT_GE(gold + tin, kMeasured);
  EXPECT_NEAR(std::chrono::duration<double>(gold) / (gold + tin), 0.75, 0.75 * 0.05);
}

TEST(RuntimeScheduler, ShutdownLetsWhatWasTakenEndAndRefusesTheRest) {
  RuntimeScheduler scheduler({.workers = 2});
  std::atomic<int> ended{0};
  std::vector<TaskTicket> tickets;
  for (int i = 0; i < 20; ++i) {
    tickets.push_back(scheduler.submit([&](const RunControl&) {
      std::this_thread::sleep_for(1ms);
      ++ended;
    }));
  }
  EXPECT_TRUE(scheduler.shutdown(30s));
  EXPECT_EQ(ended, 20);
  EXPECT_EQ(scheduler_code([&] { scheduler.submit([](const RunControl&) {}); }), ErrorCode::unavailable);
  for (TaskTicket& ticket : tickets) ticket.done.get();
}

TEST(RuntimeScheduler, ShutdownWithoutGraceStopsAll) {
  RuntimeScheduler scheduler({.workers = 1});
  std::latch began(1);
  TaskTicket running = scheduler.submit([&](const RunControl& control) {
    began.count_down();
    while (true) control.check("waiting to be stopped");
  });
  TaskTicket waiting = scheduler.submit([](const RunControl&) {});
  began.wait();
  EXPECT_FALSE(scheduler.shutdown());
  EXPECT_EQ(scheduler_code([&] { waiting.done.get(); }), ErrorCode::cancelled);
  EXPECT_EQ(scheduler_code([&] { running.done.get(); }), ErrorCode::cancelled);
}

// Sleeping tasks, which take no CPU from one another: what is measured is waiting alone.
TEST(RuntimeScheduler, UrgentTasksTakeAtMostTwiceTheirIdleTimeUnderSaturation) {
  constexpr auto kLength = 20ms;
  const auto p99 = [&](bool saturated) {
    RuntimeScheduler scheduler({.workers = 2, .reserved_workers = 1, .max_queue = 10'000, .aging = 0s});
    std::vector<TaskTicket> low;
    for (int i = 0; saturated && i < 400; ++i)
      low.push_back(
          scheduler.submit([&](const RunControl&) { std::this_thread::sleep_for(kLength); }, {.priority = 5}));
    std::vector<double> seconds;
    for (int i = 0; i < 25; ++i) {
      const auto begin = std::chrono::steady_clock::now();
      scheduler.submit([&](const RunControl&) { std::this_thread::sleep_for(kLength); }, {.priority = 0}).done.get();
      seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    }
    scheduler.shutdown();
    return *std::ranges::max_element(seconds);
  };
  EXPECT_LT(p99(true), 2.0 * p99(false));
}

TEST(RuntimeScheduler, RefusesOptionsThatCannotBe) {
  EXPECT_EQ(scheduler_code([] { RuntimeScheduler({.workers = -1}); }), ErrorCode::invalid_argument);
  EXPECT_EQ(scheduler_code([] { RuntimeScheduler({.workers = 2, .reserved_workers = 2}); }),
            ErrorCode::invalid_argument);
  EXPECT_EQ(scheduler_code([] { RuntimeScheduler().set_weight("t", 0.0); }), ErrorCode::invalid_argument);
}

}  // namespace
}  // namespace skerry
