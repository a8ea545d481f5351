#include <cmath>
#include <skerry/lint.hpp>
#include <tuple>

#include "passes/testing/meaning.hpp"

namespace skerry {
namespace {

using passes::testing::Vector;

// log2 of the rank of the amplitudes as a matrix, by elimination with the largest pivot.
double exact_bits(const Vector& state, Wire cut) {
  const std::size_t rows = std::size_t{1} << (cut + 1);
  std::vector<Vector> columns;
  for (std::size_t c = 0; c < state.size() / rows; ++c) {
    const auto begin = state.begin() + static_cast<std::ptrdiff_t>(c * rows);
    columns.emplace_back(begin, begin + static_cast<std::ptrdiff_t>(rows));
  }
  int rank = 0;
  while (true) {
    std::size_t column = 0, row = 0;
    for (std::size_t c = 0; c < columns.size(); ++c) {
      for (std::size_t r = 0; r < rows; ++r) {
        if (std::abs(columns[c][r]) > std::abs(columns[column][row])) std::tie(column, row) = std::pair(c, r);
      }
    }
    const Vector pivot = columns[column];
    if (std::abs(pivot[row]) < 1e-9) return std::log2(rank);
    ++rank;
    for (Vector& other : columns) {
      const std::complex<double> factor = other[row] / pivot[row];
      for (std::size_t r = 0; r < rows; ++r) other[r] -= factor * pivot[r];
    }
  }
}

TEST(EntanglementBounds, AreNeverBelowTheSchmidtRankAtAnyMoment) {
  std::mt19937_64 random(7);
  int tight = 0;
  for (int round = 0; round < 60; ++round) {
    const Circuit circuit = passes::testing::random_circuit(random, 5, 10).bind(std::array{0.7});
    const auto bounds = entanglement_bounds(circuit);
    Vector state(32);
    state[0] = 1;
    for (std::size_t i = 0; i < circuit.body().size(); ++i) {
      if (is_gate(circuit.body()[i].op)) passes::testing::apply(circuit, circuit.body()[i], state);
      for (Wire cut = 0; cut < 4; ++cut) {
        const double exact = exact_bits(state, cut);
        ASSERT_LE(exact, bounds[cut] + 1e-9);
        tight += exact == bounds[cut] && exact > 0 ? 1 : 0;
      }
    }
  }
  EXPECT_GT(tight, 100);
}

std::vector<std::string> names(const Circuit& circuit) {
  std::vector<std::string> found;
  for (const Finding& finding : lint(circuit)) found.push_back(finding.name);
  return found;
}

TEST(Lint, NamesTheCutWhereEntanglementCostsMemory) {
  Circuit circuit(30);
  for (Wire wire = 0; wire < 30; ++wire) circuit.h(wire).t(wire);
  for (Wire wire = 0; wire < 15; ++wire) circuit.cx(wire, 29 - wire);
  const auto found = lint(circuit);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_NE(found[0].message.find("15 bits of entanglement between wires 0..14 and wires 15..29"), std::string::npos)
      << found[0].message;
  EXPECT_NE(found[0].message.find("a state vector takes 16 GiB"), std::string::npos) << found[0].message;
  EXPECT_EQ(found[0].where, "gate 74");
}

TEST(Lint, FindsNoFaultWithAChainNorWithACliffordCircuit) {
  Circuit chain(40);
  for (Wire wire = 0; wire + 1 < 40; ++wire) chain.t(wire).cx(wire, wire + 1);
  EXPECT_TRUE(lint(chain).empty());
  Circuit clifford(30);
  for (Wire wire = 0; wire < 15; ++wire) clifford.h(wire).cx(wire, 29 - wire);
  EXPECT_TRUE(lint(clifford).empty());
}

TEST(Lint, TellsWhatNoBitCanTellAndWhatIsWrittenOver) {
  Circuit circuit(5, 2);
  circuit.reset(0).h(0).cx(0, 1).cz(0, 1).h(2).measure(0, 0).measure(1, 0).measure(1, 1).x(3);
  EXPECT_EQ(names(circuit), (std::vector<std::string>{"unobserved_gates", "reusable_wires", "fresh_resets",
                                                      "idle_wires", "overwritten_bit"}));
}

}  // namespace
}  // namespace skerry
