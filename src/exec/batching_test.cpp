#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <future>
#include <map>
#include <random>
#include <skerry/batching.hpp>
#include <thread>

#include "base/thrown_by.hpp"
#include "exec/rows.hpp"

namespace skerry {
namespace {

using base::thrown_by;
using namespace std::chrono_literals;
using Seconds = std::chrono::duration<double>;

const BatchClock::time_point kStart = BatchClock::time_point(1h);
constexpr double kTick = 1e-8;  // seconds as a double are no whole nanoseconds

BatchClock::time_point at(double seconds) {
  return kStart + std::chrono::duration_cast<BatchClock::duration>(Seconds(seconds));
}

Tensor row_of(std::initializer_list<float> values) {
  const std::vector<float> copy(values);
  return Tensor::from<float>(copy, {1, static_cast<std::int64_t>(copy.size())});
}

// Per row the sum so far: what stands behind a row's own elements changes nothing before them.
std::vector<Tensor> prefix_sums(std::span<const Tensor> inputs) {
  Tensor out(DType::f32, inputs[0].shape());
  const auto width = static_cast<std::size_t>(inputs[0].shape()[1]);
  const auto x = inputs[0].as<float>();
  const auto y = out.mutable_view().as<float>();
  for (std::size_t i = 0; i < x.size(); ++i) y[i] = x[i] + (i % width == 0 ? 0.0F : y[i - 1]);
  return {out};
}

TEST(BatchScheduler, NeverLetsAnybodyWaitPastTheDelay) {
  std::mt19937 random(7);
  std::exponential_distribution<double> gap(500.0);
  BatchScheduler scheduler({.sizes = {1, 4, 16}, .max_delay = 3ms});
  std::map<std::uint64_t, double> arrived;
  double now = 0.0, next = 0.0;
  std::uint64_t id = 0, served = 0;
  while (served < 3000) {
    const auto wake = scheduler.wake_time();
    // Whatever comes first: somebody new, or the moment the scheduler asked to be called at.
    if (wake == BatchClock::time_point::max() || at(next) < wake) {
      now = next;
      next += gap(random);
      scheduler.push({.id = ++id, .arrived = at(now)}, at(now));
      arrived[id] = now;
    } else {
      now = Seconds(wake - kStart).count() + kTick;
    }
    for (auto ids = scheduler.next(at(now)); !ids.empty(); ids = scheduler.next(at(now))) {
      EXPECT_TRUE(ids.size() == 1 || ids.size() == 4 || ids.size() == 16);
      for (const std::uint64_t one : ids) {
        EXPECT_LE(now - arrived.at(one), 0.003 + 10 * kTick);
        ++served;
      }
      scheduler.ran(static_cast<std::uint32_t>(ids.size()), Seconds(0));
    }
  }
}

TEST(BatchScheduler, ServesByPriorityThenArrivalAndRefusesWhatIsTooMuch) {
  BatchScheduler scheduler({.sizes = {1}, .max_queue = 4});
  for (const std::uint64_t priority : {5, 1, 5, 0})
    scheduler.push({.id = 10 + scheduler.waiting(), .priority = priority, .arrived = at(0)}, at(0));
  EXPECT_EQ(thrown_by([&] { scheduler.push({.id = 99, .arrived = at(0)}, at(0)); }).code(), ErrorCode::unavailable);
  std::vector<std::uint64_t> order;
  for (auto ids = scheduler.next(at(0)); !ids.empty(); ids = scheduler.next(at(0))) order.push_back(ids[0]);
  EXPECT_EQ(order, (std::vector<std::uint64_t>{13, 11, 10, 12}));
}

TEST(BatchScheduler, DropsWhoseTimeIsOverAndRefusesWhoseTimeWillBe) {
  BatchScheduler scheduler({.sizes = {1}, .max_delay = 1s});
  scheduler.push({.id = 1, .arrived = at(0), .deadline = at(0.5)}, at(0));
  scheduler.push({.id = 2, .arrived = at(0)}, at(0));
  EXPECT_EQ(scheduler.wake_time(), at(0.5));
  EXPECT_TRUE(scheduler.take_late(at(0.4)).empty());
  EXPECT_EQ(scheduler.take_late(at(0.5)), std::vector<std::uint64_t>{1});
  scheduler.ran(1, 100ms);  // from now on it knows what a run takes
  EXPECT_EQ(thrown_by([&] { scheduler.push({.id = 3, .arrived = at(1), .deadline = at(1.2)}, at(1)); }).code(),
            ErrorCode::deadline_exceeded);
  scheduler.push({.id = 4, .arrived = at(1), .deadline = at(1.25)}, at(1));
  EXPECT_EQ(scheduler.waiting(), 2U);
  EXPECT_EQ(thrown_by([] { BatchScheduler({.sizes = {}}); }).code(), ErrorCode::invalid_argument);
  EXPECT_EQ(thrown_by([] { BatchScheduler({.sizes = {4, 4}}); }).code(), ErrorCode::invalid_argument);
  EXPECT_EQ(thrown_by([] { BatchScheduler({.slo = Seconds(0)}); }).code(), ErrorCode::invalid_argument);
}

TEST(BatchScheduler, CountsARequestsOwnRunWhenItDecidesWhetherItCanBeInTime) {
  BatchScheduler scheduler({.sizes = {1}});
  auto can_come = [&, id = std::uint64_t{0}](double deadline) mutable {
    try {
      scheduler.push({.id = ++id, .arrived = at(0), .deadline = at(deadline)}, at(0));
      return true;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::deadline_exceeded);
      return false;
    }
  };
  for (int i = 0; i < 8; ++i) EXPECT_TRUE(can_come(0.1));  // nothing is known yet
  scheduler.ran(1, 10ms);
  EXPECT_FALSE(can_come(0.1));  // those before it take 80 ms, its own run ten more, and what was measured is too little
  EXPECT_TRUE(can_come(0.11));
  for (auto ids = scheduler.next(at(0)); !ids.empty(); ids = scheduler.next(at(0))) scheduler.ran(1, 10s);
  EXPECT_TRUE(can_come(0.1));  // alone it is tried, or the mean would never be corrected
}

TEST(BatchScheduler, ExpectsNoMoreOfARunThanThoseBeforeItSay) {
  BatchScheduler scheduler({});
  EXPECT_EQ(scheduler.at_most(1), Seconds(0));
  scheduler.ran(16, 16ms);
  EXPECT_EQ(scheduler.at_most(1), Seconds(0.016));
  EXPECT_EQ(scheduler.at_most(16), Seconds(0.016));
  EXPECT_EQ(scheduler.at_most(1600), Seconds(1.6));
}

RC_GTEST_PROP(BatchOptimizer, TakesOneKindWithinItsRowsAndItsWaste, ()) {
  const auto raw = *rc::gen::nonEmpty(rc::gen::container<std::vector<std::tuple<int, int, int>>>(
      rc::gen::tuple(rc::gen::inRange(0, 3), rc::gen::inRange(1, 6), rc::gen::inRange(1, 200))));
  std::vector<BatchTicket> waiting;
  for (const auto& [kind, rows, length] : raw)
    waiting.push_back({.id = waiting.size(),
                       .kind = static_cast<std::uint64_t>(kind),
                       .rows = static_cast<std::uint32_t>(rows),
                       .length = length});
  const BatchOptimizer optimizer({1, 4, 8, 32}, 0.1);
  const auto first = static_cast<std::size_t>(*rc::gen::inRange(0, static_cast<int>(waiting.size())));
  const auto chosen = optimizer.choose(waiting, first, 32);
  RC_ASSERT(std::ranges::count(chosen, first) == 1);
  std::uint64_t rows = 0, sent = 0;
  std::int64_t longest = 0;
  for (const std::size_t i : chosen) {
    RC_ASSERT(waiting[i].kind == waiting[first].kind);
    rows += waiting[i].rows;
    sent += waiting[i].rows * static_cast<std::uint64_t>(waiting[i].length);
    longest = std::max(longest, waiting[i].length);
  }
  RC_ASSERT(chosen.size() == 1 || rows == 4 || rows == 8 || rows == 32);
  RC_ASSERT(static_cast<double>(sent) >= 0.9 * static_cast<double>(rows) * static_cast<double>(longest) - 1e-9);
}

TEST(BatchOptimizer, PadsLessThanATenthWhereTheOrderOfArrivalPadsThird) {
  std::mt19937 random(3);
  std::uniform_int_distribution<std::int64_t> length(8, 128);
  std::vector<BatchTicket> waiting;
  for (std::uint64_t id = 0; id < 512; ++id) waiting.push_back({.id = id, .length = length(random)});
  const auto padding_of = [](const std::vector<std::int64_t>& lengths) {
    std::int64_t all = 0;
    for (const std::int64_t l : lengths) all += *std::ranges::max_element(lengths) - l;
    return all;
  };
  std::int64_t sent = 0, naive = 0, padded = 0;
  std::size_t batches = 0;
  for (std::size_t i = 0; i < waiting.size(); i += 16) {
    std::vector<std::int64_t> lengths;
    for (std::size_t k = i; k < i + 16; ++k) lengths.push_back(waiting[k].length);
    naive += padding_of(lengths);
  }
  for (const BatchTicket& ticket : waiting) sent += ticket.length;
  const BatchOptimizer optimizer({1, 4, 16}, 0.1);
  while (!waiting.empty()) {
    const auto chosen = optimizer.choose(waiting, 0, 16);
    std::vector<std::int64_t> lengths;
    for (auto i = chosen.rbegin(); i != chosen.rend(); ++i) {
      lengths.push_back(waiting[*i].length);
      waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(*i));
    }
    padded += padding_of(lengths);
    ++batches;
  }
  EXPECT_GT(static_cast<double>(naive) / static_cast<double>(naive + sent), 0.3);
  EXPECT_LT(static_cast<double>(padded) / static_cast<double>(padded + sent), 0.1);
  EXPECT_LT(batches, 80U);  // 32 would be none but full ones
}

