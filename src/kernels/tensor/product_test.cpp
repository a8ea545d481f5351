#include "kernels/tensor/product.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "base/memory.hpp"
#include "base/threads.hpp"
#include "kernels/tensor/numeric.hpp"
#include "kernels/testing/targets.hpp"

namespace skerry::kernels {
namespace {

Tensor random_tensor(Shape shape, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(-1.0F, 1.0F);
  Tensor out(DType::f32, shape);
  for (float& value : out.mutable_view().as<float>()) value = uniform(random);
  return out;
}

std::vector<float> run(const ProductF32& product, const Tensor& a, const Tensor& b, std::size_t outputs, int threads,
                       GemmStart start = GemmStart::zero, const float* bias = nullptr, float before = 0.0F) {
  const base::ThreadLimit limit(threads);
  auto scratch = base::Buffer::allocate(product.scratch_bytes() + 64, base::MemoryBudget(), "scratch");
  std::vector<float> y(outputs, before);
  product.run(a.as<float>().data(), b.as<float>().data(), start, bias, y.data(),
              scratch.as<std::byte>().first(product.scratch_bytes()));
  return y;
}

// Products of numbers below 1 in f32: each of `depth` additions rounds by half a unit of a sum below sqrt(depth) or so.
double tolerance(std::size_t depth) {
  return 1e-6 * std::sqrt(static_cast<double>(depth) + 1) + 1e-6;
}

void expect_product(const Shape& shape_a, const Shape& shape_b, bool constant) {
  const Tensor a = random_tensor(shape_a, 1), b = random_tensor(shape_b, 2);
  const ProductShape shape = ProductShape::matmul(shape_a, shape_b);
  const auto outputs = static_cast<std::int64_t>(shape.batch * shape.rows * shape.columns);
  Tensor expected(DType::f32, Shape{outputs});
  product_ref(shape, a.view(), b.view(), false, expected.mutable_view());
  const ProductF32 product(shape, constant ? b.as<float>() : std::span<const float>());
  const auto one = run(product, a, b, static_cast<std::size_t>(outputs), 1);
  EXPECT_EQ(one, run(product, a, b, static_cast<std::size_t>(outputs), 2));
  for (std::size_t i = 0; i < one.size(); ++i)
    ASSERT_NEAR(one[i], expected.as<float>()[i], tolerance(shape.depth))
        << shape_a.text() << " x " << shape_b.text() << " at " << i;
}

TEST(Product, PackedAgreesWithTheFormulaForOddExtentsAnyThreadCountAndInstructionSet) {
  testing::for_each_target([](const char* target) {
    SCOPED_TRACE(target);
    for (const std::int64_t rows : {1, 2, 3, 5, 7, 8, 9, 13, 130}) {
      for (const std::int64_t columns : {1, 7, 15, 16, 17, 31, 33, 47, 48, 49, 100}) {
        for (const std::int64_t depth : {0, 1, 7, 40})
          expect_product({rows, depth}, {depth, columns}, (rows + columns) % 2 == 0);
      }
    }
    expect_product({1030, 20}, {20, 30}, true);
    for (const std::int64_t depth : {255, 256, 257, 600}) expect_product({9, depth}, {depth, 500}, true);
  });
}

// A row block for each thread, all columns of it; ends of rows and columns fill no tile.
TEST(Product, RowsAreSharedOutWithTheSameBits) {
  for (const auto& [rows, columns, depth] :
       {std::array<std::int64_t, 3>{64, 384, 384}, {100, 145, 300}, {129, 500, 40}, {255, 97, 270}, {260, 48, 90}}) {
    const Tensor a = random_tensor({rows, depth}, 3), b = random_tensor({depth, columns}, 4);
    const ProductShape shape = ProductShape::matmul(a.shape(), b.shape());
    Tensor expected(DType::f32, Shape{rows * columns});
    product_ref(shape, a.view(), b.view(), false, expected.mutable_view());
    const ProductF32 product(shape, b.as<float>());
    const auto one = run(product, a, b, static_cast<std::size_t>(rows * columns), 1);
    for (std::size_t i = 0; i < one.size(); ++i) ASSERT_NEAR(one[i], expected.as<float>()[i], tolerance(shape.depth));
    for (const int threads : {2, 3, 4, 7}) EXPECT_EQ(one, run(product, a, b, one.size(), threads)) << threads;
  }
}

// Little work, of which each thread takes whole tiles: of columns where there are enough, else of rows.
TEST(Product, FewRowsAreSharedOutWithTheSameBits) {
  testing::for_each_target([](const char* target) {
    SCOPED_TRACE(target);
    for (const std::int64_t rows : {1, 3, 8, 20, 32, 61}) {
      expect_product({rows, 200}, {200, 520}, true);
      expect_product({rows, 128}, {128, 130}, true);
      expect_product({rows, 257}, {257, 430}, true);
    }
  });
}

TEST(Product, StacksBroadcastAsNumpyDoes) {
  for (const bool constant : {false, true}) {
    expect_product({3, 4, 5}, {5, 6}, constant);           // one right matrix: a tall product
    expect_product({5}, {5, 6}, constant);                 // a row
    expect_product({2, 4, 5}, {5}, constant);              // a column
    expect_product({4, 5}, {3, 5, 6}, constant);           // one left matrix
    expect_product({2, 1, 4, 5}, {1, 6, 5, 7}, constant);  // both ways, a stack of 12
    expect_product({7, 4, 5}, {7, 5, 6}, constant);
    expect_product({2, 3, 5}, {1, 5, 6}, constant);
    expect_product({0, 4, 5}, {5, 6}, constant);
  }
}

TEST(Product, TransposedSidesAndFactorsAreRead) {
  const Tensor a = random_tensor({19, 11}, 1), b = random_tensor({37, 19}, 2);  // A' is [11, 19], B' is [19, 37]
  ProductShape shape;
  shape.rows = 11, shape.columns = 37, shape.depth = 19;
  shape.left_row = 1, shape.left_column = 11, shape.right_row = 1, shape.right_column = 19;
  shape.alpha = 0.5;
  const ProductF32 product(shape, {});
  const auto y = run(product, a, b, std::size_t{11} * 37, 2, GemmStart::accumulate, nullptr, 3.0F);
  for (std::size_t i = 0; i < 11; ++i) {
    for (std::size_t j = 0; j < 37; ++j) {
      double sum = 0;
      for (std::size_t k = 0; k < 19; ++k)
        sum += static_cast<double>(a.as<float>()[k * 11 + i]) * static_cast<double>(b.as<float>()[j * 19 + k]);
      EXPECT_NEAR(y[i * 37 + j], 3.0 + 0.5 * sum, tolerance(19));
    }
  }
}

TEST(Product, BiasBelongsToColumns) {
  const Tensor a = random_tensor({3, 300}, 1), b = random_tensor({300, 50}, 2), bias = random_tensor({50}, 3);
  const ProductF32 product(ProductShape::matmul({3, 300}, {300, 50}), b.as<float>());
  const auto plain = run(product, a, b, 150, 1);
  const auto biased = run(product, a, b, 150, 1, GemmStart::column_bias, bias.as<float>().data());
  for (std::size_t i = 0; i < 150; ++i) EXPECT_NEAR(biased[i], plain[i] + bias.as<float>()[i % 50], tolerance(300));
}

TEST(Product, IntegersWrapAndHalvesAreSummedInDouble) {
  const ProductShape shape = ProductShape::matmul({1, 2}, {2, 1});
  const std::int32_t big[] = {2'000'000'000, 2'000'000'000}, ones[] = {1, 1};
  const Tensor a = Tensor::from<std::int32_t>(big, {1, 2}), b = Tensor::from<std::int32_t>(ones, {2, 1});
  Tensor y(DType::i32, {1, 1});
  product_ref(shape, a.view(), b.view(), false, y.mutable_view());
  EXPECT_EQ(y.as<std::int32_t>()[0], static_cast<std::int32_t>(4'000'000'000U));

  // 2048 + 1 is not a float16, so a sum kept in one would lose every 1.
  constexpr std::size_t kCount = 3000;
  const std::vector<Float16> halves(kCount, Float16(1.0F));
  const Tensor c = Tensor::from<Float16>(halves, {1, kCount}), d = Tensor::from<Float16>(halves, {kCount, 1});
  Tensor z(DType::f16, {1, 1});
  product_ref(ProductShape::matmul(c.shape(), d.shape()), c.view(), d.view(), false, z.mutable_view());
  EXPECT_EQ(static_cast<float>(z.as<Float16>()[0]), 3000.0F);
}

TEST(Product, ScaledBroadcastSpreadsRowsColumnsAndNumbers) {
  const float row[] = {1, 2, 3}, column[] = {10, 20};
  Tensor y(DType::f32, {2, 3});
  scaled_broadcast(Tensor::from<float>(row, {3}).view(), 2.0, y.mutable_view());
  EXPECT_EQ((std::vector<float>{2, 4, 6, 2, 4, 6}), std::vector<float>(y.as<float>().begin(), y.as<float>().end()));
  scaled_broadcast(Tensor::from<float>(column, {2, 1}).view(), 1.0, y.mutable_view());
  EXPECT_EQ((std::vector<float>{10, 10, 10, 20, 20, 20}),
            std::vector<float>(y.as<float>().begin(), y.as<float>().end()));
}

}  // namespace
}  // namespace skerry::kernels
