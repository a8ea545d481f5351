#include "ir/text/text.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <skerry/error.hpp>

#include "ir/graph/same.hpp"
#include "ir/testing/random_circuit.hpp"
#include "ir/testing/random_graph.hpp"
#include "ir/verify.hpp"

namespace skerry::ir {
namespace {

RC_GTEST_PROP(CircuitText, RoundTrips, ()) {
  const Circuit circuit = *testing::any_circuit();
  verify(circuit);
  const std::string text = print(circuit);
  const Circuit read = parse_circuit(text);
  RC_ASSERT(read == circuit);
  RC_ASSERT(print(read) == text);
}

RC_GTEST_PROP(GraphText, RoundTrips, ()) {
  const Graph graph = *testing::any_graph();
  verify(graph);
  const std::string text = print(graph);
  const Graph read = parse_graph(text);
  RC_ASSERT(same(read, graph));
}

void expect_refused(const std::string& text, ErrorCode code, const std::string& where, const std::string& part) {
  try {
    parse(text);
    FAIL() << "accepted: " << text.substr(0, 200);
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), code) << e.what();
    EXPECT_EQ(e.where(), where) << e.what();
    EXPECT_NE(e.message().find(part), std::string::npos) << e.what();
  }
}

std::string in_circuit(const std::string& line) {
  return "circuit {\n  wires q[2]; bits c[2]; param p: real; var v: int[8];\n" + line + "\n}";
}

TEST(CircuitText, IsWhatAPersonWouldWrite) {
  const Circuit circuit = parse_circuit(R"(// comments and blanks do not count
    circuit @bell { wires q[2]; bits c[2]; param theta: real;
      h q[0];  ctrl @ x q[0], q[1];
      rx(2*theta + 0.1) q[1];  p(pi/2) q[0];
      measure q[0] -> c[0];
      if (c[0] == true && c != 3) { x q[1]; } else { while (c[1]) { reset q[1]; break; } }
    })");
  Circuit expected(2, 2);
  expected.name = "bell";
  expected.h(0).cx(0, 1).rx(2 * expected.parameter("theta") + 0.1, 1).p(1.5707963267948966, 0).measure(0, 0);
  ExprPool& pool = expected.expressions();
  const ExprId condition = pool.binary(
      ExprOp::logical_and, pool.binary(ExprOp::eq, pool.leaf(ExprOp::bit, 0, {}), pool.constant(Scalar::of(true))),
      pool.binary(ExprOp::ne, pool.leaf(ExprOp::bits, 0, {}, 2), pool.constant(Scalar::of(std::int64_t{3}))));
  const BlockId first = expected.open_block();
  expected.x(1);
  expected.close_block();
  const BlockId second = expected.open_block();
  const BlockId loop = expected.open_block();
  expected.reset(1).append(Op::break_loop, {});
  expected.close_block();
  expected.while_loop(pool.leaf(ExprOp::bit, 1, {}), loop);
  expected.close_block();
  expected.if_else(condition, first, second);
  EXPECT_EQ(circuit, expected) << print(circuit) << print(expected);
}

TEST(CircuitText, BindsOperatorsAsInC) {
  const auto condition = [](const std::string& text) {
    const Circuit c = parse_circuit(in_circuit("if (" + text + ") {}"));
    const Scalar variables[] = {Scalar::of(std::int64_t{5}, {ScalarKind::integer, 8})};
    const Scalar parameters[] = {Scalar::of(2.0)};
    const std::uint8_t bits[] = {1, 0};
    return c.expressions().evaluate(c.branches()[0].condition, {parameters, variables, bits}).as_real();
  };
  EXPECT_EQ(condition("1 + 2 * v"), 11);
  EXPECT_EQ(condition("10 - v - 2"), 3);
  EXPECT_EQ(condition("-p ** 2 ** 3"), -256);
  EXPECT_EQ(condition("2 * -v"), -10);
  EXPECT_EQ(condition("v << 1 + 1"), 20);
  EXPECT_EQ(condition("v & 4 == 4"), 1);  // == binds tighter than &
  EXPECT_EQ(condition("v > 1 && !c[1] || false"), 1);
  EXPECT_EQ(condition("int[8](v * 60)"), 44);
  EXPECT_EQ(condition("v % 3 + popcount(c) + sqrt(p * 2)"), 5);
  EXPECT_EQ(condition("-128i8"), -128);
  EXPECT_EQ(condition("-9223372036854775808"), -9223372036854775808.0);
}

