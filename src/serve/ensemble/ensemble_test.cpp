#include "serve/ensemble/ensemble.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <future>

#include "base/temporary_folder.hpp"
#include "base/thrown_by.hpp"
#include "serve/repository.hpp"

namespace skerry::serve {
namespace {

using namespace std::chrono_literals;

// <Z> after ry(a) is cos a.
constexpr const char* kSpin = R"(OPENQASM 3.0; include "stdgates.inc"; input float a; qubit[1] q; ry(a) q[0];)";

void write(const std::filesystem::path& file, const std::string& text) {
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file) << text;
}

std::string step(const std::string& model, const std::string& in, const std::string& out, const std::string& from,
                 const std::string& to) {
  return "step { model_name: '" + model + "' model_version: -1 input_map { key: '" + in + "' value: '" + from +
         "' } output_map { key: '" + out + "' value: '" + to + "' } }\n";
}

// ANGLES [rows, 1] -> COSINES [rows, 1].
std::string ensemble_of(const std::string& steps) {
  return "platform: 'ensemble' max_batch_size: 8\n"
         "input { name: 'ANGLES' data_type: TYPE_FP64 dims: [ 1 ] }\n"
         "output { name: 'COSINES' data_type: TYPE_FP64 dims: [ 1 ] }\n"
         "ensemble_scheduling {\n" +
         steps + "}\n";
}

std::string spins(int times) {
  std::string steps;
  for (int i = 0; i < times; ++i) {
    steps += step("spin", "parameters", "z", i == 0 ? "ANGLES" : "t" + std::to_string(i),
                  i + 1 == times ? "COSINES" : "t" + std::to_string(i + 1));
  }
  return ensemble_of(steps);
}

class Ensembles : public testing::Test {
 protected:
  void SetUp() override { write(folder_.path() / "spin" / "1" / "model.qasm", kSpin); }
  void put(const std::string& name, const std::string& config) {
    write(folder_.path() / name / "config.pbtxt", config);
  }
  RepositoryOptions options() const {
    RepositoryOptions options;
    options.folder = folder_.path();
    return options;
  }

