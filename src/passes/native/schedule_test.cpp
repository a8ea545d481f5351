#include <cmath>
#include <skerry/compile.hpp>
#include <skerry/error.hpp>
#include <skerry/schedule.hpp>

#include "passes/testing/meaning.hpp"

namespace skerry::passes::native {
namespace {

using testing::evolve;
using testing::Vector;

Target device(std::uint32_t wires) {
  Target target{.qubits = wires};
  target.gates["sx"].duration_seconds = 40e-9;
  target.gates["x"].duration_seconds = 40e-9;
  target.gates["cx"].duration_seconds = 300e-9;
  target.gates["cx"].durations_seconds[{0, 1}] = 460e-9;
  target.gates["measure"].duration_seconds = 900e-9;
  return target;
}

Circuit random_native(std::mt19937_64& random, std::uint32_t wires, std::size_t gates) {
  Circuit circuit(wires);
  const auto below = [&random](std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); };
  for (std::size_t i = 0; i < gates; ++i) {
    const Wire a = below(wires), b = (a + 1 + below(wires - 1)) % wires;
    switch (below(5)) {
      case 0:
        circuit.sx(a);
        break;
      case 1:
        circuit.rz(0.1 * below(20), a);
        break;
      case 2:
        circuit.x(a);
        break;
      case 3:
        circuit.barrier();
        break;
      default:
        circuit.cx(a, b);
    }
  }
  return circuit;
}

double seconds_of(const Instruction& at, const Target& target) {
  if (at.op == Op::delay) return at.params[0].value;
  const char* name = at.controls == 1 ? "cx" : op_name(at.op).data();
  return target.duration_seconds(name, {at.wires.begin(), at.wires.end()});
}

// When each instruction begins if wires are simply used one after another, and when each wire is free.
std::vector<double> play(const Circuit& circuit, const Target& target, std::vector<double>& free) {
  std::vector<double> starts;
  free.assign(circuit.num_wires(), 0.0);
  for (std::size_t i = 0; i < circuit.body().size(); ++i) {
    const Instruction at = circuit.body()[i];
    double start = 0;
    for (const Wire wire : at.wires) start = std::max(start, free[wire]);
    starts.push_back(start);
    if (at.op == Op::barrier) {
      for (double& time : free) start = std::max(start, time);
      std::ranges::fill(free, start);
    }
    for (const Wire wire : at.wires) free[wire] = start + seconds_of(at, target);
  }
  return starts;
}

TEST(Schedule, LeavesNoWireWaitingWithoutADelayAndKeepsTheDuration) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 300; ++round) {
    const Target target = device(4);
    const Circuit circuit = random_native(random, 4, 30);
    for (const Alignment alignment : {Alignment::asap, Alignment::alap}) {
      for (const Decoupling decoupling : {Decoupling::none, Decoupling::x2, Decoupling::xy4}) {
        const Schedule made = schedule(circuit, target, {alignment, decoupling});
        std::vector<double> free;
        const std::vector<double> starts = play(made.circuit, target, free);
        const double total = estimate(circuit, target).duration_seconds;
        std::vector<double> spent(4, 0.0);
        for (std::size_t i = 0; i < starts.size(); ++i) {
          const Instruction at = made.circuit.body()[i];
          for (const Wire wire : at.wires) {
            ASSERT_NEAR(spent[wire], starts[i], 1e-15);  // nobody waits for the other
            spent[wire] += seconds_of(at, target);
          }
        }
        for (const double seconds : spent) {
          const bool is_unused = seconds == 0;
          EXPECT_NEAR(is_unused ? total : seconds, total, 1e-15);
        }
        EXPECT_NEAR(estimate(made.circuit, target).duration_seconds, total, 1e-15);
      }
    }
  }
}

