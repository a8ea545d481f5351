// MatMul, Gemm and Conv: all kernels agree, types and refusals are as the operators' pages say.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "base/thrown_by.hpp"
#include "kernels/tensor/numeric.hpp"
#include "ops/testing/run_node.hpp"

namespace skerry::ops {
namespace {

using testing::counted;
using testing::floats;
using testing::inferred;
using testing::node_of;
using testing::NodeCase;
using testing::run_all;

std::vector<float> values(const Tensor& tensor) {
  return {tensor.as<float>().begin(), tensor.as<float>().end()};
}

// Every kernel against the last one, which is the reference; gives the reference's first output.
Tensor expect_agreement(const NodeCase& c, double tolerance = 1e-5) {
  Tensor reference;
  for (const bool constant : {false, true}) {
    const auto results = run_all(c, constant);
    EXPECT_FALSE(results.empty());
    reference = results.back().outputs[0];
    for (const auto& result : results) {
      for (std::size_t i = 0; i < reference.as<float>().size(); ++i) {
        EXPECT_NEAR(result.outputs[0].as<float>()[i], reference.as<float>()[i], tolerance)
            << result.kernel << (constant ? " with constant weights" : "") << " at " << i;
      }
    }
  }
  return reference;
}

using Ints = std::vector<std::int64_t>;

TEST(MatMul, StacksVectorsAndSmallProductsAreNumpys) {
  const Tensor y = expect_agreement({node_of("MatMul"), {floats({2, 2}, {1, 2, 3, 4}), floats({2, 2}, {5, 6, 7, 8})}});
  EXPECT_EQ(values(y), (std::vector<float>{19, 22, 43, 50}));
  EXPECT_EQ(values(expect_agreement({node_of("MatMul"), {floats({2}, {1, 2}), floats({2}, {3, 4})}})),
            (std::vector<float>{11}));
  expect_agreement({node_of("MatMul"), {counted({2, 1, 5, 7}), counted({3, 7, 4}, 2)}});
  expect_agreement({node_of("MatMul"), {counted({9, 70}), counted({70, 33}, 2)}});
  expect_agreement({node_of("MatMul"), {counted({200, 200}), counted({200, 200}, 2)}}, 1e-4);
}

TEST(MatMul, ShapesBroadcastAndRefusalsNameBoth) {
  const auto type = [](const NodeCase& c) { return inferred(c, false)[0].text(); };
  EXPECT_EQ(type({node_of("MatMul"), {counted({7}), counted({7, 4})}}), "f32[4]");
  EXPECT_EQ(type({node_of("MatMul"), {counted({2, 3, 7}), counted({7})}}), "f32[2,3]");
  EXPECT_EQ(type({node_of("MatMul"), {counted({7}), counted({7})}}), "f32[]");
  EXPECT_EQ(type({node_of("MatMul"), {counted({5, 1, 2, 7}), counted({3, 7, 4})}}), "f32[5,3,2,4]");
  const Error error = base::thrown_by([&] { type({node_of("MatMul"), {counted({2, 3}), counted({4, 5})}}); });
  EXPECT_EQ(error.code(), ErrorCode::type_mismatch);
  EXPECT_NE(std::string(error.what()).find("3 elements"), std::string::npos) << error.what();
}

TEST(Gemm, TransposesScalesAndAddsInEveryForm) {
  for (const std::int64_t trans_a : {0, 1}) {
    for (const std::int64_t trans_b : {0, 1}) {
      const Tensor a = counted(trans_a ? Shape{6, 9} : Shape{9, 6}),
                   b = counted(trans_b ? Shape{20, 6} : Shape{6, 20}, 2);
      for (const Shape& c : {Shape{20}, Shape{1, 20}, Shape{9, 1}, Shape{1}, Shape{}, Shape{9, 20}}) {
        for (const double beta : {1.0, 0.5, 0.0}) {
          const Node node =
              node_of("Gemm", {{"transA", trans_a}, {"transB", trans_b}, {"alpha", 0.25}, {"beta", beta}});
          const Tensor addend = counted(c, 3);
          const Tensor y = expect_agreement({node, {a, b, addend}});
          for (std::size_t i = 0; i < 9; ++i) {
            for (std::size_t j = 0; j < 20; ++j) {
              double sum = 0;
              for (std::size_t k = 0; k < 6; ++k)
                sum += static_cast<double>(a.as<float>()[trans_a ? k * 9 + i : i * 6 + k]) *
                       static_cast<double>(b.as<float>()[trans_b ? j * 6 + k : k * 20 + j]);
              const bool by_row = c.rank() == 2 && c[0] == 9, by_column = c.rank() > 0 && c[c.rank() - 1] == 20;
              const std::size_t at = (by_row ? i * (by_column ? 20 : 1) : 0) + (by_column ? j : 0);
              EXPECT_NEAR(y.as<float>()[i * 20 + j], 0.25 * sum + beta * static_cast<double>(addend.as<float>()[at]),
                          1e-5);
            }
          }
        }
      }
    }
  }
}

TEST(Gemm, LargeEnoughForEveryKernel) {
  expect_agreement(
      {node_of("Gemm", {{"transB", std::int64_t{1}}}), {counted({64, 300}), counted({200, 300}, 2), counted({200}, 3)}},
      1e-4);
}

TEST(Gemm, AddendMustFitIntoTheProduct) {
  const Error error = base::thrown_by([&] {
    inferred({node_of("Gemm"), {counted({1, 3}), counted({3, 4}), counted({2, 4})}}, false);
  });
  EXPECT_EQ(error.code(), ErrorCode::type_mismatch);
}

TEST(Conv, KernelsAgreeForEveryAttribute) {
  const Tensor image = counted({2, 4, 11, 13});
  for (const auto& [attributes, weights] :
       std::vector<std::pair<std::vector<std::pair<std::string, Attribute>>, Shape>>{
           {{}, {6, 4, 3, 3}},
           {{{"strides", Ints{2, 1}}, {"pads", Ints{1, 0, 2, 1}}}, {6, 4, 3, 2}},
           {{{"dilations", Ints{2, 3}}, {"auto_pad", std::string("SAME_UPPER")}}, {5, 4, 3, 3}},
           {{{"auto_pad", std::string("SAME_LOWER")}, {"strides", Ints{2, 3}}}, {5, 4, 2, 4}},
           {{{"auto_pad", std::string("VALID")}}, {5, 4, 4, 4}},
           {{{"group", std::int64_t{2}}}, {6, 2, 3, 3}},
           {{{"group", std::int64_t{4}}, {"pads", Ints{1, 1, 1, 1}}}, {8, 1, 3, 3}},
           {{}, {7, 4, 1, 1}}}) {
    const Tensor bias = counted({weights[0]}, 5);
    expect_agreement({node_of("Conv", attributes), {image, counted(weights, 2), bias}});
    expect_agreement({node_of("Conv", attributes), {image, counted(weights, 2)}});
  }
  expect_agreement(
      {node_of("Conv", {{"strides", Ints{2}}, {"pads", Ints{1, 1}}}), {counted({1, 3, 20}), counted({4, 3, 5}, 2)}});
  expect_agreement(
      {node_of("Conv", {{"pads", Ints{1, 0, 1, 0, 1, 0}}}), {counted({1, 2, 4, 5, 6}), counted({3, 2, 3, 2, 2}, 2)}});
  // 7 MFLOP: enough for oneDNN.
  expect_agreement({node_of("Conv", {{"pads", Ints{1, 1, 1, 1}}, {"strides", Ints{2, 2}}}),
                    {counted({1, 32, 28, 28}), counted({64, 32, 3, 3}, 2), counted({64}, 3)}},
                   2e-4);
}

TEST(Conv, SumsWhatTheWindowSees) {
  const Tensor x = floats({1, 1, 3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9}), ones = floats({1, 1, 2, 2}, {1, 1, 1, 1});
  EXPECT_EQ(values(expect_agreement({node_of("Conv"), {x, ones, floats({1}, {0.5F})}})),
            (std::vector<float>{12.5F, 16.5F, 24.5F, 28.5F}));
  // The extra padding of SAME_UPPER lies at the end.
  EXPECT_EQ(values(expect_agreement({node_of("Conv", {{"auto_pad", std::string("SAME_UPPER")}}), {x, ones}})),
            (std::vector<float>{12, 16, 9, 24, 28, 15, 15, 17, 9}));
}

TEST(Conv, ShapesFollowWhatIsKnown) {
  Graph graph;
  const ValueId x = graph.add_input("x", {DType::f32, {{Dim("N"), Dim(3), Dim("H"), Dim(9)}}});
  const ValueId w = graph.add_constant("w", counted({8, 3, 3, 3}));
  Node node = node_of("Conv", {{"pads", Ints{1, 1, 1, 1}}});
  node.inputs = {x, w};
  const std::string name = "y";
  const NodeId id = graph.add_node(node, std::span(&name, 1));
  infer_types(graph);
  EXPECT_EQ(graph.value(graph.node(id).outputs[0]).type.text(), "f32[N,8,H,9]");
}

TEST(Conv, RefusalsSayWhatDoesNotFit) {
  const auto message = [](const Node& node, const Shape& x, const Shape& w) {
    return std::string(base::thrown_by([&] { inferred({node, {counted(x), counted(w)}}, false); }).what());
  };
  EXPECT_NE(message(node_of("Conv"), {1, 3, 5, 5}, {4, 2, 3, 3}).find("3 channels"), std::string::npos);
  EXPECT_NE(message(node_of("Conv"), {1, 3, 2, 2}, {4, 3, 3, 3}).find("does not fit"), std::string::npos);
  EXPECT_NE(message(node_of("Conv", {{"strides", Ints{0, 1}}}), {1, 3, 5, 5}, {4, 3, 3, 3}).find("strides"),
            std::string::npos);
  EXPECT_NE(message(node_of("Conv", {{"pads", Ints{1}}}), {1, 3, 5, 5}, {4, 3, 3, 3}).find("pads"), std::string::npos);
  EXPECT_NE(message(node_of("Conv", {{"group", std::int64_t{0}}}), {1, 3, 5, 5}, {4, 3, 3, 3}).find("group"),
            std::string::npos);
  EXPECT_NE(message(node_of("Conv", {{"auto_pad", std::string("ROUND")}}), {1, 3, 5, 5}, {4, 3, 3, 3}).find("ROUND"),
            std::string::npos);
}

}  // namespace
}  // namespace skerry::ops
