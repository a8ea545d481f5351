#include "ir/verify.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <skerry/error.hpp>

namespace skerry::ir {
namespace {

const TensorType kScalar = TensorType::of(DType::f32, {});

/// x and a constant w added to y; it verifies until something is planted.
void expect_refused(const std::function<void(Graph&)>& plant, const std::string& where, const std::string& part) {
  Graph graph;
  const ValueId x = graph.add_input("x", kScalar);
  const ValueId w = graph.add_constant("w", Tensor(DType::f32, {}));
  graph.mark_output(graph.add("Add", {x, w}, "y", kScalar));
  graph.edit_node(0).name = "sum";
  graph.mark_output(graph.add("Neg", {2}, "z", kScalar));
  verify(graph);
  plant(graph);
  try {
    verify(graph);
    FAIL() << "accepted: " << part;
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::semantic_error);
    EXPECT_EQ(e.where(), where) << e.what();
    EXPECT_NE(e.message().find(part), std::string::npos) << e.what();
  }
}

TEST(VerifyGraph, G1ValuesAreMadeOnce) {
  expect_refused([](Graph& g) { g.edit_node(1).outputs = {2}; }, "Neg (node 1)", "made already");
  expect_refused([](Graph& g) { g.edit_node(0).outputs = {0}; }, "sum", "made already");
  expect_refused([](Graph& g) { g.value(2).producer = 1; }, "sum", "names another node");
  expect_refused([](Graph& g) { g.value(2).producer = 7; }, "y", "a node that does not exist");
  expect_refused([](Graph& g) { g.edit_node(1).outputs = {kNoValue}; }, "z", "neither an input");
  expect_refused([](Graph& g) { g.value(0).constant = Tensor(DType::f32, {}); }, "x", "also made inside");
  expect_refused([](Graph& g) { g.value(2).constant = Tensor(DType::f32, {}); }, "y", "also made by a node");
  expect_refused([](Graph& g) { g.value(1).constant.reset(); }, "sum", "before it is made");
}

TEST(VerifyGraph, G2ValuesAreMadeBeforeTheyAreUsed) {
  expect_refused([](Graph& g) { g.edit_node(0).inputs = {3}; }, "sum", "uses 'z' before");
  expect_refused([](Graph& g) { g.edit_node(0).inputs = {99}; }, "sum", "value 99 of 4");
  expect_refused([](Graph& g) { g.mark_output(99); }, "graph outputs", "value 99 of 4");
  expect_refused([](Graph& g) { g.mark_output(kNoValue); }, "graph outputs", "of 4");
}

TEST(VerifyGraph, G3NodesHaveAnOperatorAndSortedAttributes) {
  expect_refused([](Graph& g) { g.edit_node(0).op.clear(); }, "sum", "without an operator");
  expect_refused(
      [](Graph& g) {
        g.edit_node(0).attributes = {{"b", std::int64_t{1}}, {"a", std::int64_t{1}}};
      },
      "sum", "'a' is not in order");
  expect_refused(
      [](Graph& g) {
        g.edit_node(0).attributes = {{"a", std::int64_t{1}}, {"a", std::int64_t{1}}};
      },
      "sum", "there twice");
}

TEST(VerifyGraph, G4SubgraphsTakeWhatTheirNodePasses) {
  const auto body = [](std::size_t inputs) {
    auto graph = std::make_shared<Graph>();
    for (std::size_t i = 0; i < inputs; ++i) graph->add_input("i" + std::to_string(i), kScalar);
    return graph;
  };
  expect_refused([&](Graph& g) { g.edit_node(0).set("body", Subgraph(body(1))); }, "sum:body", "is passed 2");
  expect_refused(
      [&](Graph& g) {
        g.edit_node(0).op = "If";
        g.edit_node(0).set("then_branch", Subgraph(body(2)));
      },
      "sum:then_branch", "is passed 1");
  expect_refused([](Graph& g) { g.edit_node(0).set("body", Subgraph()); }, "sum:body", "not there");
  expect_refused([](Graph& g) { g.edit_node(0).set("c", CircuitRef()); }, "sum:c", "not there");
  expect_refused(
      [&](Graph& g) {
        auto inner = body(2);
        inner->mark_output(9);
        g.edit_node(0).set("body", Subgraph(inner));
      },
      "sum:body:graph outputs", "value 9 of 2");
  expect_refused(
      [](Graph& g) {
        auto circuit = std::make_shared<Circuit>(1);
        circuit->append(Op::break_loop, {});
        g.edit_node(0).set("c", CircuitRef(circuit));
      },
      "sum:c:block 0 gate 0", "outside of any loop");
}

TEST(VerifyGraph, G4NestsNoDeeperThanTheLimit) {
  // Each level holds the next one twice, so that paths grow as 2^depth: each graph must be looked at once.
  const auto nested = [](std::size_t depth) {
    Graph graph;
    for (std::size_t i = 1; i < depth; ++i) {
      const auto inner = std::make_shared<const Graph>(std::move(graph));
      graph = Graph();
      graph.add_node({.op = "Loop", .attributes = {{"a", inner}, {"b", inner}}}, {});
    }
    return graph;
  };
  verify(nested(kMaxNesting));
  EXPECT_THROW(verify(nested(kMaxNesting + 1)), Error);
}

TEST(VerifyGraph, G5ConstantsHaveElementsOfTheirType) {
  expect_refused([](Graph& g) { g.value(1).constant = Tensor(); }, "w", "without elements");
  expect_refused([](Graph& g) { g.value(1).type = TensorType::of(DType::f32, {1}); }, "w",
                 "f32[] in a value of type f32[1]");
  expect_refused([](Graph& g) { g.add_constant("s", Tensor(DType::string, {2})); }, "s", "strings");
  expect_refused([](Graph& g) { g.edit_node(0).set("value", Tensor()); }, "sum:value", "without elements");
}

TEST(VerifyGraph, G6TypesAreNumbersNamesOrUnknowns) {
  const auto typed = [](const Dim& dim) { return [dim](Graph& g) { g.value(0).type.shape = {dim}; }; };
  Dim both(3);
  both.symbol = "N";
  Dim negative;
  negative.value = -2;
  expect_refused(typed(both), "x", "neither");
  expect_refused(typed(negative), "x", "neither");
  expect_refused([](Graph& g) { g.value(0).type.shape = std::vector<Dim>(9, Dim(1)); }, "x", "9 axes");
  expect_refused([](Graph& g) { g.value(0).type.wraps.assign(kMaxWraps + 1, Wrap::sequence); }, "x",
                 "9 types inside each other");
}

}  // namespace
}  // namespace skerry::ir