TEST(Schedule, AlapIsAsapOfTheReversedCircuit) {
  std::mt19937_64 random(2);
  for (int round = 0; round < 100; ++round) {
    const Target target = device(4);
    const Circuit circuit = random_native(random, 4, 25);
    Circuit reversed(4);
    for (std::size_t i = circuit.body().size(); i-- > 0;) {
      const Instruction at = circuit.body()[i];
      reversed.append(at.op, at.wires, at.params, at.controls);
    }
    EXPECT_NEAR(schedule(circuit, target, {.alignment = Alignment::alap}).idle_seconds,
                schedule(reversed, target, {.alignment = Alignment::asap}).idle_seconds, 1e-15);
    // The pulse waits where the wire is in |0>, not where it holds something.
    Circuit late(2);
    late.sx(0).rz(0.3, 0).sx(0).x(1).cx(0, 1);
    const Circuit made = schedule(late, target).circuit;
    EXPECT_EQ(made.body()[3].op, Op::delay);
    EXPECT_EQ(made.body()[4].op, Op::x);
  }
}

TEST(Schedule, KeepsTheMeaningPhaseIncludedInAnyBasis) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 200; ++round) {
    Target target = device(3);
    if (round % 2 == 1) target.basis = {"rz", "sx", "cx"};
    const Circuit circuit = random_native(random, 3, 20);
    const Circuit made = schedule(circuit, target, {.decoupling = Decoupling::xy4}).circuit;
    ASSERT_NO_THROW(check_map(made, {.qubits = 3}));
    const Vector start = testing::random_state(random, 3);
    const Vector expected = evolve(circuit, start), actual = evolve(made, start);
    for (std::size_t i = 0; i < expected.size(); ++i) ASSERT_LT(std::abs(expected[i] - actual[i]), 1e-12);
  }
}

// Every delay turns its wire about Z by an unknown but constant rate.
Circuit detuned(const Circuit& circuit, double rate) {
  Circuit out(circuit.num_wires());
  for (std::size_t i = 0; i < circuit.body().size(); ++i) {
    const Instruction at = circuit.body()[i];
    if (at.op == Op::delay) {
      out.rz(rate * (1 + at.wires[0]) * at.params[0].value, at.wires[0]);
    } else if (is_gate(at.op)) {
      out.append(at.op, at.wires, at.params, at.controls);
    }
  }
  return out;
}

TEST(Decoupling, UndoesAConstantDetuningOfWaitingWires) {
  Circuit circuit(3);
  circuit.sx(0).sx(1).sx(2);
  for (int i = 0; i < 6; ++i) circuit.cx(0, 1);
  circuit.cx(1, 2).cx(1, 2);
  const Target target = device(3);
  const auto fidelity = [&](Decoupling decoupling) {
    const Schedule made = schedule(circuit, target, {Alignment::asap, decoupling});
    Vector zero(8);
    zero[0] = 1;
    const Vector ideal = evolve(circuit, zero), real = evolve(detuned(made.circuit, 1e6), zero);
    std::complex<double> dot;
    for (std::size_t i = 0; i < 8; ++i) dot += std::conj(ideal[i]) * real[i];
    return std::norm(dot);
  };
  EXPECT_LT(fidelity(Decoupling::none), 0.9);
  EXPECT_NEAR(fidelity(Decoupling::x2), 1, 1e-12);
  EXPECT_NEAR(fidelity(Decoupling::xy4), 1, 1e-12);
}

TEST(Decoupling, LeavesMeasuredAndFreshWiresAlone) {
  Circuit circuit(3, 3);
  circuit.sx(0).measure(1, 1);
  for (int i = 0; i < 9; ++i) circuit.cx(0, 2);
  circuit.measure(0, 0).measure(2, 2);
  EXPECT_EQ(schedule(circuit, device(3), {Alignment::asap, Decoupling::x2}).pulses, 0U);
  EXPECT_EQ(schedule(circuit, device(3), {Alignment::alap, Decoupling::x2}).pulses, 0U);
}

TEST(Schedule, RefusesWordsItDoesNotKnow) {
  EXPECT_THROW(alignment_from_name("soon"), Error);
  EXPECT_THROW(decoupling_from_name("xy8"), Error);
  EXPECT_EQ(alignment_from_name("asap"), Alignment::asap);
  EXPECT_EQ(decoupling_from_name("xy4"), Decoupling::xy4);
}

}  // namespace
}  // namespace skerry::passes::native
