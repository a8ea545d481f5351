#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <fstream>
#include <skerry/skerry.hpp>
#include <stop_token>

#include "base/temporary_folder.hpp"

namespace skerry {
namespace {

constexpr std::string_view kBell =
    "OPENQASM 2.0; include \"qelib1.inc\"; qreg q[2]; creg c[2]; h q[0]; cx q[0],q[1]; measure q -> c;";

Graph doubled() {
  Graph graph;
  graph.name = "doubled";
  const ValueId x = graph.add_input("x", {DType::f32, std::vector<Dim>{std::string("N")}});
  const ValueId once = graph.add("Add", {x, x}, "twice");
  graph.mark_output(once);
  return graph;
}

Tensor floats(std::initializer_list<float> values) {
  return Tensor::from<float>(std::span(values.begin(), values.size()), {static_cast<std::int64_t>(values.size())});
}

ErrorCode code_of(const auto& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.code();
  }
  return ErrorCode::internal;
}

TEST(Load, LooksAtTheContentNotTheSuffix) {
  const base::TemporaryFolder folder;
  std::ofstream(folder.path() / "bell.onnx") << kBell;
  EXPECT_TRUE(std::holds_alternative<Circuit>(load(folder.path() / "bell.onnx")));
}

TEST(Load, TellsWhatItKnowsWhenNothingFits) {
  EXPECT_EQ(code_of([] { loads("this is no program at all"); }), ErrorCode::syntax_error);
  EXPECT_EQ(code_of([] { load("/nonexistent/file.qasm"); }), ErrorCode::not_found);
}

TEST(Save, GivesBackTheSameCircuitAndModel) {
  const base::TemporaryFolder folder;
  const auto path = folder.path() / "p.skerry";
  const Program bell = loads(kBell);
  for (const bool compress : {false, true}) {
    save(bell, path, {.compress = compress});
    EXPECT_EQ(std::get<Circuit>(load(path)), std::get<Circuit>(bell));
  }
  save(doubled(), path);
  const auto result = run(std::get<Graph>(load(path)), {{"x", floats({1, 2.5F})}});
  EXPECT_EQ(result.tensors[0].second.as<float>()[1], 5.0F);
}

TEST(Load, TakesOnlySignedPackagesWhenKeysAreTrusted) {
  LoadOptions options;
  options.trusted.emplace_back();
  EXPECT_EQ(code_of([&] { loads(kBell, options); }), ErrorCode::bad_signature);
}

TEST(ParameterValues, ComeInOrderOrByNameAndAreCheckedByName) {
  Circuit circuit(1);
  circuit.rx(circuit.parameter("a"), 0).rz(circuit.parameter("b"), 0);
  RunOptions options;
  options.named_parameters = {{"b", 2.0}, {"a", 1.0}};
  EXPECT_EQ(parameter_values(circuit, options), (std::vector{1.0, 2.0}));
  options.named_parameters.erase("a");
  EXPECT_EQ(code_of([&] { parameter_values(circuit, options); }), ErrorCode::invalid_argument);
  options.named_parameters = {{"a", 1.0}, {"b", 2.0}, {"c", 3.0}};
  EXPECT_EQ(code_of([&] { parameter_values(circuit, options); }), ErrorCode::invalid_argument);
  options.named_parameters.clear();
  options.parameters = {1.0};
  EXPECT_EQ(code_of([&] { parameter_values(circuit, options); }), ErrorCode::invalid_argument);
}

TEST(Session, PlansOncePerShapeAndKeepsResultsApart) {
  Session session(std::make_shared<const Graph>(doubled()));
  const Result first = session.run({{"x", floats({1, 2})}});
  const Result second = session.run({{"x", floats({5, 6})}});
  const Result longer = session.run({{"x", floats({1, 2, 3})}});
  EXPECT_EQ(first.tensors[0].second.as<float>()[0], 2.0F) << "a held result was overwritten";
  EXPECT_EQ(second.tensors[0].second.as<float>()[1], 12.0F);
  EXPECT_EQ(longer.tensors[0].second.shape(), Shape({3}));
}

TEST(Session, ObeysTheControlOfEachRunAloneAndKeepsItsPlan) {
  Session session(std::make_shared<const Graph>(doubled()), Limits{.max_execution_time = std::chrono::hours(1)});
  const NamedTensors inputs = {{"x", floats({1, 2})}};
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(code_of([&] { session.run(inputs, {.stop = stop.get_token()}); }), ErrorCode::cancelled);
  const std::array types = {TensorType::of(DType::f32, Shape({2}))};
  const Plan* const plan = &session.plan(types);
  int told = 0;
  const RunControl listens{.progress = Progress([&told](double, std::string_view) { ++told; })};
  EXPECT_EQ(session.run(inputs, listens).tensors[0].second.as<float>()[1], 4.0F);
  EXPECT_GT(told, 0);
  const auto past = std::chrono::steady_clock::now() - std::chrono::seconds(1);
  EXPECT_EQ(code_of([&] { session.run(inputs, {.deadline = past}); }), ErrorCode::deadline_exceeded)
      << "the limit of an hour took the place of an earlier deadline";
  EXPECT_EQ(code_of([&] {
              session.run_data({{"x", floats({1, 2})}}, {.stop = stop.get_token()});
            }),
            ErrorCode::cancelled);
  const int heard = told;
  EXPECT_EQ(session.run(inputs).tensors[0].second.as<float>()[0], 2.0F);
  EXPECT_EQ(told, heard) << "a run without a listener tells that of the run before";
  EXPECT_EQ(&session.plan(types), plan);
}

TEST(Session, RefusesMissingUnknownAndDoubledInputsByName) {
  Session session(std::make_shared<const Graph>(doubled()));
  EXPECT_EQ(code_of([&] { session.run({}); }), ErrorCode::invalid_argument);
  EXPECT_EQ(code_of([&] { session.run({{"y", floats({1})}}); }), ErrorCode::invalid_argument);
  EXPECT_EQ(code_of([&] { session.run({{"x", floats({1})}, {"x", floats({1})}}); }), ErrorCode::invalid_argument);
}

TEST(Run, OfAnEmptyCircuitAndOfZeroShotsWorks) {
  EXPECT_EQ(run(Circuit()).counts.size(), 0U);
  EXPECT_EQ(run(std::get<Circuit>(loads(kBell))).counts.size(), 0U);
  EXPECT_EQ(run(Circuit(), {.shots = 10}).counts.shots(), 10U);
}

TEST(RunAndSample, GiveTheSameCountsForTheSameSeed) {
  const auto bell = std::get<Circuit>(loads(kBell));
  EXPECT_EQ(run(bell, {.shots = 1000, .seed = 7}).counts, run(bell, {.shots = 1000, .seed = 7}).counts);
  EXPECT_NE(run(bell, {.shots = 1000, .seed = 7}).counts, run(bell, {.shots = 1000, .seed = 8}).counts);
}

}  // namespace
}  // namespace skerry
