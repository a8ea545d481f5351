// What holds for every operator that is computed by plain loops over copies: it ends when it is told to, and its copies
// are told as scratch.
#include "ops/nn/reference.hpp"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <ctime>
#include <stop_token>
#include <string>
#include <vector>

#include "base/threads.hpp"
#include "base/thrown_by.hpp"
#include "ops/nn/reference.hpp"
#include "ops/testing/run_node.hpp"

namespace {

// Looks at a control are counted, not timed: a deadline far away makes each of them ask the coarse clock, which this
// file therefore answers.
std::atomic<bool> is_counting{false};
std::atomic<long> looks{0}, last_look{0};
std::stop_source* stopped_at_last = nullptr;

}  // namespace

/// Instead of the C library's, for this program.
// NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): its names are reserved ones
extern "C" int clock_gettime(clockid_t clock, timespec* time) noexcept {
  if (clock == CLOCK_MONOTONIC_COARSE && is_counting.load(std::memory_order_relaxed) && ++looks == last_look)
    stopped_at_last->request_stop();
  return static_cast<int>(syscall(SYS_clock_gettime, clock, time));
}

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

Tensor longs_of(const Ints& values, Shape shape) {
  return Tensor::from<std::int64_t>(values, shape);
}
Tensor long_row(const Ints& values) {
  return longs_of(values, Shape{std::ssize(values)});
}

