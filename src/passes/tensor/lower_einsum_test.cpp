#include <gtest/gtest.h>

#include <random>
#include <string>

#include "ir/verify.hpp"
#include "ops/nn/op_record.hpp"
#include "ops/testing/evaluate_tensors.hpp"
#include "passes/pass.hpp"

namespace skerry::passes {

extern const GraphPass lower_einsum_pass;

namespace {

Graph einsum(const std::string& equation, const Shape& a, const Shape& b) {
  Graph graph;
  const ValueId x = graph.add_input("a", TensorType::of(DType::f32, a));
  const ValueId y = graph.add_input("b", TensorType::of(DType::f32, b));
  Node node{.op = "Einsum", .name = "sum", .inputs = {x, y}, .outputs = {}};
  node.set("equation", equation);
  graph.mark_output(graph.node(graph.add_node(std::move(node), std::array{std::string("y")})).outputs[0]);
  ops::infer_types(graph);
  return graph;
}

// `Transpose[0,2,1] MatMul`
std::string steps(const Graph& graph) {
  std::string text;
  for (const Node& node : graph.nodes()) {
    text += (text.empty() ? "" : " ") + node.op;
    if (node.op != "Transpose") continue;
    std::string perm;
    for (const std::int64_t axis : node.integers("perm")) perm += (perm.empty() ? "" : ",") + std::to_string(axis);
    text += "[" + perm + "]";
  }
  return text;
}

std::string lowered(const std::string& equation, const Shape& a, const Shape& b) {
  const Graph before = einsum(equation, a, b);
  Graph after = lower_einsum_pass.run(before);
  ir::verify(after);
  EXPECT_EQ(after.value(after.outputs()[0]).type.text(), before.value(before.outputs()[0]).type.text()) << equation;
  EXPECT_EQ(after.value(after.outputs()[0]).name, "y");
  ops::infer_types(after);
  EXPECT_EQ(after.value(after.outputs()[0]).type.text(), before.value(before.outputs()[0]).type.text()) << equation;
  return steps(after);
}

TEST(LowerEinsum, WritesAProductOfMatricesWithWhatTurnsIntoOne) {
  EXPECT_EQ(lowered("ij,jk->ik", {2, 3}, {3, 4}), "MatMul");
  EXPECT_EQ(lowered("ij,kj->ik", {2, 3}, {4, 3}), "Transpose[1,0] MatMul");
  EXPECT_EQ(lowered("ij, jk -> ki", {2, 3}, {3, 4}), "MatMul Transpose[1,0]");
  EXPECT_EQ(lowered("bhqd,bhkd->bhqk", {2, 3, 4, 5}, {2, 3, 6, 5}), "Transpose[0,1,3,2] MatMul");
  EXPECT_EQ(lowered("bqhd,bkhd->bhqk", {2, 4, 3, 5}, {2, 6, 3, 5}), "Transpose[0,2,1,3] Transpose[0,2,3,1] MatMul");
}

TEST(LowerEinsum, LeavesWhatIsNoProductOfMatrices) {
  EXPECT_EQ(lowered("ij,ij->ij", {2, 3}, {2, 3}), "Einsum");
  EXPECT_EQ(lowered("ij,jk->i", {2, 3}, {3, 4}), "Einsum");
  EXPECT_EQ(lowered("i,j->ij", {2}, {3}), "Einsum");
  EXPECT_EQ(lowered("ii,ik->ik", {2, 2}, {2, 4}), "Einsum");
  EXPECT_EQ(lowered("ij,jk", {2, 3}, {3, 4}), "Einsum");
  EXPECT_EQ(lowered("ij,jk->ik", {2, 1}, {3, 4}), "Einsum");  // j is stretched
}

}  // namespace
}  // namespace skerry::passes
