// Kernels in vectors against the plain loops of the same operator, over random shapes and attributes: same numbers, for
// any number of threads, on every instruction set. What has no plain loop any more is held against one written here.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "base/threads.hpp"
#include "kernels/tensor/numeric.hpp"
#include "kernels/testing/targets.hpp"
#include "ops/testing/run_node.hpp"

namespace skerry::ops {
namespace {

using testing::KernelResult;
using testing::node_of;
using testing::NodeCase;
using testing::run_all;
using Ints = std::vector<std::int64_t>;
using Random = std::mt19937;

std::int64_t between(Random& random, std::int64_t low, std::int64_t high) {
  return std::uniform_int_distribution<std::int64_t>(low, high)(random);
}
bool coin(Random& random) {
  return between(random, 0, 1) == 1;
}
template <class T>
T one_of(Random& random, std::vector<T> values) {
  return values[static_cast<std::size_t>(between(random, 0, std::ssize(values) - 1))];
}
Attribute flag(Random& random) {
  return between(random, 0, 1);
}

Tensor normal(Random& random, const std::vector<std::int64_t>& dims) {
  Tensor out(DType::f32, Shape(dims));
  std::normal_distribution<float> draw;
  for (float& value : out.mutable_view().as<float>()) value = draw(random);
  return out;
}
Tensor ints(const Ints& values) {
  return Tensor::from<std::int64_t>(values, Shape{std::ssize(values)});
}
std::vector<std::int64_t> extents(Random& random, std::int64_t rank, std::int64_t most) {
  std::vector<std::int64_t> out;
  for (std::int64_t i = 0; i < rank; ++i) out.push_back(between(random, 1, most));
  return out;
}

NodeCase resize(Random& random) {
  const std::int64_t rank = between(random, 1, 4);
  const auto dims = extents(random, rank, 9);
  NodeCase c{node_of("Resize"), {normal(random, dims), std::nullopt, std::nullopt, std::nullopt}};
  c.node.set("mode", one_of<std::string>(random, {"nearest", "linear", "cubic"}));
  c.node.set("coordinate_transformation_mode",
             one_of<std::string>(
                 random, {"half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel", "half_pixel_symmetric"}));
  c.node.set("nearest_mode", one_of<std::string>(random, {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"}));
  c.node.set("antialias", flag(random));
  c.node.set("exclude_outside", flag(random));
  if (coin(random)) {
    std::vector<float> scales;
    for (std::int64_t i = 0; i < rank; ++i) scales.push_back(one_of<float>(random, {1.0F, 2.0F, 1.5F, 3.0F, 1.0F}));
    c.inputs[2] = testing::floats(Shape{rank}, scales);
  } else {
    c.inputs[3] = ints(extents(random, rank, 12));
  }
  return c;
}

NodeCase conv_transpose(Random& random) {
  const std::int64_t axes = between(random, 1, 3), groups = between(random, 1, 3);
  const std::int64_t channels = groups * between(random, 1, 5), outputs = between(random, 1, 40);
  std::vector<std::int64_t> x = {between(random, 1, 2), channels}, w = {channels, outputs};
  Ints strides, dilations, pads, extra;
  for (std::int64_t i = 0; i < axes; ++i) {
    x.push_back(between(random, 1, axes == 1 ? 300 : 9));
    w.push_back(between(random, 1, 4));
    strides.push_back(between(random, 1, 3));
    dilations.push_back(between(random, 1, 2));
    extra.push_back(between(random, 0, strides.back() - 1));
  }
  for (std::int64_t i = 0; i < 2 * axes; ++i)
    pads.push_back(std::min<std::int64_t>(between(random, 0, 2), (w[static_cast<std::size_t>(2 + i % axes)] - 1) / 2));
  NodeCase c{
      node_of("ConvTranspose", {{"group", groups}, {"strides", strides}, {"dilations", dilations}, {"pads", pads}}),
      {normal(random, x), normal(random, w), std::nullopt}};
  if (coin(random)) c.node.set("output_padding", extra);
  if (coin(random)) c.inputs[2] = normal(random, {outputs * groups});
  return c;
}

NodeCase grouped(Random& random) {
  const std::int64_t groups = between(random, 1, 4), channels = groups * between(random, 1, 5);
  std::vector<std::int64_t> dims = {between(random, 1, 3), channels};
  for (std::int64_t i = between(random, 0, 2); i >= 0; --i) dims.push_back(between(random, 1, 90));
  NodeCase c{node_of("GroupNormalization", {{"num_groups", groups}}),
             {normal(random, dims), normal(random, {channels}), normal(random, {channels})}};
  if (coin(random)) c.node.op = "InstanceNormalization";
  c.node.set("epsilon", 1e-3F);
  return c;
}

NodeCase rms(Random& random) {
  const auto dims = extents(random, 3, 20);
  const std::int64_t axis = between(random, 0, 2);
  return {node_of("RMSNormalization", {{"axis", axis}}),
          {normal(random, dims), normal(random, {dims.begin() + axis, dims.end()})}};
}

NodeCase along(Random& random, std::string op) {
  auto dims = extents(random, 3, 12);
  dims[static_cast<std::size_t>(between(random, 0, 2))] = between(random, 1, 600);
  NodeCase c{node_of(std::move(op), {{"axis", between(random, -3, 2)}}), {normal(random, dims)}};
  if (c.node.op == "LpNormalization") c.node.set("p", between(random, 1, 2));
  if (c.node.op.starts_with("Arg")) {
    c.node.set("select_last_index", flag(random));
    for (float& v : c.inputs[0]->mutable_view().as<float>()) v = std::round(2.0F * v);  // equal ones among them
    if (coin(random)) c.inputs[0]->mutable_view().as<float>()[0] = std::numeric_limits<float>::quiet_NaN();
  }
  return c;
}

NodeCase cumulated(Random& random) {
  return {node_of("CumSum", {{"exclusive", flag(random)}, {"reverse", flag(random)}}),
          {normal(random, extents(random, 3, 20)), ints({between(random, -3, 2)})}};
}

NodeCase neighbours(Random& random) {
  return {node_of("LRN", {{"size", between(random, 1, 7)},
                          {"alpha", 0.02F},
                          {"beta", one_of<float>(random, {0.75F, 0.5F})},
                          {"bias", 1.5F}}),
          {normal(random, extents(random, between(random, 2, 4), 20))}};
}

NodeCase mean_variance(Random& random) {
  return {
      node_of("MeanVarianceNormalization", {{"axes", one_of<Ints>(random, {{0, 2, 3}, {2, 3}})}}),
      {normal(random, {between(random, 1, 3), between(random, 1, 4), between(random, 2, 9), between(random, 2, 9)})}};
}

NodeCase sampled(Random& random) {
  const std::int64_t axes = between(random, 1, 3), images = between(random, 1, 2);
  std::vector<std::int64_t> x = {images, between(random, 1, 4)}, grid = {images};
  for (std::int64_t i = 0; i < axes; ++i) {
    x.push_back(between(random, 1, 8));
    grid.push_back(between(random, 1, axes == 1 ? 700 : 7));
  }
  grid.push_back(axes);
  return {node_of("GridSample", {{"mode", one_of<std::string>(random, {"nearest", "linear", "cubic"})},
                                 {"padding_mode", one_of<std::string>(random, {"zeros", "border", "reflection"})},
                                 {"align_corners", flag(random)}}),
          {normal(random, x), normal(random, grid)}};
}

NodeCase regions(Random& random) {
  const std::int64_t count = between(random, 1, 5), side = between(random, 1, 10), images = between(random, 1, 2);
  NodeCase c{node_of("RoiAlign", {{"output_height", between(random, 1, 9)},
                                  {"output_width", side},
                                  {"sampling_ratio", between(random, 0, 3)},
                                  {"spatial_scale", 0.5F}}),
             {normal(random, {images, between(random, 1, 5), 9, 11}), normal(random, {count, 4}), std::nullopt}};
  for (float& v : c.inputs[1]->mutable_view().as<float>()) v = 10.0F + 8.0F * v;
  if (coin(random)) c.node.set("coordinate_transformation_mode", std::string("output_half_pixel"));
  Ints of;
  for (std::int64_t i = 0; i < count; ++i) of.push_back(between(random, -images, images - 1));
  c.inputs[2] = ints(of);
  return c;
}

NodeCase columns(Random& random) {
  const std::int64_t axes = between(random, 1, 3);
  Ints image, block, strides, dilations, pads;
  std::int64_t taps = 1, places = 1;
  for (std::int64_t i = 0; i < axes; ++i) {
    block.push_back(between(random, 1, 3));
    dilations.push_back(between(random, 1, 2));
    image.push_back((block.back() - 1) * dilations.back() + between(random, 1, 8));
    strides.push_back(between(random, 1, 3));
  }
  for (std::int64_t i = 0; i < 2 * axes; ++i) pads.push_back(between(random, 0, 2));
  for (std::size_t i = 0; i < static_cast<std::size_t>(axes); ++i) {
    const std::int64_t room =
        image[i] + pads[i] + pads[i + static_cast<std::size_t>(axes)] - dilations[i] * (block[i] - 1) - 1;
    taps *= block[i];
    places *= room / strides[i] + 1;
  }
  return {node_of("Col2Im", {{"strides", strides}, {"dilations", dilations}, {"pads", pads}}),
          {normal(random, {between(random, 1, 2), taps * between(random, 1, 3), places}), ints(image), ints(block)}};
}

NodeCase function(Random& random) {
  const auto op = one_of<std::string>(random, {"Celu", "Elu", "Mish", "Selu", "Softsign", "Swish", "ThresholdedRelu",
                                               "Sin", "Cos", "Atan", "Asin", "Acos"});
  NodeCase c{node_of(op), {normal(random, extents(random, 2, 40))}};
  for (float& v : c.inputs[0]->mutable_view().as<float>()) v *= one_of<float>(random, {1e-4F, 0.3F, 1.0F, 30.0F, 1e4F});
  if (op == "Asin" || op == "Acos")
    for (float& v : c.inputs[0]->mutable_view().as<float>()) v = std::clamp(v, -1.0F, 1.0F);
  if (op == "Swish" || op == "Celu" || op == "Elu") c.node.set("alpha", one_of<float>(random, {1.0F, 0.7F, 2.5F}));
  return c;
}

// Some of them equal.
NodeCase pair(Random& random) {
  const auto op = one_of<std::string>(
      random, {"Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Equal", "PRelu", "Mean", "Clip", "Max", "Min"});
  const auto dims = extents(random, 3, 30);
  auto other = dims;
  for (auto& extent : other) extent = coin(random) ? extent : 1;
  NodeCase c{node_of(op), {normal(random, dims), normal(random, other)}};
  for (auto& x : c.inputs)
    for (float& v : x->mutable_view().as<float>()) v = std::round(2.0F * v);
  if (op == "Clip") c.inputs = {c.inputs[0], testing::floats({}, {-1.0F}), testing::floats({}, {1.0F})};
  // What is no number stays none, in whichever input.
  if (op != "Clip" && coin(random)) {
    const auto values = c.inputs[coin(random) ? 0 : 1]->mutable_view().as<float>();
    values[values.size() / 2] = std::numeric_limits<float>::quiet_NaN();
  }
  if (op == "Mean" && coin(random)) c.inputs.push_back(normal(random, {dims.back()}));
  return c;
}

NodeCase reduced(Random& random) {
  const std::int64_t rank = between(random, 1, 6);
  auto dims = extents(random, rank, 5);
  dims[static_cast<std::size_t>(between(random, 0, rank - 1))] = one_of<std::int64_t>(random, {1, 33, 300});
  Ints axes;
  for (std::int64_t i = 0; i < rank; ++i)
    if (coin(random)) axes.push_back(i);
  NodeCase c{node_of(one_of<std::string>(random, {"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceL1",
                                                  "ReduceL2", "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp"}),
                     {{"noop_with_empty_axes", flag(random)}}),
             {normal(random, dims), ints(axes)}};
  const auto values = c.inputs[0]->mutable_view().as<float>();
  const bool logarithm = c.node.op == "ReduceLogSum", extreme = c.node.op == "ReduceMax" || c.node.op == "ReduceMin";
  for (float& v : values) v = logarithm ? std::abs(v) + 0.1F : v;
  if (extreme && coin(random)) values[values.size() / 2] = std::numeric_limits<float>::quiet_NaN();
  if (c.node.op == "ReduceLogSumExp" && coin(random))
    values[values.size() / 2] = one_of<float>(random, {std::numeric_limits<float>::infinity(), 90.0F});
  return c;
}

// Running sums of numbers that wrap.
NodeCase wrapped(Random& random) {
  const Shape shape(extents(random, 3, 20));
  const DType dtype = one_of<DType>(random, {DType::i32, DType::i64, DType::u32, DType::u64, DType::f64});
  Tensor x(dtype, shape);
  kernels::visit(kernels::Numbers(), dtype, [&]<class T>() {
    for (T& v : x.mutable_view().as<T>()) v = kernels::convert<T>(between(random, 0, std::int64_t{1} << 31));
  });
  return {node_of("CumSum", {{"exclusive", flag(random)}, {"reverse", flag(random)}}),
          {x, ints({between(random, -3, 2)})}};
}

NodeCase rotated(Random& random) {
  const std::int64_t batch = between(random, 1, 3), heads = between(random, 1, 3), length = between(random, 1, 9),
                     half = between(random, 1, 40), more = 2 * between(random, 0, 2), rows = between(random, 1, 20);
  const bool four = coin(random), chosen = coin(random);
  NodeCase c{node_of("RotaryEmbedding", {{"interleaved", flag(random)}, {"rotary_embedding_dim", 2 * half}}), {}};
  const std::int64_t size = 2 * half + more;
  c.inputs.push_back(four ? normal(random, {batch, heads, length, size})
                          : normal(random, {batch, length, heads * size}));
  if (!four) c.node.set("num_heads", heads);
  for (int i = 0; i < 2; ++i)
    c.inputs.push_back(chosen ? normal(random, {rows, half}) : normal(random, {batch, length, half}));
  if (chosen) {
    Ints places;
    for (std::int64_t i = 0; i < batch * length; ++i) places.push_back(between(random, 0, rows - 1));
    c.inputs.push_back(Tensor::from<std::int64_t>(places, {batch, length}));
  }
  return c;
}

NodeCase deformed(Random& random) {
  const std::int64_t groups = between(random, 1, 3), offset_groups = one_of<std::int64_t>(random, {1, groups}),
                     images = between(random, 1, 2), channels = groups * between(random, 1, 3),
                     outputs = groups * between(random, 1, 4);
  Ints kernel = extents(random, 2, 3), image, strides = extents(random, 2, 2), dilations = extents(random, 2, 2), pads,
       out;
  for (int i = 0; i < 4; ++i) pads.push_back(between(random, 0, 2));
  for (std::size_t i = 0; i < 2; ++i) {
    image.push_back((kernel[i] - 1) * dilations[i] + between(random, 1, 18));
    out.push_back((image[i] + pads[i] + pads[i + 2] - (kernel[i] - 1) * dilations[i] - 1) / strides[i] + 1);
  }
  const std::int64_t taps = kernel[0] * kernel[1];
  NodeCase c{node_of("DeformConv", {{"group", groups},
                                    {"offset_group", offset_groups},
                                    {"strides", strides},
                                    {"dilations", dilations},
                                    {"pads", pads}}),
             {normal(random, {images, channels, image[0], image[1]}),
              normal(random, {outputs, channels / groups, kernel[0], kernel[1]}),
              normal(random, {images, 2 * taps * offset_groups, out[0], out[1]}), std::nullopt, std::nullopt}};
  if (coin(random)) c.inputs[3] = normal(random, {outputs});
  if (coin(random)) c.inputs[4] = normal(random, {images, taps * offset_groups, out[0], out[1]});
  return c;
}

NodeCase attended(Random& random) {
  const std::int64_t batch = between(random, 1, 2), kv = between(random, 1, 2), heads = kv * between(random, 1, 2),
                     rows = between(random, 1, 5), columns = between(random, 1, 5), size = between(random, 1, 9),
                     v_size = between(random, 1, 9), past = coin(random) ? between(random, 0, 40) : -1;
  const bool packed = coin(random);
  NodeCase c{node_of("Attention", {{"is_causal", flag(random)}}), {}, coin(random) ? std::size_t{3} : 1};
  const auto operand = [&](std::int64_t of, std::int64_t length, std::int64_t width) {
    return packed ? normal(random, {batch, length, of * width}) : normal(random, {batch, of, length, width});
  };
  if (packed) c.node.set("q_num_heads", heads);
  if (packed) c.node.set("kv_num_heads", kv);
  c.inputs = {operand(heads, rows, size), operand(kv, columns, size), operand(kv, columns, v_size), std::nullopt};
  const std::int64_t total = std::max<std::int64_t>(past, 0) + columns;
  if (coin(random)) c.inputs[3] = normal(random, {rows, total});
  if (past >= 0) c.inputs.push_back(normal(random, {batch, kv, past, size}));
  if (past >= 0) c.inputs.push_back(normal(random, {batch, kv, past, v_size}));
  return c;
}

struct Family {
  const char* name;
  std::function<NodeCase(Random&)> draw;
  double tolerance;  ///< of f32 beside sums in f64
};

const std::vector<Family>& families() {
  static const std::vector<Family> kFamilies = {
      {"Resize", resize, 1e-5},
      {"ConvTranspose", conv_transpose, 1e-5},
      {"GroupNormalization", grouped, 3e-5},
      {"RMSNormalization", rms, 1e-5},
      {"LpNormalization", [](Random& random) { return along(random, "LpNormalization"); }, 1e-6},
      {"Softmax", [](Random& random) { return along(random, "Softmax"); }, 1e-6},
      {"LogSoftmax", [](Random& random) { return along(random, "LogSoftmax"); }, 3e-6},
      {"ArgMax", [](Random& random) { return along(random, "ArgMax"); }, 0.0},
      {"ArgMin", [](Random& random) { return along(random, "ArgMin"); }, 0.0},
      {"CumSum", cumulated, 1e-5},
      {"LRN", neighbours, 1e-5},
      {"MeanVarianceNormalization", mean_variance, 1e-4},
      {"GridSample", sampled, 2e-5},
      {"RoiAlign", regions, 1e-5},
      {"Col2Im", columns, 1e-5},
      {"functions", function, 2e-6},
      {"pairs", pair, 1e-6},
      {"reductions", reduced, 1e-5},
      {"CumSum of other numbers", wrapped, 0.0},
      {"Hardmax", [](Random& random) { return along(random, "Hardmax"); }, 0.0},
      {"RotaryEmbedding", rotated, 1e-6},
      {"DeformConv", deformed, 3e-5},
      {"Attention", attended, 1e-5},
  };
  return kFamilies;
}

double element(const Tensor& t, std::size_t i) {
  double out = 0.0;
  kernels::visit(kernels::NumbersAndBool(), t.dtype(),
                 [&]<class T>() { out = kernels::convert<double>(t.as<T>()[i]); });
  return out;
}

void expect_near(const Tensor& found, const Tensor& wanted, double tolerance, const std::string& what) {
  ASSERT_EQ(found.shape(), wanted.shape()) << what;
  for (std::size_t i = 0; i < static_cast<std::size_t>(wanted.shape().elements()); ++i) {
    const double a = element(found, i), b = element(wanted, i);
    if ((std::isnan(b) && std::isnan(a)) || a == b) continue;
    ASSERT_NEAR(a, b, tolerance * std::max(1.0, std::abs(b))) << what << " at " << i;
  }
}

bool same_bytes(const Tensor& a, const Tensor& b) {
  return a.view().bytes() == b.view().bytes() && std::memcmp(a.view().data(), b.view().data(), a.view().bytes()) == 0;
}

TEST(Vectors, SayWhatThePlainLoopsSayOnEveryInstructionSet) {
  kernels::testing::for_each_target([](const char* target) {
    for (const Family& family : families()) {
      Random random(11);
      int fast = 0;
      for (int trial = 0; trial < 40; ++trial) {
        const NodeCase c = family.draw(random);
        for (const bool constant : {true, false}) {
          const auto results = run_all(c, constant);
          fast += results.size() > 1 ? 1 : 0;
          for (const KernelResult& result : results)
            for (std::size_t i = 0; i < result.outputs.size(); ++i)
              expect_near(result.outputs[i], results.back().outputs[i], family.tolerance,
                          std::string(target) + " " + family.name + " by " + result.kernel);
          if (::testing::Test::HasFatalFailure()) return;
        }
      }
      EXPECT_GE(fast, 20) << family.name << " seldom runs in vectors, so this tests little";
    }
  });
}

TEST(Vectors, DoNotDependOnTheNumberOfThreads) {
  for (const Family& family : families()) {
    Random random(12);
    for (int trial = 0; trial < 20; ++trial) {
      const NodeCase c = family.draw(random);
      std::vector<KernelResult> alone, together;
      {
        const base::ThreadLimit limit(1);
        alone = run_all(c, true);
      }
      {
        const base::ThreadLimit limit(3);
        together = run_all(c, true);
      }
      for (std::size_t k = 0; k < alone.size(); ++k)
        EXPECT_TRUE(same_bytes(alone[k].outputs[0], together[k].outputs[0])) << family.name << " " << alone[k].kernel;
    }
  }
}

Tensor converted(const Tensor& x, DType dtype) {
  Tensor out(dtype, x.shape());
  kernels::visit(kernels::Reals{}, dtype, [&]<class T>() {
    const auto from = x.as<float>();
    const auto to = out.mutable_view().as<T>();
    for (std::size_t i = 0; i < from.size(); ++i) to[i] = kernels::convert<T>(from[i]);
  });
  return out;
}

// Element types that have no vectors take the plain loops; numbers are those of f32 as far as they go.
TEST(Vectors, OtherRealsGiveTheSameByPlainLoops) {
  for (const auto& [dtype, tolerance] : {std::pair(DType::f64, 1e-4), {DType::f16, 0.05}, {DType::bf16, 0.4}}) {
    for (const Family& family : families()) {
      if (family.tolerance == 0.0) continue;  // rounding makes other elements the largest
      Random random(13);
      for (int trial = 0; trial < 8; ++trial) {
        NodeCase c = family.draw(random);
        // Rounded to what the narrow type holds, so that only the arithmetic is compared.
        const bool places = c.node.op == "GridSample" || c.node.op == "RoiAlign" || c.node.op == "Resize";
        if (places && dtype != DType::f64) break;  // a place that moves sees other elements
        for (std::size_t i = 0; i < c.inputs.size(); ++i) {
          const bool scales = c.node.op == "Resize" && i > 0;
          if (c.inputs[i] && c.inputs[i]->dtype() == DType::f32 && !scales)
            c.inputs[i] = converted(*c.inputs[i], dtype);
        }
        const auto results = run_all(c, true);
        ASSERT_FALSE(results.empty()) << family.name;
        NodeCase wide = c;
        for (auto& given : wide.inputs) {
          if (!given || given->dtype() != dtype) continue;
          Tensor back(DType::f32, given->shape());
          kernels::visit(kernels::Reals{}, dtype, [&]<class T>() {
            const auto from = given->as<T>();
            const auto to = back.mutable_view().as<float>();
            for (std::size_t k = 0; k < from.size(); ++k) to[k] = kernels::convert<float>(from[k]);
          });
          given = back;
        }
        const auto expected = run_all(wide, true);
        if (results.back().outputs[0].dtype() != dtype) continue;  // truth values
        Tensor found(DType::f32, results.back().outputs[0].shape());
        kernels::visit(kernels::Reals{}, dtype, [&]<class T>() {
          const auto from = results.back().outputs[0].as<T>();
          const auto to = found.mutable_view().as<float>();
          for (std::size_t k = 0; k < from.size(); ++k) to[k] = kernels::convert<float>(from[k]);
        });
        expect_near(found, expected.front().outputs[0], tolerance, family.name);
      }
    }
  }
}

TEST(TopK, IsWhatAStableSortGives) {
  Random random(14);
  for (int trial = 0; trial < 200; ++trial) {
    auto dims = extents(random, 3, 12);
    const std::size_t axis = static_cast<std::size_t>(between(random, 0, 2));
    dims[axis] = between(random, 1, 400);
    const std::int64_t k = between(random, 0, dims[axis]);
    const bool largest = coin(random);
    Tensor x = normal(random, dims);
    for (float& v : x.mutable_view().as<float>()) v = std::round(3.0F * v) + 0.0F;
    const NodeCase c{node_of("TopK", {{"axis", static_cast<std::int64_t>(axis)},
                                      {"largest", Attribute(largest ? std::int64_t{1} : std::int64_t{0})}}),
                     {x, ints({k})},
                     2};
    NodeCase shaped = c;
    // The shape is the rule's to know, so k is a constant there.
    const auto results = testing::run_all(shaped, true);
    ASSERT_EQ(results.size(), 1U);
    std::int64_t inner = 1;
    for (std::size_t i = axis + 1; i < 3; ++i) inner *= dims[i];
    const auto values = results[0].outputs[0].as<float>();
    const auto places = results[0].outputs[1].as<std::int64_t>();
    for (std::int64_t row = 0; row < x.shape().elements() / dims[axis]; ++row) {
      const std::int64_t from = row / inner * dims[axis] * inner + row % inner,
                         to = row / inner * k * inner + row % inner;
      const auto at = [&](std::int64_t i) { return x.as<float>()[static_cast<std::size_t>(from + i * inner)]; };
      Ints order(static_cast<std::size_t>(dims[axis]));
      std::iota(order.begin(), order.end(), std::int64_t{0});
      std::ranges::stable_sort(order, [&](auto i, auto j) { return largest ? at(i) > at(j) : at(i) < at(j); });
      for (std::int64_t i = 0; i < k; ++i) {
        ASSERT_EQ(places[static_cast<std::size_t>(to + i * inner)], order[static_cast<std::size_t>(i)]);
        ASSERT_EQ(values[static_cast<std::size_t>(to + i * inner)], at(order[static_cast<std::size_t>(i)]));
      }
    }
  }
}

TEST(TopK, CountsWhatIsNoNumberAsTheLargest) {
  const float none = std::numeric_limits<float>::quiet_NaN(), most = std::numeric_limits<float>::infinity();
  Tensor x(DType::f32, Shape{300});
  for (std::size_t i = 0; i < 300; ++i) x.mutable_view().as<float>()[i] = static_cast<float>(i);
  x.mutable_view().as<float>()[7] = none;
  x.mutable_view().as<float>()[250] = most;
  x.mutable_view().as<float>()[299] = none;
  const auto places = [&](bool largest) {
    const auto results = run_all(
        {node_of("TopK", {{"largest", Attribute(largest ? std::int64_t{1} : std::int64_t{0})}}), {x, ints({4})}, 2},
        true);
    const auto found = results[0].outputs[1].as<std::int64_t>();
    return Ints(found.begin(), found.end());
  };
  EXPECT_EQ(places(true), (Ints{7, 299, 250, 298}));
  EXPECT_EQ(places(false), (Ints{0, 1, 2, 3}));
}

}  // namespace
}  // namespace skerry::ops
