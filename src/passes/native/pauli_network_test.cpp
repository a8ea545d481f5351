#include "passes/native/pauli_network.hpp"

#include <skerry/compile.hpp>

#include "passes/native/coupled_network.hpp"
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

// A tree with some more edges.
Target random_device(std::mt19937_64& random, std::uint32_t wires) {
  Target target{.qubits = wires, .all_to_all = false};
  const auto below = [&random](std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); };
  for (Wire w = 1; w < wires; ++w) target.coupling.emplace_back(below(w), w);
  for (std::uint32_t more = below(wires); more > 0; --more) {
    const Wire a = below(wires), b = below(wires);
    if (a != b) target.coupling.emplace_back(a, b);
  }
  return target;
}

std::vector<Wire> random_layout(std::mt19937_64& random, std::uint32_t wires, std::uint32_t device) {
  std::vector<Wire> layout(device);
  for (Wire w = 0; w < device; ++w) layout[w] = w;
  std::ranges::shuffle(layout, random);
  layout.resize(wires);
  return layout;
}

TEST(CoupledNetwork, KeepsTheUnitaryOnEdgesOfAnyDevice) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 1000; ++round) {
    const Circuit circuit = straight(random, 2 + static_cast<std::uint32_t>(random() % 4), 12);
    Circuit working = circuit;
    const Flat flat = unroll(working);
    const auto program = pauli_program(flat, working.expressions(), 10000);
    const std::uint32_t device = flat.wires + static_cast<std::uint32_t>(random() % 4);
    const Target target = random_device(random, device);
    const auto region = connected_region(Coupling(target), random_layout(random, flat.wires, device));
    ASSERT_TRUE(region);
    const bool measured = random() % 3 == 0;
    const std::vector<std::uint8_t> ends(flat.wires, measured ? 1 : 0);
    const auto made = coupled_network(*program, ends, *region, {.seed = random()}, {});
    ASSERT_TRUE(made);
    for (const Gate& gate : made->gates) {
      if (gate.kind != Kind::cx) continue;
      const std::size_t size = region->wires.size();
      ASSERT_EQ(region->distance[gate.a * size + gate.b], 1) << round;
    }
    const Target free;
    const Circuit out = translate(*made, working, free, Basis(free.basis));
    std::vector<Wire> places, starts(flat.wires);
    for (Wire w = 0; w < flat.wires; ++w) {
      starts[w] = w;
      places.push_back(made->place(flat.place(w)));
    }
    const std::array theta = {0.7};
    const Vector start = testing::random_state(random, flat.wires);
    const Vector expected = testing::moved(evolve(circuit.bind(theta), start), places, out.num_wires());
    const Vector actual = evolve(out.bind(theta), testing::moved(start, starts, out.num_wires()));
    std::complex<double> dot;
    for (std::size_t i = 0; i < expected.size(); ++i) dot += std::conj(expected[i]) * actual[i];
    const std::complex<double> turned = dot / std::abs(dot);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      if (measured) {
        ASSERT_NEAR(std::norm(expected[i]), std::norm(actual[i]), 1e-9 * (1 + std::norm(expected[i]))) << round;
      } else {
        ASSERT_LT(std::abs(turned * expected[i] - actual[i]), 1e-9) << round;
      }
    }
  }
}

TEST(CoupledNetwork, TakesALongStringAlongALineOnce) {
  Circuit circuit(8);
  circuit.cx(0, 7).rz(0.3, 7).cx(0, 7);
  for (int k = 0; k < 4; ++k) circuit.cx(0, 1).cx(1, 3).cx(3, 7).rz(0.2 + k, 7).cx(3, 7).cx(1, 3).cx(0, 1).rx(0.1, 3);
  Target line{.qubits = 8, .all_to_all = false};
  for (Wire w = 0; w + 1 < 8; ++w) line.coupling.emplace_back(w, w + 1);
  const auto cx = [&](std::vector<std::string> disabled) {
    const Compiled compiled =
        compile(circuit, {.level = Level::high, .disabled_passes = std::move(disabled), .target = line});
    return estimate(std::get<Circuit>(compiled.program)).counts.at("cx");
  };
  EXPECT_LT(cx({}), cx({"couple_paulis"}));
}

}  // namespace
}  // namespace skerry::passes::native
