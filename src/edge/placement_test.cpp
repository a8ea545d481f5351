#include "edge/placement.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <ctime>
#include <fstream>
#include <mutex>
#include <skerry/edge.hpp>
#include <skerry/skerry.hpp>
#include <thread>

#include "base/temporary_folder.hpp"
#include "base/thrown_by.hpp"
#include "edge/machine_state.hpp"
#include "edge/split.hpp"
#include "edge/together.hpp"

namespace skerry::edge {
namespace {

/// Two groups of ten wires, full of gates, that meet in two CZ.
Circuit clustered() {
  Circuit circuit(20);
  for (int round = 0; round < 3; ++round) {
    for (Wire first : {0U, 10U}) {
      for (Wire wire = first; wire < first + 10; ++wire) circuit.u(0.3 + wire + round, 0.2 * wire, 0.7 * round, wire);
      for (Wire wire = first; wire < first + 9; ++wire) circuit.cx(wire, wire + 1);
      circuit.cp(0.9, first + 9, first);
    }
    if (round < 2) circuit.cz(4 + static_cast<Wire>(round), 12);
  }
  return circuit;
}

/// Gates between all wires, so that no cut is cheap.
Circuit tangled(std::uint32_t wires, int layers) {
  Circuit circuit(wires);
  for (int layer = 0; layer < layers; ++layer) {
    for (Wire wire = 0; wire < wires; ++wire) circuit.u(0.1 * wire, 0.2 * layer, 0.4, wire);
    for (Wire wire = 0; wire < wires; ++wire)
      circuit.rxx(0.3 + layer, wire, (wire + 1 + static_cast<Wire>(layer) % (wires - 1)) % wires);
  }
  return circuit;
}

struct Edge {
  explicit Edge(const EdgeExecutionConfig& config)
      : compiler(std::make_shared<CircuitCompiler>(config)), executor(config, compiler) {}
  ResultPtr run(const Circuit& circuit, const ExecutionInput& input) {
    return executor.execute(compiler->compile_circuit(circuit), input);
  }
  std::shared_ptr<CircuitCompiler> compiler;
  EdgeExecutor executor;
};

// 2^16 amplitudes of 16 bytes fit, 2^17 do not.
constexpr double kSixteenWires = 1.2;

TEST(Placement, ACircuitBeyondTheLimitRunsInPiecesAndGivesTheWholesExpectations) {
  Edge edge({.max_memory_mb = kSixteenWires});
  const Circuit circuit = clustered();
  const std::vector<Observable> observables{Observable::parse("Z3 Z14 + 0.5*X4 Y12 - X0 X10", 20),
                                            Observable::parse("Z4 Z5 Z12", 20)};
  const ResultPtr result = edge.run(circuit, {.observables = observables});
  EXPECT_EQ(result->method, ExecutionMethod::hybrid);
  EXPECT_LE(result->memory_bytes, 1'200'000U);
  RunOptions whole;
  whole.observables = observables;
  const auto expected = skerry::run(circuit, whole).expectations;
  ASSERT_EQ(result->result.expectations.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) EXPECT_NEAR(result->result.expectations[i], expected[i], 1e-10);
  ASSERT_TRUE(result->placement.split);
  EXPECT_EQ(result->placement.split->gate_cuts + result->placement.split->wire_cuts, 2U);
  EXPECT_EQ(result->placement.split->terms, 16.0);
  EXPECT_EQ(edge.executor.statistics().hybrid_executions, 1U);
  EXPECT_EQ(edge.executor.statistics().executions(), 1U);
}

TEST(Placement, SamplesOfPiecesFollowTheWhole) {
  Edge edge({.max_memory_mb = kSixteenWires});
  Circuit circuit = clustered();
  circuit.add_bits("c", 3);
  circuit.measure(4, 0).measure(12, 1).measure(9, 2);
  constexpr std::uint64_t kShots = 4000;
  const ResultPtr result = edge.run(circuit, {.shots = kShots, .seed = 5});
  ASSERT_EQ(result->method, ExecutionMethod::hybrid);
  EXPECT_EQ(result->result.counts.shots(), kShots);
  EXPECT_EQ(result->result.counts.bits(), 3U);
  RunOptions whole;
  whole.shots = 200'000;
  const Counts expected = skerry::run(circuit, whole).counts;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double p = static_cast<double>(expected.times(i)) / 200'000.0;
    const double seen = static_cast<double>(result->result.counts[expected.text(i)]) / static_cast<double>(kShots);
    EXPECT_NEAR(seen, p, 5 * std::sqrt(p / static_cast<double>(kShots)) + 1e-3) << expected.text(i);
  }
  EXPECT_EQ(edge.run(circuit, {.shots = kShots, .seed = 5})->result.counts, result->result.counts);
}

TEST(Placement, IndependentPartsOfAWideCircuitStayHereSinceTheSimulatorTakesThemApart) {
  Edge edge({.max_memory_mb = kSixteenWires});
  const auto fill = [](Circuit& circuit, Wire first, double angle) {
    for (int layer = 0; layer < 8; ++layer) {
      for (Wire wire = 0; wire < 12; ++wire) circuit.u(angle + wire, 0.2 * layer, 0.4, first + wire);
      for (Wire wire = 0; wire < 12; ++wire) circuit.cx(first + wire, first + (wire + 5) % 12);
    }
  };
  Circuit circuit(60), first_part(12), last_part(12);
  for (Wire first = 0; first < 60; first += 12) fill(circuit, first, 0.1 * first);
  fill(first_part, 0, 0.0);
  fill(last_part, 0, 4.8);
  const ResultPtr result =
      edge.run(circuit, {.shots = 500, .seed = 1, .observables = {Observable::parse("Z0 Z59", 60)}});
  EXPECT_EQ(result->method, ExecutionMethod::edge) << result->placement.explain();
  EXPECT_EQ(result->result.counts.bits(), 60U);
  EXPECT_EQ(result->result.counts.shots(), 500U);
  RunOptions options;
  options.observables = {Observable::parse("Z0", 12)};
  const double first = skerry::run(first_part, options).expectations[0];
  options.observables = {Observable::parse("Z11", 12)};
  EXPECT_NEAR(result->result.expectations[0], first * skerry::run(last_part, options).expectations[0], 1e-12);
}

TEST(Placement, AStateComesWholeFromPiecesInTheOrderOfItsWires) {
  Circuit circuit = clustered();
  circuit.swap(2, 17).swap(0, 1);
  const auto split = find_split(circuit, {.max_memory_mb = kSixteenWires});
  ASSERT_TRUE(split) << split.error();
  RunOptions options;
  options.want_state = true;
  std::string refusal;
  const SplitReport report = price(**split, options, {.max_memory_mb = 64.0}, refusal);
  EXPECT_EQ(refusal, "");
  const PieceRunner here = [](std::size_t, const Circuit& piece, const RunOptions& asked) {
    return skerry::run(piece, asked);
  };
  for (const Precision precision : {Precision::double_precision, Precision::single_precision}) {
    options.precision = precision;
    const auto state = run_split(**split, report, circuit, options, here).state;
    const auto expected = skerry::run(circuit, options).state;
    const double close = precision == Precision::double_precision ? 1e-12 : 1e-5;
    EXPECT_EQ(state->precision(), precision);
    for (std::size_t i = 0; i < 1 << 20; i += 97)
      ASSERT_LT(std::abs(state->amplitude(i) - expected->amplitude(i)), close) << i;
  }
  price(**split, options, {.max_memory_mb = kSixteenWires}, refusal);
  EXPECT_NE(refusal.find("the state of all wires is the answer"), std::string::npos);
}

TEST(Placement, WhatCannotBeCutSaysNeedLimitAndWhyNot) {
  Edge edge({.max_memory_mb = 1.0});
  const Error error = base::thrown_by([&] { edge.run(tangled(18, 6), {.shots = 10}); });
  EXPECT_EQ(error.code(), ErrorCode::budget_exceeded);
  const std::string text = error.what();
  for (const char* part :
       {"1000000 bytes", "in pieces: no way was found", "there is no cloud_endpoint", "raise max_memory_mb"})
    EXPECT_NE(text.find(part), std::string::npos) << part << " in " << text;
  const Error off = base::thrown_by([&] { Edge({.max_memory_mb = 0.0}).run(tangled(3, 1), {}); });
  EXPECT_NE(std::string(off.what()).find("max_memory_mb is 0"), std::string::npos) << off.what();
}

TEST(Placement, PredictedTimeBeyondTheLimitIsRefusedWithBothNumbers) {
  Edge edge({.max_execution_time = 0.02, .max_cuts = 0});
  const Error error = base::thrown_by([&] { edge.run(tangled(22, 40), {.shots = 10}); });
  EXPECT_EQ(error.code(), ErrorCode::deadline_exceeded);
  EXPECT_NE(std::string(error.what()).find("max_execution_time allows 20.0 ms"), std::string::npos) << error.what();
}

TEST(Placement, WhatTakesTooLongIsCutToo) {
  const EdgeExecutionConfig config{.max_memory_mb = 64.0, .max_execution_time = 1e-4};
  const auto split = find_split(clustered(), config);
  ASSERT_TRUE(split) << split.error();
  EXPECT_EQ((*split)->report.pieces.size(), 2U);
  const auto none = find_split(tangled(10, 12), config);
  EXPECT_FALSE(none);
}

TEST(Placement, ParametersAreBoundInPiecesToo) {
  Edge edge({.max_memory_mb = kSixteenWires});
  Circuit circuit = clustered();
  const auto theta = circuit.parameter("theta");
  circuit.rzx(2 * theta + 0.1, 3, 15).rx(theta, 15);
  const CompiledPtr compiled = edge.compiler->compile_circuit(circuit);
  for (const double value : {0.0, 0.7, -2.0}) {
    ExecutionInput input{.named_parameters = {{"theta", value}}, .observables = {Observable::parse("Y15 Z3", 20)}};
    const ResultPtr result = edge.executor.execute(compiled, input);
    EXPECT_EQ(result->method, ExecutionMethod::hybrid);
    RunOptions whole;
    whole.parameters = {value};
    whole.observables = input.observables;
    EXPECT_NEAR(result->result.expectations[0], skerry::run(circuit, whole).expectations[0], 1e-10);
  }
}

Question question_of(const EdgeExecutionConfig& config, double seconds = 0.01) {
  Question question{.config = config, .peak_bytes = 1000, .seconds = seconds};
  question.resources = {.available_bytes = 1'000'000'000, .usable_cpus = 2, .endpoint_seems_up = true};
  return question;
}

TEST(Decision, ATiredMachineSendsWorkAwayButOnlyIfSomebodyTakesIt) {
  const EdgeExecutionConfig cloud{.cloud_endpoint = "http://127.0.0.1:1"}, alone{};
  const auto tire = [](Question& question, int how) {
    Resources& now = question.resources;
    if (how == 0) now.on_battery = true, now.battery_percent = 9.0;
    if (how == 1) now.too_hot = true, now.temperature_celsius = 97.0;
    if (how == 2) now.load = 39.0;
  };
  constexpr std::array kWords = {"battery is at 9 %", "at 97 C", "load of 39"};
  for (int how = 0; how < 3; ++how) {
    const double seconds = how == 2 ? 20.0 : 0.01;
    Question question = question_of(cloud, seconds);
    EXPECT_EQ(decide(question).method, ExecutionMethod::edge);
    tire(question, how);
    const Placement placement = decide(question);
    EXPECT_EQ(placement.method, ExecutionMethod::cloud) << how;
    EXPECT_NE(placement.explain().find(kWords[static_cast<std::size_t>(how)]), std::string::npos)
        << placement.explain();
    question.resources.endpoint_seems_up = false;
    EXPECT_EQ(decide(question).method, ExecutionMethod::edge);
    Question lonely = question_of(alone, seconds);
    tire(lonely, how);
    EXPECT_EQ(decide(lonely).method, ExecutionMethod::edge);
  }
}

TEST(Decision, MemoryThatIsGoneNowCountsLikeALimit) {
  const EdgeExecutionConfig config{.cloud_endpoint = "http://127.0.0.1:1"};
  Question question = question_of(config);
  question.resources.available_bytes = 1500;
  EXPECT_EQ(decide(question).method, ExecutionMethod::edge);
  question.resources.running_bytes = 600;
  EXPECT_EQ(decide(question).method, ExecutionMethod::cloud);
}

TEST(Decision, IsCompressedOnlyWhereNobodyTakesItAsItIs) {
  const EdgeExecutionConfig alone{.max_memory_mb = 0.0005},
      cloud{.max_memory_mb = 0.0005, .cloud_endpoint = "http://127.0.0.1:1"};
  Question question = question_of(alone);
  question.resources.endpoint_seems_up = false;
  EXPECT_FALSE(decide(question).refusal.empty());
  question.compressed = Need{600, 0.01};
  EXPECT_FALSE(decide(question).refusal.empty()) << "that is too much as well";
  question.compressed = Need{500, 61.0};
  EXPECT_FALSE(decide(question).refusal.empty()) << "and that takes too long";
  question.compressed = Need{500, 0.01};
  const Placement placement = decide(question);
  EXPECT_TRUE(placement.compressed && placement.refusal.empty());
  EXPECT_EQ(placement.method, ExecutionMethod::edge);
  EXPECT_TRUE(placement.considered[0].chosen);
  EXPECT_EQ(placement.considered[0].peak_bytes, 500U);
  EXPECT_NE(placement.explain().find("single precision"), std::string::npos) << placement.explain();
  Question far = question_of(cloud);
  far.compressed = Need{500, 0.01};
  EXPECT_EQ(decide(far).method, ExecutionMethod::cloud);
  EXPECT_FALSE(decide(far).compressed);
  EdgeExecutionConfig nothing = alone;
  nothing.max_memory_mb = 0.0;
  Question none = question_of(nothing);
  none.resources.endpoint_seems_up = false;
  none.compressed = Need{0, 0.01};
  EXPECT_FALSE(decide(none).refusal.empty()) << "0 means that nothing runs here";
}

TEST(Decision, TellsEachPlaceAndOneIsChosen) {
  const EdgeExecutionConfig config{};
  const Placement placement = decide(question_of(config));
  ASSERT_EQ(placement.considered.size(), 3U);
  EXPECT_EQ(std::ranges::count(placement.considered, true, &PlaceReport::chosen), 1);
  for (const PlaceReport& place : placement.considered) EXPECT_FALSE(place.reason.empty());
  EXPECT_NE(placement.explain().find("cloud: there is no cloud_endpoint"), std::string::npos);
}

double thread_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);  // what others do on the machine is not the decision's
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

TEST(Decision, TakesAtMostFiveMillisecondsInNinetyNineOfAHundredCases) {
  Edge edge({.max_memory_mb = kSixteenWires});
  const CompiledPtr compiled = edge.compiler->compile_circuit(clustered());
  const ExecutionInput input{.observables = {Observable::parse("Z0 Z19", 20)}};
  std::vector<double> seconds;
  for (int i = 0; i < 300; ++i) {
    const double start = thread_seconds();
    EXPECT_EQ(edge.executor.place(compiled, input).method, ExecutionMethod::hybrid);
    seconds.push_back(thread_seconds() - start);
  }
  std::ranges::sort(seconds);
  RecordProperty("median_us", std::to_string(seconds[150] * 1e6));
  RecordProperty("p99_us", std::to_string(seconds[297] * 1e6));
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  constexpr double kSlower = 10.0;
#else
  constexpr double kSlower = 1.0;
#endif
  EXPECT_LT(seconds[297], 5e-3 * kSlower);
}

TEST(MachineState, ReadsBatteryAndHeatFromSysfs) {
  const base::TemporaryFolder folder;
  const auto put = [&](const std::string& file, const std::string& text) {
    std::filesystem::create_directories((folder.path() / file).parent_path());
    std::ofstream(folder.path() / file) << text << '\n';
  };
  EXPECT_FALSE(read_machine_state(folder.path()).battery_percent);
  put("sys/class/power_supply/BAT0/type", "Battery");
  put("sys/class/power_supply/BAT0/status", "Discharging");
  put("sys/class/power_supply/BAT0/capacity", "12");
  put("sys/class/power_supply/mouse/type", "Battery");
  put("sys/class/power_supply/mouse/scope", "Device");
  put("sys/class/power_supply/mouse/capacity", "90");
  put("sys/class/thermal/thermal_zone0/temp", "61000");
  put("sys/class/thermal/thermal_zone1/temp", "96500");
  put("sys/class/thermal/thermal_zone1/trip_point_0_type", "active");
  put("sys/class/thermal/thermal_zone1/trip_point_0_temp", "50000");
  MachineState state = read_machine_state(folder.path());
  EXPECT_EQ(state.battery_percent, 12.0);
  EXPECT_TRUE(state.on_battery);
  EXPECT_EQ(state.celsius, 96.5);
  EXPECT_FALSE(state.too_hot);
  put("sys/class/thermal/thermal_zone1/trip_point_1_type", "critical");
  put("sys/class/thermal/thermal_zone1/trip_point_1_temp", "100000");
  put("sys/class/power_supply/AC/type", "Mains");
  put("sys/class/power_supply/AC/online", "1");
  state = read_machine_state(folder.path());
  EXPECT_TRUE(state.too_hot);
  EXPECT_FALSE(state.on_battery);
}

TEST(Together, NeverHoldsMoreThanItsLimitAndStopsAtTheFirstError) {
  const std::vector<std::uint64_t> bytes{5, 40, 60, 30, 200, 10};
  std::mutex mutex;
  std::uint64_t used = 0;
  std::vector<int> done(bytes.size());
  bool too_much = false;
  run_together(
      bytes, 100, 4,
      [&](std::size_t i) {
        {
          const std::scoped_lock lock(mutex);
          too_much |= used != 0 && used + bytes[i] > 100;
          used += bytes[i];
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
        const std::scoped_lock lock(mutex);
        used -= bytes[i];
        ++done[i];
      },
      [] {});
  EXPECT_FALSE(too_much);
  EXPECT_EQ(done, std::vector<int>(bytes.size(), 1));
  int stops = 0, begun = 0;
  EXPECT_THROW(run_together(
                   bytes, 1000, 1,
                   [&](std::size_t) {
                     ++begun;
                     throw Error(ErrorCode::internal, "no");
                   },
                   [&] { ++stops; }),
               Error);
  EXPECT_EQ(stops, 1);
  EXPECT_EQ(begun, 1);
}

}  // namespace
}  // namespace skerry::edge
