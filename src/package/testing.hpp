/// \file
/// For tests: programs that together use every field a package has. The same seed gives the same program.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <skerry/circuit.hpp>
#include <skerry/graph.hpp>
#include <string>
#include <utility>
#include <vector>

#include "package/package.hpp"

namespace skerry::package::testing {

inline Circuit bell() {
  Circuit circuit(2, 2);
  circuit.name = "bell";
  circuit.h(0).cx(0, 1).measure(0, 0).measure(1, 1);
  return circuit;
}

/// Gates of every row of gates.def with controls, symbolic and plain; nested blocks, loops, assignments, matrices.
class RandomCircuit {
 public:
  explicit RandomCircuit(std::uint64_t seed) : random_(seed), circuit_(kWires, 70) {}

  Circuit make() {
    circuit_.name = "random \xc3\xa9 \"quoted\"";
    circuit_.add_wires("ancilla", 1);
    circuit_.add_parameter("phi", {ScalarKind::angle, 20});
    circuit_.add_variable({"flag", {ScalarKind::boolean, 1}, true});
    for (int i = 0; i < 3; ++i)
      circuit_.add_variable({"v[" + std::to_string(i) + "]", {ScalarKind::integer, 32}, false});
    gates(25);
    if (chance(2)) swap_matrix();
    structure(3);
    gates(5);
    if (chance(2)) circuit_.append(Op::end, {});
    return std::move(circuit_);
  }

 private:
  static constexpr std::uint32_t kWires = 7;

  std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(random_() % n); }
  bool chance(std::uint32_t n) { return below(n) == 0; }
  double number() { return chance(9) ? -0.0 : std::ldexp(static_cast<double>(below(1000)) - 500.0, -7); }

  Param angle() {
    if (!chance(3)) return {number()};
    ExprPool& pool = circuit_.expressions();
    const ExprId phi = pool.leaf(ExprOp::parameter, 0, {ScalarKind::angle, 20});
    const ExprId scaled = pool.binary(ExprOp::mul, pool.constant(number() + 7.0), phi);
    return {0.0, chance(2) ? pool.unary(ExprOp::sin, scaled) : scaled};
  }

  std::vector<Wire> wires(std::size_t count) {
    std::vector<Wire> all(kWires);
    for (Wire w = 0; w < kWires; ++w) all[w] = w;
    for (std::size_t i = 0; i < count; ++i) std::swap(all[i], all[i + below(kWires - static_cast<std::uint32_t>(i))]);
    all.resize(count);
    return all;
  }

  void gates(int count) {
    for (int i = 0; i < count; ++i) {
      const auto op = static_cast<Op>(below(kGateCount));
      const auto controls = static_cast<std::uint16_t>(below(3));
      std::vector<Param> params;
      for (int p = 0; p < gate_parameters(op); ++p) params.push_back(angle());
      circuit_.append(op, wires(static_cast<std::size_t>(gate_targets(op)) + controls), params, controls);
    }
    circuit_.measure(below(kWires), below(70)).reset(below(kWires)).barrier();
    circuit_.append(Op::delay, wires(2), std::vector<Param>{angle()});
  }

  void swap_matrix() {
    Matrix matrix{2, std::vector<std::complex<double>>(16)};
    matrix.values[0] = matrix.values[6] = matrix.values[15] = 1.0;
    matrix.values[9] = {0.0, -1.0};
    circuit_.unitary(matrix, wires(3), 1);
  }

  ExprId condition() {
    ExprPool& pool = circuit_.expressions();
    const ExprId bits = pool.leaf(ExprOp::bits, below(60), {}, 1 + below(10));
    const ExprId index = pool.cast(bits, {ScalarKind::integer, 64});
    const ExprId element = pool.leaf(ExprOp::element, 1, {ScalarKind::integer, 32}, index, 3);
    const ExprId flag = pool.leaf(ExprOp::variable, 0, {ScalarKind::boolean, 1});
    const ExprId big = pool.constant(Scalar::of(std::numeric_limits<std::int64_t>::min(), {ScalarKind::integer, 64}));
    return pool.binary(ExprOp::logical_or, flag, pool.binary(ExprOp::lt, element, chance(2) ? big : index));
  }

  void structure(int depth) {
    const BlockId first = circuit_.open_block();
    gates(3);
    if (depth > 0) structure(depth - 1);
    circuit_.close_block();
    if (chance(2)) {
      const BlockId second = circuit_.open_block();
      assignment();
      circuit_.close_block();
      circuit_.if_else(condition(), first, second);
      return;
    }
    const BlockId body = circuit_.open_block();
    gates(1);
    circuit_.append(Op::break_loop, {});
    circuit_.close_block();
    circuit_.while_loop(condition(), body);
    circuit_.if_else(condition(), first);
  }

  void assignment() {
    ExprPool& pool = circuit_.expressions();
    const ExprId value = pool.constant(Scalar::of(std::int64_t{below(9)}, {ScalarKind::integer, 32}));
    circuit_.assign({true, below(60), 1 + below(5), kNoExpr, value});
    circuit_.assign({false, 1, 3, pool.constant(Scalar::of(std::int64_t{1}, {ScalarKind::integer, 64})), value});
  }

  std::mt19937_64 random_;
  Circuit circuit_;
};

inline Circuit random_circuit(std::uint64_t seed) {
  return RandomCircuit(seed).make();
}

