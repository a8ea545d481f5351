// Every row of gradients.def against central differences of the same operators, in double precision.
#include "passes/grad/grad.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <set>
#include <skerry/error.hpp>

#include "base/thrown_by.hpp"
#include "ops/testing/evaluate_tensors.hpp"

namespace skerry::passes::grad {
namespace {

/// A node, the shapes of its real inputs, and constants after them.
struct Case {
  std::string op;
  std::vector<Shape> inputs;
  std::vector<std::pair<std::string, Attribute>> attributes = {};
  std::vector<std::vector<std::int64_t>> constants = {};
  double least = -2, most = 2;
};

std::int64_t one() {
  return 1;
}

std::vector<Case> cases() {
  const std::vector<std::int64_t> swapped{1, 0, 2};
  std::vector<Case> all{
      {"Add", {{3, 4}, {4}}},
      {"Sub", {{4}, {3, 1}}},
      {"Mul", {{2, 1, 4}, {3, 1}}},
      {"Div", {{3, 4}, {3, 1}}, {}, {}, 0.5, 2},
      {"Pow", {{3, 4}, {4}}, {}, {}, 0.5, 2},
      {"Sum", {{3, 4}, {4}, {1}}},
      {"MatMul", {{3, 4}, {4, 2}}},
      {"MatMul", {{2, 1, 3, 4}, {5, 4, 2}}},
      {"MatMul", {{4}, {4, 2}}},
      {"MatMul", {{2, 3, 4}, {4}}},
      {"MatMul", {{4}, {4}}},
      {"Gemm", {{3, 4}, {4, 2}, {2}}, {{"alpha", 0.5}, {"beta", -2.0}}},
      {"Gemm", {{4, 3}, {4, 2}, {3, 1}}, {{"transA", one()}}},
      {"Gemm", {{3, 4}, {2, 4}, {1}}, {{"transB", one()}}},
      {"Gemm", {{4, 3}, {2, 4}}, {{"transA", one()}, {"transB", one()}, {"alpha", 3.0}}},
      {"ReduceSum", {{2, 3, 4}}, {{"keepdims", std::int64_t{0}}}, {{-1, 0}}},
      {"ReduceSum", {{2, 3}}, {{"noop_with_empty_axes", one()}}},
      {"ReduceMean", {{2, 3, 4}}, {}, {{1}}},
      {"ReduceMean", {{2, 3}}},
      {"ReduceSumSquare", {{2, 3}}, {}, {{0}}},
      {"ReduceLogSumExp", {{2, 3}}, {{"keepdims", std::int64_t{0}}}, {{1}}},
      {"Softmax", {{2, 3, 4}}, {{"axis", one()}}},
      {"LogSoftmax", {{2, 3}}},
      {"Reshape", {{2, 6}}, {}, {{3, -1}}},
      {"Flatten", {{2, 3, 2}}, {{"axis", one()}}},
      {"Squeeze", {{2, 1, 3}}, {}, {{1}}},
      {"Unsqueeze", {{2, 3}}, {}, {{0, 3}}},
      {"Transpose", {{2, 3, 4}}, {{"perm", swapped}}},
      {"Transpose", {{2, 3}}},
      {"Expand", {{3, 1}}, {}, {{2, 3, 4}}},
      {"Concat", {{2, 3}, {2, 1}, {2, 2}}, {{"axis", std::int64_t{-1}}}},
      {"Identity", {{2, 3}}},
      {"LeakyRelu", {{3, 4}}, {{"alpha", 0.2}}},
      {"Elu", {{3, 4}}, {{"alpha", 1.5}}},
  };
  using Integers = std::vector<std::int64_t>;
  const Integers two{2, 2}, wide{1, 2}, pads{1, 0, 1, 1}, kernel{3, 2};
  const std::vector<Case> windows{
      {"Conv", {{2, 3, 7}, {4, 3, 3}, {4}}},
      {"Conv", {{2, 4, 6, 5}, {6, 2, 3, 2}}, {{"group", std::int64_t{2}}, {"strides", two}, {"pads", pads}}},
      {"Conv", {{1, 2, 8, 7}, {2, 2, 3, 2}, {2}}, {{"dilations", wide}, {"strides", Integers{3, 1}}}},
      {"Conv", {{1, 2, 5, 6}, {2, 1, 2, 3}}, {{"group", std::int64_t{2}}, {"auto_pad", std::string("SAME_UPPER")}}},
      {"Conv", {{1, 1, 4, 4, 3}, {2, 1, 2, 2, 2}}},
      {"ConvTranspose",
       {{2, 4, 3, 4}, {4, 2, 3, 2}, {4}},
       {{"group", std::int64_t{2}}, {"strides", two}, {"pads", pads}}},
      {"ConvTranspose", {{1, 2, 5}, {2, 3, 3}}, {{"dilations", Integers{2}}}},
      {"AveragePool", {{2, 2, 7, 6}}, {{"kernel_shape", kernel}, {"strides", two}, {"pads", pads}}},
      {"AveragePool",
       {{1, 2, 6, 6}},
       {{"kernel_shape", kernel}, {"strides", two}, {"pads", pads}, {"count_include_pad", one()}}},
      {"AveragePool", {{1, 1, 8}}, {{"kernel_shape", Integers{3}}, {"strides", Integers{2}}, {"ceil_mode", one()}}},
      {"MaxPool", {{2, 2, 7, 6}}, {{"kernel_shape", kernel}, {"strides", two}, {"pads", pads}}},
      {"MaxPool", {{1, 2, 9}}, {{"kernel_shape", Integers{3}}, {"strides", Integers{1}}}},
      {"GlobalAveragePool", {{2, 3, 4, 5}}},
      {"GlobalMaxPool", {{2, 3, 4, 5}}},
      {"BatchNormalization", {{2, 3, 4}, {3}, {3}, {3}, {3}}, {{"epsilon", 1e-3}}, {}, 0.4, 2},
      {"LayerNormalization", {{2, 3, 4}, {4}, {4}}, {{"epsilon", 1e-3}}},
      {"LayerNormalization", {{2, 3, 4}, {3, 4}}, {{"axis", one()}}},
      {"RMSNormalization", {{2, 3, 4}, {4}}},
      {"GroupNormalization", {{2, 4, 3}, {4}, {4}}, {{"num_groups", std::int64_t{2}}}},
      {"InstanceNormalization", {{2, 3, 4, 2}, {3}, {3}}},
  };
  all.insert(all.end(), windows.begin(), windows.end());
  for (const char* op : {"Abs", "Cos", "Erf", "Exp", "Neg", "Relu", "Sigmoid", "Sin", "Softplus", "Tanh"})
    all.push_back({op, {{3, 5}}});
  for (const char* op : {"Log", "Reciprocal", "Sqrt"}) all.push_back({op, {{3, 5}}, {}, {}, 0.3, 2});
  return all;
}

struct Model {
  Graph graph;
  std::vector<std::string> names;
  std::vector<Tensor> inputs;
};

Tensor random_tensor(const Shape& shape, std::mt19937& random, double least, double most) {
  Tensor tensor(DType::f64, shape);
  for (double& value : tensor.mutable_view().as<double>())
    value = std::uniform_real_distribution<double>(least, most)(random);
  return tensor;
}

Model model_of(const Case& c, std::mt19937& random) {
  Model model;
  Node node;
  node.op = c.op;
  for (const auto& [name, value] : c.attributes) node.set(name, value);
  for (std::size_t i = 0; i < c.inputs.size(); ++i) {
    model.names.push_back("x" + std::to_string(i));
    node.inputs.push_back(model.graph.add_input(model.names.back(), TensorType::of(DType::f64, c.inputs[i])));
    model.inputs.push_back(random_tensor(c.inputs[i], random, c.least, c.most));
  }
  for (const std::vector<std::int64_t>& values : c.constants)
    node.inputs.push_back(model.graph.add_constant(
        "c", Tensor::from<std::int64_t>(values, Shape{static_cast<std::int64_t>(values.size())})));
  const std::string name = "y";
  model.graph.mark_output(model.graph.node(model.graph.add_node(node, std::span(&name, 1))).outputs[0]);
  ops::infer_types(model.graph);
  return model;
}

/// Compares all gradients of <cotangent, output 0> with central differences.
void expect_true_gradients(const Model& model, std::mt19937& random, double tolerance = 2e-7) {
  const Graph both = differentiate(model.graph, model.names);
  const Shape out = *model.graph.value(model.graph.outputs()[0]).type.static_shape();
  const Tensor cotangent = random_tensor(out, random, -1, 1);
  std::vector<Tensor> inputs = model.inputs;
  inputs.push_back(cotangent);
  const std::vector<Tensor> results = ops::testing::evaluate_tensors(both, inputs);
  const auto loss = [&](std::size_t which, std::size_t element, double shift) {
    std::vector<Tensor> moved = model.inputs;
    const auto values = moved[which].as<double>();
    std::vector<double> changed(values.begin(), values.end());
    changed[element] += shift;
    moved[which] = Tensor::from<double>(changed, moved[which].shape());
    const std::vector<Tensor> y = ops::testing::evaluate_tensors(model.graph, moved);
    double sum = 0;
    for (std::size_t i = 0; i < cotangent.as<double>().size(); ++i)
      sum += cotangent.as<double>()[i] * y[0].as<double>()[i];
    return sum;
  };
  ASSERT_EQ(results.size(), 1 + model.inputs.size());
  for (std::size_t which = 0; which < model.inputs.size(); ++which) {
    ASSERT_EQ(results[1 + which].shape(), model.inputs[which].shape());
    for (std::size_t i = 0; i < model.inputs[which].as<double>().size(); ++i) {
      const double step = 1e-5, slope = (loss(which, i, step) - loss(which, i, -step)) / (2 * step);
      EXPECT_NEAR(results[1 + which].as<double>()[i], slope, tolerance) << "input " << which << ", element " << i;
    }
  }
}

TEST(Gradients, EveryRuleEqualsCentralDifferences) {
  std::mt19937 random(3);
  std::set<std::string> seen{"Where", "Clip", "Round"};
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.op);
    expect_true_gradients(model_of(c, random), random);
    seen.insert(c.op);
  }
  for (const std::string_view op : operators()) EXPECT_TRUE(seen.contains(std::string(op))) << op << " has no case";
}