TEST(CircuitText, RefusesWithLineAndColumn) {
  const auto refused = [](const std::string& line, const std::string& column, const std::string& part,
                          ErrorCode code = ErrorCode::semantic_error) {
    expect_refused(in_circuit(line), code, "3:" + column, part);
  };
  refused("foo q[0];", "1", "no gate or statement is called 'foo'", ErrorCode::syntax_error);
  refused("h q[2];", "5", "wire 2 of 2");
  refused("h r[0];", "3", "'r' is no register");
  expect_refused(in_circuit("h q[0]"), ErrorCode::syntax_error, "4:1", "expected ';', found '}'");
  refused("swap q[0], q[0];", "1", "twice");
  refused("rx q[0];", "1", "needs 1 parameters");
  refused("  rx(1/0) q[0];", "7", "division by zero");
  refused("rx(x) q[0];", "4", "'x' is not declared");
  refused("rx(1.0.0) q[0];", "7", "expected ')'", ErrorCode::syntax_error);
  refused("rx(1e999) q[0];", "4", "range of doubles", ErrorCode::syntax_error);
  refused("rx(256u8) q[0];", "4", "does not fit");
  refused("rx(3x9) q[0];", "4", "suffix", ErrorCode::syntax_error);
  refused("unitary #0 q[0];", "10", "not defined");
  refused("p = 1;", "1", "cannot be assigned");
  refused("c[1:0] = 1;", "3", "bits 1 to 0");
  refused("v[0 of 9] = 1;", "1", "places");
  refused("measure q[0] -> v;", "17", "expected one bit");
  refused("h q[0]; matrix #0 = [1];", "9", "no gate", ErrorCode::syntax_error);
  expect_refused(in_circuit("if (c) { h q[0]; "), ErrorCode::syntax_error, "4:2", "found the end");
  refused("\"abc", "1", "does not end", ErrorCode::syntax_error);
  refused("$x[1] = 2;", "2", "expected 'var'", ErrorCode::syntax_error);
  refused("\x01", "1", "character", ErrorCode::syntax_error);
  expect_refused("circuit { wires q[2]; matrix #0 = [1, 0; 0, 2]; }", ErrorCode::semantic_error, "1:31", "orthonormal");
  expect_refused("circuit { wires q[100001]; }", ErrorCode::limit_exceeded, "1:19", "100001");
  expect_refused("circuit { var v: int[0]; }", ErrorCode::semantic_error, "1:22", "no bits");
  expect_refused("circuit { break; }", ErrorCode::semantic_error, "1:1:block 0 gate 0", "outside of any loop");
  expect_refused("", ErrorCode::syntax_error, "1:1", "expected 'circuit' or 'graph', found the end");
  expect_refused("circuit {} x", ErrorCode::syntax_error, "1:12", "expected the end");
}

std::string repeated(const std::string& text, std::size_t times) {
  std::string all;
  for (std::size_t i = 0; i < times; ++i) all += text;
  return all;
}

