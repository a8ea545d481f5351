#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cmath>
#include <fstream>
#include <future>
#include <random>
#include <skerry/skerry.hpp>
#include <thread>

#include "base/descriptor.hpp"
#include "base/file.hpp"
#include "base/temporary_folder.hpp"
#include "base/thrown_by.hpp"
#include "serve/auth.hpp"
#include "serve/batcher.hpp"
#include "serve/jobs.hpp"
#include "serve/service.hpp"
#include "serve/statistics.hpp"
#include "serve/telemetry.hpp"
#include "serve/workers.hpp"

namespace skerry::serve {
namespace {

using base::thrown_by;
using namespace std::chrono_literals;

// x f32[batch, 3] -> op -> y.
std::shared_ptr<const Graph> model(const std::string& op, std::int64_t axis = -1, const Dim& width = Dim(3)) {
  Graph graph;
  const TensorType type{DType::f32, std::vector<Dim>{Dim("batch"), width}};
  const ValueId x = graph.add_input("x", type);
  Node node{.op = op, .inputs = {x}};
  if (op == "Softmax") node.set("axis", axis);
  const std::array<std::string, 1> names = {"y"};
  const std::array<TensorType, 1> types = {type};
  graph.mark_output(graph.node(graph.add_node(std::move(node), names, types)).outputs[0]);
  return std::make_shared<const Graph>(std::move(graph));
}

struct Answer {
  std::exception_ptr error;
  std::vector<float> y;
};

std::future<Answer> ask(Batcher& batcher, std::vector<float> values, InferCall call = {}) {
  auto promise = std::make_shared<std::promise<Answer>>();
  const auto rows = static_cast<std::int64_t>(values.size()) / 3;
  call.inputs = {{"x", Tensor::from<float>(values, {rows, 3})}};
  call.done = [promise](const std::exception_ptr& error, NamedTensors outputs, const Timing&) {
    Answer answer{error, {}};
    if (!error) answer.y.assign(outputs[0].second.as<float>().begin(), outputs[0].second.as<float>().end());
    promise->set_value(std::move(answer));
  };
  batcher.submit(std::move(call));
  return promise->get_future();
}

std::uint64_t largest_batch(const ModelStatistics& statistics) {
  return statistics.snapshot().batches.rbegin()->first;
}

// Sends `rounds` times `width` single rows and compares each answer with the formula.
template <class Formula>
void check_rounds(Batcher& batcher, int rounds, int width, bool equal_rows, Formula formula) {
  std::mt19937 random(7);
  std::uniform_real_distribution<float> uniform(-2.0F, 2.0F);
  for (int round = 0; round < rounds; ++round) {
    std::vector<std::vector<float>> rows;
    std::vector<std::future<Answer>> answers;
    for (int i = 0; i < width; ++i) {
      rows.push_back(equal_rows && i > 0 ? rows[0]
                                         : std::vector<float>{uniform(random), uniform(random), uniform(random)});
      answers.push_back(ask(batcher, rows.back()));
    }
    for (int i = 0; i < width; ++i) {
      const Answer answer = answers[static_cast<std::size_t>(i)].get();
      ASSERT_FALSE(answer.error);
      const std::vector<float> expected = formula(rows[static_cast<std::size_t>(i)]);
      ASSERT_EQ(answer.y.size(), expected.size());
      for (std::size_t k = 0; k < expected.size(); ++k) EXPECT_NEAR(answer.y[k], expected[k], 1e-5F);
    }
  }
}

std::vector<float> relu(std::vector<float> row) {
  for (float& value : row) value = std::max(value, 0.0F);
  return row;
}

BatchingOptions patient() {
  return {.sizes = {4}, .max_delay = 100ms};
}

TEST(Batcher, RunsRowsTogetherOnceTheyAgreedWithRowsAlone) {
  const auto statistics = std::make_shared<ModelStatistics>();
  Batcher batcher(model("Relu"), {}, patient(), statistics);
  check_rounds(batcher, 3, 4, false, relu);
  EXPECT_TRUE(batcher.can_batch());
  EXPECT_EQ(largest_batch(*statistics), 4U);
  EXPECT_EQ(statistics->snapshot().inferences, 12U);
}

TEST(Batcher, FindsOutAModelThatMixesItsRows) {
  const auto statistics = std::make_shared<ModelStatistics>();
  Batcher batcher(model("Softmax", 0), {}, patient(), statistics);
  // Alone, every extent-1 column of a softmax over rows is 1.
  check_rounds(batcher, 3, 4, false, [](const std::vector<float>&) { return std::vector<float>(3, 1.0F); });
  EXPECT_FALSE(batcher.can_batch());
}

TEST(Batcher, TakesEqualRowsForNoProof) {
  const auto statistics = std::make_shared<ModelStatistics>();
  Batcher batcher(model("Relu"), {}, patient(), statistics);
  check_rounds(batcher, 2, 4, true, relu);
  EXPECT_EQ(largest_batch(*statistics), 1U);
}

TEST(Batcher, RefusesAtOnceWhatItCannotServe) {
  BatchingOptions options = patient();
  options.max_queue = 2;
  options.sizes = {4, 16};
  const auto statistics = std::make_shared<ModelStatistics>();
  Batcher batcher(model("Relu"), {}, options, statistics);
  const std::vector<float> row = {1.0F, 2.0F, 3.0F};
  const auto first = ask(batcher, row), second = ask(batcher, row);
  EXPECT_EQ(thrown_by([&] { ask(batcher, row); }).code(), ErrorCode::unavailable);
  EXPECT_EQ(statistics->snapshot().rejected, 1U);
  EXPECT_EQ(thrown_by([&] { ask(batcher, row, {.deadline = Clock::now() - 1ms}); }).code(), ErrorCode::unavailable);
}

TEST(Batcher, GivesThePlacesOfThoseWhoWentAwayToOthers) {
  BatchingOptions options = patient();
  options.max_delay = 10s;
  options.max_queue = 2;
  options.sizes = {4, 16};
  const auto statistics = std::make_shared<ModelStatistics>();
  Batcher batcher(model("Relu"), {}, options, statistics);
  const std::vector<float> row = {1.0F, 2.0F, 3.0F};
  std::stop_source gone;
  auto left = ask(batcher, row, {.stop = gone.get_token()});
  const auto stays = ask(batcher, row);
  EXPECT_EQ(thrown_by([&] { ask(batcher, row); }).code(), ErrorCode::unavailable);
  gone.request_stop();
  const auto next = ask(batcher, row);
  EXPECT_EQ(thrown_by([&] { std::rethrow_exception(left.get().error); }).code(), ErrorCode::cancelled);
  EXPECT_EQ(batcher.waiting(), 2U);
  EXPECT_EQ(thrown_by([&] { ask(batcher, row); }).code(), ErrorCode::unavailable);
}

TEST(Batcher, DropsWhoWentAwayAndWhoseTimeIsOver) {
  const auto statistics = std::make_shared<ModelStatistics>();
  Batcher batcher(model("Relu"), {}, patient(), statistics);
  std::stop_source gone;
  auto left = ask(batcher, {1.0F, 2.0F, 3.0F}, {.stop = gone.get_token()});
  auto late = ask(batcher, {1.0F, 2.0F, 3.0F}, {.deadline = Clock::now() + 1ms, .priority = 9});
  auto fine = ask(batcher, {1.0F, -2.0F, 3.0F});
  gone.request_stop();
  const auto code_of = [](std::future<Answer>& answer) {
    return thrown_by([&] { std::rethrow_exception(answer.get().error); }).code();
  };
  EXPECT_EQ(code_of(left), ErrorCode::cancelled);
  EXPECT_EQ(code_of(late), ErrorCode::deadline_exceeded);
  EXPECT_EQ(fine.get().y, (std::vector<float>{1.0F, 0.0F, 3.0F}));
  EXPECT_EQ(statistics->snapshot().fail.count, 2U);
}

TEST(Batcher, AnswersWhatWaitsBeforeItEnds) {
  std::vector<std::future<Answer>> answers;
  {
    Batcher batcher(model("Relu"), {}, patient(), std::make_shared<ModelStatistics>());
    for (int i = 0; i < 10; ++i) answers.push_back(ask(batcher, {1.0F, 2.0F, 3.0F, -1.0F, -2.0F, -3.0F}));
  }
  for (auto& answer : answers) EXPECT_EQ(answer.get().y, (std::vector<float>{1.0F, 2.0F, 3.0F, 0.0F, 0.0F, 0.0F}));
}

TEST(Batcher, GivesEveryOneOfManyCallersItsOwnAnswerWhoeverRunsIt) {
  constexpr int kCallers = 4, kRounds = 500;
  const auto statistics = std::make_shared<ModelStatistics>();
  Batcher batcher(model("Relu"), {}, {}, statistics);
  std::atomic<int> wrong = 0;
  {
    std::vector<std::jthread> callers;
    for (int caller = 0; caller < kCallers; ++caller) {
      callers.emplace_back([&, caller] {
        for (int round = 0; round < kRounds; ++round) {
          const auto value = static_cast<float>(caller * kRounds + round);
          std::future<Answer> answer = ask(batcher, {value, -value, 1.0F});
          if (answer.get().y != std::vector<float>{value, 0.0F, 1.0F}) ++wrong;
        }
      });
    }
  }
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(statistics->snapshot().success.count, static_cast<std::uint64_t>(kCallers * kRounds));
  EXPECT_EQ(statistics->snapshot().inferences, static_cast<std::uint64_t>(kCallers * kRounds));
  EXPECT_EQ(batcher.waiting(), 0U);
}

std::thread::id thread_of_a_run(Batcher& batcher) {
  std::promise<std::thread::id> answered;
  InferCall call;
  call.inputs = {{"x", Tensor::from<float>(std::vector<float>{1.0F, -2.0F, 3.0F}, {1, 3})}};
  call.done = [&](const std::exception_ptr&, const NamedTensors&, const Timing&) {
    answered.set_value(std::this_thread::get_id());
  };
  batcher.submit(std::move(call));
  return answered.get_future().get();
}

#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)  // under which no run is brief
TEST(Batcher, MakesABriefRunOnTheThreadOfWhoAsks) {
  Batcher batcher(model("Relu"), {}, {}, std::make_shared<ModelStatistics>());
  const auto limit = Clock::now() + 10s;
  while (thread_of_a_run(batcher) != std::this_thread::get_id()) {  // once it is known how long a run takes
    ASSERT_LT(Clock::now(), limit);
  }
}
#endif

TEST(Batcher, NeverRunsWhatMayTakeAnyTimeOnTheThreadOfWhoAsks) {
  Batcher batcher(model("Relu", -1, Dim("width")), {}, {}, std::make_shared<ModelStatistics>());
  for (int i = 0; i < 100; ++i) EXPECT_NE(thread_of_a_run(batcher), std::this_thread::get_id());
}

TEST(Batcher, OutlivesAnAnswerThatCannotBeTold) {
  Batcher batcher(model("Relu"), {}, {}, std::make_shared<ModelStatistics>());
  InferCall call;
  call.inputs = {{"x", Tensor::from<float>(std::vector<float>{1.0F, -2.0F, 3.0F}, {1, 3})}};
  call.done = [](const std::exception_ptr&, const NamedTensors&, const Timing&) { throw std::bad_alloc(); };
  batcher.submit(std::move(call));
  EXPECT_NE(thread_of_a_run(batcher), std::thread::id());
}

TEST(Statistics, PercentilesLieInTheirBins) {
  ModelStatistics statistics;
  for (int i = 1; i <= 1000; ++i) statistics.succeeded({.total = std::chrono::microseconds(i * 10)}, 1);
  const StatisticsSnapshot all = statistics.snapshot();
  EXPECT_NEAR(all.percentile(0.5), 5e-3, 1.5e-3);
  EXPECT_NEAR(all.percentile(0.99), 9.9e-3, 3e-3);
  EXPECT_EQ(StatisticsSnapshot{}.percentile(0.5), 0.0);
}

TEST(Keys, ComeInByTheirLineAndByNothingElse) {
  const base::TemporaryFolder folder;
  const auto file = folder.path() / "keys";
  const auto write = [&](const std::string& text) { std::ofstream(file) << text; };
  const NewKey made = make_key("alice", "infer,read");
  write(made.line + " models=a,b rate=2.5\n");
  const KeyRing ring = KeyRing::read(file);
  const Principal* alice = ring.find(made.key);
  ASSERT_NE(alice, nullptr);
  EXPECT_TRUE(alice->has(Role::infer) && alice->has(Role::nobody) && !alice->has(Role::admin));
  EXPECT_TRUE(alice->may_use("b") && !alice->may_use("c"));
  EXPECT_EQ(alice->requests_per_second, 2.5);
  EXPECT_EQ(ring.find(made.key + "0"), nullptr);
  EXPECT_EQ(ring.find(""), nullptr);
  for (const char* wrong : {"alice", "alice 12 infer", "alice 12", "# ok\nbob zz read"}) {
    write(wrong);
    EXPECT_EQ(thrown_by([&] { KeyRing::read(file); }).code(), ErrorCode::syntax_error) << wrong;
  }
  write(made.line + "er");
  EXPECT_EQ(thrown_by([&] { KeyRing::read(file); }).code(), ErrorCode::invalid_argument);
}

TEST(Keys, NameTenantsAndWhatTheseMayTake) {
  const base::TemporaryFolder folder;
  const auto file = folder.path() / "keys";
  const auto write = [&](const std::string& text) { std::ofstream(file) << text; };
  const NewKey made = make_key("alice", "infer");
  write(made.line + " tenant=acme\ntenant acme requests=100/h bytes=1e6/d shots=5/s seconds=2.5/m qubits=20\n");
  const KeyRing ring = KeyRing::read(file);
  const auto tenant = ring.find(made.key)->tenant;
  ASSERT_NE(tenant, nullptr);
  EXPECT_EQ(tenant->of(Meter::requests).amount, 100.0);
  EXPECT_EQ(tenant->of(Meter::bytes).seconds, 86'400.0);
  EXPECT_EQ(tenant->of(Meter::seconds).amount, 2.5);
  EXPECT_EQ(tenant->max_qubits, 20U);
  for (const char* wrong : {"tenant", "tenant a b=1/h", "tenant a shots=5", "tenant a shots=-1/h",
                            "tenant a shots=nan/h", "tenant a qubits=0", "tenant a\ntenant a"}) {
    write(wrong);
    const Error error = thrown_by([&] { KeyRing::read(file); });
    EXPECT_EQ(error.code(), ErrorCode::syntax_error) << wrong;
    EXPECT_TRUE(error.where().find("keys:") != std::string::npos) << error.where();
  }
  write(made.line + " tenant=nobody\n");
  EXPECT_EQ(thrown_by([&] { KeyRing::read(file); }).code(), ErrorCode::syntax_error);
}

TEST(Buckets, HoldTheirRateOverTime) {
  Buckets buckets;
  const Allowance rate{100.0, 1.0};
  int at_once = 0;
  auto begin = Clock::now();  // of the first refusal, when what could be saved up is gone
  while (!buckets.take("a", rate, 1.0)) ++at_once, begin = Clock::now();
  EXPECT_GE(at_once, 100);
  int admitted = 0;
  // Until a refusal: however long this thread was kept from working, it has taken all there was.
  auto asked = begin;
  for (bool refused = false; !refused || asked - begin < 300ms; admitted += refused ? 0 : 1) {
    asked = Clock::now();  // before: a refusal of earlier says nothing of now
    refused = buckets.take("a", rate, 1.0).has_value();
  }
  const std::chrono::duration<double> elapsed = Clock::now() - begin;
  EXPECT_LE(admitted, static_cast<int>(100 * elapsed.count()) + 2);
  EXPECT_GE(admitted, 29);
  EXPECT_FALSE(buckets.take("b", {1.0, 3600.0}, 1.0));
  const auto wait = buckets.take("b", {1.0, 3600.0}, 1.0);
  ASSERT_TRUE(wait);
  EXPECT_NEAR(*wait, 3600.0, 60.0);
}

TEST(Buckets, RememberWhatWasTakenBeyondThemAndRefuseWhatNeverFits) {
  Buckets buckets;
  const Allowance hourly{10.0, 3600.0};
  EXPECT_FALSE(buckets.take("a", hourly, 0.0));
  buckets.charge("a", hourly, 25.0);
  EXPECT_NEAR(buckets.left("a", hourly), -15.0, 0.1);
  const auto wait = buckets.take("a", hourly, 0.0);
  ASSERT_TRUE(wait);
  EXPECT_NEAR(*wait, 1.5 * 3600.0, 60.0);
  EXPECT_TRUE(std::isinf(*buckets.take("b", hourly, 11.0)));
  EXPECT_FALSE(buckets.take("b", hourly, 10.0));
  EXPECT_FALSE(buckets.take("b", hourly, -10.0)) << "given back";
  EXPECT_NEAR(buckets.left("b", hourly), 10.0, 0.1);
}

wire::CircuitRequest request(std::string token) {
  return {.token = std::move(token), .program = R"([{"gate": "X", "qubit": 0}])", .observables = {"Z0"}};
}

TEST(Jobs, OneTokenSentByManyAtOnceIsOneJob) {
  Jobs jobs({});
  std::vector<std::future<std::string>> ids;
  for (int i = 0; i < 16; ++i)
    ids.push_back(std::async(std::launch::async, [&] { return jobs.submit({.name = "a"}, request("t")).first.id; }));
  std::string first = ids[0].get();
  for (std::size_t i = 1; i < ids.size(); ++i) EXPECT_EQ(ids[i].get(), first);
  EXPECT_EQ(jobs.counters().submitted, 1U);
  EXPECT_NE(jobs.submit({.name = "b"}, request("t")).first.id, first);  // another owner's token is another token
}

TEST(Jobs, LetAListenerGoWhenItsClientGoesAndNotWhenSomethingHappens) {
  Jobs idle({.workers = 0});  // nobody runs it: there is nothing to tell
  const std::string id = idle.submit({.name = "a"}, request("")).first.id;
  const auto held = std::make_shared<int>(0);  // shared by the listeners
  std::vector<std::stop_source> clients(100);
  for (std::stop_source& client : clients)
    idle.listen(
        "a", id, [held](const wire::JobStatus&) { return true; }, client.get_token());
  EXPECT_EQ(held.use_count(), 101);
  {
    std::vector<std::jthread> leaving;
    for (std::size_t i = 0; i < 4; ++i) {
      leaving.emplace_back([&, i] {
        for (std::size_t k = i; k < 99; k += 4) clients[k].request_stop();
      });
    }
  }
  EXPECT_EQ(held.use_count(), 2);
  idle.listen(
      "a", id, [held](const wire::JobStatus&) { return true; }, clients[0].get_token());  // gone before
  EXPECT_EQ(held.use_count(), 2);
  idle.cancel("a", id);
  EXPECT_EQ(held.use_count(), 1);
  clients.back().request_stop();
}

TEST(Jobs, ForgetTheOldestAnswersFirst) {
  Jobs jobs({.max_kept = 3});
  std::vector<std::string> ids;
  for (int i = 0; i < 6; ++i) {
    std::promise<void> done;
    ids.push_back(jobs.submit({.name = "a"}, request("")).first.id);
    jobs.listen("a", ids.back(), [&](const wire::JobStatus& status) {
      if (wire::is_final(status.state)) done.set_value();
      return !wire::is_final(status.state);
    });
    done.get_future().wait();
  }
  EXPECT_EQ(jobs.list("a").size(), 3U);
  EXPECT_EQ(thrown_by([&] { jobs.status("a", ids[0]); }).code(), ErrorCode::not_found);
  EXPECT_EQ(jobs.status("a", ids[5]).state, wire::JobState::done);
}

// Submits a job and waits for its end.
std::string run_to_end(Jobs& jobs, const std::string& owner, const std::string& token) {
  std::promise<void> done;
  const std::string id = jobs.submit({.name = owner}, request(token)).first.id;
  jobs.listen(owner, id, [&](const wire::JobStatus& status) {
    if (wire::is_final(status.state)) done.set_value();
    return !wire::is_final(status.state);
  });
  done.get_future().wait();
  return id;
}

TEST(Jobs, OfOneOwnerPushOutNoAnswerOfAnother) {
  Jobs jobs({.max_kept = 3});
  const std::string rare = run_to_end(jobs, "a", "");
  for (int i = 0; i < 20; ++i) run_to_end(jobs, "b", "");
  EXPECT_EQ(jobs.outcome("a", rare).status.state, wire::JobState::done);
  EXPECT_EQ(jobs.list("b").size(), 2U);
  run_to_end(jobs, "a", "");
  EXPECT_EQ(jobs.list("a").size() + jobs.list("b").size(), 3U) << "of two who keep as many, one gives way";

  Jobs narrow({.max_kept_bytes = 1});
  const std::string last = run_to_end(narrow, "a", "");
  const std::string other = run_to_end(narrow, "b", "");
  EXPECT_FALSE(narrow.outcome("a", last).reply.bytes.empty()) << "an owner's last answer is kept, whatever its size";
  EXPECT_FALSE(narrow.outcome("b", other).reply.bytes.empty());
  run_to_end(narrow, "b", "");
  EXPECT_EQ(thrown_by([&] { narrow.outcome("b", other); }).code(), ErrorCode::not_found);
}

TEST(Jobs, RunOnceByTheirTokenAlsoWhenTheirAnswerIsForgotten) {
  const base::TemporaryFolder folder;
  const auto files = [&folder](const std::string& kind) {
    std::vector<std::filesystem::path> all;
    for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
      if (entry.path().extension() == kind) all.push_back(entry.path());
    return all;
  };
  std::string first;
  const auto check = [&first](Jobs& jobs) {
    const auto [status, is_new] = jobs.submit({.name = "a"}, request("t0"));
    EXPECT_FALSE(is_new);
    EXPECT_EQ(status.id, first);
    EXPECT_EQ(status.state, wire::JobState::done);
    EXPECT_EQ(thrown_by([&] { jobs.outcome("a", first); }).code(), ErrorCode::not_found);
  };
  {
    Jobs jobs({.folder = folder.path(), .max_kept = 2});
    first = run_to_end(jobs, "a", "t0");
    for (int i = 1; i < 5; ++i) run_to_end(jobs, "a", "t" + std::to_string(i));
    check(jobs);
    EXPECT_EQ(jobs.counters().submitted, 5U);
    EXPECT_EQ(jobs.list("a").size(), 2U);
  }
  EXPECT_EQ(files(".done").size(), 2U);
  ASSERT_EQ(files(".known").size(), 3U);
  for (const auto& file : files(".known")) {
    const std::string text = base::read_file(file, 1 << 20);
    EXPECT_TRUE(text.ends_with("\n") && text.find("results") == std::string::npos) << "without the answer";
  }
  {
    Jobs jobs({.folder = folder.path(), .max_kept = 2});
    check(jobs);
    EXPECT_EQ(jobs.counters().submitted, 0U);
  }
  Jobs forgetful({.folder = folder.path(), .workers = 0, .max_kept = 2, .max_known = 1});
  EXPECT_EQ(files(".known").size(), 1U) << "there are bounds to this too";
  int unknown = 0;
  for (const char* token : {"t0", "t1", "t2"})
    unknown += forgetful.submit({.name = "a"}, request(token)).second ? 1 : 0;
  EXPECT_EQ(unknown, 2);
}

TEST(Jobs, HoldATenantToItsQubitsAfterARestart) {
  const base::TemporaryFolder folder;
  const auto submit = [&](std::uint32_t most, wire::CircuitRequest what) {
    Jobs idle({.folder = folder.path(), .workers = 0});  // nobody runs it
    return idle.submit({.name = "a", .max_qubits = most}, std::move(what)).first.id;
  };
  const auto limit_after_restart = [&] {
    std::promise<std::uint32_t> limit;
    const Jobs jobs(
        {.folder = folder.path(), .run_apart = [&](const Submitter& who, const auto&, const auto&, CircuitNotes&) {
           limit.set_value(who.max_qubits);
           return wire::Body{};
         }});
    return limit.get_future().get();
  };
  submit(5, request(""));
  EXPECT_EQ(limit_after_restart(), 5U);
  submit(0, request(""));
  EXPECT_EQ(limit_after_restart(), 0U);

  const auto old = folder.path() / (submit(5, request("")) + ".job");  // as before records told of it
  std::string text = base::read_file(old, 1 << 20);
  text.erase(text.find(" 5\n"), 2);
  std::ofstream(old) << text;
  EXPECT_EQ(limit_after_restart(), 0U);

  wire::CircuitRequest wide = request("");
  wide.program = R"([{"gate": "X", "qubit": 1}])";
  const std::string id = submit(1, wide);
  std::promise<wire::JobStatus> ended;
  Jobs here({.folder = folder.path()});  // without worker processes
  here.listen("a", id, [&](const wire::JobStatus& status) {
    if (wire::is_final(status.state)) ended.set_value(status);
    return !wire::is_final(status.state);
  });
  const wire::JobStatus status = ended.get_future().get();
  ASSERT_EQ(status.state, wire::JobState::failed);
  EXPECT_EQ(status.error->code(), ErrorCode::limit_exceeded);
}

TEST(Telemetry, KeepsNoMoreSpansThanItMayAndCountsTheRest) {
  Telemetry telemetry({.endpoint = "http://127.0.0.1:1", .delay = std::chrono::hours(1), .max_waiting = 8},
                      [] { return MetricsInput{}; });
  for (int i = 0; i < 100; ++i) telemetry.add({.trace = trace_of({}), .name = "GET"});
  EXPECT_EQ(telemetry.counters().spans_dropped, 92U);
  telemetry.stop(std::chrono::seconds(5));
  telemetry.add({.trace = trace_of({}), .name = "GET"});
  const TelemetryCounters counters = telemetry.counters();
  EXPECT_EQ(counters.spans_failed, 8U);  // nobody listens
  EXPECT_EQ(counters.spans_dropped, 93U);
  EXPECT_EQ(counters.spans_sent, 0U);
}

TEST(Telemetry, IsStoppedInTimeBesideACollectorThatNeverAnswers) {
  base::Descriptor deaf(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::bind(deaf.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(deaf.get(), 4), 0);
  socklen_t size = sizeof address;
  ::getsockname(deaf.get(), reinterpret_cast<sockaddr*>(&address), &size);
  Telemetry telemetry({.endpoint = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port))},
                      [] { return MetricsInput{}; });
  telemetry.add({.trace = trace_of({}), .name = "GET"});
  const auto begin = Clock::now();
  telemetry.stop(std::chrono::milliseconds(300));
  EXPECT_LT(Clock::now() - begin, std::chrono::seconds(5));
  EXPECT_EQ(telemetry.counters().spans_failed, 1U);
}

TEST(Trace, TakesOverWhatItsCallerDecided) {
  const std::string id = "4bf92f3577b34da6a3ce929d0e0e4736", parent = "00f067aa0ba902b7";
  const Trace given = trace_of("00-" + id + "-" + parent + "-01");
  EXPECT_EQ(given.trace_id, id);
  EXPECT_EQ(given.parent_id, parent);
  EXPECT_TRUE(given.is_sampled);
  EXPECT_EQ(given.header(), "00-" + id + "-" + given.span_id + "-01");
  const Trace unseen = trace_of("00-" + id + "-" + parent + "-00");
  EXPECT_FALSE(unseen.is_sampled);
  EXPECT_TRUE(unseen.header().ends_with("-00"));
  const auto header = [](std::string version, std::string_view trace, std::string_view span, std::string_view flags) {
    return version.append("-").append(trace).append("-").append(span).append("-").append(flags);
  };
  for (const std::string& wrong : {header("00", id, std::string(16, '0'), "01"), header("00", id, parent, "0x"),
                                   header("00", std::string(32, '0'), parent, "01"), header("ff", id, parent, "01")}) {
    const Trace fresh = trace_of(wrong);
    EXPECT_NE(fresh.trace_id, id) << wrong;
    EXPECT_TRUE(fresh.parent_id.empty()) << wrong;
    EXPECT_TRUE(fresh.is_sampled) << wrong;
  }
}

}  // namespace
}  // namespace skerry::serve