TEST(Gradients, WhereSendsEachElementToTheSideItCameFrom) {
  std::mt19937 random(4);
  Model model;
  model.names = {"a", "b"};
  const ValueId a = model.graph.add_input("a", TensorType::of(DType::f64, {3, 4}));
  const ValueId b = model.graph.add_input("b", TensorType::of(DType::f64, {4}));
  model.inputs = {random_tensor({3, 4}, random, -1, 1), random_tensor({4}, random, -1, 1)};
  const ValueId zero = model.graph.add_constant("zero", Tensor(DType::f64, Shape{}));
  const ValueId mask = model.graph.add("Greater", {a, zero}, "mask");
  model.graph.mark_output(model.graph.add("Where", {mask, a, b}, "y"));
  ops::infer_types(model.graph);
  expect_true_gradients(model, random);
}

TEST(Gradients, ClipStopsOutsideOfItsBoundsAndRoundIsPassedStraightThrough) {
  std::mt19937 random(6);
  for (const bool bounded_above : {true, false}) {
    Model model;
    model.names = {"x"};
    Graph& g = model.graph;
    const ValueId x = g.add_input("x", TensorType::of(DType::f64, {40}));
    model.inputs = {random_tensor({40}, random, -2, 2)};
    const double low = -0.5, high = 1.0;
    Node clip;
    clip.op = "Clip";
    clip.inputs = {x, g.add_constant("low", Tensor::from<double>(std::span(&low, 1), Shape{}))};
    if (bounded_above)
      clip.inputs.push_back(g.add_constant("high", Tensor::from<double>(std::span(&high, 1), Shape{})));
    const std::string name = "y";
    g.mark_output(g.node(g.add_node(clip, std::span(&name, 1))).outputs[0]);
    ops::infer_types(g);
    expect_true_gradients(model, random);
  }
  Graph graph;
  graph.mark_output(graph.add("Round", {graph.add_input("x", TensorType::of(DType::f64, {3}))}, "y"));
  ops::infer_types(graph);
  const std::vector<std::string> by{"x"};
  const std::vector<Tensor> inputs{random_tensor({3}, random, -9, 9), random_tensor({3}, random, -1, 1)};
  const std::vector<Tensor> results = ops::testing::evaluate_tensors(differentiate(graph, by), inputs);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(results[1].as<double>()[i], inputs[1].as<double>()[i]);
}

