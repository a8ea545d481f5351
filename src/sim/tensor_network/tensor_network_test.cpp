#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <numeric>
#include <random>
#include <skerry/error.hpp>

#include "base/threads.hpp"
#include "sim/method.hpp"
#include "sim/tensor_network/greedy.hpp"
#include "sim/tensor_network/network.hpp"
#include "sim/tensor_network/search.hpp"

namespace skerry::sim {
namespace {

CircuitResult run(const Circuit& circuit, const RunOptions& options, const char* method = "tensor_network",
                  std::span<const double> parameters = {}, base::MemoryBudget budget = base::MemoryBudget()) {
  const RunControl control;
  return find_method(method).prepare(circuit, options)->run(parameters, {budget, control});
}

std::string basis_text(std::uint64_t basis, std::uint32_t wires) {
  std::string out(wires, '0');
  for (std::uint32_t wire = 0; wire < wires; ++wire)
    if ((basis >> wire & 1) != 0) out[wires - 1 - wire] = '1';
  return out;
}

/// Any gate of the table on any wires, with up to two controls.
Circuit any_gates(std::uint32_t wires, int gates, std::mt19937& random) {
  Circuit circuit(wires);
  std::uniform_real_distribution<double> angle(-4, 4);
  while (gates > 0) {
    const auto op = static_cast<Op>(random() % kGateCount);
    const auto targets = static_cast<std::uint32_t>(gate_targets(op));
    const auto controls = static_cast<std::uint16_t>(random() % 3 == 0 ? random() % 3 : 0);
    if (targets + controls > wires) continue;
    std::vector<Wire> order(wires);
    std::iota(order.begin(), order.end(), 0U);
    std::shuffle(order.begin(), order.end(), random);
    order.resize(targets + controls);
    std::vector<Param> params(static_cast<std::size_t>(gate_parameters(op)));
    for (Param& p : params) p.value = angle(random);
    circuit.append(op, order, params, controls);
    --gates;
  }
  return circuit;
}

/// Rotations on every wire and a gate on every other pair of neighbours, shifted by one from layer to layer.
Circuit brick_wall(std::uint32_t wires, int layers, std::mt19937& random) {
  Circuit circuit(wires);
  std::uniform_real_distribution<double> angle(-3, 3);
  for (int layer = 0; layer < layers; ++layer) {
    for (Wire w = 0; w < wires; ++w) circuit.u(angle(random), angle(random), angle(random), w);
    for (auto w = static_cast<Wire>(layer % 2); w + 1 < wires; w += 2) circuit.cz(w, w + 1);
  }
  return circuit;
}

/// Rotations on every wire of a grid, then CZ on the pairs of one of four patterns in turn.
Circuit grid(std::uint32_t width, std::uint32_t height, int cycles, std::mt19937& random) {
  Circuit circuit(width * height);
  std::uniform_real_distribution<double> angle(-3, 3);
  for (int cycle = 0; cycle < cycles; ++cycle) {
    for (Wire w = 0; w < circuit.num_wires(); ++w) circuit.u(angle(random), angle(random), angle(random), w);
    const auto first = static_cast<std::uint32_t>(cycle / 2 % 2);
    for (std::uint32_t y = 0; y < height; ++y) {
      for (std::uint32_t x = 0; x < width; ++x) {
        if (cycle % 2 == 0 && x % 2 == first && x + 1 < width) circuit.cz(y * width + x, y * width + x + 1);
        if (cycle % 2 == 1 && y % 2 == first && y + 1 < height) circuit.cz(y * width + x, (y + 1) * width + x);
      }
    }
  }
  return circuit;
}

Observable random_strings(std::uint32_t wires, int terms, std::mt19937& random, const char* letters = "IXYZ") {
  Observable out(wires);
  for (int term = 0; term < terms; ++term) {
    std::string text;
    std::vector<std::uint32_t> on;
    for (std::uint32_t wire = 0; wire < wires; ++wire) {
      text += letters[random() % 4];
      on.push_back(wire);
    }
    out.add(text, on, 0.1 + static_cast<double>(term));
  }
  return out;
}

TEST(TensorNetwork, AmplitudesAndExpectationsOfAnyGatesEqualTheStateVector) {
  std::mt19937 random(1);
  for (std::uint32_t wires = 1; wires <= 9; ++wires) {
    for (int round = 0; round < 4; ++round) {
      const Circuit circuit = any_gates(wires, 40, random);
      RunOptions options;
      options.observables = {random_strings(wires, 4, random), random_strings(wires, 3, random, "IIZZ")};
      const CircuitResult expected = run(circuit, options, "statevector");
      const CircuitResult found = run(circuit, options);
      for (std::size_t i = 0; i < 2; ++i)
        ASSERT_NEAR(found.expectations[i], expected.expectations[i], 1e-10) << wires << " wires, round " << round;
      options.observables.clear();
      for (int i = 0; i < 5; ++i) options.amplitudes.push_back(basis_text(random() % (1U << wires), wires));
      const auto amplitudes = run(circuit, options).amplitudes;
      const auto reference = run(circuit, options, "statevector").amplitudes;
      ASSERT_EQ(amplitudes.size(), reference.size());
      for (std::size_t i = 0; i < amplitudes.size(); ++i)
        ASSERT_LT(std::abs(amplitudes[i] - reference[i]), 1e-10) << wires << " wires, " << options.amplitudes[i];
      for (std::size_t i = 0; i < amplitudes.size(); ++i)
        ASSERT_LT(std::abs(run(circuit, options, "mps").amplitudes[i] - reference[i]), 1e-9);
    }
  }
}

TEST(TensorNetwork, ParametersAreBoundAtTheRunAndOnePathServesThem) {
  Circuit circuit(3);
  const auto theta = circuit.parameter("theta");
  circuit.ry(2 * theta, 0).cx(0, 1).rzz(theta, 1, 2).h(2);
  RunOptions options;
  options.amplitudes = {"000", "011", "111"};
  base::MemoryBudget budget;
  const RunControl control;
  const auto program = find_method("tensor_network").prepare(circuit, options);
  const auto reference = find_method("statevector").prepare(circuit, options);
  for (const double value : {0.0, 0.3, -1.7}) {
    const auto found = program->run(std::span(&value, 1), {budget, control}).amplitudes;
    const auto expected = reference->run(std::span(&value, 1), {budget, control}).amplitudes;
    for (std::size_t i = 0; i < found.size(); ++i) EXPECT_LT(std::abs(found[i] - expected[i]), 1e-14);
  }
}

TEST(TensorNetwork, SinglePrecisionIsNearDouble) {
  std::mt19937 random(3);
  const Circuit circuit = brick_wall(12, 5, random);
  RunOptions options;
  options.observables = {random_strings(12, 2, random, "IIZX")};
  options.amplitudes = {"010010110100"};
  const CircuitResult exact = run(circuit, options);
  options.precision = Precision::single_precision;
  const CircuitResult found = run(circuit, options);
  EXPECT_NEAR(found.expectations[0], exact.expectations[0], 1e-5);
  EXPECT_LT(std::abs(found.amplitudes[0] - exact.amplitudes[0]), 1e-6);
}

TEST(TensorNetwork, AGreenbergerHorneZeilingerStateOfAHundredWiresHasTwoAmplitudes) {
  constexpr std::uint32_t wires = 100;
  Circuit circuit(wires);
  circuit.h(0);
  for (Wire w = 1; w < wires; ++w) circuit.cx(w - 1, w);
  RunOptions options;
  options.amplitudes = {std::string(wires, '0'), std::string(wires, '1'), '1' + std::string(wires - 1, '0')};
  Observable ends(wires), all_x(wires);
  ends.add("ZZ", std::vector<std::uint32_t>{0, wires - 1}, 1.0);
  std::vector<std::uint32_t> every(wires);
  std::iota(every.begin(), every.end(), 0U);
  all_x.add(std::string(wires, 'X'), every, 2.0);
  options.observables = {ends, all_x};
  const CircuitResult found = run(circuit, options);
  EXPECT_NEAR(found.amplitudes[0].real(), std::numbers::sqrt2 / 2, 1e-14);
  EXPECT_NEAR(found.amplitudes[1].real(), std::numbers::sqrt2 / 2, 1e-14);
  EXPECT_LT(std::abs(found.amplitudes[2]), 1e-14);
  EXPECT_NEAR(found.expectations[0], 1.0, 1e-13);
  EXPECT_NEAR(found.expectations[1], 2.0, 1e-13);
}

/// H on all wires of a grid, CZ on its edges: a graph state, whose stabilizers are X at a vertex, Z around it.
TEST(TensorNetwork, GraphStatesOfAHundredWiresHaveTheirStabilizers) {
  constexpr std::uint32_t side = 10, wires = side * side;
  Circuit circuit(wires);
  for (Wire w = 0; w < wires; ++w) circuit.h(w);
  for (Wire w = 0; w < wires; ++w) {
    if (w % side + 1 < side) circuit.cz(w, w + 1);
    if (w + side < wires) circuit.cz(w, w + side);
  }
  RunOptions options;
  std::mt19937 random(4);
  for (const Wire vertex : {Wire{0}, Wire{45}, Wire{99}}) {
    Observable stabilizer(wires);
    std::vector<std::uint32_t> on = {vertex};
    if (vertex % side + 1 < side) on.push_back(vertex + 1);
    if (vertex % side > 0) on.push_back(vertex - 1);
    if (vertex + side < wires) on.push_back(vertex + side);
    if (vertex >= side) on.push_back(vertex - side);
    stabilizer.add("X" + std::string(on.size() - 1, 'Z'), on, 1.0);
    options.observables.push_back(stabilizer);
  }
  options.observables.push_back(random_strings(wires, 3, random, "IIIX"));
  options.amplitudes = {std::string(wires, '0')};
  const CircuitResult found = run(circuit, options);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(found.expectations[i], 1.0, 1e-12);
  options.amplitudes.clear();
  EXPECT_NEAR(found.expectations[3], run(circuit, options, "stabilizer").expectations[3], 1e-10);
  EXPECT_NEAR(found.amplitudes[0].real() * std::exp2(wires / 2), 1.0, 1e-12);
}

TEST(TensorNetwork, ShallowCliffordCircuitsOfAHundredWiresEqualTheTableau) {
  constexpr std::uint32_t wires = 100;
  std::mt19937 random(7);
  Circuit circuit(wires);
  for (int layer = 0; layer < 4; ++layer) {
    for (Wire w = 0; w < wires; ++w) {
      const auto which = random() % 4;
      if (which == 0) circuit.h(w);
      if (which == 1) circuit.s(w);
      if (which == 2) circuit.sx(w);
    }
    for (auto w = static_cast<Wire>(layer % 2); w + 1 < wires; w += 2)
      random() % 2 == 0 ? circuit.cx(w, w + 1) : circuit.cz(w + 1, w);
  }
  RunOptions options;
  for (Wire w = 0; w + 1 < wires; ++w) {
    for (const char* letters : {"X", "Y", "Z", "XX", "YZ", "ZZ", "ZX"}) {
      Observable local(wires);
      const std::array<std::uint32_t, 2> on = {w, w + 1};
      local.add(letters, std::span(on).first(std::string_view(letters).size()), 0.5);
      options.observables.push_back(local);
    }
  }
  const auto expected = run(circuit, options, "stabilizer").expectations;
  const auto found = run(circuit, options).expectations;
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-12) << i;
  EXPECT_GT(std::ranges::count_if(expected, [](double value) { return value != 0; }), 2);
}

TEST(TensorNetwork, AnyMemoryLimitGivesTheSameValueWithinIt) {
  std::mt19937 random(8);
  const Circuit circuit = grid(4, 5, 12, random);
  RunOptions options;
  options.amplitudes = {std::string("01101001011010010110")};
  const auto whole = run(circuit, options).amplitudes[0];
  std::uint64_t before = std::uint64_t{1} << 62;
  for (const std::uint64_t limit : {std::uint64_t{1} << 20, std::uint64_t{1} << 17, std::uint64_t{3} << 14}) {
    options.limits.max_memory_bytes = limit;
    const auto estimate = find_method("tensor_network").estimate(circuit, options);
    ASSERT_TRUE(estimate) << estimate.error();
    EXPECT_LE(estimate->peak_bytes, limit);
    EXPECT_LE(estimate->peak_bytes, before);
    before = estimate->peak_bytes;
    const base::MemoryBudget budget(limit);
    const auto sliced = run(circuit, options, "tensor_network", {}, budget).amplitudes[0];
    EXPECT_LT(std::abs(sliced - whole), 1e-12);
    EXPECT_EQ(budget.peak(), estimate->peak_bytes);
  }
}

TEST(TensorNetwork, ThreadsChangeNoBit) {
  std::mt19937 random(9);
  const Circuit circuit = grid(4, 5, 8, random);
  RunOptions options;
  options.amplitudes = {std::string(20, '0'), "01" + std::string(18, '1')};
  options.observables = {random_strings(20, 1, random, "IIIZ")};
  for (const std::uint64_t limit : {std::uint64_t{1} << 30, std::uint64_t{1} << 17}) {
    options.limits.max_memory_bytes = limit;
    std::vector<CircuitResult> results;
    for (const int threads : {1, 2, 3}) {
      base::set_thread_budget(threads);
      results.push_back(run(circuit, options));
    }
    base::set_thread_budget(0);
    for (const CircuitResult& result : results) {
      EXPECT_EQ(result.amplitudes, results[0].amplitudes);
      EXPECT_EQ(result.expectations, results[0].expectations);
    }
  }
}

TEST(TensorNetwork, AStopEndsIt) {
  std::mt19937 random(10);
  const Circuit circuit = brick_wall(30, 8, random);
  RunOptions options;
  options.amplitudes = {std::string(30, '0')};
  base::MemoryBudget budget;
  std::stop_source source;
  source.request_stop();
  const RunControl control{.stop = source.get_token()};
  const auto program = find_method("tensor_network").prepare(circuit, options);
  try {
    program->run({}, {budget, control});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::cancelled);
  }
}