// A server whose runs take base + each * rows seconds, under Poisson arrivals; time is only counted.
struct Simulated {
  BatchScheduler scheduler;
  double base, each;
  std::mt19937 random{11};
  double now = 0.0, next = 0.0, busy_since = 0.0, busy_until = 0.0;
  std::uint32_t running = 0;
  std::uint64_t id = 0, offered = 0, refused = 0, expired = 0, in_time = 0;
  std::map<std::uint64_t, double> arrived;

  // Runs until `end` at so many requests a second; latencies of those that came within.
  std::vector<double> run(double end, double rate, double slo) {
    std::vector<double> latencies;
    std::exponential_distribution<double> gap(rate);
    next = now + gap(random);
    while (now < end) {
      const bool is_busy = now < busy_until;
      const auto wake = scheduler.wake_time();
      double event = std::min(next, end);
      if (is_busy) event = std::min(event, busy_until);
      if (!is_busy && wake != BatchClock::time_point::max())
        event = std::min(event, std::max(now, Seconds(wake - kStart).count() + kTick));
      now = event;
      if (now >= next) {
        ++offered;
        try {
          scheduler.push({.id = ++id, .arrived = at(now)}, at(now));
          arrived[id] = now;
        } catch (const Error&) {
          ++refused;
        }
        next += gap(random);
      }
      if (now < busy_until) continue;
      if (running != 0) scheduler.ran(std::exchange(running, 0), Seconds(busy_until - busy_since));
      expired += scheduler.take_late(at(now)).size();
      const auto ids = scheduler.next(at(now));
      if (ids.empty()) continue;
      const double time = base + each * static_cast<double>(ids.size());
      busy_since = now;
      busy_until = now + time;
      running = static_cast<std::uint32_t>(ids.size());
      for (const std::uint64_t one : ids) {
        latencies.push_back(busy_until - arrived[one]);
        if (latencies.back() <= slo) ++in_time;
      }
    }
    return latencies;
  }
};

