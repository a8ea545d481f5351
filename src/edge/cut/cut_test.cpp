#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <skerry/skerry.hpp>

#include "edge/cut/cuts.hpp"
#include "edge/cut/expectations.hpp"
#include "edge/cut/network.hpp"
#include "edge/cut/pieces.hpp"
#include "ir/testing/random_circuit.hpp"

namespace skerry::edge::cut {
namespace {

Circuit chain(std::uint32_t wires, int layers) {
  Circuit circuit(wires);
  for (int layer = 0; layer < layers; ++layer) {
    for (Wire wire = 0; wire < wires; ++wire) circuit.ry(0.3 + 0.1 * wire + layer, wire);
    for (Wire wire = 0; wire + 1 < wires; ++wire) circuit.cx(wire, wire + 1);
  }
  return circuit;
}

/// Two groups of wires that meet in `meetings` rotations about ZX and CP.
Circuit clusters(std::uint32_t wires, int meetings, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> angle(-3, 3);
  Circuit circuit(wires);
  const auto some = [&](Wire first) { return static_cast<Wire>(first + random() % (wires / 2)); };
  for (int round = 0; round <= meetings; ++round) {
    for (Wire first : {Wire{0}, wires / 2}) {
      for (Wire wire = 0; wire < wires / 2; ++wire)
        circuit.u(angle(random), angle(random), angle(random), first + wire);
      for (Wire wire = 0; wire + 1 < wires / 2; ++wire) circuit.cx(first + wire, first + wire + 1);
    }
    if (round == meetings) break;
    if (round % 2 == 0) {
      circuit.rzx(angle(random), some(0), some(wires / 2));
    } else {
      circuit.cp(angle(random), some(wires / 2), some(0));
    }
  }
  return circuit;
}

std::vector<std::complex<double>> state_of(const Circuit& circuit) {
  RunOptions options;
  options.want_state = true;
  const Result result = run(circuit, options);
  const auto values = result.state->amplitudes().as<std::complex<double>>();
  return {values.begin(), values.end()};
}

struct Split {
  Straight straight;
  Pieces pieces;
};

std::optional<Split> split(const Circuit& circuit, std::uint32_t max_wires, std::uint32_t max_cuts) {
  auto straight = straighten(circuit);
  if (!straight) return std::nullopt;
  const auto cuts = find_cuts(straight->circuit, max_wires, max_cuts);
  if (!cuts) return std::nullopt;
  Split out{*straight, take_apart(straight->circuit, *cuts)};
  return out;
}

std::vector<LabelledTensor> tensors(const Pieces& pieces) {
  std::vector<LabelledTensor> out;
  for (std::uint32_t piece = 0; piece < pieces.circuits.size(); ++piece) {
    RunOptions options;
    options.want_state = true;
    out.push_back(piece_tensor(pieces, piece, *run(pieces.circuits[piece], options).state));
  }
  return out;
}

double distance(const Split& split, const std::vector<std::complex<double>>& whole) {
  const auto joined = amplitudes(tensors(split.pieces));
  double most = joined.size() == whole.size() ? 0.0 : 1e9;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::size_t at = 0;
    for (std::size_t wire = 0; wire < split.straight.place.size(); ++wire)
      at |= ((i >> wire) & 1) << split.straight.place[wire];
    most = std::max(most, std::abs(joined[at] - whole[i]));
  }
  return most;
}

std::vector<double> expectations(const Split& split, const std::vector<Observable>& observables) {
  const Expectations asked(split.pieces, split.straight.place, observables);
  std::vector<std::vector<double>> answers;
  for (std::uint32_t piece = 0; piece < split.pieces.circuits.size(); ++piece) {
    RunOptions options;
    options.observables = asked.questions(piece);
    EXPECT_EQ(options.observables.size(), asked.count(piece));
    answers.push_back(run(split.pieces.circuits[piece], options).expectations);
  }
  return asked.combine(answers);
}

TEST(Cut, ABellPairIsOneCutOfEitherKind) {
  Circuit bell(2);
  bell.h(0).cx(0, 1).rx(0.4, 0);
  const Split by_gate{*straighten(bell), take_apart(bell, {.gates = {1}, .wires = {}})};
  EXPECT_EQ(by_gate.pieces.gate_cuts(), 1U);
  EXPECT_EQ(by_gate.pieces.terms(), 4.0);
  EXPECT_EQ(by_gate.pieces.sampling_overhead(), 9.0);
  EXPECT_LT(distance(by_gate, state_of(bell)), 1e-14);
  const Split by_wire{*straighten(bell), take_apart(bell, {.gates = {}, .wires = {{1, 0}}})};
  EXPECT_EQ(by_wire.pieces.wire_cuts(), 1U);
  EXPECT_EQ(by_wire.pieces.terms(), 4.0);
  EXPECT_EQ(by_wire.pieces.sampling_overhead(), 16.0);
  EXPECT_LT(distance(by_wire, state_of(bell)), 1e-14);
}

TEST(Cut, AChainIsCutOnceWhereItHasToBe) {
  const Circuit circuit = chain(10, 1);
  const auto found = split(circuit, 6, 4);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->pieces.links.size(), 1U);
  EXPECT_LE(found->pieces.widest(), 6U);
  EXPECT_LT(distance(*found, state_of(circuit)), 1e-12);
  EXPECT_FALSE(split(circuit, 2, 2));
}

