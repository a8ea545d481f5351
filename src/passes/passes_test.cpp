#include <gtest/gtest.h>

#include <array>
#include <ctime>
#include <random>
#include <skerry/compile.hpp>
#include <skerry/error.hpp>

#include "passes/pass.hpp"
#include "passes/testing/meaning.hpp"

namespace skerry::passes {
namespace {

using testing::expect_same_meaning;
using testing::random_circuit;

TEST(CircuitPasses, EachKeepsTheUnitaryGlobalPhaseIncluded) {
  std::mt19937_64 random(1);
  for (const CircuitPass* pass : circuit_passes()) {
    SCOPED_TRACE(pass->name);
    for (int round = 0; round < 1000; ++round) {
      const Circuit circuit = random_circuit(random, 2 + static_cast<std::uint32_t>(random() % 3), 40);
      expect_same_meaning(circuit, pass->run(circuit), random);
    }
  }
}

TEST(Levels, KeepTheUnitaryAndNeverHaveMoreGatesThanTheLevelBelow) {
  struct Size {
    int rounds;
    std::uint32_t wires;
    std::size_t gates;
  };
  std::mt19937_64 random(2);
  for (const Size size : {Size{1000, 3, 60}, Size{10, 6, 200}}) {
    for (int round = 0; round < size.rounds; ++round) {
      const Circuit circuit = random_circuit(random, size.wires, size.gates);
      std::size_t most = circuit.body().size();
      for (const Level level : {Level::low, Level::medium, Level::high}) {
        const auto compiled = std::get<Circuit>(compile(circuit, {.level = level}).program);
        expect_same_meaning(circuit, compiled, random);
        EXPECT_LE(compiled.body().size(), most);
        most = compiled.body().size();
      }
    }
  }
}

Circuit medium(const Circuit& circuit) {
  return std::get<Circuit>(compile(circuit).program);
}

TEST(CancelInverses, UnwindsNestedPairsInOneWalk) {
  Circuit circuit(2);
  circuit.h(0).cx(0, 1).s(1).rx(0.3, 0).rx(-0.3, 0).sdg(1).cx(0, 1).h(0).x(0);
  EXPECT_EQ(medium(circuit).body().size(), 1U);
}

TEST(CancelInverses, LeavesNothingOfWhatIsUndone) {
  EXPECT_EQ(medium(Circuit(1).h(0).h(0).x(0)).body().size(), 1U);
  EXPECT_EQ(medium(Circuit(2).cx(0, 1).cx(0, 1).t(0).tdg(0).rz(0.4, 1).rz(-0.4, 1)).body().size(), 0U);
}

TEST(Levels, LowTakesTheLeastTime) {
  std::mt19937_64 random(4);
  const Circuit circuit = random_circuit(random, 10, 1000);
  const auto seconds = [&circuit](Level level) {
    double least = 1e9;
    for (int run = 0; run < 5; ++run) {
      const std::clock_t begin = std::clock();
      compile(circuit, {.level = level});
      least = std::min(least, static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC);
    }
    return least;
  };
  const double low = seconds(Level::low);
  EXPECT_LT(low, seconds(Level::medium));
  EXPECT_LT(low, seconds(Level::high));
}

TEST(CancelInverses, StopsAtABarrierAMeasurementAndAReset) {
  Circuit circuit(1, 1);
  circuit.h(0).barrier().h(0).measure(0, 0).h(0).reset(0).h(0);
  EXPECT_EQ(medium(circuit).body().size(), circuit.body().size());
}

TEST(CancelInverses, TellsControlFromTarget) {
  Circuit circuit(2);
  circuit.cx(0, 1).cx(1, 0);
  EXPECT_EQ(medium(circuit).body().size(), 2U);
}

TEST(MergeRotations, AddsSymbolsAndDropsWhatCancels) {
  Circuit circuit(1);
  const Affine theta = circuit.parameter("theta");
  circuit.rz(theta, 0).rz(0.5, 0).rx(0.25, 0).rx(0.5, 0);
  const Circuit merged = medium(circuit);
  ASSERT_EQ(merged.body().size(), 2U);
  const std::array value = {2.0};
  EXPECT_DOUBLE_EQ(merged.bind(value).body()[0].params[0].value, 2.5);
  EXPECT_DOUBLE_EQ(merged.body()[1].params[0].value, 0.75);
}

TEST(Compile, LeavesOutADisabledPassAndRefusesAnUnknownOne) {
  Circuit circuit(1);
  circuit.h(0).h(0);
  const Compiled compiled = compile(circuit, {.disabled_passes = {"cancel_inverses"}});
  EXPECT_EQ(std::get<Circuit>(compiled.program).body().size(), 2U);
  for (const PassReport& report : compiled.passes) EXPECT_NE(report.name, "cancel_inverses");
  EXPECT_THROW(compile(circuit, {.disabled_passes = {"cancel_inverse"}}), Error);
}

}  // namespace
}  // namespace skerry::passes