TEST(Gradients, OfValuesThatAreUsedManyTimesAreSums) {
  // A network with a residual, attention-like products and a loss, all through one another.
  std::mt19937 random(5);
  Model model;
  model.names = {"x", "w", "b"};
  Graph& g = model.graph;
  const ValueId x = g.add_input("x", TensorType::of(DType::f64, {3, 4}));
  const ValueId w = g.add_input("w", TensorType::of(DType::f64, {4, 4}));
  const ValueId b = g.add_input("b", TensorType::of(DType::f64, {4}));
  model.inputs = {random_tensor({3, 4}, random, -1, 1), random_tensor({4, 4}, random, -1, 1),
                  random_tensor({4}, random, -1, 1)};
  const ValueId hidden = g.add("Tanh", {g.add("Gemm", {x, w, b}, "h0")}, "h1");
  const ValueId residual = g.add("Add", {g.add("MatMul", {hidden, w}, "h2"), x}, "h3");
  const ValueId scores = g.add("MatMul", {residual, g.add("Transpose", {hidden}, "t")}, "s0");
  const ValueId mixed = g.add("MatMul", {g.add("Softmax", {scores}, "s1"), residual}, "m");
  g.mark_output(g.add("ReduceMean", {g.add("Mul", {mixed, hidden}, "p")}, "y"));
  ops::infer_types(g);
  expect_true_gradients(model, random);
}

