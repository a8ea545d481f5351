#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <skerry/progress.hpp>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "base/thrown_by.hpp"

namespace skerry {
namespace {

using base::thrown_by;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

TEST(Progress, EmptyOneListensToNothing) {
  EXPECT_FALSE(Progress());
  EXPECT_FALSE(Progress(Progress::Callback()));
  Progress()(0.5, "stage");
}

TEST(Progress, FractionsStayInRangeAndNeverFall) {
  std::vector<double> seen;
  const Progress progress([&](double fraction, std::string_view) { seen.push_back(fraction); });
  for (const double fraction : {-1.0, 0.25, 0.125, std::nan(""), 0.5, 7.0}) progress(fraction, "stage");
  EXPECT_EQ(seen, (std::vector<double>{0, 0.25, 0.25, 0.5, 1}));
}

TEST(Progress, ThreadsNeverMeetInTheCallback) {
  std::atomic<int> inside{0};
  bool met = false;
  double last = 0;
  const Progress progress([&](double fraction, std::string_view) {
    met |= inside.fetch_add(1) != 0 || fraction < last;
    last = fraction;
    inside.fetch_sub(1);
  });
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i <= 1000; ++i) progress(i / 1000.0, "stage");
      });
    }
  }
  EXPECT_FALSE(met);
  EXPECT_GT(last, 0);
}

TEST(Progress, ListenerMayReportAndThrow) {
  Progress again;
  int calls = 0;
  const Progress progress([&](double, std::string_view) {
    ++calls;
    again(0.5, "from inside");
    if (calls == 1) throw std::runtime_error("enough");
  });
  again = progress;
  EXPECT_THROW(progress(0.1, "stage"), std::runtime_error);
  progress(0.2, "stage");
  EXPECT_EQ(calls, 2);
  again = {};
}

TEST(RunControl, LetsWorkGoOn) {
  std::stop_source source;
  RunControl{}.check();
  RunControl{.stop = source.get_token(), .deadline = Clock::now() + 1h}.check("gates");
}

TEST(RunControl, StopsWhenAskedFromAnotherThread) {
  std::stop_source source;
  const RunControl control{.stop = source.get_token()};
  const std::jthread stopper([&] { source.request_stop(); });
  const Error error = thrown_by([&] {
    const auto limit = Clock::now() + 10s;
    while (Clock::now() < limit) control.check("gates");
  });
  EXPECT_EQ(error.code(), ErrorCode::cancelled);
  EXPECT_EQ(error.where(), "gates");
}

TEST(RunControl, StopsAtTheDeadlineAndTellsLimitAndElapsed) {
  RunControl control;
  control.deadline = control.started + 30ms;
  Clock::time_point ended;
  const Error error = thrown_by([&] {
    for (;;) {
      try {
        control.check("gates");
      } catch (const Error&) {
        ended = Clock::now();
        throw;
      }
    }
  });
  EXPECT_EQ(error.code(), ErrorCode::deadline_exceeded);
  EXPECT_NE(error.message().find("limit is 0.03 s"), std::string::npos) << error.message();
  EXPECT_FALSE(error.hint().empty());
  EXPECT_GE(ended - control.started, 30ms);
}

TEST(RunControl, DeadlineInThePastStopsAtOnce) {
  const RunControl control{.deadline = Clock::now()};
  EXPECT_EQ(thrown_by([&] { control.check(); }).code(), ErrorCode::deadline_exceeded);
}

TEST(RunControl, ReportReachesTheListener) {
  std::string seen;
  const RunControl control{.progress = Progress([&](double, std::string_view stage) { seen = stage; })};
  control.report(0.5, "gates");
  EXPECT_EQ(seen, "gates");
  RunControl{}.report(0.5, "gates");
}

}  // namespace
}  // namespace skerry