double percentile99(std::vector<double> values) {
  const auto place = values.begin() + static_cast<std::ptrdiff_t>(values.size() * 99 / 100);
  std::ranges::nth_element(values, place);
  return *place;
}

TEST(BatchSizer, BringsTheSlowestBackIntoTheirTimeAfterALoadSteps) {
  constexpr double kSlo = 0.05;
  const BatchingOptions options{.sizes = {1, 2, 4, 8, 16, 32, 64}, .max_delay = 1ms, .slo = Seconds(kSlo)};
  // One at a time it serves 190 a second, 64 at a time 3600.
  Simulated server{BatchScheduler(options), 0.005, 0.0002};
  EXPECT_LE(percentile99(server.run(10.0, 50.0, kSlo)), kSlo);
  const std::uint32_t before = server.scheduler.rows();
  server.run(15.0, 2500.0, kSlo);  // five seconds to find its feet
  const std::uint64_t refused = server.refused, offered = server.offered;
  EXPECT_LE(percentile99(server.run(25.0, 2500.0, kSlo)), kSlo);
  EXPECT_GE(server.scheduler.rows(), before);
  EXPECT_GE(server.scheduler.rows(), 24U);
  EXPECT_LT(server.refused - refused, (server.offered - offered) / 50);
  // A machine that became four times as slow: smaller batches, and still in time.
  server.base *= 4, server.each *= 4;
  server.run(30.0, 300.0, kSlo);
  EXPECT_LE(percentile99(server.run(40.0, 300.0, kSlo)), kSlo);
}