TEST(TensorNetwork, SamplesAndStatesAreRefusedWithWhatToAskInstead) {
  Circuit circuit(2, 2);
  circuit.h(0).cx(0, 1);
  RunOptions options;
  options.shots = 10;
  EXPECT_NE(find_method("tensor_network").estimate(circuit, options).error().find("no samples"), std::string::npos);
  options = {};
  EXPECT_FALSE(find_method("tensor_network").estimate(circuit, options));
  options.amplitudes = {"00"};
  EXPECT_TRUE(find_method("tensor_network").estimate(circuit, options));
  circuit.measure(0, 0).h(0);
  EXPECT_NE(find_method("tensor_network").estimate(circuit, options).error().find("midway"), std::string::npos);
  options.amplitudes = {"0"};
  EXPECT_THROW(static_cast<void>(find_method("tensor_network").estimate(circuit, options)), Error);
}

TEST(Search, FindsAPathNoDearerThanGreedyAndSweepsAndTheSameEachTime) {
  std::mt19937 random(11);
  const Question question = amplitude_network(brick_wall(40, 8, random));
  const Network& network = question.network;
  const SearchLimits limits{.largest = 1e12, .worth_more = 0, .hopeless = 1e30, .restarts = 16};
  const Path path = find_path(network, limits);
  const double greedy = cost_of(make_tree(network, greedy_order(network, {})), {}).combined();
  const double sweep = cost_of(make_tree(network, sweeping_order(network)), {}).combined();
  EXPECT_LE(path.cost.combined(), greedy);
  EXPECT_LE(path.cost.combined(), sweep);
  EXPECT_TRUE(path.tree.nodes.back().indices.empty());
  const Path again = find_path(network, limits);
  ASSERT_EQ(again.tree.nodes.size(), path.tree.nodes.size());
  for (std::size_t i = 0; i < path.tree.nodes.size(); ++i) EXPECT_EQ(again.tree.nodes[i].left, path.tree.nodes[i].left);
}

TEST(Search, FixedIndicesMakeEveryStepFit) {
  std::mt19937 random(12);
  const Question question = amplitude_network(grid(5, 6, 10, random));
  for (const double largest : {65536.0, 4096.0}) {
    const Path path =
        find_path(question.network, {.largest = largest, .worth_more = 0, .hopeless = 1e18, .restarts = 8});
    EXPECT_TRUE(path.fits);
    EXPECT_LE(path.cost.largest, largest);
    EXPECT_FALSE(path.sliced.empty());
  }
}

}  // namespace
}  // namespace skerry::sim