/// A tensor of pseudo-random bytes that every dtype can hold (booleans are 0 and 1).
inline Tensor random_tensor(DType dtype, Shape shape, std::mt19937_64& random) {
  Tensor tensor(dtype, shape);
  auto* bytes = tensor.mutable_view().data();
  const unsigned mask = dtype == DType::boolean ? 1U : 0xffU;
  for (std::uint64_t i = 0; i < tensor.view().bytes(); ++i) bytes[i] = static_cast<std::byte>(random() & mask);
  return tensor;
}

inline Observable sample_observable() {
  Observable observable(70);
  observable.add("XYZ", std::array<std::uint32_t, 3>{0, 64, 69}, -0.0);
  observable.add("", {}, 3.5);
  return observable;
}

inline std::vector<std::pair<std::string, Attribute>> sample_attributes(std::mt19937_64& random) {
  return {
      {"circuit", std::make_shared<const Circuit>(random_circuit(random()))},
      {"infinite", std::numeric_limits<double>::infinity()},
      {"integer", std::numeric_limits<std::int64_t>::min()},
      {"integers", std::vector<std::int64_t>{-1, 0, 1}},
      {"negative_zero", -0.0},
      {"no_integers", std::vector<std::int64_t>{}},
      {"observables", std::vector<Observable>{sample_observable(), Observable(3)}},
      {"reals", std::vector<double>{0.1, -0.0}},
      {"tensor", random_tensor(DType::f64, {3}, random)},
      {"text", std::string("zero \0 inside", 13)},
      {"texts", std::vector<std::string>{"", "b", std::string(300, 'x')}},
  };
}

/// Constants of every dtype that packages hold, absent inputs and outputs, symbolic shapes, every kind of attribute.
inline Graph random_graph(std::uint64_t seed, int depth = 2) {
  std::mt19937_64 random(seed);
  Graph graph;
  graph.name = "graph " + std::to_string(seed);
  const ValueId x = graph.add_input("x", {DType::f32, std::vector<Dim>{std::string("N"), 3, Dim()}});
  const ValueId unranked = graph.add_input("y", {DType::i64, std::nullopt});
  const ValueId wrapped =
      graph.add_input("wrapped", {DType::f32, std::nullopt, {Wrap::optional, Wrap::sequence, Wrap::map_of_string}});
  std::vector<ValueId> constants;
#define SKERRY_DTYPE(name, bits, onnx)                                                              \
  if (DType::name != DType::string) {                                                               \
    const Shape shape{static_cast<std::int64_t>(1 + random() % 5), 3};                              \
    constants.push_back(graph.add_constant("c_" #name, random_tensor(DType::name, shape, random))); \
  }
#include <skerry/dtypes.def>
#undef SKERRY_DTYPE
  constants.push_back(graph.add_constant("empty", Tensor(DType::f32, {0, 4})));
  constants.push_back(graph.add_constant("scalar", random_tensor(DType::f32, {}, random)));
  constants.push_back(graph.add_constant("again", *graph.value(constants[0]).constant));
  Node node;
  node.op = "com.example.Everything";
  node.name = "node";
  node.inputs = {x, kNoValue, constants[random() % constants.size()]};
  node.attributes = sample_attributes(random);
  graph.add_node(node, std::array<std::string, 3>{"first", "", "third"});
  if (depth > 0) {
    auto inner = std::make_shared<const Graph>(random_graph(random(), depth - 1));
    Node loop;
    loop.op = "Loop";
    loop.inputs = {x, unranked, wrapped};
    loop.set("body", Subgraph(std::move(inner)));
    graph.add_node(loop, std::array<std::string, 1>{"looped"});
  }
  graph.mark_output(graph.node(0).outputs[0]);
  graph.mark_output(x);
  return graph;
}

/// Dense layer, parameterised circuit, in a kilobyte or two.
inline Graph small_hybrid() {
  std::mt19937_64 random(5);
  Circuit circuit(2);
  circuit.name = "ansatz";
  circuit.rx(2 * circuit.parameter("theta") + 0.1, 0).cx(0, 1);
  Graph graph;
  graph.name = "hybrid";
  const ValueId x = graph.add_input("x", {DType::f32, std::vector<Dim>{1, 4}});
  const ValueId w = graph.add_constant("w", random_tensor(DType::f32, {4, 1}, random));
  const ValueId dense = graph.add("MatMul", {x, w}, "dense", {DType::f32, std::vector<Dim>{1, 1}});
  Node node;
  node.op = "circuit";
  node.inputs = {dense};
  node.set("circuit", CircuitRef(std::make_shared<const Circuit>(circuit)));
  Observable observable(2);
  observable.add("ZZ", std::array<std::uint32_t, 2>{0, 1}, 0.5);
  node.set("observables", std::vector<Observable>{observable});
  graph.add_node(node, std::array<std::string, 1>{"expectation"});
  graph.mark_output(graph.node(1).outputs[0]);
  return graph;
}

/// The program with metadata and two plans.
inline Contents contents_of(std::variant<Circuit, Graph> program) {
  return {std::move(program),
          {{"producer", "test"}, {"source", "a.qasm"}},
          {{"machine 1", {std::byte{1}, std::byte{2}, std::byte{3}}}, {"machine 2", {}}}};
}

}  // namespace skerry::package::testing