TEST(BatchScheduler, ServesAsMuchAsItCanUnderThreeTimesTheLoadItCanBear) {
  constexpr double kSlo = 0.1;
  const BatchingOptions options{.sizes = {1, 4, 16, 32}, .max_queue = 256, .slo = Seconds(kSlo)};
  Simulated server{BatchScheduler(options), 0.005, 0.0005};
  server.run(5.0, 3 * 1500.0, kSlo);
  const std::uint64_t before = server.in_time;
  const auto latencies = server.run(15.0, 3 * 1500.0, kSlo);
  const double goodput = static_cast<double>(server.in_time - before) / 10.0;
  const double capacity = 32 / (0.005 + 0.0005 * 32);
  EXPECT_GT(goodput, 0.9 * capacity);
  EXPECT_LE(percentile99(latencies), kSlo);
  EXPECT_GT(server.refused, server.offered / 2);
}

TEST(Rows, ComeBackFromAStackAsTheyWentIn) {
  const Tensor a = Tensor::from<float>(std::vector<float>{1, 2, 3, 4, 5, 6}, {2, 3});
  const Tensor b = Tensor::from<float>(std::vector<float>{7, 8}, {1, 2});
  const std::array<const Tensor*, 2> parts{&a, &b};
  EXPECT_EQ(thrown_by([&] { exec::stacked(parts); }).code(), ErrorCode::type_mismatch);
  const Tensor all = exec::stacked(parts, 1);
  EXPECT_TRUE(exec::same_answer(all, Tensor::from<float>(std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8, 0}, {3, 3})));
  EXPECT_TRUE(exec::same_answer(exec::rows_from(all, 0, 2), a));
  EXPECT_TRUE(exec::same_answer(exec::cut(exec::rows_from(all, 2, 1), 1, 2), b));
  EXPECT_TRUE(exec::same_answer(row_of({1e-5F, 1e-10F}), row_of({1e-5F, 2e-10F})));
  EXPECT_FALSE(exec::same_answer(row_of({1e-5F}), row_of({2e-5F})));
  EXPECT_FALSE(exec::same_answer(row_of({1e6F, 1.0F}), row_of({1e6F, 2.0F})));
  EXPECT_EQ(exec::row_kind(std::array{a}, 1), exec::row_kind(std::array{b}, 1));
  EXPECT_NE(exec::row_kind(std::array{a}, 0), exec::row_kind(std::array{b}, 0));
}

