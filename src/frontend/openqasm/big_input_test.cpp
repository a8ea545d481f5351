#include <sys/resource.h>

#include "frontend/openqasm/test_program.hpp"

// Inputs that are large in one way each: they are finished or refused by a limit, soon and without deep recursion.
namespace skerry::frontend {
namespace {

const std::string kTwo = "OPENQASM 2.0;\ninclude \"qelib1.inc\";\n";
const std::string kThree = "OPENQASM 3.0;\ninclude \"stdgates.inc\";\n";

std::string repeated(const std::string& text, std::size_t times) {
  std::string all;
  all.reserve(text.size() * times);
  for (std::size_t i = 0; i < times; ++i) all += text;
  return all;
}

template <class Line>
std::string lines(std::size_t count, Line line) {
  std::string all;
  for (std::size_t i = 0; i < count; ++i) all += line(std::to_string(i));
  return all;
}

struct Big {
  const char* name;
  std::string (*make)();
  ErrorCode code;  ///< internal: accepted
};
// NOLINTNEXTLINE(readability-identifier-naming): the name GoogleTest looks for
void PrintTo(const Big& big, std::ostream* out) {
  *out << big.name;
}

class BigInput : public ::testing::TestWithParam<Big> {};

// Sanitizers have memory and time of their own.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

TEST_P(BigInput, EndsSoonInLittleMemory) {
  const std::string text = GetParam().make();
  const auto used = [] {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return usage;
  };
  const rusage before = used();
  ErrorCode code = ErrorCode::internal;
  try {
    (void)testing::read(text);
  } catch (const Error& e) {
    code = e.code();
    EXPECT_FALSE(e.where().empty());
    EXPECT_LT(std::string(e.what()).size(), 600U);
  }
  EXPECT_EQ(code, GetParam().code);
  const rusage after = used();
  if (kSanitized) return;
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 100 * 1024);
  // A second of an idle machine's processor; ten leave room for neighbours, and catch what is not linear.
  EXPECT_LT(after.ru_utime.tv_sec - before.ru_utime.tv_sec, 10);
}

const Big kBig[] = {
    {"OneLine", [] { return kTwo + "qreg q[8];" + repeated("cx q[0],q[1];rz(0.25) q[7];", 360'000); },
     ErrorCode::internal},
    {"DeepParentheses",
     [] {
       return kTwo + "qreg q[1];\nrz(" + std::string(1'000'000, '(') + "1" + std::string(1'000'000, ')') + ") q[0];";
     },
     ErrorCode::limit_exceeded},
    {"DeepMinus", [] { return kTwo + "qreg q[1];\nrz(" + std::string(1'000'000, '-') + "1) q[0];"; },
     ErrorCode::limit_exceeded},
    {"DeepPower", [] { return kTwo + "qreg q[1];\nrz(" + repeated("1^", 1'000'000) + "1) q[0];"; },
     ErrorCode::limit_exceeded},
    {"LongSum", [] { return kTwo + "qreg q[1];\nrz(" + repeated("1+", 500'000) + "1) q[0];"; }, ErrorCode::internal},
    {"DeepBlocks",
     [] {
       return kThree + "qubit q; bit c; c = measure q;" + repeated("if (c) { ", 200'000) + "x q;" +
              repeated("}", 200'000);
     },
     ErrorCode::limit_exceeded},
    {"ElseIfChain",
     [] { return kThree + "qubit q; bit c; c = measure q;" + repeated("if (c) x q; else ", 200'000) + "x q;"; },
     ErrorCode::limit_exceeded},
    {"ManyIndices", [] { return kThree + "qubit[2] q; x q" + repeated("[0]", 500'000) + ";"; },
     ErrorCode::limit_exceeded},
    {"LongConcatenation", [] { return kThree + "qubit[2] q; let a = q" + repeated(" ++ q", 300'000) + ";"; },
     ErrorCode::semantic_error},
    {"LongName", [] { return kTwo + "qreg " + std::string(5'000'000, 'a') + "[1];"; }, ErrorCode::limit_exceeded},
    {"LongNumber", [] { return kTwo + "qreg q[1];\nrz(" + std::string(2'000'000, '1') + ") q[0];"; },
     ErrorCode::out_of_range},
    {"ManyRegisters", [] { return kTwo + lines(200'000, [](const std::string& i) { return "qreg r" + i + "[1];"; }); },
     ErrorCode::limit_exceeded},
    {"ManyGates",
     [] {
       return kTwo + lines(200'000, [](const std::string& i) { return "gate g" + i + " a,b { cx a,b; }\n"; }) +
              "qreg q[2]; g199999 q[0],q[1];";
     },
     ErrorCode::internal},
    {"DeepDefinitions",
     [] {
       return kTwo + "gate g0 a { h a; }" + lines(100'000, [](const std::string& i) {
                return "gate g" + std::to_string(std::stoi(i) + 1) + " a { g" + i + " a; }";
              });
     },
     ErrorCode::limit_exceeded},
    {"DoublingDefinitions",
     [] {
       return kTwo + "gate g0 a { h a; }" +
              lines(60,
                    [](const std::string& i) {
                      return "gate g" + std::to_string(std::stoi(i) + 1) + " a { g" + i + " a; g" + i + " a; }";
                    }) +
              "qreg q[1]; g60 q[0];";
     },
     ErrorCode::limit_exceeded},
    {"DoublingEmptyDefinitions",
     [] {
       return kTwo + "gate g0 a { }" +
              lines(60,
                    [](const std::string& i) {
                      return "gate g" + std::to_string(std::stoi(i) + 1) + " a { g" + i + " a; g" + i + " a; }";
                    }) +
              "qreg q[1]; g60 q[0];";
     },
     ErrorCode::limit_exceeded},
    {"DoublingParameters",
     [] {
       return kThree + "input float t; gate g0(a) x { rz(a) x; }" +
              lines(60,
                    [](const std::string& i) {
                      return "gate g" + std::to_string(std::stoi(i) + 1) + "(a) x { g" + i + "(a + a) x; }";
                    }) +
              "qubit q; g60(t) q;";
     },
     ErrorCode::internal},
    {"DoublingSubroutines",
     [] {
       return kThree + "def f0(qubit q) { h q; }" +
              lines(60,
                    [](const std::string& i) {
                      return "def f" + std::to_string(std::stoi(i) + 1) + "(qubit q) { f" + i + "(q); f" + i + "(q); }";
                    }) +
              "qubit q; f60(q);";
     },
     ErrorCode::limit_exceeded},
    {"DoublingAliases",
     [] {
       return kThree + "qubit q; let a0 = q;" + lines(60, [](const std::string& i) {
                return "let a" + std::to_string(std::stoi(i) + 1) + " = a" + i + " ++ a" + i + ";";
              });
     },
     ErrorCode::semantic_error},
    {"ControlChain", [] { return kThree + "qubit[2] q;\n" + repeated("ctrl @ ", 100'000) + "x q[0], q[1];"; },
     ErrorCode::semantic_error},
    {"HugeControl", [] { return kThree + "qubit[2] q; ctrl(9000000000000000000) @ x q[0], q[1];"; },
     ErrorCode::semantic_error},
    {"InverseChain", [] { return kThree + "qubit q;\n" + repeated("inv @ ", 100'000) + "t q;"; }, ErrorCode::internal},
    {"DeepCalls",
     [] {
       const std::string open = repeated("if (b) { ", 100);
       return kThree + "bit b; qubit r; def f0(qubit q, bit b) { x q; }" +
              lines(200,
                    [&](const std::string& i) {
                      return "def f" + std::to_string(std::stoi(i) + 1) + "(qubit q, bit b) { " + open + "f" + i +
                             "(q, b);" + std::string(100, '}') + "}";
                    }) +
              "f200(r, b);";
     },
     ErrorCode::limit_exceeded},
    {"MatrixPowers",
     [] {
       return kThree +
              "qubit[6] q; gate g a, b, c, d, e, f { h a; cx a, b; cx b, c; cx c, d; cx d, e; cx e, f; } for int i in "
              "[0:99999] pow(0.5) @ g q[0], q[1], q[2], q[3], q[4], q[5];";
     },
     ErrorCode::limit_exceeded},
    {"HugePower", [] { return kThree + "qubit q; gate g a { h a; t a; } pow(1000000000000) @ g q;"; },
     ErrorCode::limit_exceeded},
    {"HugeLoop", [] { return kThree + "qubit q; for int i in [0:9223372036854775807] { x q; }"; },
     ErrorCode::limit_exceeded},
    {"NestedLoops",
     [] { return kThree + "qubit q;" + repeated("for int i in [0:99] { ", 20) + "x q;" + repeated("}", 20); },
     ErrorCode::limit_exceeded},
    {"EndlessWhile", [] { return kThree + "qubit q; int i = 0; while (i < 1) { i = 0; x q; }"; },
     ErrorCode::limit_exceeded},
    {"HugeArray", [] { return kThree + "array[int[8], 100000, 100000, 100000] a;"; }, ErrorCode::limit_exceeded},
    {"HugePhysicalQubit", [] { return kThree + "x $4000000000;"; }, ErrorCode::limit_exceeded},
    {"OpenBraces", [] { return kThree + std::string(1'000'000, '{'); }, ErrorCode::limit_exceeded},
    {"ManyCases",
     [] {
       return kThree + "qubit q; bit[4] c; c[0] = measure q; switch (int(c)) {" + repeated("case 1 { x q; }", 100'000) +
              "}";
     },
     ErrorCode::limit_exceeded},
    {"HugePhysicalNumber", [] { return kThree + "x $99999999999999999999999;"; }, ErrorCode::syntax_error},
};
INSTANTIATE_TEST_SUITE_P(All, BigInput, ::testing::ValuesIn(kBig),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace skerry::frontend
