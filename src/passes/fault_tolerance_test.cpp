#include <numbers>
#include <skerry/error.hpp>
#include <skerry/fault_tolerance.hpp>

#include "passes/testing/meaning.hpp"

namespace skerry {
namespace {

using passes::testing::expect_same_meaning;

// Toffoli gates over n - 2 clean wires: the benchmark Tof_n of Amy, Maslov, Mosca, arXiv:1303.2042, table 1.
Circuit tof(std::uint32_t controls) {
  const std::uint32_t target = controls, first = controls + 1;
  Circuit circuit(2 * controls - 1);
  const auto rung = [&](std::uint32_t i) {
    const Wire from = i == 0 ? 0 : first + i - 1;
    circuit.ccx(from, i + 1, i + 2 == controls ? target : first + i);
  };
  for (std::uint32_t i = 0; i + 2 < controls; ++i) rung(i);
  rung(controls - 2);
  for (std::uint32_t i = controls - 2; i-- > 0;) rung(i);
  return circuit;
}

TEST(FoldPhases, NeedsTheTGatesThatThePapersNeed) {
  const std::array<std::array<std::uint64_t, 3>, 4> known = {{{3, 21, 15}, {4, 35, 23}, {5, 49, 31}, {10, 119, 71}}};
  for (const auto& [controls, before, after] : known) {
    const Circuit circuit = tof(static_cast<std::uint32_t>(controls));
    EXPECT_EQ(count_non_clifford(circuit).t, before);
    const NonClifford count = count_non_clifford(write_clifford_t(circuit));
    EXPECT_EQ(count.t, after) << controls;
    EXPECT_EQ(count.rotations, 0U);
  }
}

TEST(WriteCliffordT, KeepsTheUnitaryOfToffolisAndTheirRelatives) {
  std::mt19937_64 random(5);
  const auto below = [&random](std::size_t n) { return static_cast<std::uint32_t>(random() % n); };
  constexpr std::array kOps = {Op::x, Op::z, Op::y, Op::h, Op::t, Op::s, Op::swap, Op::sx, Op::tdg, Op::rz, Op::p};
  for (int round = 0; round < 200; ++round) {
    Circuit circuit(5);
    const Affine theta = circuit.parameter("theta");
    for (int i = 0; i < 40; ++i) {
      const Op op = kOps[below(kOps.size())];
      std::array<Wire, 5> wires = {0, 1, 2, 3, 4};
      std::ranges::shuffle(wires, random);
      const auto targets = static_cast<std::uint32_t>(gate_targets(op));
      const std::uint32_t controls = below(op == Op::x ? 4 : 3);
      std::vector<Param> params;
      if (gate_parameters(op) == 1) {
        params.push_back(below(4) == 0 ? circuit.param(theta) : Param{std::numbers::pi / 4 * below(8)});
      }
      circuit.append(op, std::span(wires).first(targets + controls), params, static_cast<std::uint16_t>(controls));
    }
    const Circuit written = write_clifford_t(circuit);
    expect_same_meaning(circuit, written, random);
    EXPECT_LE(count_non_clifford(written).t,
              std::max<std::uint64_t>(count_non_clifford(circuit).t, std::uint64_t{40} * 56));
  }
}

TEST(FoldPhases, MeetsSymbolsAcrossCliffordGates) {
  Circuit circuit(2);
  const Affine theta = circuit.parameter("theta");
  circuit.rz(theta, 0).cx(1, 0).h(1).cx(1, 0).cx(1, 0).h(1).cx(1, 0).rz(-theta, 0);
  const Circuit folded = write_clifford_t(circuit);
  EXPECT_EQ(count_non_clifford(folded).rotations, 0U);
}

TEST(SurfaceCode, IsTheLeastDistanceThatFitsTheBudget) {
  const Circuit circuit = tof(10);
  std::uint64_t most = static_cast<std::uint64_t>(-1);
  for (const double p : {3e-3, 1e-3, 3e-4, 1e-4}) {
    const SurfaceCode found = estimate_surface_code(circuit, {.physical_error = p});
    EXPECT_LE(found.error, 1e-2);
    EXPECT_LT(found.physical_qubits, most);
    most = found.physical_qubits;
    // The next smaller distance would break the share of the code.
    const double smaller = static_cast<double>(found.tiles) * found.seconds / 1e-6 * (found.distance - 2.0) /
                           found.distance * 0.1 * std::pow(100 * p, (found.distance - 1) / 2.0);
    EXPECT_GT(smaller, 1e-2 / 3);
  }
  EXPECT_EQ(estimate_surface_code(circuit).t_states, 119U);
  EXPECT_LT(estimate_surface_code(write_clifford_t(circuit)).seconds, estimate_surface_code(circuit).seconds);
  EXPECT_THROW(estimate_surface_code(circuit, {.physical_error = 0.02}), Error);
}

}  // namespace
}  // namespace skerry