TEST(BatchingManager, AnswersEachWithItsOwnRowsWhateverTheyWereRunWith) {
  std::atomic<std::int64_t> largest{0};
  const auto run = [&](std::span<const Tensor> inputs) {
    largest = std::max<std::int64_t>(largest, inputs[0].shape()[0]);
    return prefix_sums(inputs);
  };
  BatchingManager batching(run, {.sizes = {1, 4, 16}, .max_delay = 2ms, .ragged_axis = 1, .max_waste = 0.5});
  std::vector<std::jthread> clients;
  std::atomic<int> wrong{0};
  for (int client = 0; client < 16; ++client) {
    clients.emplace_back([&, client] {
      for (int i = 0; i < 20; ++i) {
        const auto x = static_cast<float>(100 * client + i);
        const Tensor input = (client + i) % 2 == 0 ? row_of({x, 1, 2}) : row_of({x, 5});
        const auto answer = batching.run({input});
        if (!exec::same_answer(answer.at(0), prefix_sums(std::array{input})[0])) ++wrong;
      }
    });
  }
  clients.clear();
  EXPECT_EQ(wrong, 0);
  const BatchingStatistics all = batching.statistics();
  EXPECT_EQ(all.answered, 320U);
  EXPECT_EQ(all.latency.count(), 320U);
  EXPECT_GE(largest, 4);
  EXPECT_LT(all.runs, 320U);
  EXPECT_GT(all.padding, 0U);
  EXPECT_LE(all.waste(), 0.5);
}

TEST(BatchingManager, FindsOutAModelThatMixesItsRows) {
  const auto run = [](std::span<const Tensor> inputs) {
    float sum = 0.0F;
    for (const float x : inputs[0].as<float>()) sum += x;
    Tensor out(DType::f32, inputs[0].shape());
    for (float& y : out.mutable_view().as<float>()) y = sum;
    return std::vector{out};
  };
  BatchingManager batching(run, {.sizes = {1, 2, 4}, .max_delay = 1ms});
  std::vector<std::jthread> clients;
  std::atomic<int> wrong{0};
  for (int client = 0; client < 8; ++client) {
    clients.emplace_back([&, client] {
      for (int i = 0; i < 10; ++i) {
        const auto x = static_cast<float>(client + i);
        if (batching.run({row_of({x})})[0].as<float>()[0] != x) ++wrong;
      }
    });
  }
  clients.clear();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(batching.statistics().batch_rows, 1U);
}

TEST(BatchingManager, FindsOutAModelThatMixesItsRowsInSmallNumbers) {
  const auto run = [](std::span<const Tensor> inputs) {
    const auto x = inputs[0].as<float>();
    float mean = 0.0F;
    for (const float one : x) mean += one / static_cast<float>(x.size());
    Tensor out(DType::f32, inputs[0].shape());
    const auto y = out.mutable_view().as<float>();
    for (std::size_t i = 0; i < x.size(); ++i) y[i] = 1e-5F * (x[i] - mean / 2);
    return std::vector{out};
  };
  BatchingManager batching(run, {.sizes = {1, 2}, .max_delay = 10s});
  std::jthread other([&] { batching.run({row_of({3})}); });
  EXPECT_FLOAT_EQ(batching.run({row_of({1})})[0].as<float>()[0], 0.5e-5F);
  other.join();
  batching.run({row_of({2})});  // would wait for company
  EXPECT_EQ(batching.statistics().batch_rows, 1U);
}

TEST(BatchingManager, CutsOnlyOutputsThatAreAsLongAsTheInput) {
  // The sum over a row, three times: as many as the longest inputs have elements.
  const auto run = [](std::span<const Tensor> inputs) {
    Tensor out(DType::f32, {inputs[0].shape()[0], 3});
    const std::vector<Tensor> sums = prefix_sums(inputs);
    const auto width = static_cast<std::size_t>(inputs[0].shape()[1]);
    const auto y = out.mutable_view().as<float>();
    for (std::size_t i = 0; i < y.size(); ++i) y[i] = sums[0].as<float>()[(i / 3 + 1) * width - 1];
    return std::vector{out, sums[0]};
  };
  BatchingManager batching(run, {.sizes = {1, 2}, .max_delay = 10s, .ragged_axis = 1, .max_waste = 0.5});
  const auto ask = [&](std::initializer_list<float> values) {
    const Tensor row = row_of(values);
    const std::vector<Tensor> right = run(std::array{row}), given = batching.run({row});
    EXPECT_TRUE(exec::same_answer(given.at(0), right[0]));
    EXPECT_TRUE(exec::same_answer(given.at(1), right[1]));
  };
  // Proven by rows of one length, which tell nothing of those of two.
  for (const bool has_two_lengths : {false, true, true}) {
    std::jthread other([&] { ask({1, 2, 3}); });
    has_two_lengths ? ask({4, 5}) : ask({4, 5, 6});
  }
  EXPECT_EQ(batching.statistics().runs, 3U + 3U + 1U);
}

