#include "passes/native/native.hpp"

#include <ctime>
#include <limits>
#include <skerry/error.hpp>

#include "ir/verify.hpp"
#include "passes/native/pairs.hpp"
#include "passes/native/rewrite.hpp"
#include "passes/native/translate.hpp"
#include "passes/native/unroll.hpp"
#include "passes/testing/meaning.hpp"

namespace skerry::passes::native {
namespace {

using testing::evolve;
using testing::Vector;

Target line(std::uint32_t wires, std::vector<std::string> basis = {"rz", "sx", "x", "cx"}, bool directed = false) {
  Target target{.qubits = wires, .all_to_all = false, .directed = directed, .basis = std::move(basis)};
  for (Wire w = 0; w + 1 < wires; ++w) target.coupling.emplace_back(w, w + 1);
  return target;
}

std::uint64_t two_wire_gates(const Circuit& circuit) {
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < circuit.body().size(); ++i) count += circuit.body()[i].wires.size() == 2 ? 1 : 0;
  return count;
}

// Legal, and the same amplitudes with wires put where the mapping says.
void expect_compiled(const Circuit& circuit, const Compiled& compiled, const Target& target, std::mt19937_64& random,
                     bool up_to_phase = false) {
  const auto& out = std::get<Circuit>(compiled.program);
  ASSERT_NO_THROW(check_map(out, target));
  const std::array theta = {0.7};
  const Vector start = testing::random_state(random, circuit.num_wires());
  const Vector expected = testing::moved(evolve(circuit.bind(theta), start), compiled.mapping->final, out.num_wires());
  const Vector actual = evolve(out.bind(theta), testing::moved(start, compiled.mapping->initial, out.num_wires()));
  std::complex<double> turned = 1;  // Pauli networks know no global phase
  if (up_to_phase) {
    std::complex<double> dot;
    for (std::size_t i = 0; i < expected.size(); ++i) dot += std::conj(expected[i]) * actual[i];
    turned = dot / std::abs(dot);
  }
  for (std::size_t i = 0; i < expected.size(); ++i) ASSERT_LT(std::abs(turned * expected[i] - actual[i]), 1e-9);
}

TEST(CompileForTarget, KeepsTheUnitaryOnEveryTargetAndLevel) {
  std::mt19937_64 random(1);
  Target star{.qubits = 6, .all_to_all = false, .coupling = {{0, 1}, {0, 2}, {0, 3}, {0, 4}, {0, 5}}};
  const std::vector<Target> targets = {Target{}, line(5), line(6, {"rz", "sx", "ecr"}, true), star,
                                       line(5, {"u", "cz"})};
  for (int round = 0; round < 1000; ++round) {
    Target target = targets[random() % targets.size()];
    const Circuit circuit = testing::random_circuit(random, 2 + static_cast<std::uint32_t>(random() % 4), 25);
    const auto level = static_cast<Level>(random() % 3);
    const Compiled compiled = compile(circuit, {.level = level, .target = target, .seed = random(), .error_budget = 0});
    SCOPED_TRACE(round);
    expect_compiled(circuit, compiled, target, random, level == Level::high);
  }
}

TEST(CompileForTarget, GivesTheSameCircuitForTheSameSeed) {
  std::mt19937_64 random(2);
  for (int round = 0; round < 10; ++round) {
    const Circuit circuit = testing::random_circuit(random, 6, 60);
    const CompileOptions options{.level = Level::high, .target = line(8)};
    EXPECT_EQ(std::get<Circuit>(compile(circuit, options).program),
              std::get<Circuit>(compile(circuit, options).program));
  }
}

TEST(CompileForTarget, NeedsNoMoreCxAtAHigherLevel) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 40; ++round) {
    const Circuit circuit = testing::random_circuit(random, 5, 30);
    std::uint64_t most = static_cast<std::uint64_t>(-1);
    for (const Level level : {Level::low, Level::medium, Level::high}) {
      const Compiled compiled = compile(circuit, {.level = level, .target = line(6)});
      const std::uint64_t cx = two_wire_gates(std::get<Circuit>(compiled.program));
      EXPECT_LE(cx, most) << level_name(level) << " " << round;
      most = cx;
    }
  }
}

