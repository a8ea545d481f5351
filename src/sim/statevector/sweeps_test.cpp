#include "sim/statevector/sweeps.hpp"

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <numbers>
#include <numeric>
#include <random>
#include <skerry/error.hpp>

#include "base/threads.hpp"
#include "ops/qubit/gate_record.hpp"
#include "sim/state/random_circuits.hpp"

namespace skerry::sim {
namespace {

using Complex = std::complex<double>;
using Amplitudes = std::vector<Complex>;

Amplitudes random_state(int wires, std::mt19937& random) {
  std::normal_distribution<double> normal;
  Amplitudes out(std::size_t{1} << wires);
  double norm = 0;
  for (Complex& z : out) {
    z = {normal(random), normal(random)};
    norm += std::norm(z);
  }
  for (Complex& z : out) z /= std::sqrt(norm);
  return out;
}

/// The oracle: y_i = sum over j of <i|G|j> x_j, with the matrix of the gate's record on the target bits where all
/// control bits of j are 1. No code of the simulator.
Amplitudes after(const Circuit& circuit, Amplitudes x) {
  for (std::size_t g = 0; g < circuit.body().size(); ++g) {
    const Instruction instruction = circuit.body()[g];
    if (!is_gate(instruction.op)) continue;
    const auto matrix = ops::instruction_matrix(circuit, instruction);
    const auto targets = instruction.targets();
    const std::size_t rows = std::size_t{1} << targets.size();
    std::size_t controls = 0;
    for (const Wire wire : instruction.control_wires()) controls |= std::size_t{1} << wire;
    Amplitudes y(x.size());
    for (std::size_t j = 0; j < x.size(); ++j) {
      if ((j & controls) != controls) {
        y[j] += x[j];
        continue;
      }
      std::size_t column = 0;
      for (std::size_t t = 0; t < targets.size(); ++t) column |= (j >> targets[t] & 1) << t;
      for (std::size_t row = 0; row < rows; ++row) {
        if (matrix[row * rows + column] == 0.0) continue;
        std::size_t i = j;
        for (std::size_t t = 0; t < targets.size(); ++t)
          i = (i & ~(std::size_t{1} << targets[t])) | ((row >> t & 1) << targets[t]);
        y[i] += matrix[row * rows + column] * x[j];
      }
    }
    x = std::move(y);
  }
  return x;
}

/// A gate of gates.def on random wires, with up to `most_controls` controls.
void append_random_gate(Circuit& circuit, Op op, int most_controls, std::mt19937& random) {
  const auto targets = static_cast<std::size_t>(gate_targets(op));
  const std::size_t wires = circuit.num_wires();
  if (targets > wires) return;
  const std::size_t room = std::min(wires - targets, static_cast<std::size_t>(most_controls));
  const std::size_t controls = random() % (room + 1);
  const std::vector<Wire> order = some_wires(circuit.num_wires(), targets + controls, random);
  std::vector<Param> params;
  std::uniform_real_distribution<double> angle(-4, 4);
  for (int p = 0; p < gate_parameters(op); ++p) params.push_back({angle(random), kNoExpr});
  circuit.append(op, order, params, static_cast<std::uint16_t>(controls));
}

/// Gates as a simulator meets them: many one-wire, diagonal and controlled gates, swaps here and there.
Circuit common_circuit(int wires, int gates, std::mt19937& random) {
  const Op usual[] = {Op::h, Op::t, Op::rx, Op::ry, Op::rz, Op::x, Op::z, Op::p, Op::sx, Op::swap, Op::rzz, Op::u};
  Circuit circuit(static_cast<std::uint32_t>(wires));
  for (int i = 0; i < gates; ++i) append_random_gate(circuit, usual[random() % std::size(usual)], 1, random);
  return circuit;
}

struct Gates {
  explicit Gates(const Circuit& circuit, Direction direction = Direction::forward) {
    positions.resize(circuit.num_wires());
    std::iota(positions.begin(), positions.end(), 0U);
    for (std::uint32_t i = 0; i < circuit.body().size(); ++i) refs.push_back({0, i});
    list = {&circuit, positions, refs, direction};
  }
  std::vector<std::uint32_t> positions;
  std::vector<GateRef> refs;
  GateList list;
};

template <class T>
std::vector<std::complex<T>> run(const Circuit& circuit, const Amplitudes& from, int block,
                                 Direction direction = Direction::forward, std::uint64_t zero_wires = 0,
                                 std::uint64_t planned_zero = 0) {
  const Gates gates(circuit, direction);
  const auto wires = static_cast<int>(circuit.num_wires());
  const Precision precision = sizeof(T) == 4 ? Precision::single_precision : Precision::double_precision;
  const SweepPlan plan = plan_sweeps(gates.list, wires, precision, block, planned_zero);
  const BoundSweeps<T> sweeps(plan, gates.list, [](ExprId) { return 0.0; });
  kernels::SweepScratch<T> scratch(sweeps.scratch_size(), base::thread_budget(), base::MemoryBudget{});
  std::vector<std::complex<T>> state;
  for (const Complex& z : from) state.emplace_back(z);
  sweeps.apply({state.data(), wires}, zero_wires, scratch, {});
  return state;
}

template <class T>
double distance(const std::vector<std::complex<T>>& a, const Amplitudes& b) {
  double largest = 0;
  for (std::size_t i = 0; i < b.size(); ++i) largest = std::max(largest, std::abs(Complex(a[i]) - b[i]));
  return largest;
}

template <class T>
class Sweeps : public testing::Test {
 public:
  /// Amplitudes are below 1; each gate rounds a few times.
  static double tolerance(std::size_t gates) {
    return 8 * static_cast<double>(gates + 4) * static_cast<double>(std::numeric_limits<T>::epsilon());
  }
};
using Precisions = testing::Types<float, double>;
TYPED_TEST_SUITE(Sweeps, Precisions);

TYPED_TEST(Sweeps, QuarterTurnsEitherWayEqualTheOracleOnEveryWire) {
  std::mt19937 random(31);
  constexpr double quarter = std::numbers::pi / 2;
  for (std::uint32_t wire = 0; wire < 9; ++wire) {
    for (const double turn : {quarter, -quarter, 3 * quarter}) {
      Circuit circuit(9);
      circuit.ry(turn, wire).t(wire).rx(turn, wire).cz(wire, (wire + 1) % 9).sx(wire).h(wire);
      const Amplitudes from = random_state(9, random);
      ASSERT_LT(distance(run<TypeParam>(circuit, from, 1), after(circuit, from)), this->tolerance(6))
          << "by " << turn << " on wire " << wire;
    }
  }
}

TYPED_TEST(Sweeps, EveryGateOnEveryWireEqualsTheOracle) {
  std::mt19937 random(1);
  for (int wires : {1, 2, 3, 5, 9}) {
    for (std::uint16_t op = 0; op < kGateCount; ++op) {
      for (int round = 0; round < 2 * wires; ++round) {
        Circuit circuit(static_cast<std::uint32_t>(wires));
        append_random_gate(circuit, static_cast<Op>(op), round % 3, random);
        const Amplitudes from = random_state(wires, random);
        ASSERT_LT(distance(run<TypeParam>(circuit, from, 1), after(circuit, from)), this->tolerance(1))
            << op_name(static_cast<Op>(op)) << " on " << wires << " wires, round " << round;
      }
    }
  }
}

TYPED_TEST(Sweeps, OneWireGatesEqualTheOracleAtEachWireAndBlockSize) {
  std::mt19937 random(2);
  constexpr int kWires = 10;
  const Amplitudes from = random_state(kWires, random);
  for (const int block : {1, 8, kWires}) {
    for (Wire wire = 0; wire < kWires; ++wire) {
      Circuit circuit(kWires);
      circuit.h(wire).t(wire).rx(0.3, wire).u(0.1, 0.2, 0.3, wire).x(wire).ry(3.1, wire).ry(3.14159, wire).sx(wire);
      for (Wire other = 0; other < kWires; ++other) {
        if (other == wire) continue;
        circuit.cx(other, wire).cp(0.3, wire, other).append(Op::ry, {other, wire}, {0.7}, 1);
      }
      ASSERT_LT(distance(run<TypeParam>(circuit, from, block), after(circuit, from)),
                this->tolerance(circuit.body().size()))
          << "wire " << wire << ", block " << block;
    }
  }
}

TYPED_TEST(Sweeps, RandomCircuitsEqualTheOracleForEachBlockSize) {
  std::mt19937 random(3);
  for (int round = 0; round < 60; ++round) {
    const int wires = 1 + round % 12;
    const Circuit circuit = round % 2 == 0 ? random_circuit(static_cast<std::uint32_t>(wires), 60, random)
                                           : common_circuit(wires, 150, random);
    const Amplitudes from = random_state(wires, random);
    const Amplitudes expected = after(circuit, from);
    for (const int block : {1, 7, 9, 12}) {
      ASSERT_LT(distance(run<TypeParam>(circuit, from, block), expected), this->tolerance(circuit.body().size()))
          << "round " << round << ", " << wires << " wires, block " << block;
    }
  }
}

TYPED_TEST(Sweeps, TheInverseUndoesACircuit) {
  std::mt19937 random(4);
  for (int round = 0; round < 20; ++round) {
    const int wires = 2 + round % 9;
    const Circuit circuit = random_circuit(static_cast<std::uint32_t>(wires), 40, random);
    const Amplitudes from = random_state(wires, random);
    const auto there = run<TypeParam>(circuit, from, 8);
    const auto back = run<TypeParam>(circuit, Amplitudes(there.begin(), there.end()), 8, Direction::inverse);
    ASSERT_LT(distance(back, from), this->tolerance(2 * circuit.body().size())) << "round " << round;
  }
}

TYPED_TEST(Sweeps, BlocksThatAreKnownToBeZeroAreLeftOut) {
  std::mt19937 random(5);
  for (int round = 0; round < 20; ++round) {
    const int wires = 9 + round % 4;
    const Circuit circuit = common_circuit(wires, 100, random);
    Amplitudes zero(std::size_t{1} << wires);
    zero[0] = 1;
    const auto state = run<TypeParam>(circuit, zero, 1, Direction::forward, (std::uint64_t{1} << wires) - 1);
    ASSERT_LT(distance(state, after(circuit, zero)), this->tolerance(circuit.body().size())) << "round " << round;
  }
}

TYPED_TEST(Sweeps, APlanFromZeroEqualsTheOracleFromZeroAndFromAnyState) {
  std::mt19937 random(41);
  for (int round = 0; round < 12; ++round) {
    const int wires = 8 + round % 4;
    const Circuit circuit = common_circuit(wires, 120, random);
    const std::uint64_t all = (std::uint64_t{1} << wires) - 1;
    Amplitudes zero(std::size_t{1} << wires);
    zero[0] = 1;
    ASSERT_LT(distance(run<TypeParam>(circuit, zero, 1, Direction::forward, all, all), after(circuit, zero)),
              this->tolerance(120));
    const Amplitudes from = random_state(wires, random);
    ASSERT_LT(distance(run<TypeParam>(circuit, from, 1, Direction::forward, 0, all), after(circuit, from)),
              this->tolerance(120));
  }
}

TYPED_TEST(Sweeps, ThreadsDoNotChangeABit) {
  std::mt19937 random(6);
  const Circuit circuit = common_circuit(12, 200, random);
  const Amplitudes from = random_state(12, random);
  std::vector<std::vector<std::complex<TypeParam>>> states;
  for (const int threads : {1, 2, 3}) {
    base::set_thread_budget(threads);
    states.push_back(run<TypeParam>(circuit, from, 8));
  }
  base::set_thread_budget(0);
  EXPECT_EQ(states[0], states[1]);
  EXPECT_EQ(states[0], states[2]);
}

TYPED_TEST(Sweeps, EveryVectorUnitEqualsTheOracle) {
  std::mt19937 random(8);
  const std::int64_t supported = hwy::SupportedTargets();
  const std::int64_t vectors = supported & HWY_TARGETS;
  for (std::int64_t target = vectors; target != 0; target &= target - 1) {
    // Whatever is at least as old as this one; the newest of them is taken.
    hwy::GetChosenTarget().Update(target);
    for (int round = 0; round < 8; ++round) {
      const Circuit circuit = round % 2 == 0 ? random_circuit(10, 60, random) : common_circuit(10, 150, random);
      const Amplitudes from = random_state(10, random);
      EXPECT_LT(distance(run<TypeParam>(circuit, from, 7), after(circuit, from)),
                this->tolerance(circuit.body().size()))
          << "targets " << target;
    }
  }
  hwy::GetChosenTarget().Update(supported);
}

/// How often the sweeps of a plan from |0…0> bring the whole state in and out.
double passes(const SweepPlan& plan) {
  std::uint64_t zero = (std::uint64_t{1} << plan.wires) - 1;
  double sum = 0;
  for (const ItemPlan& item : plan.items) {
    std::uint64_t local = 0;
    for (const std::uint8_t wire : item.local) local |= std::uint64_t{1} << wire;
    sum += std::ldexp(1.0, -std::popcount(zero & ~local));
    zero &= ~item.wires;
  }
  return sum;
}

TEST(SweepPlan, ARandomCircuitOf24WiresMovesItsStateTwice) {
  std::mt19937 random(9);
  Circuit circuit(24);
  for (Wire layer = 0; layer < 20; ++layer) {
    for (Wire wire = 0; wire < 24; ++wire) {
      switch (random() % 3) {
        case 0:
          circuit.sx(wire);
          break;
        case 1:
          circuit.ry(1.5707963267948966, wire);
          break;
        default:
          circuit.t(wire);
      }
    }
    for (Wire wire = layer % 2; wire + 1 < 24; wire += 2) circuit.cz(wire, wire + 1);
  }
  const Gates gates(circuit);
  const std::uint64_t all = (std::uint64_t{1} << 24) - 1;
  EXPECT_LE(passes(plan_sweeps(gates.list, 24, Precision::single_precision, 17, all)), 2.1);
  EXPECT_LE(passes(plan_sweeps(gates.list, 24, Precision::single_precision, 16, all)), 3);
  // From any other state every sweep moves all of it.
  EXPECT_LE(plan_sweeps(gates.list, 24, Precision::single_precision, 17).items.size(), 4U);
}

TEST(SweepPlan, ManySmallRotationsDoNotOverflow) {
  // Each gate pulls out its cosine; without giving it back now and then, float would end at 1e38.
  Circuit circuit(9);
  for (int i = 0; i < 400; ++i)
    for (Wire wire = 0; wire < 9; ++wire) circuit.ry(1.5, wire).h(wire);
  std::mt19937 random(7);
  const Amplitudes from = random_state(9, random);
  EXPECT_LT(distance(run<float>(circuit, from, 9), after(circuit, from)), 1e-3);
}

TEST(SweepPlan, DiagonalsControlsAndSwapsCostNoSweep) {
  Circuit circuit(16);
  for (Wire wire = 0; wire < 16; ++wire) {
    circuit.rz(0.1, wire);
    for (Wire other = wire + 1; other < 16; ++other) circuit.cp(0.1, wire, other);
  }
  for (Wire wire = 1; wire < 16; ++wire) circuit.cx(wire, 0);
  const Gates gates(circuit);
  const SweepPlan plan = plan_sweeps(gates.list, 16, Precision::single_precision, 10);
  EXPECT_EQ(plan.items.size(), 1U);
}

TEST(SweepPlan, StopsWhenAsked) {
  std::stop_source source;
  source.request_stop();
  Circuit circuit(9);
  circuit.h(8);
  const Gates gates(circuit);
  const SweepPlan plan = plan_sweeps(gates.list, 9, Precision::double_precision);
  const BoundSweeps<double> sweeps(plan, gates.list, [](ExprId) { return 0.0; });
  kernels::SweepScratch<double> scratch(sweeps.scratch_size(), 2, base::MemoryBudget{});
  std::vector<Complex> state(512);
  RunControl control;
  control.stop = source.get_token();
  EXPECT_THROW(sweeps.apply({state.data(), 9}, 0, scratch, control), Error);
}

}  // namespace
}  // namespace skerry::sim