TEST(BatchingManager, AnswersALoneRequestWithinDelayAndService) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer has costs of its own";
#endif
  const auto run = [](std::span<const Tensor> inputs) {
    std::this_thread::sleep_for(5ms);
    return std::vector(inputs.begin(), inputs.end());
  };
  BatchingManager batching(run, {.max_delay = 10ms});
  double best = 1.0;
  for (int i = 0; i < 5; ++i) {
    const auto begin = BatchClock::now();
    batching.run({row_of({1})});
    best = std::min(best, Seconds(BatchClock::now() - begin).count());
  }
  EXPECT_GE(best, 0.015);
  EXPECT_LT(best, 0.030);
}

TEST(BatchingManager, RunsABriefRequestOnItsCallersThreadAndNoOther) {
  std::atomic<bool> is_held{false};
  std::promise<void> go;
  auto gone = go.get_future().share();
  const auto run = [&](std::span<const Tensor> inputs) {
    if (inputs[0].as<float>()[0] < 0) is_held = true, gone.wait();
    return std::vector(inputs.begin(), inputs.end());
  };
  BatchingManager batching(run, {.sizes = {1}});
  const auto thread_of = [&](float x) {
    auto thread = std::make_shared<std::promise<std::thread::id>>();
    batching.submit(
        {.inputs = {row_of({x})}, .done = [thread](std::exception_ptr, std::vector<Tensor>, const BatchTimes&) {
           thread->set_value(std::this_thread::get_id());
         }});
    return thread->get_future();
  };
  EXPECT_NE(thread_of(1).get(), std::this_thread::get_id());
  batching.run_brief_at_once(1h);  // every run is brief
  const auto comes_here = [&] {    // once the manager's thread has noted what its run took
    for (int i = 0; i < 1000; ++i)
      if (thread_of(1).get() == std::this_thread::get_id()) return true;
    return false;
  };
  EXPECT_TRUE(comes_here());
  std::jthread long_one([&] { thread_of(-1).get(); });
  while (!is_held) std::this_thread::yield();
  EXPECT_TRUE(comes_here()) << "beside another run";
  std::jthread other([&] { thread_of(-2).get(); });
  while (batching.in_flight() != 2) std::this_thread::yield();
  std::future<std::thread::id> third = thread_of(1);  // two run at once, no more
  EXPECT_EQ(third.wait_for(1ms), std::future_status::timeout);
  go.set_value();
  EXPECT_NE(third.get(), std::this_thread::get_id());
}

TEST(BatchingManager, RunsABriefRequestAtOnceWhileOthersAreBeingAnswered) {
  BatchingManager batching([](std::span<const Tensor> inputs) { return std::vector(inputs.begin(), inputs.end()); },
                           {.sizes = {1}});
  batching.run_brief_at_once(1h);
  const auto comes_here = [&] {  // once the manager's thread has noted what its run took
    for (int i = 0; i < 1000; ++i) {
      std::promise<std::thread::id> told;
      batching.submit(
          {.inputs = {row_of({1})}, .done = [&](auto&&...) { told.set_value(std::this_thread::get_id()); }});
      if (told.get_future().get() == std::this_thread::get_id()) return true;
    }
    return false;
  };
  EXPECT_TRUE(comes_here());
  std::promise<void> go;
  const std::shared_future<void> went = go.get_future().share();
  std::atomic<int> held = 0;
  const auto holds = [&] {
    batching.submit({.inputs = {row_of({1})}, .done = [&, went](auto&&...) {
                       ++held;
                       went.wait();  // a client that takes its time to take the answer
                     }});
  };
  std::jthread one(holds), other(holds);
  while (held != 2) std::this_thread::yield();
  EXPECT_TRUE(comes_here());
  go.set_value();
}

