#include <gtest/gtest.h>

#include <fstream>
#include <skerry/metrics.hpp>
#include <skerry/profiler.hpp>
#include <sstream>
#include <thread>

#include "base/temporary_folder.hpp"
#include "base/thrown_by.hpp"
#include "base/trace.hpp"

namespace skerry {
namespace {

using base::thrown_by;
using base::TraceSpan;
using namespace std::chrono_literals;

const ProfileTotal& total_of(const std::vector<ProfileTotal>& totals, std::string_view name) {
  for (const ProfileTotal& total : totals)
    if (total.name == name) return total;
  throw Error(ErrorCode::not_found, "no total of " + std::string(name));
}

std::string content_of(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

std::size_t count_of(const std::string& text, const std::string& word) {
  std::size_t count = 0;
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++count;
  return count;
}

void work(std::string_view name, std::chrono::milliseconds time) {
  const TraceSpan span(name, "test");
  std::this_thread::sleep_for(time);
}

TEST(ProfilerSession, RecordsWhatEndsWhileItIsOpenAndOnAllThreads) {
  work("before", 0ms);
  ProfilerSession session("all");
  {
    const TraceSpan outer("outer", "test");
    std::this_thread::sleep_for(4ms);
    work("inner", 8ms);
  }
  std::thread([] { work("elsewhere", 1ms); }).join();
  session.end();
  work("after", 0ms);
  EXPECT_FALSE(base::tracing());
  EXPECT_EQ(session.events(), 3U);
  const auto totals = session.totals();
  const ProfileTotal &outer = total_of(totals, "outer"), &inner = total_of(totals, "inner");
  EXPECT_GE(inner.seconds, 0.008);
  EXPECT_DOUBLE_EQ(inner.seconds, inner.self_seconds);
  EXPECT_NEAR(outer.self_seconds, outer.seconds - inner.seconds, 1e-12);
  const ProfileTotal& own = total_of(totals, "all");
  EXPECT_DOUBLE_EQ(own.seconds, session.seconds());
  // What was done on its thread and what was not done by anybody are all of the session.
  EXPECT_NEAR(own.self_seconds + outer.seconds, session.seconds(), 1e-12);
}

TEST(ProfilerSession, ThatIsFullCountsWhatItDrops) {
  ProfilerSession session("short", 2);
  for (int i = 0; i < 5; ++i) work("step", 0ms);
  EXPECT_EQ(session.events(), 2U);
  EXPECT_EQ(session.dropped(), 3U);
}

TEST(Profiler, NestsSessionsAndExportsEachEventOnce) {
  const base::TemporaryFolder folder;
  Profiler profiler;
  {
    const auto day = profiler.session("day");
    work("morning", 0ms);
    {
      const auto hour = profiler.session("hour");
      work("tea", 0ms);
      EXPECT_EQ(hour->events(), 1U);
    }
    EXPECT_EQ(profiler.ended(), std::vector<std::string>{"hour"});
    EXPECT_EQ(day->events(), 3U);  // morning, tea, and the hour itself
    day->end();
    day->write(folder.path() / "day.json");
  }
  EXPECT_EQ(profiler.ended(), (std::vector<std::string>{"day", "hour"}));
  profiler.write(folder.path() / "all.json");
  for (const char* file : {"day.json", "all.json"}) {
    const std::string json = content_of(folder.path() / file);
    EXPECT_EQ(count_of(json, "\"ph\":\"X\""), 4U) << json;
    for (const char* name : {"\"day\"", "\"hour\"", "\"tea\"", "\"morning\""}) EXPECT_EQ(count_of(json, name), 1U);
  }
}

TEST(Metrics, PercentilesAreThoseOfTheValuesWithinABin) {
  Histogram histogram(growing_bounds(1.0, 1.1, 80));
  for (int i = 1; i <= 1000; ++i) histogram.record(i);
  const HistogramSnapshot all = histogram.snapshot();
  EXPECT_EQ(all.count(), 1000U);
  EXPECT_DOUBLE_EQ(all.sum, 500500.0);
  for (const double share : {0.01, 0.5, 0.9, 0.99}) EXPECT_NEAR(all.percentile(share) / (1000 * share), 1.0, 0.1);
  histogram.record(1e9);
  EXPECT_EQ(histogram.snapshot().counts.back(), 1U);
  EXPECT_EQ(HistogramSnapshot{}.percentile(0.5), 0.0);
  EXPECT_EQ(thrown_by([] { Histogram(std::vector<double>{2.0, 1.0}); }).code(), ErrorCode::invalid_argument);
}

TEST(Metrics, OfManyThreadsLoseNothing) {
  MetricsCollector metrics;
  std::vector<std::jthread> threads;
  for (int thread = 0; thread < 8; ++thread) {
    threads.emplace_back([&metrics] {
      for (int i = 0; i < 1000; ++i) {
        metrics.counter("runs_total", "Runs").add();
        metrics.gauge("level", "Level").add(0.5);
        metrics.histogram("seconds", "Time", growing_bounds(1.0, 2.0, 4)).record(3.0);
      }
    });
  }
  threads.clear();
  EXPECT_EQ(metrics.counter("runs_total", "").value(), 8000U);
  EXPECT_EQ(metrics.gauge("level", "").value(), 4000.0);
  EXPECT_EQ(metrics.histogram("seconds", "", {}).snapshot().counts, (std::vector<std::uint64_t>{0, 0, 8000, 0, 0}));
}

TEST(Metrics, AreWrittenAsPrometheusReadsThem) {
  MetricsCollector metrics;
  metrics.counter("runs_total", "Runs of models", {{"model", "a\"b\\c\nd"}}).add(7);
  metrics.gauge("level", "How high").set(-1.5);
  Histogram& seconds = metrics.histogram("seconds", "Time", std::vector<double>{0.5, 2.0}, {{"op", "x"}});
  for (const double value : {0.5, 1.0, 9.0}) seconds.record(value);
  EXPECT_EQ(metrics.text(),
            "# HELP level How high\n# TYPE level gauge\nlevel -1.5\n"
            "# HELP runs_total Runs of models\n# TYPE runs_total counter\n"
            "runs_total{model=\"a\\\"b\\\\c\\nd\"} 7\n"
            "# HELP seconds Time\n# TYPE seconds histogram\n"
            "seconds_bucket{op=\"x\",le=\"0.5\"} 1\nseconds_bucket{op=\"x\",le=\"2\"} 2\n"
            "seconds_bucket{op=\"x\",le=\"+Inf\"} 3\nseconds_sum{op=\"x\"} 10.5\nseconds_count{op=\"x\"} 3\n");
}

TEST(Metrics, RefuseNamesThatPrometheusDoesNotTake) {
  MetricsCollector metrics;
  metrics.counter("runs", "");
  const auto refused = [&](const auto& call) { return thrown_by(call).code() == ErrorCode::invalid_argument; };
  EXPECT_TRUE(refused([&] { metrics.gauge("runs", ""); }));
  EXPECT_TRUE(refused([&] { metrics.counter("2runs", ""); }));
  EXPECT_TRUE(refused([&] { metrics.counter("", ""); }));
  EXPECT_TRUE(refused([&] { metrics.counter("ok", "", {{"a-b", "1"}}); }));
  EXPECT_TRUE(refused([&] { metrics.histogram("empty", "", {}); }));
  EXPECT_EQ(metrics.text(), "# HELP runs \n# TYPE runs counter\nruns 0\n");
}

TEST(PerformanceCounter, GivesAValueOrAReasonForEveryEvent) {
  PerformanceCounter counter;
  counter.start();
  volatile double sum = 0.0;
  for (int i = 0; i < 2'000'000; ++i) sum = sum + i;
  counter.stop();
  const auto readings = counter.read();
  ASSERT_EQ(readings.size(), hardware_events().size());
  for (const auto& reading : readings) {
    if (!reading.refusal.empty()) continue;
    if (reading.event == HardwareEvent::instructions) {
      EXPECT_GT(reading.value, 4'000'000U);
    }
    if (reading.event == HardwareEvent::task_clock_ns) {
      EXPECT_GT(reading.value, 100'000U);
    }
  }
  // Stopped is stopped, and a new start begins at zero.
  const auto again = counter.read();
  for (std::size_t i = 0; i < again.size(); ++i) EXPECT_EQ(again[i].value, readings[i].value);
  counter.start();
  counter.stop();
  for (const auto& reading : counter.read()) {
    if (reading.refusal.empty() && reading.event == HardwareEvent::task_clock_ns) {
      EXPECT_LT(reading.value, 5'000'000U);
    }
  }
}

}  // namespace
}  // namespace skerry
