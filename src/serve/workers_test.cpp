#include "serve/workers.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <skerry/error.hpp>

#include "base/thrown_by.hpp"

namespace skerry::serve {
namespace {

using base::thrown_by;

TEST(Workers, GiveOwnersTheirTurns) {
  Workers workers(1, 6);
  std::promise<void> go;
  std::promise<void> begun;
  std::string order;  // written by the one thread
  workers.post([&, until = go.get_future().share()] { begun.set_value(), until.wait(); }, "a");
  begun.get_future().wait();
  const auto post = [&](const std::string& owner) { workers.post([&order, owner] { order += owner; }, owner); };
  for (int i = 0; i < 6; ++i) post("a");
  EXPECT_EQ(thrown_by([&] { post("a"); }).code(), ErrorCode::unavailable);
  for (int i = 0; i < 3; ++i) post("b");
  EXPECT_EQ(thrown_by([&] { post("b"); }).code(), ErrorCode::unavailable) << "half of it is another's share";
  post("c");
  post("c");
  EXPECT_EQ(thrown_by([&] { post("c"); }).code(), ErrorCode::unavailable);
  EXPECT_EQ(workers.waiting(), 11U);
  std::promise<void> ended;
  workers.put([&] { ended.set_value(); }, "a");
  go.set_value();
  ended.get_future().wait();
  EXPECT_EQ(order, "bcabcabaaaa");
}

// Two tasks that yield after each of three steps, the second one posted before the first one's first yield.
std::string order_of_two(Workers& workers, const std::string& second) {
  std::promise<void> go, begun, ended;
  std::string order;  // written by one thread at a time
  std::atomic<int> left = 2;
  const auto task = [&](const std::string& name, const std::string& owner) {
    for (int i = 0; i < 3; ++i) {
      order += name;
      workers.yield(owner, {});
    }
    if (--left == 0) ended.set_value();
  };
  workers.post([&, until = go.get_future().share()] { begun.set_value(), until.wait(), task("1", "a"); }, "a");
  begun.get_future().wait();
  workers.post([&] { task("2", second); }, second);
  go.set_value();
  ended.get_future().wait();
  return order;
}

TEST(Workers, LetTasksOfSeveralOwnersTakeTurnsWhileTheyRun) {
  Workers workers(1, 6, 2);
  EXPECT_EQ(order_of_two(workers, "b"), "121212");
  EXPECT_EQ(order_of_two(workers, "a"), "111222") << "an owner has one turn, whatever he sends";
  Workers none(1, 6, 0);
  EXPECT_EQ(order_of_two(none, "b"), "111222") << "nobody may be paused";
  Workers one(1, 6, 1);
  EXPECT_EQ(order_of_two(one, "b"), "122211") << "the first one is paused already, so the second one goes on";
}

TEST(Workers, LetAPausedTaskGoWhenItIsToldToStop) {
  Workers workers(1, 6, 1);
  std::promise<void> go, begun, other_begun, over;
  std::stop_source stop;
  workers.post(
      [&, until = go.get_future().share()] {
        begun.set_value(), until.wait();
        workers.yield("a", stop.get_token());
        over.set_value();
      },
      "a");
  begun.get_future().wait();
  std::promise<void> end;
  workers.post([&, until = end.get_future().share()] { other_begun.set_value(), until.wait(); }, "b");
  go.set_value();
  other_begun.get_future().wait();
  stop.request_stop();
  over.get_future().wait();  // while the other one runs on
  end.set_value();
}

}  // namespace
}  // namespace skerry::serve