TEST(BatchingManager, GivesThePlacesOfThoseWhoLeftToOthers) {
  BatchingManager batching([](std::span<const Tensor> inputs) { return std::vector(inputs.begin(), inputs.end()); },
                           {.sizes = {4}, .max_delay = 10s, .max_queue = 1});
  std::stop_source away;
  std::promise<std::exception_ptr> told;
  const auto done = [&](std::exception_ptr why, std::vector<Tensor>, const BatchTimes&) { told.set_value(why); };
  batching.submit({.inputs = {row_of({1})}, .stop = away.get_token(), .done = done});
  const auto next = [&] { batching.submit({.inputs = {row_of({2})}, .done = [](auto&&...) {}}); };
  EXPECT_EQ(thrown_by(next).code(), ErrorCode::unavailable);
  away.request_stop();
  next();
  EXPECT_EQ(thrown_by([&] { std::rethrow_exception(told.get_future().get()); }).code(), ErrorCode::cancelled);
  EXPECT_EQ(thrown_by(next).code(), ErrorCode::unavailable);
  EXPECT_EQ(batching.in_flight(), 1U);
}

TEST(BatchingManager, TellsEachWhatBecameOfItsRequest) {
  std::promise<void> go;
  auto gone = go.get_future().share();
  const auto run = [gone](std::span<const Tensor> inputs) -> std::vector<Tensor> {
    gone.wait();
    if (inputs[0].as<float>()[0] < 0) throw Error(ErrorCode::out_of_range, "negative");
    return {inputs[0]};
  };
  std::vector<std::pair<std::string, ErrorCode>> told;
  std::vector<std::string> answered;
  {
    BatchingManager batching(run, {.sizes = {1}, .max_queue = 3});
    const auto ask = [&](const std::string& name, float x, BatchClock::time_point deadline, std::stop_token stop) {
      batching.submit({.inputs = {row_of({x})},
                       .deadline = deadline,
                       .stop = std::move(stop),
                       .done = [&, name](std::exception_ptr why, std::vector<Tensor> outputs, const BatchTimes&) {
                         if (!why && outputs.size() == 1) answered.push_back(name);
                         if (!why) return;
                         try {
                           std::rethrow_exception(why);
                         } catch (const Error& error) {
                           told.emplace_back(name, error.code());
                         }
                       }});
    };
    const auto never = BatchClock::time_point::max();
    std::stop_source away;
    ask("first", 1, never, {});
    while (batching.statistics().waiting != 0) std::this_thread::yield();  // it runs now, and waits for us
    ask("late", 1, BatchClock::now() + 1ms, {});
    ask("left", 1, never, away.get_token());
    ask("wrong", -1, never, {});
    EXPECT_EQ(thrown_by([&] { ask("too many", 1, never, {}); }).code(), ErrorCode::unavailable);
    EXPECT_EQ(thrown_by([&] { batching.submit({}); }).code(), ErrorCode::invalid_argument);
    std::this_thread::sleep_for(3ms);
    away.request_stop();
    go.set_value();
    while (batching.statistics().waiting != 0) std::this_thread::yield();
    ask("last", 2, never, {});  // answered before the manager ends
    batching.end();
    EXPECT_EQ(thrown_by([&] { ask("after", 2, never, {}); }).code(), ErrorCode::unavailable);
  }
  std::ranges::sort(told);
  EXPECT_EQ(told, (std::vector<std::pair<std::string, ErrorCode>>{{"late", ErrorCode::deadline_exceeded},
                                                                  {"left", ErrorCode::cancelled},
                                                                  {"wrong", ErrorCode::out_of_range}}));
  EXPECT_EQ(answered, (std::vector<std::string>{"first", "last"}));
}

}  // namespace
}  // namespace skerry
