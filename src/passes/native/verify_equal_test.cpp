#include <cmath>
#include <limits>
#include <map>
#include <skerry/compile.hpp>
#include <skerry/error.hpp>

#include "passes/native/clifford_rows.hpp"
#include "passes/native/miter.hpp"
#include "passes/native/pauli_program.hpp"
#include "passes/native/unroll.hpp"
#include "passes/testing/meaning.hpp"

namespace skerry::passes::native {
namespace {

using Answer = Equivalence::Answer;

Target line(std::uint32_t wires) {
  Target target{.qubits = wires, .all_to_all = false};
  for (Wire w = 0; w + 1 < wires; ++w) target.coupling.emplace_back(w, w + 1);
  return target;
}

Circuit bound(const Circuit& circuit) {
  const std::array theta = {0.7};
  return circuit.bind(theta);
}

TEST(VerifyEqual, AcceptsWhatTheCompilerGivesAndRefutesItWithOneGateMore) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 60; ++round) {
    const std::uint32_t wires = 2 + static_cast<std::uint32_t>(random() % 4);
    Circuit circuit = bound(testing::random_circuit(random, wires, 30));
    if (round % 3 == 0) circuit.measure_all();
    if (round % 3 == 1) {
      circuit.add_bits("c", 1);
      circuit.measure(0, 0);
    }
    const Compiled compiled =
        compile(circuit, {.level = static_cast<Level>(random() % 3), .target = line(6), .error_budget = 0});
    Circuit other = std::get<Circuit>(compiled.program);
    const Mapping& mapping = *compiled.mapping;
    const Equivalence same = verify_equal(circuit, other, &mapping);
    EXPECT_EQ(same.answer, Answer::equal) << round << " " << same.reason;
    Circuit wrong(6, other.num_bits());
    wrong.rx(0.01, mapping.initial[0]);
    for (std::size_t i = 0; i < other.body().size(); ++i) {
      const Instruction at = other.body()[i];
      wrong.append(at.op, at.wires, at.params, at.controls, at.aux);
    }
    EXPECT_EQ(verify_equal(circuit, wrong, &mapping).answer, Answer::different) << round;
  }
}

TEST(VerifyEqual, ProvesCliffordsTooWideForAStateVector) {
  std::mt19937_64 random(2);
  Circuit circuit(50);
  for (int i = 0; i < 600; ++i) {
    const auto a = static_cast<Wire>(random() % 50), b = static_cast<Wire>((a + 1 + random() % 49) % 50);
    circuit.h(a).s(b).cx(a, b);
  }
  const Compiled compiled = compile(circuit, {.level = Level::medium, .target = Target{}});
  EXPECT_EQ(verify_equal(circuit, std::get<Circuit>(compiled.program), &*compiled.mapping).answer, Answer::equal);
}

TEST(VerifyEqual, DecidesCliffordsOfAnyWidthEitherWay) {
  constexpr Wire kWires = 130;
  // Sums of all wires before, along a ladder and one by one from the end.
  Circuit ladder(kWires), direct(kWires);
  for (Wire w = 0; w + 1 < kWires; ++w) ladder.cx(w, w + 1);
  for (Wire to = kWires; to-- > 1;) {
    for (Wire from = 0; from < to; ++from) direct.h(to).cz(from, to).h(to);
  }
  EXPECT_EQ(verify_equal(ladder, direct).answer, Answer::equal);
  for (const Wire wire : {Wire{0}, Wire{64}, Wire{129}}) {
    Circuit phase = direct, flip = direct;
    EXPECT_EQ(verify_equal(ladder, phase.s(wire)).answer, Answer::different);
    EXPECT_EQ(verify_equal(ladder, flip.x(wire)).answer, Answer::different);
    EXPECT_EQ(verify_equal(Circuit(ladder).measure_all(), phase.measure_all()).answer, Answer::equal) << "phases alone";
    EXPECT_EQ(verify_equal(Circuit(ladder).measure_all(), flip.measure_all()).answer, Answer::different);
  }
}

