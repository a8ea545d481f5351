#include "edge/model_cache.hpp"

#include <gtest/gtest.h>

#include <array>

#include "package/digest.hpp"
#include "package/package.hpp"

namespace skerry::edge {
namespace {

// x f32[2] -> Mul by weights -> LeakyRelu(alpha) -> y.
Graph model(std::array<float, 2> weights, double alpha = 0.1, const std::string& output = "y") {
  Graph graph;
  const TensorType type = TensorType::of(DType::f32, Shape({2}));
  const ValueId x = graph.add_input("x", type);
  const ValueId w = graph.add_constant("w", Tensor::from<float>(weights, Shape({2})));
  const ValueId scaled = graph.add("Mul", {x, w}, "scaled", type);
  Node node{.op = "LeakyRelu", .inputs = {scaled}};
  node.set("alpha", alpha);
  const std::array<std::string, 1> names = {output};
  const std::array<TensorType, 1> types = {type};
  graph.mark_output(graph.node(graph.add_node(std::move(node), names, types)).outputs[0]);
  return graph;
}

TEST(ModelTexts, AreEqualForEqualModelsAndDifferInWeightsAttributesAndNames) {
  const std::string text = content_text(model({1, 2}));
  EXPECT_EQ(content_text(model({1, 2})), text);
  EXPECT_NE(content_text(model({1, 3})), text);
  EXPECT_NE(content_text(model({1, 2}, 0.2)), text);
  EXPECT_NE(content_text(model({1, 2}, 0.1, "z")), text);
  Graph inputs = model({1, 2});
  inputs.value(inputs.inputs()[0]).type.dtype = DType::f64;
  EXPECT_NE(content_text(inputs), text);
}

TEST(ModelTexts, OfAMomentHoldAsLongAsTheWeightsLive) {
  auto graph = std::make_unique<Graph>(model({1, 2}));
  const Graph copy = *graph;  // which shares them
  EXPECT_EQ(momentary_text(copy, {}).text, momentary_text(*graph, {}).text);
  const Graph equal = model({1, 2});
  EXPECT_NE(momentary_text(equal, {}).text, momentary_text(*graph, {}).text) << "they lie elsewhere";
  const std::array<TensorType, 1> types = {TensorType::of(DType::f32, Shape({2}))};
  EXPECT_NE(momentary_text(copy, types).text, momentary_text(copy, {}).text);

  ModelCache cache(1 << 20);
  auto other = std::make_unique<Graph>(model({3, 4}));
  const ModelText text = momentary_text(*other, {});
  cache.keep(text.text, std::make_shared<const ModelPlan>(ModelPlan{.peak_bytes = 7, .owners = text.owners}), 1.0);
  ASSERT_NE(cache.plan(text.text), nullptr);
  EXPECT_EQ(cache.plan(text.text)->peak_bytes, 7U);
  other.reset();
  EXPECT_EQ(cache.plan(text.text), nullptr) << "another model's weights may lie there by now";
}

TEST(ModelTexts, OfAMomentTellSmallConstantsByTheirElementsAndLeaveOutThoseThatNobodyOwns) {
  std::array<float, 2> elements = {1, 2};
  const auto borrowed = [&](std::shared_ptr<const void> owner) {
    Graph graph = model({0, 0});
    const ValueId w = graph.node(0).inputs[1];
    const TensorView view(DType::f32, Shape({2}), reinterpret_cast<const std::byte*>(elements.data()));
    graph.value(w).constant = Tensor(view, std::move(owner));
    return graph;
  };
  const Graph owned = borrowed(std::make_shared<int>());
  const std::string before = momentary_text(owned, {}).text;
  elements[1] = 3;
  EXPECT_NE(momentary_text(owned, {}).text, before) << "its owner wrote other weights into it";
  elements[1] = 2;
  EXPECT_EQ(momentary_text(owned, {}).text, before);

  const ModelText nobodys = momentary_text(borrowed(nullptr), {});
  EXPECT_TRUE(nobodys.text.empty()) << "other weights may lie there at any time";
  ModelCache cache(1 << 20);
  cache.keep(nobodys.text, std::make_shared<const ModelPlan>(), 1.0);
  cache.keep(nobodys.text, std::make_shared<const ModelCut>(), 1.0);
  EXPECT_EQ(cache.plan(nobodys.text), nullptr);
  EXPECT_EQ(cache.cut(nobodys.text), nullptr);
}

// x f32[1, 64] times w f32[64, 64], which goes through `op` beforehand; none: as it is.
Graph product(const std::string& op, std::int64_t rows = 64) {
  Graph graph;
  const ValueId x = graph.add_input("x", TensorType::of(DType::f32, Shape({1, rows})));
  ValueId w = graph.add_constant("w", Tensor(DType::f32, {rows, 64}));
  const TensorType square = TensorType::of(DType::f32, Shape({rows, 64}));
  if (op == "Reshape") {
    const std::array<std::int64_t, 2> extents = {rows, 64};
    w = graph.add(op, {w, graph.add_constant("shape", Tensor::from<std::int64_t>(extents, Shape({2})))}, "v", square);
  } else if (!op.empty()) {
    w = graph.add(op, {w}, "v", square);
  }
  graph.mark_output(graph.add("MatMul", {x, w}, "y", TensorType::of(DType::f32, Shape({1, 64}))));
  return graph;
}

TEST(ModelTexts, SayWhetherALargeConstantIsComputedWithBeforeTheRun) {
  EXPECT_FALSE(momentary_text(product(""), {}).folds_large);
  EXPECT_TRUE(momentary_text(product("Neg"), {}).folds_large);
  EXPECT_FALSE(momentary_text(product("Reshape"), {}).folds_large) << "the same elements, in another shape";
  EXPECT_FALSE(momentary_text(product("Neg", 4), {}).folds_large) << "1 KiB is told by its elements";

  Graph branch = product("");
  Graph graph = product("", 4);
  Node choice{.op = "If", .inputs = {graph.inputs()[0]}};
  choice.set("then_branch", Subgraph(std::make_shared<const Graph>(branch)));
  const std::array<std::string, 1> names = {"z"};
  const std::array<TensorType, 1> types = {TensorType::of(DType::f32, Shape({1, 64}))};
  graph.add_node(std::move(choice), names, types);
  EXPECT_TRUE(momentary_text(graph, {}).folds_large);
}

TEST(ModelTexts, OfARunDifferInItsInputs) {
  const auto run = [](float first) {
    const std::array<float, 2> x = {first, 0.5F};
    return question_key(model({1, 2}), {{"x", Tensor::from<float>(x, Shape({2}))}});
  };
  EXPECT_EQ(run(1.0F), run(1.0F));
  EXPECT_NE(run(1.0F), run(2.0F));
  EXPECT_FALSE(run(1.0F).empty());
}

TEST(ModelCache, PacksAModelOnceAndByItsContent) {
  ModelCache cache(1 << 20);
  const auto first = cache.package(model({1, 2}));
  EXPECT_EQ(cache.package(model({1, 2})), first);
  EXPECT_NE(cache.package(model({1, 3}))->sha256, first->sha256);
  EXPECT_EQ(first->sha256, package::hex(package::sha256(std::as_bytes(std::span(first->bytes)))));
  cache.clear();
  const auto again = cache.package(model({1, 2}));
  EXPECT_NE(again, first);
  EXPECT_EQ(again->sha256, first->sha256) << "whoever sends it again names the same";
  ModelCache none(0);
  EXPECT_NE(none.package(model({1, 2})), none.package(model({1, 2})));
}

}  // namespace
}  // namespace skerry::edge
