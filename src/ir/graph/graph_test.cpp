#include <gtest/gtest.h>

#include <skerry/error.hpp>
#include <skerry/graph.hpp>

#include "ir/graph/same.hpp"
#include "ir/testing/random_graph.hpp"
#include "ir/verify.hpp"

namespace skerry {
namespace {

const TensorType kVector = TensorType::of(DType::f32, {3});

Tensor floats(std::initializer_list<float> values) {
  return Tensor::from(std::span<const float>(values.begin(), values.size()),
                      {static_cast<std::int64_t>(values.size())});
}

TEST(TensorType, IsSpelledWithItsUnknowns) {
  EXPECT_EQ((TensorType{DType::f32, std::vector<Dim>{std::string("N"), 3, {}}}.text()), "f32[N,3,?]");
  EXPECT_EQ((TensorType{DType::i64, std::vector<Dim>{}}.text()), "i64[]");
  EXPECT_EQ((TensorType{DType::f16, std::nullopt}.text()), "f16[*]");
  EXPECT_EQ((TensorType{DType::u8, std::vector<Dim>{std::string("2*N")}}.text()), "u8[\"2*N\"]");
  const TensorType sequence = kVector.wrapped(Wrap::sequence);
  EXPECT_EQ(sequence.wrapped(Wrap::optional).text(), "optional(seq(" + kVector.text() + "))");
  EXPECT_FALSE(sequence.static_shape());
  EXPECT_EQ(sequence.unwrapped(), kVector);
  EXPECT_NE(sequence, kVector);
  EXPECT_EQ(*kVector.static_shape(), Shape({3}));
  EXPECT_FALSE((TensorType{DType::f32, std::vector<Dim>{std::string("N")}}.static_shape()));
}

TEST(Node, KeepsAttributesSortedAndTyped) {
  Node node;
  node.op = "Foo";
  node.set("b", std::int64_t{2});
  node.set("a", 1.5);
  node.set("b", std::int64_t{3});
  ASSERT_EQ(node.attributes.size(), 2U);
  EXPECT_EQ(node.attributes[0].first, "a");
  EXPECT_EQ(node.integer("b", 0), 3);
  EXPECT_EQ(node.real("a", 0), 1.5);
  EXPECT_EQ(node.integer("c", 7), 7);
  EXPECT_EQ(node.integers("c", {1, 2}), (std::vector<std::int64_t>{1, 2}));
  EXPECT_THROW(node.integer("a", 0), Error);
  node.erase("a");
  EXPECT_EQ(node.find("a"), nullptr);
}

TEST(Graph, NumbersValuesAndLeavesOutUnwantedOutputs) {
  Graph g;
  const ValueId x = g.add_input("x", kVector);
  const std::string names[] = {"y", "", "z"};
  const NodeId id = g.add_node({.op = "Split", .inputs = {x, kNoValue}}, names, std::span(&kVector, 1));
  EXPECT_EQ(g.node(id).outputs, (std::vector<ValueId>{1, kNoValue, 2}));
  EXPECT_EQ(g.value(1).type, kVector);
  EXPECT_EQ(g.value(2).producer, id);
  const ValueId unnamed = g.add("Relu", {1}, "", kVector);
  EXPECT_EQ(g.value(unnamed).name, "");
  EXPECT_THROW(g.add("Relu", {99}, "a"), Error);
  g.mark_output(unnamed);
  EXPECT_EQ(g.use_counts(), (std::vector<std::uint32_t>{1, 1, 0, 1}));
  ir::verify(g);
}

TEST(Graph, CompactsAwayDeadNodesAndUnusedValues) {
  // x -> Relu -> r -> Add(r, w) -> y, and a second Relu that w2 feeds; the middle is replaced by x.
  Graph g;
  const ValueId unused = g.add_constant("w2", floats({9}));
  const ValueId x = g.add_input("x", kVector);
  const ValueId r = g.add("Relu", {x}, "r", kVector);
  const ValueId w = g.add_constant("w", floats({1, 2, 3}));
  const ValueId y = g.add("Add", {r, w}, "y", kVector);
  g.add("Relu", {unused}, "gone", kVector);
  g.mark_output(y);
  g.replace_uses(r, x);
  const std::uint8_t dead[] = {1, 0, 1};
  g.compact(dead);

  Graph expected;
  const ValueId ex = expected.add_input("x", kVector);
  const ValueId ew = expected.add_constant("w", floats({1, 2, 3}));
  expected.mark_output(expected.add("Add", {ex, ew}, "y", kVector));
  ir::verify(g);
  EXPECT_TRUE(ir::same(g, expected));
  EXPECT_EQ(g.values().size(), 3U);
}

TEST(Graph, SharesConstantsAmongCopies) {
  Graph g;
  g.add_constant("w", floats({1}));
  const Graph copy = g;
  EXPECT_EQ(copy.value(0).constant->view().data(), g.value(0).constant->view().data());
}

TEST(SameGraph, SeesEveryDifference) {
  const auto base = [] {
    Graph g;
    const ValueId x = g.add_input("x", kVector);
    const ValueId w = g.add_constant("w", floats({1, 2, 3}));
    const ValueId y = g.add("Add", {x, w}, "y", kVector);
    g.edit_node(0).set("axis", std::int64_t{1});
    g.mark_output(y);
    return g;
  };
  EXPECT_TRUE(ir::same(base(), base()));
  const auto differs = [&](auto&& change) {
    Graph g = base();
    change(g);
    return !ir::same(g, base());
  };
  EXPECT_TRUE(differs([](Graph& g) { g.value(2).name = "z"; }));
  EXPECT_TRUE(differs([](Graph& g) { g.value(0).type.dtype = DType::f64; }));
  EXPECT_TRUE(differs([](Graph& g) { g.value(1).constant = floats({1, 2, 4}); }));
  EXPECT_TRUE(differs([](Graph& g) { std::swap(g.edit_node(0).inputs[0], g.edit_node(0).inputs[1]); }));
  EXPECT_TRUE(differs([](Graph& g) { g.edit_node(0).set("axis", std::int64_t{2}); }));
  EXPECT_TRUE(differs([](Graph& g) { g.edit_node(0).set("axis", 1.0); }));
  EXPECT_TRUE(differs([](Graph& g) { g.set_outputs({0}); }));
  EXPECT_TRUE(differs([](Graph& g) { g.add_constant("more", floats({1})); }));
  EXPECT_TRUE(differs([](Graph& g) { g.name = "g"; }));
}

}  // namespace
}  // namespace skerry