// Whether b undone by a leaves every wire alone but for a phase, and a phase for each outcome of measured wires, by
// columns of the whole matrix.
bool leaves_nothing(const Circuit& a, const Circuit& b, const std::vector<MiterWire>& wires) {
  const std::size_t size = std::size_t{1} << a.num_wires();
  std::vector<testing::Vector> of_a, of_b;
  for (std::size_t k = 0; k < size; ++k) {
    testing::Vector basis(size);
    basis[k] = 1;
    of_a.push_back(testing::evolve(a, basis));
    of_b.push_back(testing::evolve(b, basis));
  }
  std::map<std::size_t, std::complex<double>> phases;
  for (std::size_t row = 0; row < size; ++row) {
    std::size_t measured = 0;
    for (const MiterWire& wire : wires) measured |= wire.measured ? row & (std::size_t{1} << wire.in_a) : 0;
    for (std::size_t column = 0; column < size; ++column) {
      std::complex<double> entry;
      for (std::size_t k = 0; k < size; ++k) entry += of_a[k][row] * std::conj(of_b[k][column]);
      if (row != column) {
        if (std::abs(entry) > 1e-7) return false;
      } else if (std::abs(entry - phases.emplace(measured, entry).first->second) > 1e-7) {
        return false;
      }
    }
  }
  return true;
}

TEST(Undo, AgreesWithTheWholeMatrix) {
  std::mt19937_64 random(7);
  std::size_t nothing = 0, something = 0;
  for (int round = 0; round < 400; ++round) {
    const std::uint32_t n = 2 + static_cast<std::uint32_t>(random() % 3);
    Circuit a = bound(testing::random_circuit(random, n, 15));
    Circuit b = std::get<Circuit>(compile(a, {.level = static_cast<Level>(random() % 2), .error_budget = 0}).program);
    std::vector<MiterWire> wires;
    for (Wire w = 0; w < n; ++w) wires.push_back({w, w, random() % 2 == 0});
    const auto on = static_cast<Wire>(random() % n);
    if (round % 4 == 1) b.rz(0.01, on);
    if (round % 4 == 2) b.rx(0.01, on);
    if (round % 4 == 3) b.cz(on, (on + 1) % n);
    const Flat in_a = unroll(a), in_b = unroll(b);
    std::vector<MiterWire> places;
    for (const MiterWire& wire : wires) places.push_back({in_a.place(wire.in_a), in_b.place(wire.in_b), wire.measured});
    const bool same = leaves_nothing(a, b, wires);
    ASSERT_EQ(undo(in_a, in_b, places), same ? Undone::nothing : Undone::something) << round;
    ++(same ? nothing : something);
  }
  EXPECT_GT(nothing, 100U);
  EXPECT_GT(something, 100U);
}

TEST(VerifyEqual, DecidesProgramsOfAnyWidthThatKeepTheirStructure) {
  std::mt19937_64 random(6);
  for (const std::uint32_t wires : {24U, 100U}) {
    Circuit circuit(wires);
    for (int layer = 0; layer < 3; ++layer) {
      for (Wire w = 0; w < wires; ++w) circuit.ry(0.1 + static_cast<double>(random() % 60) / 10, w).t(w);
      for (int k = 0; k < 8; ++k) {
        const auto at = static_cast<Wire>(random() % (wires - 2));
        circuit.cx(at, at + 2).rzz(0.3, at + 1, at);
      }
    }
    for (const Level level : {Level::low, Level::medium}) {
      const Compiled compiled = compile(circuit, {.level = level, .target = line(wires), .error_budget = 0});
      const Equivalence same = verify_equal(circuit, std::get<Circuit>(compiled.program), &*compiled.mapping);
      EXPECT_EQ(same.answer, Answer::equal) << same.reason;
      Circuit wrong = circuit;
      wrong.rx(0.01, static_cast<Wire>(random() % wires));
      EXPECT_EQ(verify_equal(wrong, std::get<Circuit>(compiled.program), &*compiled.mapping).answer, Answer::different);
    }
  }
}

TEST(VerifyEqual, TakesWhatCompilingDeclaresToHaveLeftOutAndNoMore) {
  for (const std::uint32_t wires : {10U, 18U}) {
    Circuit circuit(wires);
    for (Wire a = 0; a < wires; ++a) {
      circuit.h(a);
      for (Wire b = a + 1; b < wires; ++b) {
        circuit.cp(std::ldexp(3.14159265358979, -static_cast<int>(b - a) - (wires == 10 ? 8 : 0)), a, b);
      }
    }
    for (const Level level : {Level::low, Level::medium}) {
      const Compiled compiled = compile(circuit, {.level = level, .target = line(wires)});
      const auto& out = std::get<Circuit>(compiled.program);
      Mapping mapping = *compiled.mapping;
      ASSERT_GT(mapping.spent_error, 2e-9);
      EXPECT_EQ(verify_equal(circuit, out, &mapping).answer, Answer::equal) << wires;
      Circuit wrong = circuit;
      wrong.rx(0.01, 3);
      EXPECT_NE(verify_equal(wrong, out, &mapping).answer, Answer::equal) << wires;
      mapping.spent_error /= 100;
      EXPECT_NE(verify_equal(circuit, out, &mapping).answer, Answer::equal) << wires;
      for (const double nonsense : {-1e-9, 1.0, std::numeric_limits<double>::quiet_NaN()}) {
        mapping.spent_error = nonsense;
        EXPECT_THROW(verify_equal(circuit, out, &mapping), Error);
      }
    }
  }
}

