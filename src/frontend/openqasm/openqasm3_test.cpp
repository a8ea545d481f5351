#include <cmath>
#include <numbers>

#include "frontend/openqasm/dense_oracle.hpp"
#include "frontend/openqasm/gates.hpp"
#include "frontend/openqasm/test_program.hpp"

namespace skerry::frontend {
namespace {

using testing::read3;
using testing::refusal3;
using testing::statements;
using Complex = std::complex<double>;
constexpr double kPi = std::numbers::pi;

std::vector<Complex> matrix(std::string_view program) {
  return openqasm::circuit_matrix(read3(program)).values;
}

// Largest difference between two matrices, phases included.
double difference(const std::vector<Complex>& a, const std::vector<Complex>& b) {
  EXPECT_EQ(a.size(), b.size());
  double most = a.size() == b.size() ? 0 : 1;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) most = std::max(most, std::abs(a[i] - b[i]));
  return most;
}

std::map<std::string, double> outcomes(std::string_view program) {
  return testing::DenseOracle(read3(program)).distribution();
}

// The program with each # replaced by a gate.
std::string filled(std::string_view program, std::string_view gate) {
  std::string text;
  for (const char c : program) {
    if (c == '#')
      text += gate;
    else
      text += c;
  }
  return text;
}

double certain(std::string_view program, const std::string& bits) {
  return outcomes(program)[bits];
}

TEST(OpenQasm3, DeclarationsMeasurementsAndResets) {
  EXPECT_EQ(statements(read3("qubit a; qubit[2] q; bit b; bit[2] c; h a; b = measure a; c = measure q; measure q[0] -> "
                             "c[1]; reset q; reset a;")),
            "h a[0]; measure a[0] -> b[0]; measure q[0] -> c[0]; measure q[1] -> c[1]; measure q[0] -> c[1]; reset "
            "q[0]; reset q[1]; reset a[0];");
}

TEST(OpenQasm3, OldDeclarationsStillWork) {
  EXPECT_EQ(statements(read3("qreg q[2]; creg c[2]; h q; measure q -> c;")),
            "h q[0]; h q[1]; measure q[0] -> c[0]; measure q[1] -> c[1];");
}

TEST(OpenQasm3, IntegersDivideAsIntegersAndFloatsAsFloats) {
  const Circuit c = read3(
      "qubit q; rx(7/2) q; rx(7/2.0) q; rx(2**3**1) q; rx(-2**2) q; rx(7 % 4) q; rx(1 << 4 | 3) q; rx(float(1)/4) q; "
      "rx(arccos(-1)) q; "
      "rx(popcount(\"1011\")) q; rx(mod(7, 4)) q; rx(0x1F) q; rx(0b101) q; rx(0o17) q; rx(1_000) q; rx(\xCF\x80) q; "
      "rx(int(3.9)) q; rx(rotl(uint[4](9), 1)) q;");
  const double expected[] = {3, 3.5, 8, -4, 3, 19, 0.25, kPi, 3, 3, 31, 5, 15, 1000, kPi, 3, 3};
  for (std::size_t i = 0; i < std::size(expected); ++i)
    EXPECT_NEAR(c.body()[i].params[0].value, expected[i], 1e-15) << i;
}

TEST(OpenQasm3, ConstantsFoldAndWrapAtTheirWidth) {
  EXPECT_EQ(statements(read3("const uint[4] n = 15; const int[8] m = 127; qubit q; uint[4] a = n; a += 2; int[8] b = "
                             "m; b += 1; rx(a) q; rx(b) q;")),
            "rx(1.0) q[0]; rx(-128.0) q[0];");
}

TEST(OpenQasm3, ControlsComeFirstInTheOrderInWhichTheyAreWritten) {
  EXPECT_EQ(statements(read3("qubit[4] q; ctrl @ ctrl @ x q[3], q[2], q[0]; ctrl(2) @ swap q[3], q[2], q[1], q[0]; "
                             "negctrl @ ctrl @ x q[0], q[1], q[2];")),
            "ctrl(2) @ x q[3], q[2], q[0]; ctrl(2) @ swap q[3], q[2], q[1], q[0]; x q[0]; ctrl(2) @ x q[0], q[1], "
            "q[2]; x q[0];");
}

TEST(OpenQasm3, ModifiersBroadcast) {
  EXPECT_EQ(statements(read3("qubit[2] a; qubit[2] b; ctrl @ x a, b; inv @ s a;")),
            "ctrl @ x a[0], b[0]; ctrl @ x a[1], b[1]; sdg a[0]; sdg a[1];");
}

TEST(OpenQasm3, InversesUndoEveryGate) {
  for (const std::string gate : {"x", "y", "z", "h", "s", "sdg", "t", "tdg", "sx", "id", "rx(0.3)", "ry(0.3)",
                                 "rz(0.3)", "p(0.3)", "U(0.1,0.2,0.3)", "u1(0.4)", "u2(0.1,0.2)", "u3(0.1,0.2,0.3)"}) {
    const std::string program = "qubit[2] q; h q; ctrl @ # q[0], q[1]; inv @ ctrl @ # q[0], q[1]; h q;";
    EXPECT_LT(difference(matrix(filled(program, gate)), matrix("qubit[2] q;")), 1e-12) << gate;
  }
  EXPECT_LT(difference(matrix("gate g(t) a, b { h a; ctrl @ rx(t) a, b; s b; gphase(t); } qubit[2] q; g(0.7) q[0], "
                              "q[1]; inv @ g(0.7) q[0], q[1];"),
                       matrix("qubit[2] q;")),
            1e-12);
}

// The specification's U: [[1 + e^it, -i e^il (1 - e^it)], [i e^ip (1 - e^it), e^i(p+l) (1 + e^it)]] / 2.
TEST(OpenQasm3, TheLanguagesOwnUHasThePhaseOfTheSpecification) {
  const double t = 0.7;
  const double p = 0.3;
  const double l = -1.1;
  const Complex i(0, 1);
  const Complex e = std::exp(i * t);
  const std::vector<Complex> u = {(1.0 + e) / 2.0, -i * std::exp(i * l) * (1.0 - e) / 2.0,
                                  i * std::exp(i * p) * (1.0 - e) / 2.0, std::exp(i * (p + l)) * (1.0 + e) / 2.0};
  EXPECT_LT(difference(matrix("qubit q; U(0.7, 0.3, -1.1) q;"), u), 1e-12);
  const std::vector<Complex> controlled = {1, 0, 0, 0, 0, u[0], 0, u[1], 0, 0, 1, 0, 0, u[2], 0, u[3]};
  EXPECT_LT(difference(matrix("qubit[2] q; ctrl @ U(0.7, 0.3, -1.1) q[0], q[1];"), controlled), 1e-12);
}

// Each gate of stdgates.inc against its definition in the specification, which is written with U and gphase alone.
TEST(OpenQasm3, LibraryGatesAreTheSpecificationsDefinitions) {
  const std::pair<std::string, std::string> gates[] = {
      {"p(0.3)", "ctrl @ gphase(0.3) a;"},
      {"x", "U(pi,0,pi) a; gphase(-pi/2);"},
      {"y", "U(pi,pi/2,pi/2) a; gphase(-pi/2);"},
      {"z", "ctrl @ gphase(pi) a;"},
      {"h", "U(pi/2,0,pi) a; gphase(-pi/4);"},
      {"s", "pow(1/2.0) @ z a;"},
      {"sdg", "inv @ pow(1/2.0) @ z a;"},
      {"t", "pow(1/2.0) @ s a;"},
      {"tdg", "inv @ pow(1/2.0) @ s a;"},
      {"sx", "pow(1/2.0) @ x a;"},
      {"rx(0.3)", "U(0.3,-pi/2,pi/2) a; gphase(-0.3/2);"},
      {"ry(0.3)", "U(0.3,0,0) a; gphase(-0.3/2);"},
      {"rz(0.3)", "gphase(-0.3/2); U(0,0,0.3) a;"},
      {"id", "U(0,0,0) a;"},
      {"u1(0.3)", "U(0,0,0.3) a;"},
      {"u2(0.3,0.4)", "gphase(-(0.3+0.4+pi/2)/2); U(pi/2,0.3,0.4) a;"},
      {"u3(0.3,0.4,0.5)", "gphase(-(0.3+0.4+0.5)/2); U(0.3,0.4,0.5) a;"},
      {"phase(0.3)", "U(0,0,0.3) a;"}};
  for (const auto& [gate, definition] : gates) {
    const std::string own = "qubit[2] q; ctrl @ " + gate + " q[0], q[1];";
    const std::string spec = "gate mine a { " + definition + " } qubit[2] q; ctrl @ mine q[0], q[1];";
    EXPECT_LT(difference(matrix(own), matrix(spec)), 1e-12) << gate;
  }
  EXPECT_LT(difference(matrix("qubit[2] q; cu(0.1,0.2,0.3,0.4) q[0], q[1];"),
                       matrix("qubit[2] q; p(0.4-0.1/2) q[0]; ctrl @ U(0.1,0.2,0.3) q[0], q[1];")),
            1e-12);
}

TEST(OpenQasm3, PhasesAreControlledWithTheirGate) {
  EXPECT_LT(difference(matrix("gate g a { gphase(0.4); x a; } qubit[2] q; ctrl @ g q[0], q[1];"),
                       matrix("qubit[2] q; p(0.4) q[0]; cx q[0], q[1];")),
            1e-12);
  EXPECT_LT(
      difference(matrix("qubit[2] q; negctrl @ gphase(0.4) q[0];"), matrix("qubit[2] q; x q[0]; p(0.4) q[0]; x q[0];")),
      1e-12);
  EXPECT_EQ(statements(read3("qubit q; gphase(0.5); x q; gphase(-0.25);")), "x q[0]; gphase(0.25);");
}

TEST(OpenQasm3, PowersOfGates) {
  EXPECT_EQ(statements(read3("qubit q; pow(2) @ t q; pow(-1) @ s q; pow(3) @ rz(0.5) q; pow(0.5) @ x q; pow(2) @ h q; "
                             "pow(0) @ y q; pow(4) @ t q; pow(1/2.0) @ z q;")),
            "s q[0]; sdg q[0]; rz(1.5) q[0]; sx q[0]; z q[0]; s q[0];");
  for (const std::string gate : {"x", "y", "z", "h", "s", "sx", "rx(0.4)", "U(0.3,0.2,0.1)"}) {
    const std::string thirds = "qubit[2] q; for int i in [1:3] { pow(1/3.0) @ # q[0]; }";
    EXPECT_LT(difference(matrix(filled(thirds, gate)), matrix(filled("qubit[2] q; # q[0];", gate))), 1e-10) << gate;
    const std::string controlled = "qubit[2] q; for int i in [1:3] { ctrl @ pow(1/3.0) @ # q[1], q[0]; }";
    EXPECT_LT(difference(matrix(filled(controlled, gate)), matrix(filled("qubit[2] q; ctrl @ # q[1], q[0];", gate))),
              1e-10)
        << gate;
  }
}

TEST(OpenQasm3, PowersOfDefinitionsAndOfPowers) {
  const std::string g = "gate g(t) a, b { h a; cx a, b; rz(t) b; } qubit[3] q; ";
  EXPECT_LT(difference(matrix(g + "pow(0.5) @ g(0.3) q[2], q[0]; pow(0.5) @ g(0.3) q[2], q[0];"),
                       matrix(g + "g(0.3) q[2], q[0];")),
            1e-10);
  EXPECT_LT(difference(matrix(g + "pow(-2) @ g(0.3) q[2], q[0];"),
                       matrix(g + "inv @ g(0.3) q[2], q[0]; inv @ g(0.3) q[2], q[0];")),
            1e-10);
  EXPECT_LT(difference(matrix("qubit q; pow(0.5) @ pow(2) @ x q;"), matrix("qubit q;")), 1e-10);
  EXPECT_LT(difference(matrix("qubit q; pow(2) @ pow(0.5) @ x q;"), matrix("qubit q; x q;")), 1e-10);
}

TEST(OpenQasm3, LoopsOverRangesSetsAndArraysAreWrittenOut) {
  EXPECT_EQ(
      statements(read3("qubit[5] q; for int i in [0:2] x q[i]; for uint i in [4:-2:0] { h q[i]; } for int i in {3, 1} "
                       "{ z q[i]; } array[int, 2] a = {2, 4}; for int i in a { y q[i]; } for int i in [3:2] x q[9];")),
      "x q[0]; x q[1]; x q[2]; h q[4]; h q[2]; h q[0]; z q[3]; z q[1]; y q[2]; y q[4];");
}

TEST(OpenQasm3, KnownConditionsAreDecidedWhileReading) {
  EXPECT_EQ(statements(read3("qubit[9] q; int i = 0; while (i < 9) { i += 1; if (i == 2) continue; if (i == 5) break; "
                             "x q[i]; } const bool b = true; if (b && !(i == 4)) { h q[i]; } else { y q[0]; }")),
            "x q[1]; x q[3]; x q[4]; h q[5];");
}

TEST(OpenQasm3, SwitchTakesOneCase) {
  EXPECT_EQ(statements(read3("qubit q; int i = 3; switch (i) { case 1, 2 { x q; } case 3 { y q; } default { z q; } } "
                             "switch (i + 9) { case 1 { x q; } default { z q; } }")),
            "y q[0]; z q[0];");
  const std::string program =
      "qubit[2] q; bit[2] c; bit[2] d; x q[1]; c = measure q; switch (int[4](c)) { case 0 { d = \"01\"; } case 1, 2 { "
      "d = \"10\"; } default { d = \"11\"; } }";
  EXPECT_NEAR(certain(program, "1010"), 1, 1e-12);
}

TEST(OpenQasm3, RunTimeBranchesKeepVariablesThatTheyChange) {
  const std::string program =
      "qubit[2] q; bit[2] c; bit d; h q[0]; int n = 1; c[0] = measure q[0]; if (c[0]) { n = 2; } else { n += 4; } if "
      "(n == 5) { x q[1]; } c[1] = measure q[1]; d = n > 3;";
  const auto got = outcomes(program);
  EXPECT_NEAR(got.at("001"), 0.5, 1e-12);
  EXPECT_NEAR(got.at("110"), 0.5, 1e-12);
}

TEST(OpenQasm3, RunTimeLoopsRepeatUntilSuccess) {
  const std::string program =
      "qubit q; bit c; uint[8] n = 0; bit[2] seen; while (!c && n < 3) { h q; c = measure q; n += 1; } seen = n;";
  const auto got = outcomes(program);  // c is bit 0, seen bits 1 and 2
  EXPECT_NEAR(got.at("011"), 0.5, 1e-12);
  EXPECT_NEAR(got.at("101"), 0.25, 1e-12);
  EXPECT_NEAR(got.at("111"), 0.125, 1e-12);
  EXPECT_NEAR(got.at("110"), 0.125, 1e-12);
}

TEST(OpenQasm3, BreakAndContinueOnMeasurementsLeaveWrittenOutLoops) {
  // Which qubit is the first to be found in |1>, q[2] being the only one that is.
  EXPECT_NEAR(certain("qubit[4] q; bit[3] found; bit b; x q[2]; for uint i in [0:3] { b = measure q[i]; if (b) { found "
                      "= i; break; } }",
                      "1010"),
              1, 1e-12);
  // Counts the |1>s, leaving at the last index by a second condition.
  const std::string both =
      "qubit[4] q; bit b; int n = 0; bit[3] out; x q[0]; x q[2]; x q[3]; for uint i in [0:3] { b = measure q[i]; if "
      "(!b) continue; n += 1; if (n == 2) break; } out = n;";
  EXPECT_NEAR(certain(both, "0101"), 1, 1e-12);
  EXPECT_NEAR(certain("qubit q; bit b; bit[3] out; int n = 0; while (true) { b = measure q; n += 1; if (n > 4) { "
                      "break; } x q; } out = n;",
                      "1010"),
              1, 1e-12);
}

TEST(OpenQasm3, RangesThatAreKnownAtRunTimeCount) {
  EXPECT_NEAR(certain("qubit[2] q; bit[2] c; x q[1]; c = measure q; int n = int(c); int sum = 0; for int i in [1:n + "
                      "1] { if (i == 2) { continue; } sum += i; } bit[4] out; out = sum;",
                      "010010"),
              1, 1e-12);
}

TEST(OpenQasm3, SubroutinesAreWrittenOutAndReturn) {
  const std::string flip =
      "def flip(qubit q, int n) -> bit { for int i in [1:n] { x q; } bit b; b = measure q; return b; } qubit[2] q; "
      "bit[2] c; c[0] = flip(q[0], 3); c[1] = flip(q[1], 2);";
  EXPECT_NEAR(outcomes(flip).begin()->second, 1, 1e-12);
  EXPECT_EQ(outcomes(flip).begin()->first.substr(1), "01");  // the bit of the subroutine is above those of the program
  EXPECT_EQ(statements(read3("const int n = 2; def area(int a, int b) -> int { return a * b * n; } qubit q; rx(area(2, "
                             "3)) q; def touch(qubit[2] r) { cx r[1], r[0]; } qubit[3] p; touch(p[1:2]);")),
            "rx(12.0) q[0]; ctrl @ x p[2], p[1];");
}

TEST(OpenQasm3, AConditionThatCallsIsAskedEachTimeRound) {
  const std::string program =
      "def flipped(qubit q) -> bit { x q; bit b; b = measure q; return b; } qubit q; int n = 0; bit[3] out; while "
      "(!flipped(q) || n < 3) { n += 1; x q; if (n > 5) { break; } } out = n;";
  EXPECT_EQ(outcomes(program).begin()->first.substr(1), "011");
}

TEST(OpenQasm3, SubroutinesMayReturnEarlyOnAMeasurement) {
  const std::string program =
      "def first(qubit a, qubit b) -> int { bit c; c = measure a; if (c) { return 1; } c = measure b; if (c) { return "
      "2; } return 0; } qubit[4] q; bit[6] out; x q[1]; x q[2]; int n = first(q[0], q[1]) * 8 + first(q[2], q[3]); out "
      "= n;";
  EXPECT_EQ(outcomes(program).begin()->first.substr(1), "010001");
}

TEST(OpenQasm3, ArraysArePassedByReferenceAndIndexedAtRunTime) {
  EXPECT_EQ(statements(read3("def fill(mutable array[int[8], #dim = 1] a) { for int i in [0:sizeof(a) - 1] { a[i] = i "
                             "* i; } } array[int[8], 3] a; fill(a); qubit q; rx(a[2]) q; array[float, 2, 2] m = {{1.5, "
                             "2.5}, {3.5, 4.5}}; rx(m[1, 0]) q; rx(m[0][1]) q;")),
            "rx(4.0) q[0]; rx(3.5) q[0]; rx(2.5) q[0];");
  EXPECT_NEAR(certain("qubit[2] q; bit[2] c; x q[1]; c = measure q; array[int, 4] a = {5, 6, 7, 8}; a[c] = a[c] + 2; "
                      "bit[4] out; out = a[uint(c)];",
                      "100110"),
              1, 1e-12);
}

TEST(OpenQasm3, AliasesNameWiresAgain) {
  EXPECT_EQ(
      statements(read3("qubit[3] a; qubit[2] b; let both = a[1:2] ++ b; let odd = both[{3, 0}]; let back = both[-1]; h "
                       "both[2]; x odd; z back; cx both[0:1], both[2:3]; let evens = a[0:2:]; y evens;")),
      "h b[0]; x b[1]; x a[1]; z b[1]; ctrl @ x a[1], b[0]; ctrl @ x a[2], b[1]; y a[0]; y a[2];");
}

TEST(OpenQasm3, PhysicalQubitsLieInTheirOrder) {
  const Circuit c = read3("cx $2, $0; h $1;");
  EXPECT_EQ(c.num_wires(), 3U);
  EXPECT_EQ(c.body()[0].wires[0], 2U);
  EXPECT_EQ(c.body()[0].wires[1], 0U);
}

TEST(OpenQasm3, InputsBecomeParametersAndOutputsVariables) {
  const Circuit c = read3(
      "input float[64] theta; input angle[20] phi; output int[8] n; qubit q; rx(2*theta + 0.5) q; p(phi) q; n = 7;");
  ASSERT_EQ(c.parameters().size(), 2U);
  EXPECT_EQ(c.parameters()[0].name, "theta");
  EXPECT_EQ(c.parameters()[1].type, (ScalarType{ScalarKind::angle, 20}));
  ASSERT_EQ(c.variables().size(), 1U);
  EXPECT_TRUE(c.variables()[0].is_output);
  const double values[] = {0.25, 1.0};
  EXPECT_NEAR(c.bind(values).body()[0].params[0].value, 1.0, 1e-15);
  EXPECT_EQ(testing::DenseOracle(c.bind(values)).branches()[0].variables[0].as_integer(), 7);
}

TEST(OpenQasm3, DurationsAreSeconds) {
  const Circuit c = read3(
      "duration d = 100ns; qubit[2] q; delay[d] q[0]; delay[2*d + 1us] q; delay[3.5ms] q[1]; delay[9dt] q[1]; "
      "delay[int[32](d/50ns) * 1s] q[0]; box { x q[0]; }");
  const double expected[] = {1e-7, 1.2e-6, 1.2e-6, 3.5e-3, 2e-9, 2.0};
  for (std::size_t i = 0; i < 6; ++i) EXPECT_NEAR(c.body()[i].params[0].value, expected[i], expected[i] * 1e-12) << i;
  EXPECT_EQ(c.body()[6].op, Op::barrier);
}

TEST(OpenQasm3, AnnotationsAndPragmasArePassedOver) {
  EXPECT_EQ(statements(read3("pragma user something { odd ( stuff\n#pragma other\n@reversible now\nqubit "
                             "q;\n@one\n@two x y\nh q; end; x q;")),
            "h q[0];");
}

TEST(OpenQasm3, BitsAreNumbersAndNumbersBits) {
  const auto got = outcomes(
      "bit[4] a = \"1010\"; bit[4] b; b = a >> 1; bit[2] d; d = a[2:3]; bit e; e = (a == 10); int n = 6; bit f = "
      "n[1];");
  EXPECT_EQ(got.begin()->first,
            "1"
            "1"
            "10"
            "0101"
            "1010");
}

TEST(OpenQasm3, ANameInABlockHidesTheOneOutside) {
  EXPECT_EQ(
      statements(read3("qubit q; int n = 1; { int n = 2; rx(n) q; } rx(n) q; for int n in [5:5] rx(n) q; rx(n) q;")),
      "rx(2.0) q[0]; rx(1.0) q[0]; rx(5.0) q[0]; rx(1.0) q[0];");
}

struct BadQasm3 {
  const char *text, *where;
  ErrorCode code;
};
class OpenQasm3Refusal : public ::testing::TestWithParam<BadQasm3> {};
TEST_P(OpenQasm3Refusal, IsTypedAndPlaced) {
  const Error e = refusal3(GetParam().text);
  EXPECT_EQ(e.code(), GetParam().code) << e.what();
  EXPECT_EQ(e.where(), std::string("t.qasm:") + GetParam().where) << e.what();
}
constexpr auto kSemantic = ErrorCode::semantic_error;
constexpr auto kUnsupported = ErrorCode::unsupported;
INSTANTIATE_TEST_SUITE_P(
    All, OpenQasm3Refusal,
    ::testing::Values(
        BadQasm3{"cal { }", "3:1", kUnsupported}, BadQasm3{"defcal x $0 { }", "3:1", kUnsupported},
        BadQasm3{"defcalgrammar \"openpulse\";", "3:1", kUnsupported},
        BadQasm3{"extern f(int) -> int;", "3:1", kUnsupported}, BadQasm3{"complex[float] c;", "3:1", kUnsupported},
        BadQasm3{"stretch s;", "3:1", kUnsupported}, BadQasm3{"float f = 2 im;", "3:11", kUnsupported},
        BadQasm3{"duration d = durationof({ x $0; });", "3:14", kUnsupported},
        BadQasm3{"int[128] x;", "3:1", kUnsupported},
        BadQasm3{"qubit[2] q; bit c; c = measure q[0]; x q[int(c)];", "3:42", kUnsupported},
        BadQasm3{"def f(int n) -> int { return f(n - 1); } int x = f(3);", "3:30", kUnsupported},
        BadQasm3{"qubit q; float e = 0.5; bit c; c = measure q; if (c) { e = 0.25; } pow(e) @ x q;", "3:68",
                 kUnsupported},
        BadQasm3{"const int n = 2; n += 1;", "3:18", kSemantic},
        BadQasm3{"for int i in [0:1] { i = 2; }", "3:22", kSemantic},
        BadQasm3{"int n = 1; def f() { n = 2; } f();", "3:22", kSemantic}, BadQasm3{"break;", "3:1", kSemantic},
        BadQasm3{"return 1;", "3:1", kSemantic}, BadQasm3{"qubit q; delay[5] q;", "3:16", kSemantic},
        BadQasm3{"int n = 5ns;", "3:9", kSemantic}, BadQasm3{"bit[3] a = \"01\";", "3:12", kSemantic},
        BadQasm3{"array[int, 3] a = {1, 2};", "3:19", kSemantic},
        BadQasm3{"array[int, 3] a; int x = a[3];", "3:27", ErrorCode::out_of_range},
        BadQasm3{"qubit q; if (measure q) x q;", "3:14", ErrorCode::syntax_error},
        BadQasm3{"qubit q; x(0.5) q;", "3:10", kSemantic},
        BadQasm3{"qubit[2] q; let a = q[0:5];", "3:23", ErrorCode::out_of_range},
        BadQasm3{"{ qubit q; }", "3:3", kSemantic}, BadQasm3{"gate g a { measure a; }", "3:12", kSemantic},
        BadQasm3{"gate g a { reset a; }", "3:12", kSemantic},
        BadQasm3{"input float t; gate g a { rx(t) a; }", "3:30", kSemantic},
        BadQasm3{"def f(qubit q) { x q; } f(1);", "3:27", kSemantic},
        BadQasm3{"def f() -> int { } int n = f();", "3:28", kSemantic},
        BadQasm3{"qubit q; ctrl(0) @ x q;", "3:10", kSemantic}, BadQasm3{"int n = 1 / 0;", "3:11", kSemantic},
        BadQasm3{"uint u = sin;", "3:10", kSemantic}, BadQasm3{"nosuch(1);", "3:1", kSemantic},
        BadQasm3{"while (true) { int x = y; }", "3:24", kSemantic}));

TEST(OpenQasm3, UnknownVersionsAreRefused) {
  EXPECT_EQ(testing::refusal("OPENQASM 4.0;").code(), kUnsupported);
  EXPECT_EQ(testing::refusal("OPENQASM 4.0;").where(), "t.qasm:1:10");
}

}  // namespace
}  // namespace skerry::frontend