TEST(Gradients, AnInputThatNothingDependsOnHasZeros) {
  Graph graph;
  graph.add_input("unused", TensorType::of(DType::f64, {2}));
  const ValueId x = graph.add_input("x", TensorType::of(DType::f64, {2}));
  graph.mark_output(graph.add("Neg", {x}, "y"));
  ops::infer_types(graph);
  const std::vector<std::string> by{"unused"};
  const std::vector<double> ones{1, 1};
  const Tensor tensor = Tensor::from<double>(ones, Shape{2});
  const std::vector<Tensor> inputs{tensor, tensor, tensor};
  const std::vector<Tensor> results = ops::testing::evaluate_tensors(differentiate(graph, by), inputs);
  EXPECT_EQ(results[1].as<double>()[0], 0);
  EXPECT_EQ(results[1].as<double>()[1], 0);
}

TEST(Gradients, WhatCannotBeDifferentiatedIsRefusedByName) {
  Graph graph;
  const ValueId x = graph.add_input("x", TensorType::of(DType::f64, {3}));
  graph.mark_output(graph.add("Floor", {x}, "y"));
  ops::infer_types(graph);
  const std::vector<std::string> by{"x"}, other{"z"};
  const Error error = base::thrown_by([&] { differentiate(graph, by); });
  EXPECT_EQ(error.code(), ErrorCode::unsupported);
  EXPECT_NE(std::string(error.what()).find("Floor"), std::string::npos);
  EXPECT_EQ(base::thrown_by([&] { differentiate(graph, other); }).code(), ErrorCode::not_found);
}

}  // namespace
}  // namespace skerry::passes::grad
