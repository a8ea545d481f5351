#include "passes/native/pauli_network.hpp"

#include "passes/native/translate.hpp"
#include "passes/native/unroll.hpp"
#include "passes/testing/meaning.hpp"

namespace skerry::passes::native {
namespace {

using testing::evolve;
using testing::Vector;

Circuit straight(std::mt19937_64& random, std::uint32_t wires, std::size_t gates) {
  const Circuit drawn = testing::random_circuit(random, wires, gates);
  Circuit circuit = drawn;
  Block body;
  for (std::size_t i = 0; i < drawn.body().size(); ++i) {
    if (drawn.body()[i].op != Op::barrier) body.append(drawn.body()[i]);
  }
  circuit.replace_block(0, std::move(body));
  return circuit;
}

struct Made {
  Circuit circuit;
  std::vector<Wire> places;
};

Made resynthesized(const Circuit& circuit, bool measured, std::uint64_t seed) {
  Circuit working = circuit;
  const Flat flat = unroll(working);
  const auto program = pauli_program(flat, working.expressions(), 10000);
  const std::vector<std::uint8_t> ends(flat.wires, measured ? 1 : 0);
  const Flat made = pauli_network(*program, ends, {.seed = seed});
  const Target target;
  Made out{translate(made, working, target, Basis(target.basis)), {}};
  for (Wire wire = 0; wire < flat.wires; ++wire) out.places.push_back(made.place(flat.place(wire)));
  return out;
}

TEST(PauliNetwork, KeepsTheUnitaryUpToAPhaseThatNoParameterChanges) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 1000; ++round) {
    const Circuit circuit = straight(random, 1 + static_cast<std::uint32_t>(random() % 4) + 1, 12);
    const Made made = resynthesized(circuit, false, random());
    std::complex<double> phase = 0;
    for (const double value : {0.7, -1.9}) {
      const std::array theta = {value};
      const Vector start = testing::random_state(random, circuit.num_wires());
      const Vector expected = testing::moved(evolve(circuit.bind(theta), start), made.places, circuit.num_wires());
      const Vector actual = evolve(made.circuit.bind(theta), start);
      std::complex<double> dot;
      for (std::size_t i = 0; i < expected.size(); ++i) dot += std::conj(expected[i]) * actual[i];
      const std::complex<double> turned = dot / std::abs(dot);
      for (std::size_t i = 0; i < expected.size(); ++i) {
        ASSERT_LT(std::abs(turned * expected[i] - actual[i]), 1e-9) << round;
      }
    }
    (void)phase;
  }
}

TEST(PauliNetwork, KeepsTheOutcomesOfMeasuredWires) {
  std::mt19937_64 random(2);
  for (int round = 0; round < 300; ++round) {
    const Circuit circuit = straight(random, 2 + static_cast<std::uint32_t>(random() % 4), 15);
    const Made made = resynthesized(circuit, true, random());
    const std::array theta = {0.7};
    const Vector start = testing::random_state(random, circuit.num_wires());
    const Vector expected = testing::moved(evolve(circuit.bind(theta), start), made.places, circuit.num_wires());
    const Vector actual = evolve(made.circuit.bind(theta), start);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      ASSERT_NEAR(std::norm(expected[i]), std::norm(actual[i]), 1e-9 * (1 + std::norm(expected[i]))) << round;
    }
  }
}

TEST(PauliProgram, AddsEqualStringsAcrossWhatTheyCommuteWith) {
  Circuit circuit(3);
  circuit.t(0).cx(0, 1).t(1).cx(0, 1).cx(1, 2).t(0).cx(1, 2).cx(0, 1).t(1).cx(0, 1);
  Circuit working = circuit;
  const auto program = pauli_program(unroll(working), working.expressions(), 100);
  EXPECT_EQ(program->rotations.size(), 0U);  // t t is s, a Clifford
}

TEST(PauliNetwork, WritesALongPauliRotationOnceForAllItsKind) {
  Circuit circuit(4);
  for (int k = 0; k < 5; ++k) circuit.cx(0, 1).cx(1, 2).cx(2, 3).rz(0.3, 3).cx(2, 3).cx(1, 2).cx(0, 1).rx(0.0, 0);
  const Circuit made = resynthesized(circuit, false, 1).circuit;
  int cx = 0;
  for (std::size_t i = 0; i < made.body().size(); ++i) cx += made.body()[i].wires.size() == 2 ? 1 : 0;
  EXPECT_LE(cx, 6);
}

}  // namespace
}  // namespace skerry::passes::native
