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
#include "ops/testing/random_cases.hpp"
#include "ops/testing/run_node.hpp"

namespace skerry::ops {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace): the random cases

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
