// Photonic programs as text; what they do when they are run is tested in src/sim/modes/mode_run_test.cpp.
#include <filesystem>
#include <fstream>
#include <sstream>

#include "frontend/openqasm/test_program.hpp"

namespace skerry::frontend {
namespace {

using testing::read;
using testing::refusal;
using testing::statements;

std::filesystem::path folder() {
  return std::filesystem::path(SKERRY_TEST_DATA) / "photonic";
}

std::string text_of(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::string program(const std::string& lines) {
  return "\nversion 1.0\n" + lines;
}

TEST(Blackbird, TeleportationFeedsOutcomesForward) {
  const Circuit c = read(text_of(folder() / "teleportation.xbb"));
  EXPECT_EQ(c.name, "StateTeleportation");
  EXPECT_EQ(c.num_wires(), 3U);
  EXPECT_TRUE(acts_on_modes(c));
  const std::string text = statements(c);
  EXPECT_NE(text.find("measure_homodyne(0.0) q[0] -> q0;"), std::string::npos) << text;
  EXPECT_NE(text.find("measure_homodyne(1.5707963267948966) q[1] -> q1;"), std::string::npos) << text;
  EXPECT_NE(text.find("displacement("), std::string::npos);
  EXPECT_NE(text.find("q0"), std::string::npos);
}

TEST(Blackbird, StatementsMeanWhatStrawberryFieldsMakesOfThem) {
  const std::pair<const char*, const char*> rows[] = {
      {"Dgate(0.5, 0.25) | 0", "displacement(0.5, 0.25) q[0];"},
      {"Dgate(1j) | 0", "displacement(1.0, 1.5707963267948966) q[0];"},
      {"Sgate(0.5) | 0", "squeezing(0.5, 0.0) q[0];"},
      {"Rgate(theta=-0.5) | 0", "rotation(-0.5) q[0];"},
      {"Fouriergate | 0", "rotation(1.5707963267948966) q[0];"},
      {"Kgate(0.5) | 0", "kerr(0.5) q[0];"},
      {"Vgate(0.5) | 0", "cubic_phase(0.5) q[0];"},
      {"BSgate() | [0, 1]", "beam_splitter(0.7853981633974483, 1.5707963267948966) q[0], q[1];"},
      {"S2gate(0.5) | (0, 1)", "two_mode_squeezing(0.5, 0.0) q[0], q[1];"},
      {"CKgate(0.5) | [1, 0]", "cross_kerr(0.5) q[1], q[0];"},
      {"LossChannel(0.5) | 0", "loss(0.5) q[0];"},
      {"Fock(2) | 0", "prepare_fock(2.0) q[0];"},
      {"Thermal(0.5) | 0", "prepare_thermal(0.5) q[0];"},
      {"Squeezed(0.5) | 0", "prepare_vacuum q[0]; squeezing(0.5, 0.0) q[0];"},
      {"Sgate(0.5) | [0, 1]", "squeezing(0.5, 0.0) q[0]; squeezing(0.5, 0.0) q[1];"},
      {"amplifier(1.5) | 0", "amplifier(1.5) q[0];"},
      {"MeasureFock(select=2) | 0", "select_photons(2.0) q[0];"},
      {"MeasureHomodyne(0.5, select=-0.25) | 0", "select_homodyne(0.5, -0.25) q[0];"},
      {"Sgate(2*pi/4 + 2**3 - sin(0)) | 0", "squeezing(9.570796326794897, 0.0) q[0];"},
      {"for int i in 0:4:2\n    Sgate(i/2) | i", "squeezing(0.0, 0.0) q[0]; squeezing(1.0, 0.0) q[2];"},
      {"for int i in [2, 0]\n    for int j in 0:2\n        Rgate(j) | i\nKgate(1) | 1",
       "rotation(0.0) q[2]; rotation(1.0) q[2]; rotation(0.0) q[0]; rotation(1.0) q[0]; kerr(1.0) q[1];"},
      {"MeasureHD | 0\nDgate(q0) | 1",
       "output q0: real; output q0_imag: real; measure_heterodyne q[0] -> q0; displacement(q0, 0.0) q[1]; "
       "displacement(q0_imag, 1.5707963267948966) q[1];"},
      {"MeasureHD | 0\nRgate(re(q0) - im(conj(q0))) | 1",
       "output q0: real; output q0_imag: real; measure_heterodyne q[0] -> q0; rotation(q0 - -1.0 * q0_imag) q[1];"},
      {"float array U[2, 2] =\n    0.1, 0.2\n    0.3, 0.4\nRgate(U[1, 0]) | 0", "rotation(0.3) q[0];"},
  };
  for (const auto& [line, wanted] : rows) {
    const std::string found = statements(read(program(std::string(line) + "\n")));
    EXPECT_EQ(found, wanted) << line;
  }
}

TEST(Blackbird, WhatDoesNothingStillActsOnModes) {
  for (const char* lines : {"complex array U[2, 2] =\n    1, 0\n    0, 1\nInterferometer(U) | [0, 1]",
                            "float array S[2, 2] =\n    1, 0\n    0, 1\nGaussianTransform(S) | 1",
                            "float array A[2, 2] =\n    0, 0\n    0, 0\nGraphEmbed(A) | [0, 1]"}) {
    const Circuit c = read(program(std::string(lines) + "\n"));
    EXPECT_TRUE(acts_on_modes(c)) << lines;
    EXPECT_EQ(c.num_wires(), 2U) << lines;
    EXPECT_EQ(statements(c), "prepare_vacuum q[0];") << lines;
    EXPECT_EQ(ir::parse_circuit(ir::print(c)), c) << lines;
  }
}

TEST(Blackbird, BracesNameFreeParameters) {
  const Circuit c = read(text_of(folder() / "cat.xbb"));
  ASSERT_EQ(c.parameters().size(), 2U);
  EXPECT_EQ(c.parameters()[0].name, "kappa");
  EXPECT_EQ(c.parameters()[1].name, "theta");
  EXPECT_NE(statements(c).find("cross_kerr(0.1 * kappa)"), std::string::npos);
}

TEST(Blackbird, TheTextFormOfEveryProgramComesBack) {
  for (const char* file : {"teleportation.xbb", "boson_sampling.xbb", "cat.xbb", "network.json"}) {
    const Circuit c = read(text_of(folder() / file));
    EXPECT_EQ(ir::parse_circuit(ir::print(c)), c) << file;
  }
}

TEST(Blackbird, JsonSaysTheSameThings) {
  const Circuit c = read(text_of(folder() / "network.json"));
  EXPECT_EQ(c.num_wires(), 2U);
  const std::string text = statements(c);
  EXPECT_TRUE(text.find("cutoff(9.0) q[0]; cutoff(8.0) q[1]; squeezing(0.3, 0.0) q[0];") != std::string::npos) << text;
  EXPECT_NE(text.find("beam_splitter(0.7853981633974483, 2.0 * theta) q[0], q[1];"), std::string::npos) << text;
}

TEST(Blackbird, MalformedProgramsAreRefusedWithTheirLine) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder() / "invalid")) {
    ++count;
    const Error error = refusal(text_of(entry.path()), ImportLimits{.max_instructions = 100'000});
    EXPECT_NE(error.code(), ErrorCode::internal) << entry.path();
    EXPECT_TRUE(error.where().starts_with("t.qasm")) << entry.path() << " " << error.what();
    if (entry.path().extension() == ".xbb") {
      EXPECT_NE(error.where().find(':'), std::string::npos) << entry.path() << " " << error.what();
    }
    EXPECT_FALSE(error.message().empty());
  }
  EXPECT_GE(count, 30U);
}

TEST(Blackbird, RefusalsSayWhereAndWhatToDo) {
  const Error near = refusal(program("Rgate(0.1) | 0\nSgat(0.3) | 0\n"));
  EXPECT_EQ(near.where(), "t.qasm:4:1");
  EXPECT_EQ(near.hint(), "did you mean 'Sgate'?");
  const Error undeclared = refusal(program("float radius = 1\nSgate(radios) | 0\n"));
  EXPECT_EQ(undeclared.where(), "t.qasm:4:7");
  EXPECT_EQ(undeclared.hint(), "did you mean 'radius'?");
  EXPECT_EQ(refusal(program("Ket(0.1) | 0\n")).code(), ErrorCode::unsupported);
  EXPECT_EQ(refusal(program("for int i in 0:900000000\n    Sgate(0.1) | 0\n"), {.max_instructions = 1000}).code(),
            ErrorCode::limit_exceeded);
  EXPECT_EQ(refusal(program("Sgate(" + std::string(2000, '(') + "0.1) | 0\n")).code(), ErrorCode::limit_exceeded);
}

TEST(Blackbird, ContentDecidesAndOthersKeepTheirFiles) {
  EXPECT_TRUE(acts_on_modes(read("# comment\nSgate(0.3) | 0\n")));
  EXPECT_TRUE(acts_on_modes(read("version 1.0\nname a\nVacuum() | 0\n")));
  EXPECT_EQ(refusal("D\x01\x02|(").message(), "the content is of no known format");
  EXPECT_EQ(refusal("This is a text | of words\n").message(), "the content is of no known format");
  EXPECT_FALSE(acts_on_modes(read("OPENQASM 3.0;\nqubit q;\n")));
  EXPECT_FALSE(acts_on_modes(read("H 0\nCX 0 1\nM 0\n")));
  EXPECT_FALSE(acts_on_modes(read("{\"qubits\": 1, \"gates\": []}")));
}

}  // namespace
}  // namespace skerry::frontend
