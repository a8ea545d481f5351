#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <random>
#include <skerry/compile.hpp>
#include <skerry/error.hpp>

#include "base/threads.hpp"
#include "ir/verify.hpp"
#include "kernels/tensor/pixels.hpp"
#include "ops/testing/evaluate_tensors.hpp"
#include "passes/pass.hpp"

namespace skerry::passes {
namespace {

const GraphPass& pass(std::string_view name) {
  for (const GraphPass* row : graph_passes()) {
    if (row->name == name) return *row;
  }
  throw std::logic_error("no such pass");
}

Tensor random_tensor(std::mt19937& random, const Shape& shape, float least) {
  std::uniform_real_distribution<float> uniform(least, 1.0F);
  Tensor tensor(DType::f32, shape);
  for (float& value : tensor.mutable_view().as<float>()) value = uniform(random);
  return tensor;
}

// x [N,2,4,4] -> Conv with bias -> BatchNormalization.
Graph conv_norm(std::mt19937& random, bool with_bias) {
  Graph graph;
  const ValueId x = graph.add_input("x", {DType::f32, std::vector<Dim>{std::string("N"), 2, 4, 4}});
  const ValueId weights = graph.add_constant("w", random_tensor(random, {3, 2, 3, 3}, -1.0F));
  const ValueId bias = with_bias ? graph.add_constant("b", random_tensor(random, {3}, -1.0F)) : kNoValue;
  const ValueId conv =
      with_bias ? graph.add("Conv", {x, weights, bias}, "conv") : graph.add("Conv", {x, weights}, "conv");
  const ValueId scale = graph.add_constant("scale", random_tensor(random, {3}, -1.0F));
  const ValueId shift = graph.add_constant("shift", random_tensor(random, {3}, -1.0F));
  const ValueId mean = graph.add_constant("mean", random_tensor(random, {3}, -1.0F));
  const ValueId variance = graph.add_constant("variance", random_tensor(random, {3}, 0.1F));
  graph.mark_output(graph.add("BatchNormalization", {conv, scale, shift, mean, variance}, "y"));
  return graph;
}

std::span<const float> constant(const Graph& graph, const Node& node, std::size_t input) {
  return graph.value(node.inputs[input]).constant->as<float>();
}

TEST(FoldBatchNorms, GivesWeightsAndBiasThatMakeTheSameAffineMap) {
  std::mt19937 random(1);
  for (const bool with_bias : {true, false}) {
    const Graph before = conv_norm(random, with_bias);
    const Graph after = pass("fold_batch_norms").run(before);
    ir::verify(after);
    ASSERT_EQ(after.nodes().size(), 1U);
    EXPECT_EQ(after.value(after.outputs()[0]).name, "y");
    const Node &norm = before.node(1), &conv = before.node(0), &folded = after.node(0);
    for (std::size_t c = 0; c < 3; ++c) {
      const double factor = static_cast<double>(constant(before, norm, 1)[c]) /
                            std::sqrt(static_cast<double>(constant(before, norm, 4)[c]) + 1e-5);
      for (std::size_t i = 0; i < 18; ++i) {
        EXPECT_EQ(constant(after, folded, 1)[c * 18 + i], constant(before, conv, 1)[c * 18 + i]);
      }
      EXPECT_NEAR(constant(after, folded, 4)[c], factor, 1e-5);
      const double bias = with_bias ? static_cast<double>(constant(before, conv, 2)[c]) : 0.0;
      const double expected = factor * (bias - static_cast<double>(constant(before, norm, 3)[c])) +
                              static_cast<double>(constant(before, norm, 2)[c]);
      EXPECT_NEAR(constant(after, folded, 2)[c], expected, 1e-5);
    }
  }
}

TEST(FoldBatchNorms, LeavesAConvolutionWhoseResultIsUsedTwice) {
  std::mt19937 random(2);
  Graph graph = conv_norm(random, true);
  graph.mark_output(graph.node(0).outputs[0]);
  EXPECT_EQ(pass("fold_batch_norms").run(graph).nodes().size(), 2U);
}

TEST(FoldConstants, ComputesWhatDependsOnNothingButConstants) {
  Graph graph;
  const std::array<float, 2> two = {1, 2};
  const ValueId x = graph.add_input("x", {DType::f32, std::vector<Dim>{std::string("N"), 2}});
  const ValueId a = graph.add_constant("a", Tensor::from<float>(two, {2}));
  const ValueId sum = graph.add("Add", {a, a}, "sum");
  graph.mark_output(graph.add("Mul", {x, sum}, "y"));
  const Graph folded = pass("fold_constants").run(graph);
  ir::verify(folded);
  ASSERT_EQ(folded.nodes().size(), 1U);
  EXPECT_EQ(constant(folded, folded.node(0), 1)[1], 4.0F);
}

// q -> DequantizeLinear -> Conv with quantised weights and bias -> Relu -> QuantizeLinear.
Graph quantised_conv(std::int32_t bias_zero) {
  Graph graph;
  const ValueId q = graph.add_input("q", {DType::u8, std::vector<Dim>{1, 2, 4, 4}});
  const auto scalar = [&](const char* name, float value) {
    return graph.add_constant(name, Tensor::from<float>(std::span(&value, 1), Shape{}));
  };
  const std::uint8_t zero_value = 128;
  const ValueId zero = graph.add_constant("z", Tensor::from<std::uint8_t>(std::span(&zero_value, 1), Shape{}));
  const ValueId x_scale = scalar("xs", 0.5F), w_scale = scalar("ws", 0.25F), b_scale = scalar("bs", 0.125F);
  const ValueId weights = graph.add_constant("w", Tensor(DType::i8, {3, 2, 3, 3}));
  const ValueId bias = graph.add_constant("b", Tensor(DType::i32, {3}));
  const ValueId of_bias = graph.add_constant("bz", Tensor::from<std::int32_t>(std::span(&bias_zero, 1), Shape{}));
  const ValueId x = graph.add("DequantizeLinear", {q, x_scale, zero}, "x", {DType::f32, std::vector<Dim>{1, 2, 4, 4}});
  const ValueId w = graph.add("DequantizeLinear", {weights, w_scale}, "wf");
  const ValueId b = graph.add("DequantizeLinear", {bias, b_scale, of_bias}, "bf");
  const ValueId y = graph.add("Relu", {graph.add("Conv", {x, w, b}, "conv")}, "relu");
  graph.mark_output(graph.add("QuantizeLinear", {y, x_scale, zero}, "r", {DType::u8, std::vector<Dim>{1, 3, 2, 2}}));
  return graph;
}

TEST(FuseQuantized, MakesAConvolutionOfIntegersWithTheActivationAsABound) {
  const Graph after = pass("remove_dead_nodes").run(pass("fuse_quantized").run(quantised_conv(0)));
  ir::verify(after);
  ASSERT_EQ(after.nodes().size(), 1U);
  EXPECT_EQ(after.node(0).op, "QLinearConv");
  EXPECT_EQ(after.node(0).integer("low", 0), 128);
  EXPECT_EQ(after.value(after.node(0).inputs[8]).name, "b");
}

TEST(FuseQuantized, LeavesABiasWithAZeroPointAlone) {
  const Graph before = quantised_conv(1);
  EXPECT_EQ(pass("fuse_quantized").run(before).node(4).op, before.node(4).op);
  EXPECT_EQ(pass("fuse_quantized").run(before).nodes().back().op, "QuantizeLinear");
}

TEST(FuseActivations, PutsResidualAndReluBehindTheConvolution) {
  std::mt19937 random(3);
  const TensorType type{DType::f32, std::vector<Dim>{1, 2, 4, 4}};
  Graph graph;
  const ValueId x = graph.add_input("x", type);
  const ValueId w = graph.add_constant("w", random_tensor(random, {2, 2, 1, 1}, -1.0F));
  const ValueId conv = graph.add("Conv", {x, w}, "conv", type);
  const ValueId residual = graph.add("Neg", {x}, "residual", type);
  graph.mark_output(graph.add("Relu", {graph.add("Add", {conv, residual}, "sum", type)}, "y", type));
  const Graph after = pass("fuse_activations").run(graph);
  ir::verify(after);
  ASSERT_EQ(after.nodes().size(), 2U);
  const Node& fused = after.node(1);
  EXPECT_EQ(fused.op, "Conv");
  EXPECT_EQ(after.value(fused.inputs[3]).name, "residual");
  EXPECT_EQ(fused.real("least", -1.0), 0.0);
  EXPECT_EQ(after.value(after.outputs()[0]).name, "y");
}

TEST(FuseActivations, LeavesASumThatBroadcasts) {
  Graph graph;
  const TensorType type{DType::f32, std::vector<Dim>{1, 2, 4, 4}};
  const ValueId x = graph.add_input("x", type), one = graph.add_input("one", {DType::f32, std::vector<Dim>{1}});
  const ValueId w = graph.add_constant("w", Tensor(DType::f32, {2, 2, 1, 1}));
  graph.mark_output(graph.add("Add", {graph.add("Conv", {x, w}, "conv", type), one}, "y", type));
  EXPECT_EQ(pass("fuse_activations").run(graph).nodes().size(), 2U);
}

std::size_t count_of(const Graph& graph, std::string_view op) {
  return static_cast<std::size_t>(std::ranges::count(graph.nodes(), op, &Node::op));
}

// Every kind of operator that images pass through: an image of 3 channels, convolutions of all kinds, pools, maps,
// broadcast sums, a concatenation, and at the end operators that want channels first.
Graph image_network(std::mt19937& random) {
  Graph graph;
  const auto weights = [&](const std::string& name, const Shape& shape) {
    return graph.add_constant(name, random_tensor(random, shape, -1.0F));
  };
  const auto conv = [&](ValueId x, ValueId w, const std::string& name, std::int64_t groups, std::int64_t stride) {
    const ValueId y = graph.add("Conv", {x, w}, name);
    Node& node = graph.edit_node(graph.value(y).producer);
    node.set("group", groups);
    node.set("pads", std::vector<std::int64_t>{1, 1, 1, 1});
    node.set("strides", std::vector<std::int64_t>{stride, stride});
    return y;
  };
  const ValueId x = graph.add_input("x", {DType::f32, std::vector<Dim>{2, 3, 9, 11}});
  const ValueId first = conv(x, weights("w1", {16, 3, 3, 3}), "first", 1, 1);
  const ValueId deep = conv(graph.add("Relu", {first}, "relu"), weights("w2", {16, 1, 3, 3}), "deep", 16, 2);
  const ValueId sum = graph.add("Add", {deep, weights("shift", {16, 1, 1})}, "sum");
  const ValueId whole = graph.add("Mul", {sum, weights("factor", {1})}, "whole");
  const ValueId plane = graph.add("Sub", {weights("plane", {1, 16, 5, 6}), whole}, "plane_sum");
  const ValueId both = graph.add("Concat", {plane, sum}, "both");
  graph.edit_node(graph.value(both).producer).set("axis", std::int64_t{1});
  const ValueId pooled = graph.add("MaxPool", {both}, "pooled");
  graph.edit_node(graph.value(pooled).producer).set("kernel_shape", std::vector<std::int64_t>{2, 2});
  const ValueId mean = graph.add("GlobalAveragePool", {pooled}, "mean");
  const ValueId gated = graph.add("Mul", {pooled, mean}, "gated");
  graph.mark_output(graph.add("Flatten", {gated}, "flat"));
  graph.mark_output(graph.add("Flatten", {mean}, "means"));
  graph.mark_output(pooled);
  ops::infer_types(graph);
  return graph;
}

TEST(ChannelsLast, KeepsWhatTheGraphComputesAndTurnsImagesOnlyAtTheBorders) {
  std::mt19937 random(7);
  const Graph before = image_network(random);
  const Graph after = pass("channels_last").run(before);
  ir::verify(after);
  for (const Node& node : after.nodes()) {
    const bool image = node.op == "Conv" || node.op.ends_with("Pool");
    EXPECT_EQ(node.integer("channels_last", 0), image ? 1 : 0) << node.op;
  }
  // One for the output that is an image, one for what is made flat; a plane of one pixel is turned by its name alone.
  EXPECT_EQ(count_of(after, "Transpose"), 2U);
  EXPECT_EQ(count_of(after, "Reshape"), 1U);
  const std::vector<Tensor> inputs = {random_tensor(random, {2, 3, 9, 11}, -1.0F)};
  const auto expected = ops::testing::evaluate_tensors(before, inputs),
             found = ops::testing::evaluate_tensors(after, inputs);
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(after.value(after.outputs()[i]).name, before.value(before.outputs()[i]).name);
    ASSERT_EQ(found[i].shape(), expected[i].shape());
    for (std::size_t k = 0; k < expected[i].as<float>().size(); ++k)
      ASSERT_NEAR(found[i].as<float>()[k], expected[i].as<float>()[k], 1e-4) << "output " << i;
  }
  EXPECT_EQ(pass("channels_last").run(after).nodes().size(), after.nodes().size()) << "done twice";
}

TEST(ChannelsLast, LeavesConvolutionsThatNoKernelTakesThatWay) {
  std::mt19937 random(8);
  Graph graph;
  const ValueId x = graph.add_input("x", {DType::f32, std::vector<Dim>{1, 4, 5, 5}});
  const ValueId w = graph.add_input("w", {DType::f32, std::vector<Dim>{4, 4, 1, 1}});
  const ValueId grouped = graph.add_constant("g", random_tensor(random, {4, 2, 1, 1}, -1.0F));
  const ValueId y = graph.add("Conv", {graph.add("Conv", {x, w}, "unknown weights"), grouped}, "two groups");
  graph.edit_node(graph.value(y).producer).set("group", std::int64_t{2});
  graph.mark_output(y);
  ops::infer_types(graph);
  const Graph after = pass("channels_last").run(graph);
  for (const Node& node : after.nodes()) EXPECT_EQ(node.find("channels_last"), nullptr);
}

// x [1,5,6,32] with channels last -> 1 x 1 to 48 channels, times a factor each -> 3 x 3 at stride 2 to 64.
Graph two_convolutions(std::mt19937& random) {
  Graph graph;
  const ValueId x = graph.add_input("x", {DType::f32, std::vector<Dim>{1, 5, 6, 32}});
  const auto constant = [&](const char* name, const Shape& shape) {
    return graph.add_constant(name, random_tensor(random, shape, -1.0F));
  };
  const ValueId a = graph.add(
      "Conv", {x, constant("w1", {48, 32, 1, 1}), constant("b1", {48}), kNoValue, constant("factor", {48})}, "a");
  const ValueId b = graph.add("Conv", {a, constant("w2", {64, 48, 3, 3})}, "b");
  for (const NodeId id : {NodeId{0}, NodeId{1}}) graph.edit_node(id).set("channels_last", std::int64_t{1});
  graph.edit_node(1).set("strides", std::vector<std::int64_t>{2, 2});
  graph.mark_output(b);
  ops::infer_types(graph);
  return graph;
}

TEST(PackWeights, LeavesConvolutionsTheirMeaningHereAndOnMachinesOfOtherVectors) {
  std::mt19937 random(12);
  const Graph before = two_convolutions(random);
  const std::vector<Tensor> inputs = {random_tensor(random, {1, 5, 6, 32}, -1.0F)};
  const Tensor wanted = ops::testing::evaluate_tensors(before, inputs)[0];
  Graph after = pass("pack_weights").run(before);
  ir::verify(after);
  const auto expect_same = [&](const Graph& graph) {
    const Tensor found = ops::testing::evaluate_tensors(graph, inputs)[0];
    for (std::size_t i = 0; i < wanted.as<float>().size(); ++i)
      ASSERT_NEAR(found.as<float>()[i], wanted.as<float>()[i], 1e-3) << i;
  };
  for (const Node& node : after.nodes()) {
    EXPECT_NE(node.find("packed"), nullptr);
    EXPECT_LE(node.inputs.size(), 4U) << "the factor is in the weights";
  }
  EXPECT_FALSE(std::ranges::equal(constant(after, after.node(1), 1), constant(before, before.node(1), 1)));
  expect_same(after);
  EXPECT_EQ(pass("pack_weights").run(after).node(1).inputs, after.node(1).inputs) << "done twice";
  for (const kernels::PixelPanels& other : {kernels::PixelPanels{16, 8}, {32, 16}, {8, 4}, {16, 16}}) {
    for (const NodeId id : {NodeId{0}, NodeId{1}}) {
      const Tensor here = *after.value(after.node(id).inputs[1]).constant;
      kernels::ConvShape shape{1, here.shape()[1], here.shape()[0], 1, {}};
      shape.window.kernel = {1, here.shape()[2], here.shape()[3]};
      Tensor plain(DType::f32, here.shape()), there(DType::f32, here.shape());
      const auto given = after.node(id).integers("packed");
      const kernels::PixelPanels own{static_cast<std::size_t>(given[0]), static_cast<std::size_t>(given[1])};
      kernels::unpack_pixel_weights(shape, own, here.as<float>(), plain.mutable_view().as<float>());
      kernels::pack_pixel_weights(shape, other, plain.as<float>(), {}, there.mutable_view().as<float>());
      after.value(after.node(id).inputs[1]).constant = there;
      after.edit_node(id).set("packed", std::vector<std::int64_t>{static_cast<std::int64_t>(other.panel),
                                                                  static_cast<std::int64_t>(other.lanes)});
    }
    expect_same(after);
  }
}

TEST(PackWeights, OfPanelsThatCannotBeIsRefused) {
  std::mt19937 random(13);
  const std::vector<Tensor> inputs = {random_tensor(random, {1, 5, 6, 32}, -1.0F)};
  for (const std::vector<std::int64_t>& packed :
       {std::vector<std::int64_t>{32}, {32, 0}, {-1, 16}, {1 << 20, 1 << 20}, {32, 10}, {32, 32, 32}}) {
    Graph graph = pass("pack_weights").run(two_convolutions(random));
    graph.edit_node(0).set("packed", packed);
    EXPECT_THROW(ops::testing::evaluate_tensors(graph, inputs), Error);
  }
}

TEST(RemoveDeadNodes, KeepsInputsAndWhatLeadsToAnOutput) {
  Graph graph;
  const ValueId x = graph.add_input("x", {DType::f32, std::vector<Dim>{2}});
  graph.add_input("unused", {DType::f32, std::vector<Dim>{2}});
  graph.add("Relu", {graph.add("Neg", {x}, "dead1")}, "dead2");
  graph.mark_output(graph.add("Neg", {x}, "y"));
  const Graph alive = pass("remove_dead_nodes").run(graph);
  ir::verify(alive);
  EXPECT_EQ(alive.nodes().size(), 1U);
  EXPECT_EQ(alive.inputs().size(), 2U);
}

// Functions of one and two operands over inputs of the result's shape and of shapes that are stretched to it.
Graph random_chains(std::mt19937& random, const Shape& shape, const std::vector<Shape>& inputs, std::size_t nodes) {
  static constexpr std::array kOne = {"Abs",         "Ceil",      "Erf",       "Exp",        "Floor", "Gelu",
                                      "HardSigmoid", "HardSwish", "Neg",       "Reciprocal", "Relu",  "Round",
                                      "Sigmoid",     "Sqrt",      "LeakyRelu", "Tanh"};
  static constexpr std::array kTwo = {"Add", "Div", "Max", "Min", "Mul", "Sub"};
  Graph graph;
  std::vector<ValueId> values;
  for (const Shape& input : inputs)
    values.push_back(graph.add_input("x" + std::to_string(values.size()), TensorType::of(DType::f32, input)));
  std::vector<ValueId> whole = {values[0]};  // of the result's shape
  const auto any = [&](const auto& from) { return from[random() % from.size()]; };
  for (std::size_t i = 0; i < nodes; ++i) {
    const bool two = random() % 2 == 0;
    // Mostly what was made last, so that chains are long.
    const ValueId a = random() % 4 == 0 ? any(whole) : whole.back(), b = random() % 2 == 0 ? any(values) : any(whole);
    const std::string name = "y" + std::to_string(i);
    const TensorType type = TensorType::of(DType::f32, shape);
    const ValueId y = !two                ? graph.add(any(kOne), {a}, name, type)
                      : random() % 2 == 0 ? graph.add(any(kTwo), {a, b}, name, type)
                                          : graph.add(any(kTwo), {b, a}, name, type);
    whole.push_back(y);
  }
  graph.mark_output(whole.back());
  if (random() % 3 == 0) graph.mark_output(any(whole) == whole.back() ? whole[1] : whole[whole.size() / 2]);
  return graph;
}

TEST(FuseElementwise, GivesTheSameBitsAsTheStepsOneByOne) {
  std::mt19937 random(11);
  const std::vector<std::vector<Shape>> shapes = {
      {{1}},
      {{37}, {1}, {}},
      {{3, 1030}, {1030}, {3, 1}, {1}},
      {{2, 5, 7, 9}, {5, 1, 1}, {2, 1, 7, 1}, {9}, {}, {2, 5, 7, 9}},
      {{4, 9001}, {4, 9001}, {9001}},
      {{0, 3}, {3}},
  };
  std::size_t before = 0, after = 0;
  for (int round = 0; round < 180; ++round) {
    const std::vector<Shape>& inputs = shapes[static_cast<std::size_t>(round) % shapes.size()];
    Graph graph = pass("remove_dead_nodes").run(random_chains(random, inputs[0], inputs, 2 + random() % 14));
    const Graph fused = pass("fuse_elementwise").run(graph);
    ir::verify(fused);
    before += graph.nodes().size();
    after += fused.nodes().size();
    std::vector<Tensor> tensors;
    for (const Shape& shape : inputs) tensors.push_back(random_tensor(random, shape, -1.0F));
    const auto wanted = ops::testing::evaluate_tensors(graph, tensors);
    for (const int threads : {1, 3}) {
      const base::ThreadLimit limit(threads);
      const auto found = ops::testing::evaluate_tensors(fused, tensors);
      ASSERT_EQ(found.size(), wanted.size());
      for (std::size_t i = 0; i < found.size(); ++i) {
        ASSERT_EQ(found[i].shape(), wanted[i].shape());
        ASSERT_EQ(std::memcmp(found[i].view().data(), wanted[i].view().data(), wanted[i].view().bytes()), 0)
            << "round " << round << ", " << threads << " threads";
      }
    }
  }
  EXPECT_LT(2 * after, before);
}

TEST(FuseElementwise, LeavesWhatOthersLookAt) {
  Graph graph;
  const TensorType type{DType::f32, std::vector<Dim>{std::string("N"), 8}};
  const ValueId x = graph.add_input("x", type);
  const ValueId inner = graph.add("Neg", {x}, "inner", type);
  const ValueId swish = graph.add("Mul", {inner, graph.add("Sigmoid", {inner}, "s", type)}, "y", type);
  graph.mark_output(swish);
  const Graph fused = pass("fuse_elementwise").run(graph);
  ir::verify(fused);
  ASSERT_EQ(fused.nodes().size(), 2U) << "two look at -x";
  EXPECT_EQ(fused.node(1).op, "skerry.Elementwise");
  EXPECT_EQ(fused.value(fused.outputs()[0]).name, "y");
  EXPECT_EQ(pass("fuse_elementwise").run(fused).nodes().size(), 2U);
}

TEST(ShareCommon, ComputesOnceWhatIsComputedTwice) {
  Graph graph;
  const TensorType type{DType::f32, std::vector<Dim>{4}};
  const auto scalar = [&](const char* name, float value) {
    return graph.add_constant(name, Tensor::from<float>(std::span(&value, 1), Shape{}));
  };
  const ValueId x = graph.add_input("x", type);
  const ValueId a = graph.add("Add", {x, scalar("a1", 1)}, "a", type);
  const ValueId b = graph.add("Add", {x, scalar("b1", 1)}, "b", type);                       // the same
  const ValueId c = graph.add("Add", {x, scalar("c2", 2)}, "c", type);                       // another number
  const ValueId d = graph.add("Exp", {a}, "d", type), e = graph.add("Exp", {b}, "e", type);  // the same for that
  const ValueId f = graph.add("Elu", {x}, "f", type), g = graph.add("Elu", {x}, "g", type);
  graph.edit_node(graph.value(g).producer).set("alpha", 0.5);  // another function
  const ValueId named = graph.add("Exp", {a}, "named", type);  // an output of its own name
  graph.mark_output(graph.add("Sum", {d, e, c, f, g}, "y", type));
  graph.mark_output(named);
  const Graph shared = pass("share_common").run(graph);
  ir::verify(shared);
  EXPECT_EQ(shared.nodes().size(), graph.nodes().size() - 2);
  EXPECT_EQ(shared.value(shared.outputs()[1]).name, "named");
  std::mt19937 random(3);
  const std::array inputs = {random_tensor(random, {4}, -1.0F)};
  const auto wanted = ops::testing::evaluate_tensors(graph, inputs),
             found = ops::testing::evaluate_tensors(shared, inputs);
  for (std::size_t i = 0; i < wanted.size(); ++i)
    EXPECT_TRUE(std::ranges::equal(found[i].as<float>(), wanted[i].as<float>()));
  EXPECT_EQ(pass("share_common").run(shared).nodes().size(), shared.nodes().size());
}

TEST(TurnWeights, LeavesTheAnswerAndTheImage) {
  std::mt19937 random(5);
  for (const bool across : {false, true}) {
    Graph graph;
    const Dim batch(std::string("N"));
    const ValueId x = graph.add_input("x", {DType::f32, std::vector<Dim>{batch, 3, 4, 5}});
    const ValueId planes = graph.add("Transpose", {x}, "planes", {DType::f32, std::vector<Dim>{batch, 5, 3, 4}});
    graph.edit_node(graph.value(planes).producer).set("perm", std::vector<std::int64_t>{0, 3, 1, 2});
    const ValueId flat = graph.add("Flatten", {planes}, "flat", {DType::f32, std::vector<Dim>{batch, 60}});
    const Shape shape = across ? Shape{7, 60} : Shape{60, 7};
    const ValueId weights = graph.add_constant("w", random_tensor(random, shape, -1.0F));
    const ValueId y = graph.add("Gemm", {flat, weights}, "y", {DType::f32, std::vector<Dim>{batch, 7}});
    if (across) graph.edit_node(graph.value(y).producer).set("transB", std::int64_t{1});
    graph.mark_output(y);
    const Graph turned = pass("turn_weights").run(graph);
    ir::verify(turned);
    ASSERT_EQ(turned.nodes().size(), 2U);
    const std::array inputs = {random_tensor(random, {2, 3, 4, 5}, -1.0F)};
    const auto wanted = ops::testing::evaluate_tensors(graph, inputs),
               found = ops::testing::evaluate_tensors(turned, inputs);
    for (std::size_t i = 0; i < 14; ++i) EXPECT_NEAR(found[0].as<float>()[i], wanted[0].as<float>()[i], 1e-5);
    graph.mark_output(planes);
    EXPECT_EQ(pass("turn_weights").run(graph).nodes().size(), 3U) << "somebody else looks at the planes";
  }
}

}  // namespace
}  // namespace skerry::passes