TEST(CompileForTarget, PlacesAProgramThatFitsWithoutSwaps) {
  Circuit ring(4);
  ring.cx(0, 1).cx(1, 2).cx(2, 3);
  Target grid{.qubits = 6, .all_to_all = false, .coupling = {{0, 1}, {1, 2}, {3, 4}, {4, 5}, {0, 3}, {1, 4}, {2, 5}}};
  const Compiled compiled = compile(ring, {.level = Level::low, .target = grid});
  EXPECT_EQ(two_wire_gates(std::get<Circuit>(compiled.program)), 3U);
}

TEST(CompileForTarget, RefusesADeviceThatIsTooSmallOrInParts) {
  Circuit circuit(3);
  circuit.cx(0, 1).cx(1, 2).cx(0, 2);
  EXPECT_THROW(compile(circuit, {.target = line(2)}), Error);
  Target parts{.qubits = 4, .all_to_all = false, .coupling = {{0, 1}, {2, 3}}};
  EXPECT_THROW(compile(circuit, {.target = parts}), Error);
}

TEST(CheckMap, NamesTheOffendingGate) {
  Circuit circuit(3);
  circuit.append(Op::x, {0, 1}, {}, 1);
  circuit.append(Op::x, {0, 2}, {}, 1);
  try {
    check_map(circuit, line(3));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.where(), "gate 1");
    EXPECT_NE(error.message().find("cx on wires 0, 2"), std::string::npos) << error.message();
  }
}

// CX everywhere, with turns about Z, X and neither between them.
Circuit random_cx_circuit(std::mt19937_64& random, std::uint32_t wires, int gates) {
  Circuit circuit(wires);
  const Affine theta = circuit.parameter("theta");
  const auto below = [&random](std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); };
  for (int i = 0; i < gates; ++i) {
    const Wire a = below(wires), b = (a + 1 + below(wires - 1)) % wires;
    const std::uint32_t kind = below(12);
    if (kind == 0) circuit.t(a);
    if (kind == 1) circuit.rx(0.4, a);
    if (kind == 2) circuit.h(a);
    if (kind == 3) circuit.rz(theta, a);
    if (kind > 3) circuit.cx(a, b);
  }
  return circuit;
}

TEST(RewritingPasses, EachKeepsTheUnitaryWithItsRenamings) {
  const std::vector<std::string> basis = {"rz", "sx", "x", "cx"};
  const auto approximate = [](Flat& flat) {
    double nothing = 0;
    approximate_pairs(flat, nothing);
  };
  std::mt19937_64 random(9);
  for (int round = 0; round < 1000; ++round) {
    Circuit circuit = testing::random_circuit(random, 2 + static_cast<std::uint32_t>(random() % 3), 20);
    const Flat flat = unroll(circuit);
    for (const int pass : {0, 1, 2, 3}) {
      Flat made = flat;
      if (pass == 0) cancel_commuting(made, circuit.expressions());
      if (pass == 1 || pass == 2) resynthesize_pairs(made, pass == 2);
      if (pass == 3) approximate(made);
      const Circuit out = translate(made, circuit, {.basis = basis}, Basis(basis));
      std::vector<Wire> places;
      for (Wire w = 0; w < made.wires; ++w) places.push_back(made.place(w));
      const std::array theta = {0.7};
      const Vector start = testing::random_state(random, circuit.num_wires());
      const Vector expected = testing::moved(evolve(circuit.bind(theta), start), places, circuit.num_wires());
      const Vector actual = evolve(out.bind(theta), start);
      for (std::size_t i = 0; i < expected.size(); ++i) {
        ASSERT_LT(std::abs(expected[i] - actual[i]), 1e-9) << pass << " " << round;
      }
    }
  }
}

// Gates of one wire around `cx` CX and `swaps` swaps on two wires, as a router may leave them.
Flat pair_with_swaps(std::mt19937_64& random, std::size_t cx, std::size_t swaps) {
  std::vector<Kind> kinds(cx, Kind::cx);
  kinds.insert(kinds.end(), swaps, Kind::swap);
  std::ranges::shuffle(kinds, random);
  FlatWriter out(2);
  const auto turn = [&] {
    for (Wire wire = 0; wire < 2; ++wire) {
      if (random() % 3 == 0) continue;
      const auto angle = [&] { return static_cast<double>(random() % 1000) / 100; };
      out.one(wire, rz_matrix(angle()) * ry_matrix(angle()));
    }
  };
  for (const Kind kind : kinds) {
    turn();
    const Wire first = random() % 2 == 0 ? 0 : 1;
    if (kind == Kind::cx) out.cx(first, 1 - first);
    if (kind == Kind::swap) out.swap(first, 1 - first);
  }
  turn();
  return out.finish();
}

