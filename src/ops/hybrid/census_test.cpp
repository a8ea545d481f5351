#include "ops/hybrid/census.hpp"

#include <gtest/gtest.h>

#include <skerry/hybrid.hpp>

#include "base/thrown_by.hpp"

namespace skerry::ops {
namespace {

Node drawing(std::uint32_t wires, std::int64_t shots, ValueId parameters) {
  Circuit circuit(wires, 1);
  circuit.ry(circuit.parameter("a"), 0).measure(0, 0);
  Node node{.op = "circuit", .inputs = {parameters}};
  node.set("circuit", std::make_shared<const Circuit>(std::move(circuit)));
  node.set("output", std::string("counts"));
  node.set("shots", shots);
  return node;
}

void add(Graph& graph, Node node) {
  const std::string name = "out" + std::to_string(graph.nodes().size());
  graph.mark_output(graph.node(graph.add_node(std::move(node), std::span(&name, 1))).outputs[0]);
}

TEST(Census, CountsShotsOfEveryRowAndTheWidestCircuit) {
  Graph graph;
  EXPECT_EQ(widest_circuit(graph), 0U);
  EXPECT_EQ(drawn_shots(graph), 0U);
  const ValueId rows = graph.add_input("x", TensorType::of(DType::f64, {5, 1}));
  const ValueId one = graph.add_input("y", TensorType::of(DType::f64, {1}));
  add(graph, drawing(3, 100, rows));
  add(graph, drawing(7, 11, one));
  EXPECT_EQ(widest_circuit(graph), 7U);
  EXPECT_EQ(drawn_shots(graph), 511U);
}

TEST(Census, WhatHangsOnDataIsRefused) {
  Graph unknown;
  add(unknown, drawing(2, 10, unknown.add_input("x", {DType::f64, std::vector<Dim>{Dim("N"), Dim(1)}})));
  EXPECT_EQ(base::thrown_by([&] { drawn_shots(unknown); }).code(), ErrorCode::unsupported);

  auto inner = std::make_shared<Graph>();
  add(*inner, drawing(9, 10, inner->add_input("x", TensorType::of(DType::f64, {1}))));
  Graph outer;
  Node loop{.op = "Loop", .inputs = {}};
  loop.set("body", Subgraph(inner));
  add(outer, std::move(loop));
  EXPECT_EQ(widest_circuit(outer), 9U);
  EXPECT_EQ(base::thrown_by([&] { drawn_shots(outer); }).code(), ErrorCode::unsupported);
}

TEST(Census, NumbersThatDoNotFitAreRefused) {
  Graph graph;
  const ValueId rows = graph.add_input("x", TensorType::of(DType::f64, {1'000'000, 1}));
  add(graph, drawing(1, std::int64_t{1} << 50, rows));
  EXPECT_EQ(base::thrown_by([&] { drawn_shots(graph); }).code(), ErrorCode::limit_exceeded);
}

}  // namespace
}  // namespace skerry::ops