TEST(Cut, ClustersAreFoundAndCutAtTheirMeetings) {
  for (int meetings = 1; meetings <= 4; ++meetings) {
    const Circuit circuit = clusters(12, meetings, static_cast<std::uint64_t>(meetings));
    const auto found = split(circuit, 11, 6);
    ASSERT_TRUE(found);
    EXPECT_LE(found->pieces.links.size(), static_cast<std::size_t>(meetings));
    EXPECT_LE(found->pieces.widest(), 11U);
    EXPECT_LT(distance(*found, state_of(circuit)), 1e-11) << meetings;
  }
}

/// Gates of every row of the table and matrices, with up to two controls, that meet seldom enough to be cut.
Circuit sparse(std::uint64_t seed, std::uint32_t wires, int gates) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> angle(-3, 3);
  Circuit circuit(wires);
  const Circuit donor = ir::testing::random_circuit(seed, {.wires = 2, .bits = 0, .gates_only = true});
  for (const Matrix& matrix : donor.matrices()) circuit.add_matrix(matrix);
  for (int i = 0; i < gates; ++i) {
    const auto op = static_cast<Op>(random() % (std::uint64_t{kGateCount} + (circuit.matrices().empty() ? 0 : 1)));
    const auto aux = op == Op::unitary ? static_cast<std::uint32_t>(random() % circuit.matrices().size()) : 0;
    const auto targets = op == Op::unitary ? circuit.matrices()[aux].wires : static_cast<unsigned>(gate_targets(op));
    const auto controls = static_cast<std::uint16_t>(random() % 3 == 0 ? random() % 3
                                                     : targets == 1    ? random() % 2
                                                                       : 0);
    // Neighbours meet, now and then wires far from each other.
    std::vector<Wire> line(wires);
    for (Wire wire = 0; wire < wires; ++wire) line[wire] = wire;
    std::rotate(line.begin(), line.begin() + static_cast<std::ptrdiff_t>(random() % (wires - controls - targets + 1)),
                line.end());
    line.resize(controls + targets);
    std::shuffle(line.begin(), line.end(), random);
    std::vector<Param> params;
    for (int p = 0; op != Op::unitary && p < gate_parameters(op); ++p) params.push_back({angle(random)});
    circuit.append(op, line, params, controls, aux);
  }
  return circuit;
}

