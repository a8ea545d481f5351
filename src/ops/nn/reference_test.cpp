// What holds for every operator that is computed by plain loops over copies: it ends when it is told to, and its copies
// are told as scratch.
#include "ops/nn/reference.hpp"

#include <gtest/gtest.h>

#include <stop_token>
#include <string>
#include <vector>

#include "base/thrown_by.hpp"
#include "ops/testing/run_node.hpp"

namespace skerry::ops {
namespace {

using testing::counted;
using testing::node_of;
using testing::NodeCase;
using testing::run_all;
using Ints = std::vector<std::int64_t>;

// Each takes more steps than there are between two questions whether it may go on.
std::vector<NodeCase> long_cases() {
  const Tensor matrix = counted({24, 24}), image = counted({1, 1, 80, 80});
  return {
      {node_of("Einsum", {{"equation", std::string("ij,kj->ik")}}), {matrix, matrix}},
      {node_of("DFT"), {counted({1, 8192, 1})}},
      {node_of("ConvTranspose"), {image, counted({1, 1, 3, 3})}},
      {node_of("LpPool", {{"kernel_shape", Ints{70, 70}}}), {image}},
      {node_of("Det"), {matrix}},
      {node_of("MaxPool", {{"kernel_shape", Ints{3, 3}}}), {image}, 2},
  };
}

TEST(Reference, LongLoopsEndWhenTheirRunIsCancelled) {
  std::stop_source source;
  source.request_stop();
  const RunControl control{.stop = source.get_token()};
  const base::Obey obey(&control);
  for (const NodeCase& c : long_cases())
    EXPECT_EQ(base::thrown_by([&] { run_all(c, true); }).code(), ErrorCode::cancelled) << c.node.op;
}

TEST(Reference, NobodyToObeyIsNoReasonToEnd) {
  for (const NodeCase& c : long_cases()) EXPECT_GE(run_all(c, true).size(), 1U) << c.node.op;
}

TEST(Reference, AsksForScratchAsLargeAsItsCopies) {
  const TensorType x = TensorType::of(DType::f32, {1000}), axis = TensorType::of(DType::i64, {});
  const NodeTypes types{{x, axis}, {true, true}, {nullptr, nullptr}, {x}};
  Node node = node_of("CumSum");
  node.inputs = {0, 1};
  node.outputs = {2};
  const KernelRow& row = find_op("CumSum")->kernels.back();
  EXPECT_EQ(row.prepare(node, types).scratch_bytes, 8U * (1000 + 1 + 1000));
}

TEST(Reference, APositionOfFewerAxesIsNoReasonToDie) {
  const Position at(Shape{2, 3});
  EXPECT_THROW((void)at[2], std::out_of_range);
}

}  // namespace
}  // namespace skerry::ops
