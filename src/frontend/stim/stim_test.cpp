#include <gtest/gtest.h>

#include <skerry/error.hpp>

#include "base/thrown_by.hpp"
#include "frontend/frontend.hpp"
#include "frontend/stim/reader.hpp"

namespace skerry::frontend::stim {
namespace {

StabilizerCircuit read(std::string_view text, const ImportLimits& limits = {}) {
  return read_stim(text, limits, "t.stim");
}

Error refusal(std::string_view text, const ImportLimits& limits = {}) {
  return base::thrown_by([&] { read(text, limits); });
}

Circuit program(std::string_view text) {
  Source source;
  source.bytes = std::as_bytes(std::span(text));
  return std::get<Circuit>(import(source, {}));
}

TEST(Stim, ReadsRepetitionsRecordsAndDetectors) {
  const StabilizerCircuit circuit = read(
      "QUBIT_COORDS(1, 2) 4\nR 0 1\nREPEAT 3 { # rounds\n  CX 0 1\n  MR(0.01) 1\n  DETECTOR(0, 0) rec[-1]\n}\n"
      "M !0\nOBSERVABLE_INCLUDE(1) rec[-1] rec[-2]\n");
  EXPECT_EQ(circuit.num_qubits(), 5U);
  EXPECT_EQ(circuit.num_measurements(), 4U);
  EXPECT_EQ(circuit.num_detectors(), 3U);
  EXPECT_EQ(circuit.num_observables(), 2U);
  EXPECT_EQ(circuit.detector(2)[0], 2U);
  EXPECT_EQ(circuit.observable(1).size(), 2U);
  EXPECT_TRUE(circuit.observable(0).empty());
  EXPECT_EQ(circuit.channels().size(), 1U);
}

TEST(Stim, ARepetitionIsItsBodyWrittenOut) {
  EXPECT_EQ(read("H 0\nREPEAT 3 {\nREPEAT 2 {\nCX 0 1\n}\nM 1\nDETECTOR rec[-1]\n}\n"),
            read("h 0\nCX 0 1 0 1\nM 1\nDETECTOR rec[-1]\nCX 0 1 0 1\nM 1\nDETECTOR rec[-1]\n"
                 "CX 0 1 0 1\nM 1\nDETECTOR rec[-1]\n"));
}

TEST(Stim, TellsThePlaceOfWhatIsWrong) {
  const auto expect = [](std::string_view text, ErrorCode code, std::string_view where, std::string_view words) {
    const Error error = refusal(text);
    EXPECT_EQ(error.code(), code) << error.what();
    EXPECT_EQ(error.where(), where) << error.what();
    EXPECT_NE(error.message().find(words), std::string::npos) << error.what();
  };
  expect("H 0\nHH 1\n", ErrorCode::syntax_error, "t.stim:2:1", "unknown instruction 'HH'");
  expect("CX 0\n", ErrorCode::syntax_error, "t.stim:1:1", "pairs");
  expect("CX 0 0\n", ErrorCode::semantic_error, "t.stim:1:6", "twice");
  expect("M 0\nDETECTOR rec[-2]\n", ErrorCode::semantic_error, "t.stim:2:10", "rec[-2]");
  expect("X_ERROR(1.5) 0\n", ErrorCode::semantic_error, "t.stim:1:1", "1.5");
  expect("PAULI_CHANNEL_1(0.5, 0.5, 0.5) 0\n", ErrorCode::semantic_error, "t.stim:1:1", "more than 1");
  expect("DEPOLARIZE1 0\n", ErrorCode::syntax_error, "t.stim:1:1", "1 arguments, not 0");
  expect("E(0.1) X0\n", ErrorCode::unsupported, "t.stim:1:1", "E is not simulated");
  expect("CX sweep[0] 1\n", ErrorCode::unsupported, "t.stim:1:4", "sweep");
  expect("H rec[-1]\n", ErrorCode::semantic_error, "t.stim:1:3", "before the first");
  expect("M 0\nXCX rec[-1] 1\n", ErrorCode::semantic_error, "t.stim:2:5", "takes no record");
  expect("REPEAT 0 {\n}\n", ErrorCode::semantic_error, "t.stim:1:1", "0 times");
  expect("REPEAT 2 {\nH 0\n", ErrorCode::syntax_error, "t.stim:1:1", "not closed");
  expect("}\n", ErrorCode::syntax_error, "t.stim:1:1", "no block");
  expect("MPP X0*X0\n", ErrorCode::semantic_error, "t.stim:1:8", "twice");
  expect("H 0 {\n", ErrorCode::syntax_error, "t.stim:1:5", "only REPEAT");
}

TEST(Stim, LimitsHoldWhateverIsRepeated) {
  EXPECT_EQ(refusal("REPEAT 1000000000000000000 {\n}\n").code(), ErrorCode::limit_exceeded);
  EXPECT_EQ(refusal("REPEAT 99999999999999999999999 {\n}\n").code(), ErrorCode::limit_exceeded);
  EXPECT_EQ(refusal("H 100000\n").code(), ErrorCode::limit_exceeded);
  EXPECT_EQ(refusal("REPEAT 9 {\nREPEAT 9 {\nH 0\n}\n}\n", {.max_nesting = 1}).code(), ErrorCode::limit_exceeded);
  EXPECT_EQ(refusal("REPEAT 9 {\nM 0\n}\n", {.max_bits = 5}).code(), ErrorCode::limit_exceeded);
  EXPECT_EQ(refusal("H 0 1 2 3", {.max_instructions = 6}).code(), ErrorCode::limit_exceeded);
}

TEST(Stim, IsToldFromOpenQasmByItsContent) {
  EXPECT_TRUE(looks_like_stim("# comment\n\n  H 0 1\n"));
  EXPECT_TRUE(looks_like_stim("REPEAT 3 {\n"));
  EXPECT_TRUE(looks_like_stim("TICK\n"));
  EXPECT_FALSE(looks_like_stim("x q[0];\n"));
  EXPECT_FALSE(looks_like_stim("OPENQASM 3.0;"));
  EXPECT_FALSE(looks_like_stim("h 0;"));
  EXPECT_FALSE(looks_like_stim(""));
}

TEST(Stim, BecomesAProgramWhenItHasNoNoise) {
  const Circuit circuit = program("H 0\nCX 0 1\nM 0\nCX rec[-1] 1\nM !1\n");
  EXPECT_EQ(circuit.num_wires(), 2U);
  EXPECT_EQ(circuit.num_bits(), 2U);
  EXPECT_EQ(base::thrown_by([] { program("X_ERROR(0.1) 0\nM 0\n"); }).code(), ErrorCode::unsupported);
}

}  // namespace
}  // namespace skerry::frontend::stim