// Inputs large enough for hundreds of thousands of steps.
std::vector<NodeCase> large_cases() {
  const Tensor image = counted({1, 8, 96, 96}), rows = counted({400, 700});
  const auto absent = std::nullopt;
  Ints places(400 * 700, 1), spots;
  for (std::int64_t i = 0; i < 8 * 48 * 48; ++i) spots.push_back(4 * i);
  Tensor boxes = counted({1, 3000, 4}), scores = counted({1, 1, 3000});
  for (float& v : boxes.mutable_view().as<float>()) v += 2.0F;
  Tensor all_true(DType::boolean, Shape{70'000});
  for (bool& v : all_true.mutable_view().as<bool>()) v = true;
  const Tensor regions = testing::floats({40, 4}, std::vector<float>(160, 60.0F));
  return {
      {node_of("Resize", {{"mode", std::string("cubic")}}), {image, absent, testing::floats({4}, {1, 1, 2, 2})}},
      {node_of("Resize", {{"mode", std::string("nearest")}}), {image, absent, testing::floats({4}, {1, 1, 2, 2})}},
      {node_of("ConvTranspose"), {counted({1, 8, 48, 48}), counted({8, 48, 3, 3})}},
      {node_of("GridSample"), {image, counted({1, 96, 96, 2})}},
      {node_of("RoiAlign", {{"output_height", std::int64_t{14}},
                            {"output_width", std::int64_t{14}},
                            {"sampling_ratio", std::int64_t{3}}}),
       {image, regions, long_row(Ints(40, 0))}},
      {node_of("DeformConv"), {image, counted({4, 8, 3, 3}), counted({1, 18, 94, 94})}},
      {node_of("LRN", {{"size", std::int64_t{5}}}), {image}},
      {node_of("LpPool", {{"kernel_shape", Ints{5, 5}}}), {image}},
      {node_of("MaxPool", {{"kernel_shape", Ints{3, 3}}}), {image}, 2},
      {node_of("MaxUnpool", {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}}),
       {counted({1, 8, 48, 48}), longs_of(spots, {1, 8, 48, 48})}},
      {node_of("InstanceNormalization"), {counted({4, 32, 48, 48}), counted({32}), counted({32})}},
      {node_of("GroupNormalization", {{"num_groups", std::int64_t{8}}}),
       {counted({4, 32, 48, 48}), counted({32}), counted({32})}},
      {node_of("MeanVarianceNormalization"), {counted({4, 32, 48, 48})}},
      {node_of("RMSNormalization"), {rows, counted({700})}},
      {node_of("LpNormalization"), {rows}},
      {node_of("Softmax", {{"axis", std::int64_t{1}}}), {image}},
      {node_of("LogSoftmax"), {rows}},
      {node_of("ArgMax", {{"axis", std::int64_t{1}}}), {image}},
      {node_of("Hardmax"), {rows}},
      {node_of("CumSum"), {rows, long_row({1})}},
      {node_of("TopK"), {rows, long_row({20})}, 2},
      {node_of("GatherElements"), {rows, longs_of(places, {400, 700})}},
      {node_of("ScatterElements"), {rows, longs_of(places, {400, 700}), rows}},
      {node_of("ScatterND", {{"reduction", std::string("add")}}), {rows, longs_of(Ints(400, 1), {400, 1}), rows}},
      {node_of("GatherND"), {rows, longs_of(Ints(400 * 200, 1), {400 * 100, 2})}},
      {node_of("Pad", {{"mode", std::string("reflect")}}), {image, long_row({0, 0, 3, 3, 0, 0, 3, 3})}},
      {node_of("CenterCropPad"), {image, long_row({1, 8, 90, 100})}},
      {node_of("DepthToSpace", {{"blocksize", std::int64_t{2}}}), {image}},
      {node_of("SpaceToDepth", {{"blocksize", std::int64_t{2}}}), {image}},
      {node_of("ReverseSequence"), {counted({200, 100, 7}), long_row(Ints(100, 150))}},
      {node_of("Trilu"), {counted({40, 200, 100})}},
      {node_of("Compress", {{"axis", std::int64_t{0}}}), {counted({70'000}), all_true}},
      {node_of("OneHot"), {long_row(Ints(300, 3)), long_row({600}), testing::floats({2}, {0, 1})}},
      {node_of("NonMaxSuppression"),
       {boxes, scores, long_row({3000}), testing::floats({1}, {0.9F}), testing::floats({1}, {-2.0F})}},
      {node_of("Col2Im"), {counted({1, 72, 900}), long_row({32, 32}), long_row({3, 3})}},
      {node_of("AffineGrid"), {counted({4, 2, 3}), long_row({4, 3, 100, 100})}},
      {node_of("RotaryEmbedding"),
       {counted({1, 8, 128, 64}), counted({128, 32}), counted({128, 32}), longs_of(Ints(128, 1), {1, 128})}},
      {node_of("Einsum", {{"equation", std::string("ij,kj->ik")}}), {counted({64, 64}), counted({64, 64})}},
      {node_of("DFT"), {counted({64, 1024, 2})}},
      {node_of("Det"), {counted({20, 32, 32})}},
      {node_of("ReduceL1"), {rows, long_row({0})}},
      {node_of("ReduceLogSumExp"), {rows, long_row({1})}},
      {node_of("Mod", {{"fmod", std::int64_t{1}}}), {rows, rows}},
      {node_of("LinearAttention", {{"q_num_heads", std::int64_t{4}},
                                   {"kv_num_heads", std::int64_t{4}},
                                   {"update_rule", std::string("linear")}}),
       {counted({1, 60, 128}), counted({1, 60, 128}), counted({1, 60, 128})},
       2},
      {node_of("CausalConvWithState"), {counted({2, 64, 400}), counted({64, 1, 4})}, 2},
  };
}

struct Counted {
  long looks;
  bool cancelled;
};
// One kernel on one thread, told to stop once its control has been looked at so many times.
Counted counted_run(const NodeCase& c, std::string_view kernel, long stop_at) {
  const base::ThreadLimit limit(1);
  std::stop_source source;
  const RunControl control{.stop = source.get_token(),
                           .deadline = std::chrono::steady_clock::now() + std::chrono::hours(1)};
  const base::Obey obey(&control);
  looks = 0;
  last_look = stop_at;
  stopped_at_last = &source;
  is_counting = true;
  bool cancelled = false;
  try {
    run_all(c, true, kernel);
  } catch (const Error& error) {
    cancelled = error.code() == ErrorCode::cancelled;
    EXPECT_TRUE(cancelled) << c.node.op << " by " << kernel << ": " << error.what();
  }
  is_counting = false;
  return {looks, cancelled};
}

TEST(Reference, EveryLongKernelLooksAgainAndAgainWhetherItMayGoOn) {
  constexpr long kLeastLooks = 4;
  for (const NodeCase& c : large_cases()) {
    const testing::PlannedCase planned = testing::planned(c, true);
    for (const KernelRow& row : find_op(c.node.op)->kernels) {
      if (!row.can(planned.node, planned.types)) continue;
      const Counted whole = counted_run(c, row.name, 0);
      EXPECT_FALSE(whole.cancelled) << c.node.op << " by " << row.name;
      EXPECT_GE(whole.looks, kLeastLooks) << c.node.op << " by " << row.name;
      const Counted ended = counted_run(c, row.name, 2);
      EXPECT_TRUE(ended.cancelled) << c.node.op << " by " << row.name;
      EXPECT_EQ(ended.looks, 2) << c.node.op << " by " << row.name;
    }
  }
}

double told_steps(const NodeCase& c) {
  const testing::PlannedCase planned = testing::planned(c, true);
  double steps = 0.0;
  const auto works = find_op(c.node.op)->kernels.back().can(planned.node, planned.types);
  for (const kernels::Work& work : *works)
    steps += work.rate == kernels::Rate::serial || work.rate == kernels::Rate::scalar ? work.units : 0.0;
  return steps;
}

// The same elements, but more work for each: a price that counts elements alone would not see it.
TEST(Reference, APriceGrowsAsTheStepsThatAreCounted) {
  const Tensor image = counted({1, 8, 64, 64});
  const auto cubic = [](const char* mode) { return node_of("GridSample", {{"mode", std::string(mode)}}); };
  const std::vector<std::pair<NodeCase, NodeCase>> kPairs = {
      {{node_of("ConvTranspose"), {counted({1, 16, 20, 20}), counted({16, 8, 3, 3})}},
       {node_of("ConvTranspose"), {counted({1, 64, 20, 20}), counted({64, 8, 3, 3})}}},
      {{node_of("DeformConv"), {counted({1, 4, 32, 32}), counted({8, 4, 3, 3}), counted({1, 18, 30, 30})}},
       {node_of("DeformConv"), {counted({1, 32, 32, 32}), counted({8, 32, 3, 3}), counted({1, 18, 30, 30})}}},
      {{cubic("linear"), {image, counted({1, 64, 64, 2})}}, {cubic("cubic"), {image, counted({1, 64, 64, 2})}}},
      {{node_of("LpPool", {{"kernel_shape", Ints{3, 3}}}), {image}},
       {node_of("LpPool", {{"kernel_shape", Ints{9, 9}}}), {image}}},
      {{node_of("Det"), {counted({64, 16, 16})}}, {node_of("Det"), {counted({1, 128, 128})}}},
      {{node_of("Einsum", {{"equation", std::string("ij,kj->ik")}}), {counted({64, 16}), counted({64, 16})}},
       {node_of("Einsum", {{"equation", std::string("ij,kj->ik")}}), {counted({64, 256}), counted({64, 256})}}},
      {{node_of("LRN", {{"size", std::int64_t{11}}}), {counted({1, 80, 40, 40})}},
       {node_of("LRN", {{"size", std::int64_t{61}}}), {counted({1, 80, 40, 40})}}},
  };
  for (const auto& [small, large] : kPairs) {
    const std::string_view kernel = find_op(small.node.op)->kernels.back().name;
    const double counted = static_cast<double>(counted_run(large, kernel, 0).looks) /
                           static_cast<double>(counted_run(small, kernel, 0).looks);
    const double told = told_steps(large) / told_steps(small);
    EXPECT_GE(told, counted / 3.0) << small.node.op;
    EXPECT_LE(told, counted * 3.0) << small.node.op;
  }
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
