#include "base/trace.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/file.hpp"
#include "base/temporary_folder.hpp"
#include "base/thrown_by.hpp"
#include "base/trace_listener.hpp"

namespace skerry::base {
namespace {

using namespace std::chrono_literals;

class Trace : public testing::Test {
 protected:
  std::string text() const { return read_file(path_, 1 << 20); }

  TemporaryFolder folder_;
  std::filesystem::path path_ = folder_.path() / "trace.json";
};

TEST_F(Trace, EventIsOneLineOfTheChromeFormat) {
  {
    TraceSink sink = TraceSink::open(path_);
    TraceEvent event;
    event.name = "a \"name\"\n";
    event.category = "base";
    event.start = std::chrono::steady_clock::time_point(1234567ns);
    event.duration = 1005ns;
    event.thread = 42;
    event.fields = {{"gates", std::int64_t{-3}}, {"seconds", 0.5}, {"bad", std::nan("")}, {"path", std::string("\\")}};
    sink.write(event);
    event.fields.clear();
    event.name = "second";
    TraceSink moved(std::move(sink));
    moved.write(event);
  }
  const std::string pid = std::to_string(getpid());
  EXPECT_EQ(text(), R"([
{"name":"a \"name\"\u000a","cat":"base","ph":"X","ts":1234.567,"dur":1.005,"pid":)" +
                        pid + R"(,"tid":42,"args":{"gates":-3,"seconds":0.5,"bad":null,"path":"\\"}},
{"name":"second","cat":"base","ph":"X","ts":1234.567,"dur":1.005,"pid":)" +
                        pid + R"(,"tid":42}
]
)");
}

TEST_F(Trace, FileThatCannotBeWrittenIsAnError) {
  EXPECT_EQ(thrown_by([&] { TraceSink::open(folder_.path()); }).code(), ErrorCode::io_error);
  EXPECT_EQ(thrown_by([&] { set_trace_file(folder_.path()); }).code(), ErrorCode::io_error);
}

TEST_F(Trace, AFullDiskIsToldAtTheEndWithWhatIsLost) {
  TraceSink full = TraceSink::open("/dev/full");
  for (int i = 0; i < 3; ++i) full.write({.name = "event", .category = "base", .start = {}, .fields = {}});
  const std::string finding = full.close();
  EXPECT_NE(finding.find("/dev/full is cut short: No space left on device; up to 3 of 3 events are lost"),
            std::string::npos)
      << finding;
  EXPECT_EQ(full.close(), "") << "it is told once";
  full.write({.name = "late", .category = "base", .start = {}, .fields = {}});
  TraceSink whole = TraceSink::open(path_);
  whole.write({.name = "event", .category = "base", .start = {}, .fields = {}});
  EXPECT_EQ(whole.close(), "");
}

TEST_F(Trace, SpansOfAllThreadsArriveAndNoneWhenOff) {
  { const TraceSpan off("before", "base"); }
  set_trace_file(path_);
  EXPECT_TRUE(tracing());
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([] {
        for (int i = 0; i < 100; ++i) {
          TraceSpan span("piece", "base");
          span.add("index", i);
        }
      });
    }
  }
  set_trace_file("");
  EXPECT_FALSE(tracing());
  { const TraceSpan off("after", "base"); }
  const std::string all = text();
  std::size_t pieces = 0;
  for (std::size_t at = 0; (at = all.find("\"piece\"", at)) != std::string::npos; ++at) ++pieces;
  EXPECT_EQ(pieces, 400u);
  EXPECT_EQ(all.find("before"), std::string::npos);
  EXPECT_EQ(all.find("after"), std::string::npos);
  EXPECT_TRUE(all.ends_with("}\n]\n"));
}

TEST_F(Trace, DurationIsThatOfTheScope) {
  set_trace_file(path_);
  {
    const TraceSpan span("sleep", "base");
    std::this_thread::sleep_for(20ms);
  }
  set_trace_file("");
  const std::string all = text();
  const std::size_t at = all.find("\"dur\":");
  ASSERT_NE(at, std::string::npos);
  EXPECT_GE(std::strtod(all.c_str() + at + 6, nullptr), 20000);
}

