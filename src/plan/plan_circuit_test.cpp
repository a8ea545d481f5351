#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <skerry/error.hpp>

#include "base/machine.hpp"
#include "base/temporary_folder.hpp"
#include "plan/budget.hpp"
#include "plan/planner.hpp"

namespace skerry::planning {
namespace {

Circuit ghz(std::uint32_t wires) {
  Circuit circuit(wires, wires);
  circuit.h(0);
  for (Wire w = 1; w < wires; ++w) circuit.cx(w - 1, w);
  return circuit.measure_all();
}

Error refusal(const Circuit& circuit, const RunOptions& options) {
  try {
    plan_circuit(circuit, options);
  } catch (const Error& error) {
    return error;
  }
  return Error(ErrorCode::internal, "not refused");
}

TEST(PlanCircuit, RefusesWhatNeedsMoreMemoryWithBothNumbersAndAHint) {
  RunOptions options;
  options.method = "statevector";
  options.limits.max_memory_bytes = 1'000'000;
  const Error error = refusal(ghz(24), options);
  EXPECT_EQ(error.code(), ErrorCode::budget_exceeded);
  EXPECT_NE(error.message().find("(1000000 bytes)"), std::string::npos) << error.what();
  EXPECT_NE(error.message().find("needs 25"), std::string::npos) << error.what();  // 256 MiB of amplitudes and a little
  EXPECT_NE(error.hint().find("precision single"), std::string::npos);
}

TEST(PlanCircuit, NeverPlansPastTheLimitItIsGiven) {
  for (std::uint32_t wires = 2; wires < 22; ++wires) {
    RunOptions unlimited;
    unlimited.method = "statevector";
    const Plan free = predict_circuit(ghz(wires), unlimited);
    for (const std::uint64_t limit : {free.peak_bytes - 1, free.peak_bytes, free.peak_bytes + 1}) {
      RunOptions options = unlimited;
      options.limits.max_memory_bytes = limit;
      const bool fits = limit >= free.peak_bytes;
      EXPECT_EQ(refusal(ghz(wires), options).code() == ErrorCode::internal, fits) << wires << " " << limit;
    }
  }
}

TEST(PlanCircuit, RefusesWhatIsPredictedToTakeTooLong) {
  RunOptions options;
  options.limits.max_execution_time = std::chrono::duration<double>(1e-9);
  EXPECT_EQ(refusal(ghz(10), options).code(), ErrorCode::deadline_exceeded);
}

TEST(PlanCircuit, NamesTheMethodsItKnowsWhenOneIsUnknown) {
  RunOptions options;
  options.method = "statevecter";
  const Error error = refusal(ghz(2), options);
  EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
  EXPECT_NE(std::string(error.what()).find("statevector"), std::string::npos);
}

TEST(PlanCircuit, RefusesImpossibleLimitsByName) {
  RunOptions options;
  options.limits.threads = -1;
  EXPECT_EQ(refusal(ghz(2), options).where(), "threads");
  options.limits.threads = 0;
  options.limits.max_execution_time = std::chrono::duration<double>(-1.0);
  EXPECT_EQ(refusal(ghz(2), options).where(), "max_execution_time");
}

TEST(PlanCircuit, TakesTheMethodThatTheStructureOfALargeCircuitSuits) {
  RunOptions options;
  options.shots = 100;
  EXPECT_EQ(predict_circuit(ghz(4), options).method, "statevector");
  EXPECT_EQ(predict_circuit(ghz(24), options).method, "stabilizer");
  EXPECT_EQ(predict_circuit(ghz(1000), options).method, "stabilizer");
  Circuit general = ghz(24);
  general.t(3);
  const Plan plan = predict_circuit(general, options);
  EXPECT_EQ(plan.method, "mps") << "one Schmidt coefficient beside another at each cut";
  EXPECT_NE(plan.explain().find("stabilizer: t is not a Clifford gate"), std::string::npos) << plan.explain();
  for (int layer = 0; layer < 24; ++layer)
    for (Wire w = 0; w < 23; ++w) general.rxx(0.3, w, w + 1).ry(0.1, w);
  EXPECT_EQ(predict_circuit(general, options).method, "statevector");
  options.max_bond_dimension = 8;
  const Plan bounded = predict_circuit(general, options);
  EXPECT_EQ(bounded.method, "statevector");
  EXPECT_NE(bounded.explain().find("choose it by name"), std::string::npos) << bounded.explain();
  options.method = "mps";
  EXPECT_EQ(predict_circuit(general, options).method, "mps");
  options.method = "stabilizer";
  EXPECT_EQ(predict_circuit(ghz(4), options).method, "stabilizer");
}

TEST(PlanCircuit, ContractsWhatNoStateHoldsAndSaysWhyTheOthersCannot) {
  constexpr std::uint32_t width = 6, wires = 60;
  Circuit grid(wires);
  for (int cycle = 0; cycle < 6; ++cycle) {
    for (Wire w = 0; w < wires; ++w) grid.u(0.3 + w, 0.1 * cycle, 0.7, w);
    for (Wire w = 0; w < wires; ++w) {
      if (cycle % 2 == 0 && w % 2 == 0) grid.cz(w, w + 1);
      if (cycle % 2 == 1 && w + width < wires && w / width % 2 == 0) grid.cz(w, w + width);
    }
  }
  RunOptions options;
  options.amplitudes = {std::string(wires, '0')};
  const Plan plan = predict_circuit(grid, options);
  EXPECT_EQ(plan.method, "tensor_network") << plan.explain();
  EXPECT_NE(plan.explain().find("density: gives no single amplitudes"), std::string::npos) << plan.explain();
  options.limits.max_memory_bytes = std::uint64_t{1} << 20;
  EXPECT_LE(predict_circuit(grid, options).peak_bytes, *options.limits.max_memory_bytes);
  options.shots = 10;
  EXPECT_NE(predict_circuit(grid, options).method, "tensor_network") << "which draws no samples";
}

TEST(PlanCircuit, AsksNoMethodForAPriceThatCannotMatter) {
  Circuit circuit = ghz(22);
  circuit.t(3);
  RunOptions options;
  options.observables = {Observable::parse("Z0 Z21", 22)};
  const auto names = [&] {
    std::vector<std::string> out;
    for (const Candidate& candidate : plan_circuit(circuit, options).report.candidates) out.push_back(candidate.name);
    return out;
  };
  options.method = "mps";
  EXPECT_EQ(names(), std::vector<std::string>{"mps"});
  options.method = "auto";
  EXPECT_EQ(std::ranges::count(names(), "tensor_network"), 0) << "to search a path takes longer than the run";
}

TEST(PredictCircuit, BoundsTheErrorOfEachMethodWhereItIsKnownBeforehand) {
  Circuit circuit(8);
  for (std::uint32_t wire = 0; wire < 8; ++wire) circuit.h(wire);
  for (std::uint32_t wire = 0; wire < 7; ++wire) circuit.cx(wire, wire + 1).s(wire);
  const auto bound = [](const Plan& plan, const std::string& name) {
    return std::ranges::find(plan.candidates, name, &Candidate::name)->error_bound;
  };
  RunOptions options{.precision = Precision::single_precision, .want_state = true};
  const auto single = bound(predict_circuit(circuit, options, nullptr), "statevector");
  options.precision = Precision::double_precision;
  const Plan plan = predict_circuit(circuit, options, nullptr);
  // The error itself, by the run in double precision: below the bound, and not by many orders of magnitude.
  const auto run = [&](Precision precision) {
    options.precision = precision;
    base::MemoryBudget budget;
    const RunControl control;
    return plan_circuit(circuit, options).program->run({}, {budget, control}).state;
  };
  const auto rough = run(Precision::single_precision), exact = run(Precision::double_precision);
  double distance = 0;
  for (std::uint64_t i = 0; i < 256; ++i) distance += std::norm(rough->amplitude(i) - exact->amplitude(i));
  distance = std::sqrt(distance);
  ASSERT_TRUE(single);
  EXPECT_GT(*single, distance);
  EXPECT_LT(*single, 1e-3);
  EXPECT_LT(bound(plan, "statevector"), 1e-12);
  EXPECT_FALSE(bound(plan, "mps"));
  options.want_state = false;
  options.shots = 1;
  EXPECT_EQ(bound(predict_circuit(circuit, options, nullptr), "stabilizer"), 0.0);
}

TEST(PredictCircuit, TellsARefusalInsteadOfThrowingIt) {
  RunOptions options;
  options.limits.max_memory_bytes = 100;
  std::string text;
  const Plan plan = predict_circuit(ghz(20), options, &text);
  EXPECT_GT(plan.peak_bytes, 100U);
  EXPECT_NE(text.find("100 bytes"), std::string::npos) << text;
  EXPECT_NE(plan.explain().find("statevector"), std::string::npos);
}

TEST(BytesText, PicksTheUnit) {
  EXPECT_EQ(bytes_text(1023), "1023 bytes");
  EXPECT_EQ(bytes_text(1536), "1.50 KiB");
  EXPECT_EQ(bytes_text(std::uint64_t{64} << 30), "64.0 GiB");
}

class RatesCache : public testing::Test {
 protected:
  void SetUp() override { setenv("SKERRY_CACHE_DIR", folder_.path().c_str(), 1); }
  void TearDown() override { unsetenv("SKERRY_CACHE_DIR"); }
  std::filesystem::path file(int threads) const {
    return folder_.path() / ("rates-" + base::machine().fingerprint() + "-" + std::to_string(threads) + ".txt");
  }
  base::TemporaryFolder folder_;
};

// Thread counts that no other test asks for, because a process keeps what it measured.
TEST_F(RatesCache, IsMeasuredOnceAndWrittenWithEveryRow) {
  const kernels::Rates rates = machine_rates(3, true);
  EXPECT_TRUE(rates.measured);
  std::ifstream in(file(3));
  std::string line;
  std::size_t lines = 0;
  while (std::getline(in, line)) ++lines;
  EXPECT_EQ(lines, kernels::kRateCount + 1);
  for (const double seconds : rates.seconds_per_unit) EXPECT_GT(seconds, 0.0);
}

TEST_F(RatesCache, IsMeasuredAnewWhenItsFileIsDamaged) {
  std::ofstream(file(5)) << "skerry rates 2\nstep nan\n";
  EXPECT_FALSE(machine_rates(5, false).measured);
  EXPECT_TRUE(machine_rates(5, true).measured);
}

TEST_F(RatesCache, IsNotKeptOfAMeasurementThatWasStopped) {
  std::stop_source source;
  source.request_stop();
  EXPECT_THROW(machine_rates(7, true, {.stop = source.get_token()}), Error);
  EXPECT_FALSE(std::filesystem::exists(file(7)));
  EXPECT_FALSE(machine_rates(7, false).measured);
}

}  // namespace
}  // namespace skerry::planning
