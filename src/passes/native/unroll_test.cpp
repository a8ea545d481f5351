#include "passes/native/unroll.hpp"

#include <skerry/error.hpp>

#include "ir/verify.hpp"
#include "passes/native/translate.hpp"
#include "passes/testing/meaning.hpp"

namespace skerry::passes::native {
namespace {

using testing::evolve;
using testing::Vector;

// Unrolled and written again in a basis: the same amplitudes, those of renamed wires moved back.
void expect_same(const Circuit& circuit, const std::vector<std::string>& names, std::mt19937_64& random) {
  Circuit working = circuit;
  const Flat flat = unroll(working);
  const Basis basis(names);
  const Circuit out = translate(flat, working, {.basis = names}, basis);
  ir::verify(out);
  for (std::size_t i = 0; i < out.body().size(); ++i) {
    const Instruction at = out.body()[i];
    ASSERT_TRUE(basis.has(at.op, at.controls) || at.op == Op::gphase || !is_gate(at.op)) << op_name(at.op);
  }
  const std::array theta = {0.7};
  const Vector start = testing::random_state(random, circuit.num_wires());
  const Vector expected = testing::moved(evolve(circuit.bind(theta), start), flat.places, circuit.num_wires());
  const Vector actual = evolve(out.bind(theta), start);
  for (std::size_t i = 0; i < expected.size(); ++i) ASSERT_LT(std::abs(expected[i] - actual[i]), 1e-10);
}

TEST(Unroll, KeepsTheUnitaryInEveryBasisPhaseIncluded) {
  std::mt19937_64 random(1);
  const std::vector<std::vector<std::string>> bases = {
      {"rz", "sx", "x", "cx"}, {"rz", "sx", "cz"},  {"u", "cx"},  {"rz", "ry", "ecr"},
      {"p", "sx", "rzz"},      {"rz", "rx", "rxx"}, {"u3", "rzx"}};
  for (int round = 0; round < 1000; ++round) {
    const Circuit circuit = testing::random_circuit(random, 2 + static_cast<std::uint32_t>(random() % 3), 12);
    expect_same(circuit, bases[random() % bases.size()], random);
  }
}

TEST(Unroll, KeepsEveryGateOfTheTableWithNoneToThreeControls) {
  std::mt19937_64 random(3);
  for (std::uint16_t row = 0; row < kGateCount; ++row) {
    const auto op = static_cast<Op>(row);
    SCOPED_TRACE(op_name(op));
    for (std::uint16_t controls = 0; controls < 4; ++controls) {
      for (const bool symbolic : {false, true}) {
        Circuit circuit(5);
        const Affine theta = circuit.parameter("theta");
        std::vector<Wire> on;
        for (Wire w = 0; w < controls + static_cast<Wire>(gate_targets(op)); ++w) on.push_back(4 - w);
        std::vector<Param> params;
        for (int p = 0; p < gate_parameters(op); ++p) {
          params.push_back(symbolic ? circuit.param((1.0 + p) * theta) : Param{0.3 + p});
        }
        circuit.append(op, on, params, controls);
        expect_same(circuit, {"rz", "sx", "x", "cx"}, random);
      }
    }
  }
}

TEST(Unroll, WritesManyControlsWithAndWithoutFreeWires) {
  std::mt19937_64 random(2);
  for (const std::uint32_t wires : {6U, 7U, 8U, 9U}) {
    for (std::uint16_t controls = 4; controls < wires; ++controls) {
      for (const Op op : {Op::x, Op::p, Op::h, Op::rx, Op::gphase}) {
        Circuit circuit(wires);
        circuit.parameter("theta");
        std::vector<Wire> on;
        for (Wire w = 0; w < controls + static_cast<Wire>(gate_targets(op)); ++w) on.push_back(w);
        if (on.size() > wires) continue;
        std::shuffle(on.begin(), on.end(), random);
        std::vector<Param> params(static_cast<std::size_t>(gate_parameters(op)), Param{0.37});
        circuit.append(op, on, params, controls);
        expect_same(circuit, {"rz", "sx", "x", "cx"}, random);
      }
    }
  }
}

TEST(Unroll, TakesSixCxForAToffoliAndFourteenForThreeControls) {
  Circuit circuit(4);
  circuit.ccx(0, 1, 2);
  EXPECT_EQ(unroll(circuit).cx_count(), 6U);
  circuit.append(Op::x, {0, 1, 2, 3}, {}, 3);
  EXPECT_EQ(unroll(circuit).cx_count(), 20U);
}

TEST(Unroll, GrowsLinearlyWithTheControlsWhereWiresAreFree) {
  const auto cx = [](std::uint32_t controls) {
    Circuit circuit(2 * controls);
    std::vector<Wire> on(controls + 1);
    for (Wire w = 0; w < on.size(); ++w) on[w] = w;
    circuit.append(Op::x, on, {}, static_cast<std::uint16_t>(controls));
    return unroll(circuit).cx_count();
  };
  EXPECT_LT(cx(40), 2.2 * static_cast<double>(cx(20)));
}

TEST(Basis, RefusesSetsThatCannotWriteEveryCircuit) {
  for (const std::vector<std::string>& names : std::vector<std::vector<std::string>>{
           {}, {"cx"}, {"rz", "cx"}, {"rz", "sx"}, {"sx", "x", "cx"}, {"rz", "sx", "iswap"}, {"rz", "sx", "cxx"}}) {
    EXPECT_THROW(Basis{names}, Error);
  }
}

}  // namespace
}  // namespace skerry::passes::native