struct Product {
  const Flat& flat;
  U4 u = U4::identity();
  CxNeeds told, computed;
  void single(std::uint32_t i) {
    const Gate& gate = flat.gates[i];
    gate.a == 0 ? after_on_first(u, flat.ones[gate.index]) : after_on_second(u, flat.ones[gate.index]);
  }
  void pair(const PairBlock& block, const PairWalk& walk) {
    u = block.first == 0 ? walk.product(block) : wires_exchanged(walk.product(block));
    told = walk.needs(block);
    computed = cx_needs(walk.product(block));
  }
};

TEST(Pairs, ASwapCostsOneCxMoreBesideOneAndNothingStandsBetweenThem) {
  std::mt19937_64 random(12);
  for (int round = 0; round < 1000; ++round) {
    const std::size_t cx = random() % 3, swaps = cx == 0 ? 1 : random() % 2;
    Flat flat = pair_with_swaps(random, cx, swaps);
    Product before{.flat = flat}, after{.flat = flat};
    PairWalk(flat).run(before);
    EXPECT_EQ(before.told.plain, before.computed.plain) << cx << " CX, " << swaps << " swaps";
    EXPECT_EQ(before.told.mirrored, before.computed.mirrored) << cx << " CX, " << swaps << " swaps";
    resynthesize_pairs(flat, false);
    PairWalk(flat).run(after);
    EXPECT_EQ(flat.cx_count(), before.computed.plain);
    ASSERT_LT(distance(before.u, scaled(after.u, expi(flat.phase))), 1e-12) << round;
    if (cx != 1 || swaps != 1) continue;
    const auto one = [](const Gate& gate) { return gate.kind == Kind::one; };
    EXPECT_LE(std::ranges::count_if(flat.gates, one), 4);
    const auto back_to_back = [](const Gate& a, const Gate& b) { return a.kind == Kind::cx && b.kind == Kind::cx; };
    EXPECT_NE(std::ranges::adjacent_find(flat.gates, back_to_back), flat.gates.end());
  }
}

TEST(MatchTemplates, KeepsTheUnitaryAndTakesCxAway) {
  std::mt19937_64 random(8);
  std::size_t before = 0, after = 0;
  for (int round = 0; round < 1000; ++round) {
    Circuit circuit = random_cx_circuit(random, 3 + static_cast<std::uint32_t>(random() % 3), 25);
    Flat flat = unroll(circuit);
    before += flat.cx_count();
    const bool changed = match_templates(flat);
    after += flat.cx_count();
    if (!changed) continue;
    const std::vector<std::string> basis = {"rz", "sx", "x", "cx"};
    const Circuit out = translate(flat, circuit, {.basis = basis}, Basis(basis));
    testing::expect_same_meaning(circuit, out, random);
  }
  EXPECT_LT(after, before - before / 30);
}

TEST(MatchTemplates, KnowsBothTriplesAndWhatStandsInTheirWay) {
  const auto cx_after = [](Circuit circuit) {
    Flat flat = unroll(circuit);
    match_templates(flat);
    return flat.cx_count();
  };
  EXPECT_EQ(cx_after(Circuit(3).cx(0, 1).t(0).cx(1, 2).cx(0, 1)), 2U);
  EXPECT_EQ(cx_after(Circuit(3).cx(1, 2).cx(0, 1).sx(2).cx(1, 2)), 2U);
  EXPECT_EQ(cx_after(Circuit(3).cx(0, 1).cx(1, 2).t(1).cx(0, 1)), 3U);
  EXPECT_EQ(cx_after(Circuit(3).cx(0, 1).cx(1, 2).h(0).cx(0, 1)), 3U);
}

TEST(ErrorBudget, LeavesOutWhatFitsAndTellsIt) {
  Circuit circuit(2);
  circuit.h(0).h(1).cp(1e-5, 0, 1).h(1).cp(0.3, 0, 1);
  const Compiled exact = compile(circuit, {.target = Target{}, .error_budget = 0});
  const Compiled close = compile(circuit, {.target = Target{}, .error_budget = 1e-8});
  EXPECT_EQ(exact.mapping->spent_error, 0);
  EXPECT_LE(close.mapping->spent_error, 1e-8);
}

