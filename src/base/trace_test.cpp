#include "base/trace.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <memory>
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
    std::atomic<int> heard{0};
  };
  const auto mine = std::make_shared<Counter>();
  add_trace_listener(mine);
  const pid_t child = fork();
  if (child == 0) {
    const auto own = std::make_shared<Counter>();
    add_trace_listener(own);
    { const TraceSpan span("from the child", "base"); }
    std::_Exit(mine->heard == 0 && own->heard == 1 ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  { const TraceSpan span("from the parent", "base"); }
  EXPECT_EQ(mine->heard, 1);
  remove_trace_listener(mine.get());
}

}  // namespace
}  // namespace skerry::base
