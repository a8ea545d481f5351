// Programs of QIR as text; what they do when they are run is tested in tests/python/test_qir.py.
#include <filesystem>
#include <fstream>
#include <sstream>

#include "frontend/openqasm/test_program.hpp"

namespace skerry::frontend {
namespace {

using testing::read;
using testing::refusal;
using testing::statements;

std::string seed(const std::string& file) {
  std::ifstream in(std::filesystem::path(SKERRY_TEST_DATA).parent_path() / "fuzz" / "corpus" / "qir" / file);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

/// An entry point with this body; qubits and results are named %0 to %9 in it and replaced by pointers.
std::string program(const std::string& body, const std::string& attributes = "\"entry_point\"") {
  return "define void @main() #0 {\nentry:\n" + body + "\n}\nattributes #0 = { " + attributes + " }\n";
}
std::string pointer(int index) {
  return index == 0 ? "ptr null" : "ptr inttoptr (i64 " + std::to_string(index) + " to ptr)";
}
std::string call(const std::string& name, std::initializer_list<int> pointers) {
  std::string text = "  call void @__quantum__qis__" + name + "(";
  for (const int p : pointers) text += (text.ends_with('(') ? "" : ", ") + pointer(p);
  return text + ")\n";
}
std::string measured(int qubit, int result) {
  return call("mz__body", {qubit, result});
}
std::string is_one(const std::string& name, int result) {
  return "  %" + name + " = call i1 @__quantum__rt__read_result(" + pointer(result) + ")\n";
}

TEST(Qir, ABaseProfileProgramIsItsGatesInOrder) {
  const Circuit c = read(seed("base.ll"));
  EXPECT_EQ(c.num_wires(), 2U);
  EXPECT_EQ(c.num_bits(), 2U);
  EXPECT_EQ(
      statements(c),
      "h q[0]; ctrl @ x q[0], q[1]; rz(0.5) q[0]; rx(1.0) q[1]; sdg q[0]; measure q[0] -> c[0]; measure q[1] -> c[1];");
}

TEST(Qir, EveryRowOfTheTableMeansItsGate) {
  const std::tuple<const char*, int, int, const char*> rows[] = {
#define SKERRY_QIS(spelling, op, controls) {#spelling, gate_parameters(Op::op), gate_targets(Op::op) + controls, #op},
#include "frontend/qir/qis.def"
#undef SKERRY_QIS
  };
  for (const auto& [spelling, reals, qubits, op] : rows) {
    std::string text = std::string("  call void @__quantum__qis__") + spelling + "(";
    for (int i = 0; i < reals; ++i) text += "double 2.5e-01, ";
    for (int i = 0; i < qubits; ++i) text += (i == 0 ? "" : ", ") + pointer(i);
    const Circuit c = read(program(text + ")\n  ret void"));
    ASSERT_EQ(c.body().size(), 1U) << spelling;
    EXPECT_EQ(op_name(c.body()[0].op), op) << spelling;
    EXPECT_EQ(c.num_wires(), static_cast<std::uint32_t>(qubits)) << spelling;
  }
}

TEST(Qir, ABranchOnAMeasurementMeetsAgainBehindIt) {
  const std::string text = statements(read(seed("adaptive.ll")));
  EXPECT_NE(text.find("if (c[1]) { x q[2]; v0 = 1u64; } else { v0 = 0u64; } if (c[0]) { z q[2];"), std::string::npos)
      << text;
  EXPECT_NE(text.find("measure q[2] -> c[2]; count = v1;"), std::string::npos) << text;
}

TEST(Qir, KnownLoopsAndCallsAreWrittenOutAndOthersStay) {
  const std::string text = statements(read(seed("loops.ll")));
  EXPECT_TRUE(text.find("rx(0.0) q[0]; rx(0.5) q[0]; rx(1.0) q[0];") != std::string::npos) << text;
  EXPECT_EQ(text.find("while ("), text.rfind("while (")) << text;
  EXPECT_NE(text.find("while"), std::string::npos) << text;
}

TEST(Qir, ANumberThatWasReadKeepsItsValueWhenTheResultIsMeasuredAgain) {
  const std::string text = statements(read(program(measured(0, 0) + is_one("a", 0) + call("x__body", {0}) +
                                                   measured(0, 0) + "  br i1 %a, label %yes, label %no\nyes:\n" +
                                                   call("z__body", {1}) + "  br label %no\nno:\n  ret void")));
  EXPECT_EQ(
      text,
      "var v0: bool; measure q[0] -> c[0]; v0 = c[0]; x q[0]; measure q[0] -> c[0]; if (v0) { z q[1]; } else { }");
}

TEST(Qir, ConstantsAreFoldedAsLlvmComputesThem) {
  const std::pair<const char*, const char*> cases[] = {
      {"%v = sdiv i8 -7, 2\n%n = sitofp i8 %v to double", "rx(-3.0)"},
      {"%v = udiv i8 -7, 2\n%n = uitofp i8 %v to double", "rx(124.0)"},
      {"%v = ashr i8 -8, 1\n%n = sitofp i8 %v to double", "rx(-4.0)"},
      {"%v = lshr i8 -8, 1\n%n = uitofp i8 %v to double", "rx(124.0)"},
      {"%v = add i8 127, 1\n%n = sitofp i8 %v to double", "rx(-128.0)"},
      {"%v = trunc i32 259 to i8\n%n = uitofp i8 %v to double", "rx(3.0)"},
      {"%v = sext i8 -1 to i64\n%n = sitofp i64 %v to double", "rx(-1.0)"},
      {"%v = zext i8 -1 to i64\n%n = sitofp i64 %v to double", "rx(255.0)"},
      {"%c = icmp slt i8 -1, 1\n%n = select i1 %c, double 1.0, double 2.0", "rx(1.0)"},
      {"%c = icmp ult i8 -1, 1\n%n = select i1 %c, double 1.0, double 2.0", "rx(2.0)"},
      {"%c = fcmp olt double 1.0, 2.0\n%d = xor i1 %c, true\n%n = select i1 %d, double 1.0, double 2.0", "rx(2.0)"},
      {"%c = sext i1 true to i8\n%n = sitofp i8 %c to double", "rx(-1.0)"},
      {"%v = fptosi double -2.75 to i64\n%n = sitofp i64 %v to double", "rx(-2.0)"},
  };
  for (const auto& [computes, expected] : cases) {
    const std::string text = statements(read(
        program(std::string(computes) + "\n  call void @__quantum__qis__rx__body(double %n, ptr null)\n  ret void")));
    EXPECT_TRUE(text.starts_with(expected)) << computes << " gives " << text;
  }
}

TEST(Qir, AThousandBranchesInARowAreNotNested) {
  std::string body = measured(0, 0) + is_one("a", 0);
  for (int i = 0; i < 1000; ++i) {
    const std::string n = std::to_string(i);
    body.append("  br i1 %a, label %yes").append(n).append(", label %no").append(n).append("\nyes").append(n);
    body.append(":\n").append(call("x__body", {0})).append("  br label %no").append(n).append("\nno").append(n);
    body.append(":\n");
  }
  EXPECT_EQ(read(program(body + "  ret void")).branches().size(), 1000U);
}

std::string allocated(const std::string& name) {
  return "  %" + name + " = call ptr @__quantum__rt__qubit_allocate()\n";
}
std::string released(const std::string& name) {
  return "  call void @__quantum__rt__qubit_release(ptr %" + name + ")\n";
}
std::string on(const std::string& gate, const std::string& name) {
  return "  call void @__quantum__qis__" + gate + "__body(ptr %" + name + ")\n";
}

TEST(Qir, AllocatedQubitsStandBehindNamedOnesAndReleasedOnesAreUsedAgain) {
  const Circuit c = read(program(call("x__body", {1}) + allocated("a") + on("h", "a") + allocated("b") + on("x", "b") +
                                 released("b") + allocated("c") + on("y", "c") + on("z", "a") + "  ret void"));
  EXPECT_EQ(c.num_wires(), 4U);
  EXPECT_EQ(statements(c),
            "x q[1]; h allocated[0]; x allocated[1]; reset allocated[1]; y allocated[1]; z allocated[0];");
}

TEST(Qir, AllocatedResultsStandBehindNamedOnes) {
  const std::string result = "  %r = call ptr @__quantum__rt__result_allocate(ptr null)\n";
  const std::string measure = "  call void @__quantum__qis__mz__body(ptr null, ptr %r)\n";
  const Circuit c = read(program(
      measured(0, 1) + result + measure +
      "  %m = call i1 @__quantum__rt__read_result(ptr %r)\n  br i1 %m, label %yes, label %no\n"
      "yes:\n" +
      call("x__body", {0}) + "  br label %no\nno:\n  call void @__quantum__rt__result_release(ptr %r)\n  ret void"));
  EXPECT_EQ(c.num_bits(), 3U);
  EXPECT_NE(statements(c).find("measure q[0] -> c[1]; measure q[0] -> allocated[0];"), std::string::npos);
  ImportLimits limits;
  limits.max_bits = 2;
  EXPECT_EQ(refusal(program(measured(0, 1) + result + measure + "  ret void"), limits).code(),
            ErrorCode::limit_exceeded);
  EXPECT_EQ(
      refusal(program("  call void @__quantum__qis__x__body(ptr inttoptr (i64 72057594037927936 to ptr))\n  ret void"))
          .code(),
      ErrorCode::out_of_range);
}

TEST(Qir, AQubitOfALoopIsOneWire) {
  const std::string body = "  br label %again\nagain:\n  %i = phi i64 [ 0, %entry ], [ %j, %again ]\n" +
                           allocated("a") + on("x", "a") + released("a") +
                           "  %j = add i64 %i, 1\n  %more = icmp slt i64 %j, 50\n"
                           "  br i1 %more, label %again, label %end\nend:\n  ret void";
  const Circuit c = read(program(body));
  EXPECT_EQ(c.num_wires(), 1U);
  EXPECT_EQ(c.body().size(), 50U + 49U);  // and a reset before each use but the first
}

// What one way releases, the other one may still mean.
TEST(Qir, AReleaseThatAnOutcomeDecidesKeepsTheWire) {
  const std::string body = allocated("a") + measured(0, 0) + is_one("m", 0) +
                           "  br i1 %m, label %yes, label %no\nyes:\n" + released("a") + "  br label %end\nno:\n" +
                           allocated("b") + on("x", "b") + on("y", "a") + released("b") + allocated("d") +
                           on("z", "d") + "  br label %end\nend:\n  ret void";
  EXPECT_EQ(read(program(body)).num_wires(), 3U);  // q[0], a, and b which becomes d
}

TEST(Qir, WrongAllocationsAreRefused) {
  const std::string end = "  ret void";
  ImportLimits limits;
  limits.max_qubits = 2;
  const auto code = [&](const std::string& body) { return refusal(program(body + end), limits).code(); };
  EXPECT_EQ(code(allocated("a") + released("a") + on("x", "a")), ErrorCode::semantic_error);
  EXPECT_EQ(code(allocated("a") + released("a") + released("a")), ErrorCode::semantic_error);
  EXPECT_EQ(code("  call void @__quantum__rt__qubit_release(ptr null)\n"), ErrorCode::semantic_error);
  EXPECT_EQ(code(allocated("a") + allocated("b") + allocated("c")), ErrorCode::limit_exceeded);
  EXPECT_EQ(code(allocated("a") + allocated("b") + call("x__body", {0})), ErrorCode::limit_exceeded);
  EXPECT_EQ(code("  call void @__quantum__qis__x__body(ptr inttoptr (i64 281474976710656 to ptr))\n"),
            ErrorCode::out_of_range);
}

TEST(Qir, WhatIsWrongIsRefusedWithItsPlace) {
  const std::string end = "\n  ret void";
  const std::tuple<std::string, ErrorCode, const char*> cases[] = {
      {program(call("hh__body", {0}) + end), ErrorCode::unsupported, "t.qasm:3:3"},
      {program(call("h__body", {0, 1}) + end), ErrorCode::semantic_error, "t.qasm:3:3"},
      {program(call("h__body", {3}) + end, "\"entry_point\" \"required_num_qubits\"=\"3\""), ErrorCode::out_of_range,
       "t.qasm:3:3"},
      {program("  %p = freeze i64 1" + end), ErrorCode::unsupported, "t.qasm:3:8"},
      {program("  br label %nowhere"), ErrorCode::semantic_error, "t.qasm:3:12"},
      {program("  %a = add i64 %b, 1" + end), ErrorCode::semantic_error, "t.qasm:3:16"},
      {program("  %a = sdiv i64 1, 0" + end), ErrorCode::semantic_error, "t.qasm:3:3"},
      {program("  %a = add i64 1, @g" + end), ErrorCode::semantic_error, "t.qasm:3:19"},
      {program("  %a = add i128 1, 0" + end), ErrorCode::unsupported, "t.qasm:3:12"},
      {program(call("cx__body", {1, 1}) + end), ErrorCode::invalid_argument, "t.qasm:3:3"},
      {program("  call void @__quantum__qis__rx__body(double 0x7FF0000000000000, ptr null)" + end),
       ErrorCode::semantic_error, "t.qasm:3:46"},
      {program("  br label %entry\nentry:" + end), ErrorCode::semantic_error, "t.qasm:4:1"},
      {program(""), ErrorCode::syntax_error, "t.qasm:4:2"},
      {"define void @f() {\n  call void @f()\n  ret void\n}\n; __quantum__", ErrorCode::limit_exceeded, "t.qasm:2:3"},
      {program("  br label %again\nagain:\n  br label %again"), ErrorCode::limit_exceeded, "t.qasm:5:3"},
      {program(measured(0, 0) + is_one("a", 0) + "  %q = select i1 %a, ptr null, ptr inttoptr (i64 1 to ptr)" + end),
       ErrorCode::unsupported, "t.qasm:5:3"},
      {"BC\xC0\xDE rest", ErrorCode::unsupported, "t.qasm"},
  };
  ImportLimits limits;
  limits.max_instructions = 10'000;
  for (const auto& [text, code, where] : cases) {
    const Error e = refusal(text.find("__quantum__") == std::string::npos ? text + "; __quantum__" : text, limits);
    EXPECT_EQ(e.code(), code) << text << e.what();
    EXPECT_EQ(e.where(), where) << text << e.what();
  }
  EXPECT_NE(std::string(refusal(program(call("cnott__body", {0, 1}) + end)).hint()).find("cnot__body"),
            std::string::npos);
}

// Two qubits are named, three allocated behind them.
TEST(Qir, ArraysAreWhatStandsInThem) {
  const Circuit c = read(seed("arrays.ll"));
  EXPECT_EQ(c.num_wires(), 5U);
  EXPECT_EQ(c.num_bits(), 3U);
  EXPECT_EQ(statements(c),
            "h allocated[2]; rz(2.0) allocated[2]; measure allocated[2] -> allocated[2]; rz(0.0) allocated[0]; "
            "measure allocated[0] -> allocated[0]; rz(1.0) allocated[1]; measure allocated[1] -> allocated[1]; "
            "ctrl @ x q[0], q[1]; x q[0];");
}

TEST(Qir, MemoryKnowsItsPlacesAndItsTypes) {
  const std::string end = "\n  ret void", two = "  %a = alloca [2 x ptr]\n", put = "  store ptr null, ptr %a\n";
  const std::string measure = measured(0, 0) + is_one("one", 0);
  const auto at = [](const std::string& index) {
    return "  %e = getelementptr inbounds [2 x ptr], ptr %a, i64 0, i64 " + index + "\n";
  };
  const std::tuple<std::string, ErrorCode, const char*> cases[] = {
      {two + at("2"), ErrorCode::out_of_range, "element 2 of an array of 2"},
      {two + at("-1"), ErrorCode::out_of_range, "element -1 of an array of 2"},
      {two + at("9223372036854775807"), ErrorCode::out_of_range, "of an array of 2"},
      {two + at("1") + "  %f = getelementptr ptr, ptr %e, i64 1\n", ErrorCode::out_of_range, "element 2"},
      {two + "  %e = getelementptr [2 x ptr], ptr %a, i64 1, i64 0\n", ErrorCode::out_of_range, "behind an array"},
      {two + at("1") + "  %q = load ptr, ptr %e\n", ErrorCode::semantic_error, "before it is written"},
      {two + put + "  %q = load i64, ptr %a\n", ErrorCode::semantic_error, "as another type"},
      {two + "  store i64 1, ptr %a\n", ErrorCode::semantic_error, "another type than its own"},
      {two + "  %e = getelementptr i8, ptr %a, i64 4\n", ErrorCode::unsupported, "another type than it has"},
      {two + measure + "  %i = zext i1 %one to i64\n" + at("%i"), ErrorCode::unsupported, "decided by a measurement"},
      {two + measure + "  br i1 %one, label %t, label %m\nt:\n" + put + "  br label %m\nm:\n", ErrorCode::unsupported,
       "a measurement decides which qubit"},
      {"  %a = alloca { i64, ptr }\n", ErrorCode::unsupported, "is no type"},
      {"  %a = alloca [4 x [4 x ptr]]\n", ErrorCode::unsupported, "memory holds"},
      {"  %a = alloca [1000000000000 x ptr]\n", ErrorCode::limit_exceeded, "max_instructions"},
      {"  %a = alloca [1000000 x ptr], i64 1000000\n", ErrorCode::limit_exceeded, "max_instructions"},
      {"  %a = alloca [1000001 x ptr]\n", ErrorCode::limit_exceeded, "max_bits"},
      {"  %q = load ptr, ptr @nothing\n", ErrorCode::unsupported, "a global is looked into"},
      {"  %q = load ptr, ptr null\n", ErrorCode::unsupported, "elements are those"},
      {"  store ptr null, ptr @fixed\n", ErrorCode::semantic_error, "a constant is written"},
      {two + "  call void @__quantum__rt__qubit_array_allocate(i64 3, ptr %a, ptr null)\n", ErrorCode::out_of_range,
       "element 2"},
      {two + "  call void @__quantum__rt__qubit_array_release(i64 2, ptr %a)\n", ErrorCode::semantic_error,
       "before it is written"},
  };
  ImportLimits limits;
  limits.max_instructions = 2'000'000;
  for (const auto& [body, code, part] : cases) {
    const Error e = refusal("@fixed = constant [1 x ptr] [ptr null]\n" + program(body + end) + "; __quantum__", limits);
    EXPECT_EQ(e.code(), code) << body << e.what();
    EXPECT_NE(std::string(e.what()).find(part), std::string::npos) << body << e.what();
  }
}

TEST(Qir, WhatAMessageShowsAndANameHoldsCanBePrinted) {
  for (const std::string& word : {std::string("\xff\x1b[2J"), std::string("\x80")}) {
    const Error e = refusal(program("  %a = " + word + " i64 1") + "; __quantum__");
    for (const char c : std::string(e.what())) EXPECT_TRUE(c >= ' ' && c <= '~') << e.what();
  }
  const Circuit c = read("@l = constant [3 x i8] c\"\\FFa\\00\"\n" +
                         program("  call void @__quantum__rt__int_record_output(i64 1, ptr @l)\n  ret void"));
  EXPECT_EQ(c.variables().at(0).name, "_a");
}

TEST(Qir, LlvmWithoutQirIsNotTaken) {
  EXPECT_EQ(refusal("define void @main() {\n  ret void\n}\n").code(), ErrorCode::syntax_error);
}

}  // namespace
}  // namespace skerry::frontend