TEST(Text, RefusesNestingPastTheLimitAndAcceptsItUpToThere) {
  const auto blocks = [](std::size_t n) {
    return "circuit { bits c[1]; " + repeated("if (c) { ", n) + repeated("}", n) + "}";
  };
  EXPECT_EQ(parse_circuit(blocks(kMaxNesting)).blocks().size(), kMaxNesting + 1);
  EXPECT_EQ(parse_circuit(print(parse_circuit(blocks(kMaxNesting)))), parse_circuit(blocks(kMaxNesting)));
  for (const std::string& text :
       {blocks(kMaxNesting + 1), blocks(100'000), in_circuit("rx(" + repeated("(", 100'000)),
        in_circuit("rx(" + repeated("-", 100'000)), in_circuit("rx(" + repeated("p ** ", 100'000)),
        in_circuit("rx(" + repeated("sin(", 100'000)), in_circuit("v" + repeated("[v", 100'000)),
        repeated("graph () -> () { () = A() {a = ", 100'000)}) {
    try {
      parse(text);
      FAIL();
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::limit_exceeded) << e.what();
    }
  }
}

TEST(CircuitText, NamesSharedAndDeepExpressions) {
  Circuit c(1);
  ExprPool& pool = c.expressions();
  const ExprId theta = pool.leaf(ExprOp::parameter, c.parameter("theta").parameter, {});
  ExprId shared = theta;
  for (int i = 0; i < 100; ++i) shared = pool.binary(ExprOp::mul, shared, shared);  // 2^100 paths
  ExprId deep = theta;
  for (int i = 0; i < 10'000; ++i) deep = pool.unary(ExprOp::sin, deep);
  c.rx(Param{0, shared}, 0).rx(Param{0, deep}, 0);
  const std::string text = print(c);
  EXPECT_LT(text.size(), 100'000U);
  EXPECT_EQ(parse_circuit(text), c);
}

TEST(CircuitText, FallsBackToNumbersForNamesThatAreNotUnique) {
  Circuit c;
  c.add_wires("q", 1);
  c.add_wires("q", 1);
  c.add_bits("", 2);
  c.swap(0, 1).measure(1, 1);
  const std::string text = print(c);
  EXPECT_NE(text.find("swap $wire[0], $wire[1];\n  measure $wire[1] -> $bit[1];"), std::string::npos) << text;
  EXPECT_EQ(parse_circuit(text), c);
  expect_refused("circuit { wires q[1]; wires q[1]; h q[0]; }", ErrorCode::semantic_error, "1:37", "declared twice");
}

TEST(GraphText, IsWhatAPersonWouldWrite) {
  const Graph graph = parse_graph(R"(graph @mlp (%x: f32[N,2]) -> (%y) {
    %w = constant f32[2,1] <0.5, -1>;
    %0: f32[N,1], _ = MatMul(%x, %w);
    %y: f32[N,1] = com.microsoft.Gelu(%0) {alpha = 1.0, axes = [1, 2], none = ints [], mode = "a\x00"} @act;
  })");
  Graph expected;
  expected.name = "mlp";
  const TensorType column{DType::f32, std::vector<Dim>{std::string("N"), 1}};
  const ValueId x = expected.add_input("x", {DType::f32, std::vector<Dim>{std::string("N"), 2}});
  const float weights[] = {0.5F, -1.0F};
  const ValueId w = expected.add_constant("w", Tensor::from(std::span<const float>(weights), {2, 1}));
  const std::string outputs[] = {"0", ""};
  expected.add_node({.op = "MatMul", .inputs = {x, w}}, outputs, std::span(&column, 1));
  const ValueId y = expected.add("com.microsoft.Gelu", {2}, "y", column);
  Node& gelu = expected.edit_node(1);
  gelu.name = "act";
  gelu.set("alpha", 1.0);
  gelu.set("axes", std::vector<std::int64_t>{1, 2});
  gelu.set("none", std::vector<std::int64_t>{});
  gelu.set("mode", std::string("a\0", 2));
  expected.mark_output(y);
  EXPECT_TRUE(same(graph, expected)) << print(graph) << print(expected);
}

TEST(GraphText, RefusesWithLineAndColumn) {
  const auto refused = [](const std::string& line, const std::string& column, const std::string& part,
                          ErrorCode code = ErrorCode::syntax_error) {
    expect_refused("graph (%x: f32[2]) -> () {\n" + line + "\n}", code, "2:" + column, part);
  };
  refused("%y: f32[] = Neg(%z);", "17", "'%z' is not made before", ErrorCode::semantic_error);
  refused("%x: f32[] = Neg(%x);", "1", "made already", ErrorCode::semantic_error);
  refused("%y: f99[] = Neg(%x);", "5", "unknown dtype 'f99'", ErrorCode::semantic_error);
  refused("%y: f32[1,1,1,1,1,1,1,1,1] = Neg(%x);", "25", "8 axes", ErrorCode::limit_exceeded);
  refused("%y = Neg(%x);", "6", "have types");
  refused("%y = constant f32[N] <>;", "15", "known shape", ErrorCode::semantic_error);
  refused("%y = constant f32[2] <1.0>;", "22", "1 elements for shape [2]");
  refused("%y = constant f32[1000000000,100000000] <1.0>;", "41", "1 elements");
  refused("%y = constant f32[1000000000,1000000000] <1.0>;", "15", "2^58 elements", ErrorCode::semantic_error);
  refused("%y = constant u8[1] <256>;", "22", "not a number of this type");
  refused("%y = constant f16[1] <1.0>;", "22", "base64");
  refused("%y = constant f16[1] base64<AAA>;", "28", "not base64");
  refused("%y = constant f16[1] base64<AAAA>;", "28", "3 bytes for 2");
  refused("%y = constant f32[999] hash<1>;", "24", "");
  refused("() = A() {a = 1, a = 2};", "18", "twice");
  refused("() = A() {a = [1, 2.0]};", "19", "different kinds");
  refused("() = A() {a = observables [2: \"Z7\"]};", "31:column 2", "wire 7", ErrorCode::semantic_error);
  refused("() = A() {a = circuit { h q[0]; }};", "27", "no register", ErrorCode::semantic_error);
  expect_refused("graph (%x: f32[2]) -> () {\n() = Loop(%x) {body = graph () -> () {}};\n}", ErrorCode::semantic_error,
                 "1:1:Loop (node 0):body", "is passed 1");
}

TEST(GraphText, HashesLargeTensorsForEyesOnly) {
  Graph graph;
  graph.add_constant("w", Tensor(DType::f32, {10, 10}));
  const std::string text = print(graph, 99);
  EXPECT_NE(text.find("f32[10,10] hash<"), std::string::npos) << text;
  EXPECT_THROW(parse(text), Error);
  EXPECT_TRUE(same(parse_graph(print(graph, 100)), graph));
}

TEST(CircuitText, ChannelsComeBackEqual) {
  Circuit circuit(3);
  const std::vector<Wire> one = {1}, two = {2, 0};
  const std::vector<std::pair<std::string, double>> strings = {{"X", 0.1}, {"Z", 0.25}};
  circuit.h(0)
      .channel(Channel::depolarizing(0.01, 2), two)
      .channel(Channel::thermal_relaxation(50, 70, 20, 0.1), one)
      .channel(Channel::pauli(strings), one)
      .channel(Channel::amplitude_damping(0.3), one)
      .channel(Channel::depolarizing(0.01, 2), two);
  verify(circuit);
  const std::string text = print(circuit);
  EXPECT_NE(text.find("noise #0 = depolarizing(0.01) on 2;"), std::string::npos) << text;
  EXPECT_EQ(circuit.channels().size(), 4U) << "equal channels are one";
  const Circuit read = parse_circuit(text);
  EXPECT_EQ(read, circuit);
  EXPECT_EQ(print(read), text);
  Circuit other = circuit;
  other.channel(Channel::bit_flip(0.1), one);
  Circuit another = circuit;
  another.channel(Channel::bit_flip(0.2), one);
  EXPECT_FALSE(other == another);
  expect_refused("circuit {\n  wires q[2];\nnoise #0 = bit_flip(1.5);\n}", ErrorCode::semantic_error, "3:12",
                 "outside 0 to 1");
  expect_refused(in_circuit("channel #0 q[0];"), ErrorCode::semantic_error, "3:1", "names channel 0");
}

}  // namespace
}  // namespace skerry::ir