// Any gates, any cuts: what the pieces say together is what the uncut circuit says.
TEST(Cut, PiecesOfRandomCircuitsGiveTheStateAndTheExpectationsOfTheWhole) {
  int gate_cuts = 0, wire_cuts = 0, several = 0;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    const Circuit circuit = sparse(seed, 8, 14);
    const auto found = split(circuit, 6, 4);
    if (!found) continue;
    gate_cuts += found->pieces.gate_cuts() != 0 ? 1 : 0;
    wire_cuts += found->pieces.wire_cuts() != 0 ? 1 : 0;
    several += found->pieces.circuits.size() > 2 && found->pieces.links.size() > 1 ? 1 : 0;
    EXPECT_LE(found->pieces.links.size(), 4U);
    EXPECT_LE(found->pieces.widest(), 12U);
    const auto whole = state_of(circuit);
    ASSERT_LT(distance(*found, whole), 1e-10) << seed;
    const std::vector<Observable> observables{Observable::parse("0.5*Z0 Z1 - 1.2*X2 + 3 + 0.7*Y0 X3 Y4 - 0.1*Y2 X5", 8),
                                              Observable::parse("X0 X1 X2 X3 X4 X5 X6 X7", 8)};
    RunOptions options;
    options.observables = observables;
    const auto expected = run(circuit, options).expectations;
    const auto joined = expectations(*found, observables);
    for (std::size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(joined[i], expected[i], 1e-10) << seed;
  }
  EXPECT_GT(gate_cuts, 30);
  EXPECT_GT(wire_cuts, 30);
  EXPECT_GT(several, 10);
}

TEST(Cut, SamplesOfPiecesFollowTheWholesProbabilities) {
  const Circuit circuit = clusters(8, 2, 5);
  const auto found = split(circuit, 7, 4);
  ASSERT_TRUE(found);
  ASSERT_FALSE(found->pieces.links.empty());
  constexpr std::uint64_t kShots = 200'000;
  const auto drawn = sample(found->pieces, tensors(found->pieces), kShots, 11, {});
  EXPECT_EQ(drawn, sample(found->pieces, tensors(found->pieces), kShots, 11, {}));
  std::vector<double> seen(256);
  for (const std::uint64_t outcome : drawn) seen[outcome] += 1.0;
  const auto whole = state_of(circuit);
  double chi = 0.0, cells = 0.0;
  for (std::size_t i = 0; i < 256; ++i) {
    std::size_t at = 0;
    for (std::size_t wire = 0; wire < 8; ++wire) at |= ((i >> wire) & 1) << found->straight.place[wire];
    const double expected = std::norm(whole[i]) * kShots;
    if (expected < 5) continue;
    chi += (seen[at] - expected) * (seen[at] - expected) / expected;
    cells += 1.0;
  }
  EXPECT_GT(cells, 30.0);
  EXPECT_LT(chi, cells + 5 * std::sqrt(2 * cells));  // mean and deviation of chi squared
}

TEST(Cut, SwapsAreRenamedAndWhatCannotBeCutSaysWhy) {
  Circuit swaps(4);
  swaps.h(0).cx(0, 1).swap(1, 2).cx(2, 3).iswap(0, 3);
  const auto straight = straighten(swaps);
  ASSERT_TRUE(straight);
  EXPECT_EQ(straight->place, (std::vector<Wire>{0, 2, 1, 3}));
  EXPECT_LT(distance({*straight, take_apart(straight->circuit, {})}, state_of(swaps)), 1e-13);
  Circuit midway(1, 1);
  midway.measure(0, 0).h(0);
  EXPECT_EQ(straighten(midway).error(), "the circuit measures midway");
  Circuit resets(1);
  resets.reset(0);
  EXPECT_NE(straighten(resets).error().find("reset"), std::string::npos);
}

TEST(Cut, WiresThatNothingJoinsShareAPiece) {
  Circuit circuit(30);
  for (Wire wire = 0; wire < 30; ++wire) circuit.ry(0.1 * wire, wire);
  const auto found = split(circuit, 20, 0);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->pieces.circuits.size(), 3U);
  EXPECT_TRUE(found->pieces.links.empty());
}

}  // namespace
}  // namespace skerry::edge::cut
