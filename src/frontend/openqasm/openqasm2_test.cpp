#include <cmath>
#include <filesystem>
#include <fstream>
#include <numbers>

#include "frontend/openqasm/dense_oracle.hpp"
#include "frontend/openqasm/gates.hpp"
#include "frontend/openqasm/test_program.hpp"

namespace skerry::frontend {
namespace {

using testing::read2;
using testing::refusal;
using testing::refusal2;
using testing::statements;

TEST(OpenQasm2, GatesAreStoredWithTheirControlsApart) {
  EXPECT_EQ(statements(read2(
                "qreg q[5]; cx q[0],q[1]; ccx q[2],q[1],q[0]; c4x q[0],q[1],q[2],q[3],q[4]; cu1(0.5) q[3],q[4];")),
            "ctrl @ x q[0], q[1]; ctrl(2) @ x q[2], q[1], q[0]; ctrl(4) @ x q[0], q[1], q[2], q[3], q[4]; ctrl @ "
            "p(0.5) q[3], q[4];");
}

TEST(OpenQasm2, RegistersBroadcast) {
  EXPECT_EQ(statements(read2("qreg a[2]; qreg b[2]; qreg c[1]; h a; cx a,b; cx a[1],b; cx a,c[0];")),
            "h a[0]; h a[1]; ctrl @ x a[0], b[0]; ctrl @ x a[1], b[1]; ctrl @ x a[1], b[0]; ctrl @ x a[1], b[1]; "
            "ctrl @ x a[0], c[0]; ctrl @ x a[1], c[0];");
}

TEST(OpenQasm2, NumbersAreReal) {
  const Circuit c = read2(
      "qreg q[1]; rx(1/2) q[0]; rx(-2^2) q[0]; rx(2^-1) q[0]; rx(3-1-1) q[0]; rx(sin(pi/2)+cos(0)*ln(exp(2))) q[0]; "
      "rx(sqrt(9)/tan(pi/4)) q[0];");
  const double expected[] = {0.5, -4.0, 0.5, 1.0, 3.0, 3.0};
  for (std::size_t i = 0; i < 6; ++i) EXPECT_NEAR(c.body()[i].params[0].value, expected[i], 1e-15) << i;
}

TEST(OpenQasm2, DefinitionsAreWrittenOut) {
  EXPECT_EQ(statements(read2("gate g(a,b) x,y { rx(a+b) x; cx x,y; barrier x,y; }\ngate f(t) x,y { g(t,2*t) y,x; h x; "
                             "}\nqreg q[2]; f(0.5) q[0],q[1];")),
            "rx(1.5) q[1]; ctrl @ x q[1], q[0]; barrier q[1], q[0]; h q[0];");
}

TEST(OpenQasm2, ConditionsCompareWholeRegisters) {
  EXPECT_EQ(statements(read2("qreg q[2]; creg c[2]; measure q -> c; if(c==3) x q[0];")),
            "measure q[0] -> c[0]; measure q[1] -> c[1]; if (c == 3) { x q[0]; }");
}

TEST(OpenQasm2, ConditionsOnRegistersPast64BitsAreExact) {
  const Circuit c =
      read2("qreg q[1]; creg c[70]; creg d[1]; x q[0]; measure q[0] -> c[0]; if(c==1) measure q[0] -> d[0];");
  EXPECT_NEAR(testing::DenseOracle(c).distribution().at("1" + std::string(69, '0') + "1"), 1.0, 1e-12);
  const Circuit high =
      read2("qreg q[1]; creg c[70]; creg d[1]; x q[0]; measure q[0] -> c[69]; if(c==0) measure q[0] -> d[0];");
  EXPECT_NEAR(testing::DenseOracle(high).distribution().at("01" + std::string(69, '0')), 1.0, 1e-12);
}

TEST(OpenQasm2, OpaqueGatesMayBeDeclaredButNotUsed) {
  EXPECT_EQ(statements(read2("opaque magic(a) x,y; qreg q[2]; h q[0];")), "h q[0];");
  const Error e = refusal2("opaque magic(a) x,y;\nqreg q[2];\nmagic(1) q[0],q[1];");
  EXPECT_EQ(e.code(), ErrorCode::unsupported);
  EXPECT_EQ(e.where(), "t.qasm:5:1");
}

TEST(OpenQasm2, WordsOfOpenQasm3AreOrdinaryNames) {
  EXPECT_EQ(statements(read2("qreg int[1]; creg bit[1]; gate def a { x a; } def int[0]; measure int -> bit;")),
            "x int[0]; measure int[0] -> \"bit\"[0];");
}

TEST(OpenQasm2, AProgramMayBringItsOwnVersionOfALibraryGate) {
  EXPECT_EQ(statements(read2("gate rzz(t) a,b { cx a,b; rz(t) b; cx a,b; } qreg q[2]; rzz(0.5) q[0],q[1];")),
            "ctrl @ x q[0], q[1]; rz(0.5) q[1]; ctrl @ x q[0], q[1];");
}

TEST(OpenQasm2, WithoutItsLibraryOnlyTheLanguagesOwnGatesExist) {
  EXPECT_EQ(statements(testing::read("OPENQASM 2.0; qreg q[2]; U(0.1,0.2,0.3) q[0]; CX q[0],q[1];")),
            "u(0.1, 0.2, 0.3) q[0]; ctrl @ x q[0], q[1];");
  EXPECT_EQ(refusal("OPENQASM 2.0; qreg q[2]; h q[0];").code(), ErrorCode::semantic_error);
}

// Matrices of the gates that are written by others, from Qiskit's circuit library.
TEST(OpenQasm2, RelativePhaseToffoliHasItsPhases) {
  const Matrix m = openqasm::circuit_matrix(read2("qreg q[3]; rccx q[0],q[1],q[2];"));
  const std::complex<double> i(0, 1);
  for (std::size_t row = 0; row < 8; ++row)
    for (std::size_t column = 0; column < 8; ++column) {
      std::complex<double> want = row == column ? 1.0 : 0.0;
      if (row == 5 && column == 5) want = -1.0;
      if (row == 3 && column == 7) want = -i;
      if (row == 7 && column == 3) want = i;
      if ((row == 3 || row == 7) && row == column) want = 0;
      EXPECT_NEAR(std::abs(m.values[row * 8 + column] - want), 0, 1e-12) << row << " " << column;
    }
}

TEST(OpenQasm2, PlacesAreLinesAndColumnsOfCharacters) {
  EXPECT_EQ(refusal("OPENQASM 2.0;\nqreg q[1]; /* \xCF\x80\xCF\x80 */ foo q[0];").where(), "t.qasm:2:21");
  EXPECT_EQ(refusal("OPENQASM 2.0;\r\n\tqreg q[2];\r\n\tfoo q[0];").where(), "t.qasm:3:2");
}

TEST(OpenQasm2, MisspeltNamesAreAnsweredByTheNearest) {
  EXPECT_EQ(refusal2("qreg q[1]; hh q[0];").hint(), "did you mean 'h'?");
  EXPECT_EQ(refusal2("qreg alpha[1]; h alpah[0];").hint(), "did you mean 'alpha'?");
}

struct BadQasm2 {
  const char *text, *where;
  ErrorCode code;
};
class OpenQasm2Refusal : public ::testing::TestWithParam<BadQasm2> {};
TEST_P(OpenQasm2Refusal, IsTypedAndPlaced) {
  const Error e = refusal2(GetParam().text);
  EXPECT_EQ(e.code(), GetParam().code) << e.what();
  EXPECT_EQ(e.where(), std::string("t.qasm:") + GetParam().where) << e.what();
}
INSTANTIATE_TEST_SUITE_P(
    All, OpenQasm2Refusal,
    ::testing::Values(BadQasm2{"qreg q[0];", "3:8", ErrorCode::semantic_error},
                      BadQasm2{"qreg q[18446744073709551616];", "3:8", ErrorCode::semantic_error},
                      BadQasm2{"qreg q[1]; creg c[1]; if(c==) x q[0];", "3:29", ErrorCode::syntax_error},
                      BadQasm2{"qreg q[1]; rx(1e999) q[0];", "3:15", ErrorCode::out_of_range},
                      BadQasm2{"qreg q[1]; h q[0]; /* no end", "3:20", ErrorCode::syntax_error},
                      BadQasm2{"qreg q[1]; h c[0];", "3:14", ErrorCode::semantic_error},
                      BadQasm2{"qreg q[1]; creg c[1]; h c[0];", "3:25", ErrorCode::semantic_error},
                      BadQasm2{"gate g a { h b; }", "3:14", ErrorCode::semantic_error},
                      BadQasm2{"gate g a,a { h a; }", "3:10", ErrorCode::semantic_error},
                      BadQasm2{"qreg q[1]; gate g a { h q[0]; }", "3:25", ErrorCode::semantic_error},
                      BadQasm2{"gate g(t) a { rx(t+s) a; }", "3:20", ErrorCode::semantic_error},
                      BadQasm2{"qreg q[1];\nOPENQASM 2.0;", "4:1", ErrorCode::syntax_error},
                      BadQasm2{"qreg q[1]; x q[0]; }", "3:20", ErrorCode::syntax_error},
                      BadQasm2{"qreg 2q[1];", "3:7", ErrorCode::syntax_error},
                      BadQasm2{"qreg q[1]; x q[1.5];", "3:16", ErrorCode::semantic_error},
                      BadQasm2{"qreg q[1]; measure q[0];", "3:24", ErrorCode::syntax_error}));

TEST(OpenQasm2, IncludesAreReadBesideTheProgram) {
  const std::filesystem::path folder = std::filesystem::temp_directory_path() / "skerry_include_test";
  std::filesystem::create_directories(folder / "inner");
  std::ofstream(folder / "inner" / "mine.inc") << "gate mine a { h a; x a; }\n";
  std::ofstream(folder / "loop.inc") << "include \"loop.inc\";\n";
  std::ofstream(folder / "bad.inc") << "\n\ngate g a { nosuch a; }\n";
  std::error_code ignored;
  std::filesystem::create_symlink("/etc/hostname", folder / "link.inc", ignored);
  const auto read = [&](const std::string& name) {
    return testing::read("OPENQASM 2.0;\ninclude \"qelib1.inc\";\ninclude \"" + name + "\";\nqreg q[1]; mine q[0];", {},
                         folder);
  };
  const auto code = [&](const std::string& name) {
    try {
      (void)read(name);
    } catch (const Error& e) {
      return std::pair(e.code(), e.where());
    }
    return std::pair(ErrorCode::internal, std::string("accepted"));
  };
  EXPECT_EQ(statements(read("inner/mine.inc")), "h q[0]; x q[0];");
  EXPECT_EQ(code("loop.inc").first, ErrorCode::limit_exceeded);
  EXPECT_EQ(code("link.inc"), std::pair(ErrorCode::permission_denied, std::string("t.qasm:3:9")));
  EXPECT_EQ(code("/etc/hostname"), std::pair(ErrorCode::permission_denied, std::string("t.qasm:3:9")));
  EXPECT_EQ(code("inner/../../x.inc"), std::pair(ErrorCode::permission_denied, std::string("t.qasm:3:9")));
  EXPECT_EQ(code("inner"), std::pair(ErrorCode::permission_denied, std::string("t.qasm:3:9")));
  EXPECT_EQ(code("bad.inc"), std::pair(ErrorCode::semantic_error, std::string("bad.inc:3:12")));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace skerry::frontend
