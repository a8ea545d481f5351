// MaxPool, AveragePool and the global pools: all kernels agree, windows and means are as the operators' pages say.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "base/thrown_by.hpp"
#include "ops/testing/run_node.hpp"

namespace skerry::ops {
namespace {

using testing::counted;
using testing::floats;
using testing::inferred;
using testing::node_of;
using testing::NodeCase;
using testing::run_all;
using Ints = std::vector<std::int64_t>;
using Attributes = std::vector<std::pair<std::string, Attribute>>;

std::vector<float> expect_kernels_agree(const NodeCase& c) {
  const auto results = run_all(c, false);
  const auto reference = results.back().outputs[0].as<float>();
  EXPECT_GE(results.size(), c.outputs == 1 ? 2U : 1U);
  for (const auto& result : results) {
    for (std::size_t i = 0; i < reference.size(); ++i)
      EXPECT_NEAR(result.outputs[0].as<float>()[i], reference[i], 1e-6) << result.kernel << " at " << i;
  }
  return {reference.begin(), reference.end()};
}

const std::vector<Attributes> kWindows = {
    {{"kernel_shape", Ints{2, 3}}},
    {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}},
    {{"kernel_shape", Ints{3, 2}}, {"strides", Ints{2, 3}}, {"ceil_mode", std::int64_t{1}}},
    {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{3, 3}}, {"pads", Ints{0, 1, 2, 0}}, {"ceil_mode", std::int64_t{1}}},
    {{"kernel_shape", Ints{2, 2}}, {"dilations", Ints{3, 2}}, {"strides", Ints{1, 2}}},
    {{"kernel_shape", Ints{4, 3}}, {"auto_pad", std::string("SAME_UPPER")}, {"strides", Ints{2, 1}}},
    {{"kernel_shape", Ints{4, 3}}, {"auto_pad", std::string("SAME_LOWER")}, {"strides", Ints{3, 2}}},
    {{"kernel_shape", Ints{4, 3}}, {"auto_pad", std::string("VALID")}}};

TEST(Pool, KernelsAgreeForEveryAttribute) {
  for (Attributes attributes : kWindows) {
    const Tensor x = counted({2, 3, 10, 35});
    expect_kernels_agree({node_of("MaxPool", attributes), {x}});
    expect_kernels_agree({node_of("AveragePool", attributes), {x}});
    attributes.emplace_back("count_include_pad", std::int64_t{1});
    expect_kernels_agree({node_of("AveragePool", attributes), {x}});
  }
  expect_kernels_agree({node_of("MaxPool", {{"kernel_shape", Ints{3}}}), {counted({1, 2, 40})}});
  expect_kernels_agree({node_of("AveragePool", {{"kernel_shape", Ints{2, 2, 2}}}), {counted({1, 2, 4, 5, 6})}});
}

TEST(Pool, CeilModeKeepsALastWindowOnlyIfItBeginsOnTheInput) {
  const auto text = [](const Attributes& attributes, const Shape& x) {
    return inferred({node_of("MaxPool", attributes), {counted(x)}}, false)[0].text();
  };
  const Attribute up = std::int64_t{1};
  EXPECT_EQ(text({{"kernel_shape", Ints{3}}, {"strides", Ints{2}}, {"ceil_mode", up}}, {1, 1, 6}), "f32[1,1,3]");
  EXPECT_EQ(text({{"kernel_shape", Ints{3}}, {"strides", Ints{2}}}, {1, 1, 6}), "f32[1,1,2]");
  // With stride 3 the third window would begin at 6, past the input of 5 behind a padding of 1.
  EXPECT_EQ(text({{"kernel_shape", Ints{1}}, {"strides", Ints{3}}, {"pads", Ints{1, 1}}, {"ceil_mode", up}}, {1, 1, 5}),
            "f32[1,1,2]");
}

TEST(MaxPool, GivesTheLargestAndWhereItStands) {
  const Tensor x = floats({1, 1, 2, 3}, {1, 5, 2, 7, 3, 7});
  const Node node = node_of("MaxPool", {{"kernel_shape", Ints{2, 2}}});
  EXPECT_EQ(expect_kernels_agree({node, {x}}), (std::vector<float>{7, 7}));
  const auto results = run_all({node, {x}, 2}, false);
  const auto indices = results.back().outputs[1].as<std::int64_t>();
  EXPECT_EQ((Ints{indices.begin(), indices.end()}), (Ints{3, 5}));
}

TEST(AveragePool, OfTheWholePlaneIsTheMean) {
  const Tensor x = counted({2, 3, 5, 4});
  const NodeCase c{node_of("AveragePool", {{"kernel_shape", Ints{5, 4}}}), {x}};
  const auto y = expect_kernels_agree(c);
  EXPECT_EQ(run_all(c, false).size(), 3U);
  for (std::size_t plane = 0; plane < 6; ++plane) {
    double sum = 0;
    for (std::size_t i = 0; i < 20; ++i) sum += static_cast<double>(x.as<float>()[plane * 20 + i]);
    EXPECT_NEAR(y[plane], sum / 20, 1e-6);
  }
  // A plane that lies beside its padding is not whole.
  EXPECT_EQ(run_all({node_of("AveragePool",
                             {{"kernel_shape", Ints{5, 4}}, {"pads", Ints{1, 0, 0, 0}}, {"strides", Ints{2, 1}}}),
                     {x}},
                    false)
                .size(),
            2U);
}

TEST(AveragePool, CountsPaddingOnlyWhenAsked) {
  const Tensor x = floats({1, 1, 3}, {3, 6, 9});
  Attributes attributes = {{"kernel_shape", Ints{3}}, {"pads", Ints{1, 1}}, {"strides", Ints{2}}};
  EXPECT_EQ(expect_kernels_agree({node_of("AveragePool", attributes), {x}}), (std::vector<float>{4.5F, 7.5F}));
  attributes.emplace_back("count_include_pad", std::int64_t{1});
  EXPECT_EQ(expect_kernels_agree({node_of("AveragePool", attributes), {x}}), (std::vector<float>{3, 5}));
}

TEST(GlobalPool, ReducesAllOfSpace) {
  const Tensor x = floats({1, 2, 2, 2}, {1, 2, 3, 6, -1, -2, -3, -6});
  EXPECT_EQ(expect_kernels_agree({node_of("GlobalAveragePool", {}), {x}}), (std::vector<float>{3, -3}));
  EXPECT_EQ(expect_kernels_agree({node_of("GlobalMaxPool", {}), {x}}), (std::vector<float>{6, -1}));
  EXPECT_EQ(inferred({node_of("GlobalMaxPool", {}), {x}}, false)[0].text(), "f32[1,2,1,1]");
}

TEST(Pool, HugeWindowsAreRefusedOrLeftToTheReference) {
  const auto huge = std::int64_t{1} << 20;
  const Node node = node_of("MaxPool", {{"kernel_shape", Ints{huge, huge}}, {"pads", Ints{huge, huge, huge, huge}}});
  EXPECT_EQ(base::thrown_by([&] {
              inferred({node, {counted({1, 1, 2, 2})}}, false);
            }).code(),
            ErrorCode::type_mismatch);
  const Node wide = node_of("MaxPool", {{"kernel_shape", Ints{1, 70'000}}, {"pads", Ints{0, 35'000, 0, 35'000}}});
  const auto results = run_all({wide, {counted({1, 1, 1, 4})}}, false);
  ASSERT_EQ(results.size(), 1U);
  EXPECT_EQ(results[0].kernel, "max_pool_ref");
}

}  // namespace
}  // namespace skerry::ops