TEST(VerifyEqual, GivesUpInBoundedWorkWhereStructuresHaveNothingInCommon) {
  std::mt19937_64 random(8);
  const Circuit a = bound(testing::random_circuit(random, 40, 2000));
  const Circuit b = bound(testing::random_circuit(random, 40, 2000));
  EXPECT_NE(verify_equal(a, b).answer, Answer::equal);
}

TEST(CliffordRows, AgreeWithThePauliProgramAndRefuseOtherGates) {
  std::mt19937_64 random(9);
  ExprPool pool;
  for (int round = 0; round < 200; ++round) {
    Circuit circuit(4);
    for (int i = 0; i < 30; ++i) {
      const auto a = static_cast<Wire>(random() % 4), b = static_cast<Wire>((a + 1 + random() % 3) % 4);
      if (random() % 2 == 0) circuit.sx(a).cz(a, b);
      if (random() % 2 == 0) circuit.s(b).h(a);
      if (random() % 3 == 0) circuit.swap(a, b).y(a).iswap(a, b);
    }
    const Flat flat = unroll(circuit);
    const auto rows = clifford_rows(flat);
    const auto program = pauli_program(flat, pool, 0);
    ASSERT_TRUE(rows && program);
    for (Wire w = 0; w < 4; ++w) {
      for (const auto& [row, pauli] :
           {std::pair(rows->x[w], program->x_rows[w]), std::pair(rows->z[w], program->z_rows[w])}) {
        ASSERT_EQ(std::tuple(row.x[0], row.z[0], row.phase), std::tuple(pauli.x, pauli.z, pauli.phase)) << round;
      }
    }
    Circuit other = circuit;
    other.t(0);
    EXPECT_FALSE(clifford_rows(unroll(other)));
  }
}

TEST(VerifyEqual, ComparesSymbolsByTheirRotations) {
  Circuit a(3), b(3);
  const Affine s = a.parameter("t"), t = b.parameter("t");
  a.cx(0, 1).rz(s, 1).cx(0, 1).h(2).rz(s, 0);
  b.h(2).rz(t, 0).rzz(t, 1, 0);
  EXPECT_EQ(verify_equal(a, b).answer, Answer::equal);
}

TEST(VerifyEqual, RefusesProgramsWithoutAUnitary) {
  Circuit a(1);
  a.reset(0);
  EXPECT_THROW(verify_equal(a, a), Error);
}

TEST(Estimate, IsTheSumThatIsCountedByHand) {
  Target target{.qubits = 3};
  target.t1_seconds = {1e-4, 1e-4, 1e-4};
  target.gates["cx"] = {.duration_seconds = 3e-7, .error = 0.01};
  target.gates["cx"].durations_seconds[{0, 1}] = 4e-7;
  target.gates["sx"] = {.duration_seconds = 5e-8, .error = 0.001};
  target.gates["measure"] = {.duration_seconds = 1e-6, .error = 0.02};
  Circuit circuit(3, 1);
  circuit.sx(0).cx(1, 0).rz(0.3, 1).cx(1, 2).measure(2, 0);
  const Estimate found = estimate(circuit, target);
  EXPECT_EQ(found.depth, 5U);
  EXPECT_EQ(found.two_wire_depth, 2U);
  EXPECT_EQ(found.width, 3U);
  EXPECT_EQ(found.gates, 4U);
  EXPECT_EQ(found.counts.at("cx"), 2U);
  const double total = 5e-8 + 4e-7 + 3e-7 + 1e-6;
  EXPECT_NEAR(found.duration_seconds, total, 1e-15);
  const double idle = (total - 4.5e-7) + (total - 7e-7) + (total - 1.3e-6);
  EXPECT_NEAR(found.success_probability, 0.999 * 0.99 * 0.99 * 0.98 * std::exp(-idle / 1e-4), 1e-12);
}

TEST(Estimate, WaitsAtBarriersAndTakesTheLongerBranch) {
  Target target{.qubits = 2};
  target.gates["x"].duration_seconds = 1e-7;
  Circuit circuit(2, 1);
  circuit.x(0).barrier().x(1);
  EXPECT_NEAR(estimate(circuit, target).duration_seconds, 2e-7, 1e-15);
}

}  // namespace
}  // namespace skerry::passes::native