TEST_F(Trace, EnvironmentStartsItAndExitEndsIt) {
  const pid_t child = fork();
  if (child == 0) {
    setenv("SKERRY_TRACE", path_.c_str(), 1);
    detail::trace_state = detail::TraceState::unknown;  // as at the start of a process
    { const TraceSpan span("from the child", "base"); }
    const pid_t grandchild = fork();
    if (grandchild == 0) {
      {
        const TraceSpan span("from the grandchild", "base");
      }
      std::exit(0);
    }
    int status = 0;
    waitpid(grandchild, &status, 0);
    std::exit(status);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  const std::string all = text();
  EXPECT_TRUE(all.starts_with("[\n{\"name\":\"from the child\"")) << all;
  EXPECT_TRUE(all.ends_with("}\n]\n")) << all;
  EXPECT_EQ(all.find("grandchild"), std::string::npos);
}

TEST_F(Trace, ListenersOfTheParentHearNothingOfAChild) {
  struct Counter final : TraceListener {
    void hear(const std::shared_ptr<const RecordedEvent>& /*event*/) noexcept override { ++heard; }
    void hear(const std::shared_ptr<const SpanBatch>& batch) noexcept override {
      heard += static_cast<int>(batch->spans.size());
    }
    std::atomic<int> heard{0};
  };
  const auto mine = std::make_shared<Counter>();
  add_trace_listener(mine);
  { const TraceSpan span("from the parent, told later", "base"); }
  const pid_t child = fork();
  if (child == 0) {
    const auto own = std::make_shared<Counter>();
    add_trace_listener(own);
    { const TraceSpan span("from the child", "base"); }
    flush_trace();
    std::_Exit(mine->heard == 0 && own->heard == 1 ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  { const TraceSpan span("from the parent", "base"); }
  remove_trace_listener(mine.get());
  EXPECT_EQ(mine->heard, 2);
}

struct Keeper final : TraceListener {
  void hear(const std::shared_ptr<const RecordedEvent>& event) override {
    const std::lock_guard lock(mutex);
    events.push_back(event);
  }
  void hear(const std::shared_ptr<const SpanBatch>& batch) override {
    const std::lock_guard lock(mutex);
    for (const RecordedSpan& span : batch->spans) spans.push_back(span);
  }
  std::mutex mutex;
  std::vector<std::shared_ptr<const RecordedEvent>> events;
  std::vector<RecordedSpan> spans;
};

TEST_F(Trace, SpansAreToldOnceEachWhenListsAreFullAndWhenThreadsEnd) {
  const auto keeper = std::make_shared<Keeper>();
  add_trace_listener(keeper);
  constexpr int kThreads = 3, kSpans = 1700;
  std::atomic<bool> stop = false;
  std::atomic<int> done = 0;
  std::jthread waits([&] {
    { const TraceSpan span("of a thread that goes on", "base"); }
    ++done;
    stop.wait(false);
  });
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([] {
        for (int i = 0; i < kSpans; ++i) const TraceSpan span(i % 2 == 0 ? "even" : "odd", "base");
      });
    }
  }
  while (done == 0) std::this_thread::yield();
  flush_trace();
  {
    const std::lock_guard lock(keeper->mutex);
    EXPECT_EQ(keeper->spans.size(), std::size_t{kThreads * kSpans + 1});
    EXPECT_EQ(std::ranges::count(keeper->spans, "odd", [](const auto& span) { return span.name->name; }),
              kThreads * kSpans / 2);
  }
  remove_trace_listener(keeper.get());
  stop = true;
  stop.notify_all();
}

TEST_F(Trace, ASequenceLeavesNoGapBetweenItsSpans) {
  const auto keeper = std::make_shared<Keeper>();
  add_trace_listener(keeper);
  {
    SpanSequence steps("run", "base");
    ASSERT_TRUE(steps.on());
    for (const char* step : {"first", "second", "third"}) steps.next(span_name(step, "base"));
  }
  { const SpanSequence empty("empty", "base"); }
  remove_trace_listener(keeper.get());
  EXPECT_FALSE(SpanSequence("after", "base").on());
  const auto& spans = keeper->spans;
  ASSERT_EQ(spans.size(), 5U);
  EXPECT_EQ(spans[1].name->name, "second");
  EXPECT_EQ(spans[0].end, spans[1].begin);
  EXPECT_EQ(spans[1].end, spans[2].begin);
  EXPECT_EQ(spans[3].name->name, "run");
  EXPECT_LE(spans[3].begin, spans[0].begin);
  EXPECT_EQ(spans[3].end, spans[2].end);
  EXPECT_EQ(spans[4].name->name, "empty");
}

TEST_F(Trace, NamesAreThoseOfTheirWordsWhereverTheseStand) {
  char text[] = "one";
  const SpanName* one = span_name(text, "base");
  text[0] = 'a', text[2] = 'y';
  const SpanName* any = span_name(text, "base");  // other words in the same place
  EXPECT_EQ(any->name, "any");
  EXPECT_EQ(span_name("one", "base"), one);
  EXPECT_NE(span_name("one", "other"), one);
  const pid_t child = fork();
  if (child == 0) {
    const SpanName* last = nullptr;
    for (int i = 0; i < 20'000; ++i) last = span_name("made up " + std::to_string(i), "base");
    std::_Exit(last->name == "others" && span_name("one", "base") == one ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

TEST_F(Trace, TicksAreTheSteadyClocks) {
  start_trace_clock();
  const auto before = std::chrono::steady_clock::now();
  const std::uint64_t first = trace_ticks();
  std::this_thread::sleep_for(30ms);
  const std::uint64_t second = trace_ticks();
  const auto after = std::chrono::steady_clock::now();
  EXPECT_LT(first, second);
  EXPECT_GE(time_of_ticks(second) - time_of_ticks(first), 29900us);
  EXPECT_LE(time_of_ticks(second) - time_of_ticks(first), after - before + 100us);
  EXPECT_GE(time_of_ticks(first), before - 1ms);
  EXPECT_LE(time_of_ticks(second), after + 1ms);
}

}  // namespace
}  // namespace skerry::base