  base::TemporaryFolder folder_;
};

std::future<double> ask(const Repository& repository, const std::string& name, double angle) {
  const auto promise = std::make_shared<std::promise<double>>();
  InferCall call;
  call.inputs = {{"ANGLES", Tensor::from<double>(std::vector<double>{angle}, {1, 1})}};
  call.done = [promise](const std::exception_ptr& error, NamedTensors outputs, const Timing&) {
    error ? promise->set_exception(error) : promise->set_value(outputs.at(0).second.as<double>()[0]);
  };
  repository.find(name)->submit(std::move(call));
  return promise->get_future();
}

TEST_F(Ensembles, AnswerWhatIsUnderWayBeforeTheirRepositoryEnds) {
  put("thrice", spins(3));
  RepositoryOptions slow = options();
  slow.batching.max_delay = 100ms;  // each step waits for company
  auto repository = std::make_unique<Repository>(slow);
  repository->load_all();
  auto answer = ask(*repository, "thrice", 0.4);
  repository.reset();
  ASSERT_EQ(answer.wait_for(0s), std::future_status::ready);
  EXPECT_NEAR(answer.get(), std::cos(std::cos(std::cos(0.4))), 1e-12);
}

TEST_F(Ensembles, MayBeMembersOfEnsemblesWhoeverIsFoundFirst) {
  put("a_outer",
      ensemble_of(step("inner", "ANGLES", "COSINES", "ANGLES", "t") + step("spin", "parameters", "z", "t", "u") +
                  step("inner", "ANGLES", "COSINES", "u", "COSINES")));
  put("inner", spins(2));
  Repository repository(options());
  repository.load_all();
  const auto cosine = [](double x) { return std::cos(x); };
  EXPECT_NEAR(ask(repository, "a_outer", 0.3).get(), cosine(cosine(cosine(cosine(cosine(0.3))))), 1e-12);
  EXPECT_EQ(repository.find("inner")->statistics->snapshot().success.count, 2U);
  EXPECT_EQ(repository.find("spin")->statistics->snapshot().success.count, 5U);
}

TEST_F(Ensembles, MeetEachMemberInOneVersionHoweverDeepItLies) {
  put("inner", spins(2));
  put("outer",
      ensemble_of(step("spin", "parameters", "z", "ANGLES", "t") + step("inner", "ANGLES", "COSINES", "t", "COSINES")));
  RepositoryOptions slow = options();
  slow.batching.max_delay = 100ms;
  Repository repository(slow);
  repository.load_all();
  auto answer = ask(repository, "outer", 0.2);
  // <Z> after rx(a) and x is -cos a: who met it would say so.
  write(folder_.path() / "spin" / "1" / "model.qasm",
        R"(OPENQASM 3.0; include "stdgates.inc"; input float a; qubit[1] q; rx(a) q[0]; x q[0];)");
  repository.load("spin");
  EXPECT_NEAR(answer.get(), std::cos(std::cos(std::cos(0.2))), 1e-12);
  EXPECT_NEAR(ask(repository, "outer", 0.2).get(), -std::cos(-std::cos(-std::cos(0.2))), 1e-12);
}

TEST_F(Ensembles, WithinThemselvesAreRefusedWithTheWay) {
  const auto through = [](const std::string& member) {
    return ensemble_of(step(member, "ANGLES", "COSINES", "ANGLES", "COSINES"));
  };
  put("one", through("two"));
  put("two", through("three"));
  put("three", through("one"));
  Repository repository(options());
  repository.load_all();  // nobody can be first
  const Error unloaded = base::thrown_by([&] { repository.load("one"); });
  EXPECT_EQ(unloaded.code(), ErrorCode::invalid_argument);
  EXPECT_NE(unloaded.message().find("one -> two -> three -> one"), std::string::npos) << unloaded.what();
  EXPECT_EQ(unloaded.where(), "three/config.pbtxt:5");
  put("three", spins(1));
  for (const char* name : {"three", "two", "one"}) repository.load(name);
  put("three", through("one"));
  const Error again = base::thrown_by([&] { repository.load("three"); });
  EXPECT_NE(again.message().find("three -> one -> two -> three"), std::string::npos) << again.what();
  EXPECT_NEAR(ask(repository, "one", 0.3).get(), std::cos(0.3), 1e-12);  // what was served stays
}

TEST_F(Ensembles, MayNotMultiplyWithoutEnd) {
  std::string four;
  for (int i = 0; i < 4; ++i)
    four += step("BELOW", "ANGLES", "COSINES", i == 0 ? "ANGLES" : "t" + std::to_string(i),
                 i == 3 ? "COSINES" : "t" + std::to_string(i + 1));
  put("level0", spins(4));
  for (int level = 1; level < 4; ++level) {  // 4^2, 4^3, 4^4 steps
    std::string steps = four;
    for (std::size_t at = steps.find("BELOW"); at != std::string::npos; at = steps.find("BELOW", at))
      steps.replace(at, 5, "level" + std::to_string(level - 1));
    put("level" + std::to_string(level), ensemble_of(steps));
  }
  put("over", ensemble_of(step("level3", "ANGLES", "COSINES", "ANGLES", "t") +
                          step("spin", "parameters", "z", "t", "COSINES")));
  Repository repository(options());
  repository.load_all();
  double expected = 0.3;
  for (int i = 0; i < 256; ++i) expected = std::cos(expected);
  EXPECT_NEAR(ask(repository, "level3", 0.3).get(), expected, 1e-9);
  EXPECT_EQ(base::thrown_by([&] { repository.load("over"); }).code(), ErrorCode::limit_exceeded);
}

}  // namespace
}  // namespace skerry::serve