TEST(TimeBudget, TriesMoreAndKnowsNoClock) {
  std::mt19937_64 random(4);
  std::uint64_t own = 0, little = 0, much = 0;
  for (int round = 0; round < 8; ++round) {
    const Circuit circuit = testing::random_circuit(random, 7, 60);
    const auto cx = [&](double seconds) {
      const CompileOptions options{.level = Level::high, .target = line(9), .time_budget_seconds = seconds};
      const Compiled compiled = compile(circuit, options);
      EXPECT_EQ(std::get<Circuit>(compiled.program), std::get<Circuit>(compile(circuit, options).program));
      return two_wire_gates(std::get<Circuit>(compiled.program));
    };
    own += cx(0);
    little += cx(1e-4);
    much += cx(0.5);
  }
  EXPECT_LT(much, little);
  EXPECT_LE(much, own);
}

TEST(Budgets, AreRefusedOutsideOfTheirRanges) {
  const double nan = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();
  const auto refused = [](const CompileOptions& options) {
    try {
      compile(Circuit(1), options);
      return false;
    } catch (const Error& error) {
      return error.code() == ErrorCode::invalid_argument && !error.hint().empty();
    }
  };
  for (const double value : {nan, infinity, -1e-9, 1.0}) EXPECT_TRUE(refused({.error_budget = value})) << value;
  for (const double value : {nan, infinity, -1e-9}) EXPECT_TRUE(refused({.time_budget_seconds = value})) << value;
  EXPECT_FALSE(refused({.error_budget = 0.5, .time_budget_seconds = 1e-3}));
}

TEST(Limits, StopAGateOfThousandsOfControlsAndEndlessSwaps) {
  Circuit many(1200);
  std::vector<Wire> wires(1200);
  for (Wire w = 0; w < 1200; ++w) wires[w] = w;
  many.append(Op::x, wires, {}, 1199);
  try {
    compile(many, {.level = Level::low, .target = Target{}});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::limit_exceeded);
  }
  many.add_wires("free", 1);
  EXPECT_NO_THROW(compile(many, {.level = Level::low, .target = Target{}}));
  // Every gate at once is on the way of every other.
  Circuit wide(300);
  for (Wire w = 0; w < 150; ++w) wide.cx(w, w + 150);
  EXPECT_NO_THROW(compile(wide, {.level = Level::low, .target = line(300)}));
}

TEST(LargePrograms, TakeWorkInProportionToTheirGates) {
  std::mt19937_64 random(5);
  const auto seconds = [&random](int gates) {
    const Circuit circuit = random_cx_circuit(random, 12, gates);
    const CompileOptions options{.level = Level::low, .target = line(12)};
    double least = 1e9;
    for (int run = 0; run < 3; ++run) {
      const std::clock_t begin = std::clock();
      compile(circuit, options);
      least = std::min(least, static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC);
    }
    return least;
  };
  EXPECT_LT(seconds(40000), 4 * 2.5 * seconds(10000));
}

// Two lines beside each other, the second with better gates.
TEST(PlaceByError, MovesToBetterGatesAndKeepsTheMeaning) {
  std::mt19937_64 random(6);
  Target target{.qubits = 9, .all_to_all = false, .coupling = {}};
  for (Wire w = 0; w + 1 < 9; ++w) target.coupling.emplace_back(w, w + 1);
  for (Wire w = 0; w + 1 < 9; ++w) target.gates["cx"].errors[{w, w + 1}] = 0.05 / (w + 1);
  for (int round = 0; round < 100; ++round) {
    const Circuit circuit = testing::random_circuit(random, 4, 20);
    const CompileOptions there{.level = Level::medium, .target = target, .error_budget = 0};
    CompileOptions here = there;
    here.disabled_passes = {"place_by_error"};
    const Compiled moved = compile(circuit, there), kept = compile(circuit, here);
    expect_compiled(circuit, moved, target, random);
    const auto success = [&](const Compiled& made) {
      return estimate(std::get<Circuit>(made.program), target).success_probability;
    };
    EXPECT_GE(success(moved), success(kept) - 1e-12) << round;
  }
}

}  // namespace
}  // namespace skerry::passes::native
