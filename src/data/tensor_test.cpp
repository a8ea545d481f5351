#include <gtest/gtest.h>

#include <algorithm>
#include <skerry/error.hpp>
#include <skerry/tensor.hpp>
#include <vector>

#include "base/memory_usage.hpp"

namespace skerry {
namespace {

TEST(Shape, RefusesANegativeExtent) {
  EXPECT_THROW(Shape({2, -1}), Error);
}

TEST(Shape, RefusesAProductThatOverflows) {
  EXPECT_THROW(Shape({std::int64_t{1} << 40, std::int64_t{1} << 40, 0}), Error);
}

TEST(Shape, HasNoMoreElementsThanBytesOfTheWidestTypeCanBeCounted) {
  const Shape largest{std::int64_t{1} << 58};
  EXPECT_EQ(tensor_bytes(DType::c128, largest), std::uint64_t{1} << 62);
  for (const std::int64_t extent : {(std::int64_t{1} << 58) + 1, std::int64_t{1} << 62})
    EXPECT_THROW(Shape({extent}), Error);
}

TEST(Shape, RefusesMoreAxesThanItHolds) {
  EXPECT_THROW(Shape({1, 1, 1, 1, 1, 1, 1, 1, 1}), Error);
}

TEST(Shape, OfAScalarHasOneElement) {
  EXPECT_EQ(Shape().elements(), 1);
  EXPECT_EQ(Shape().text(), "[]");
}

TEST(TensorBytes, PacksFourBitElementsTwoToAByte) {
  EXPECT_EQ(tensor_bytes(DType::i4, {3, 3}), 5U);
}

TEST(DTypeName, RoundTripsForEveryRow) {
#define SKERRY_DTYPE(name, bits, onnx) EXPECT_EQ(dtype_from_name(dtype_name(DType::name)), DType::name);
#include <skerry/dtypes.def>
#undef SKERRY_DTYPE
}

TEST(Tensor, StorageIsAlignedZeroedAndShared) {
  Tensor tensor(DType::f32, {4, 4});
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor.view().data()) % 64, 0U);
  for (float x : tensor.as<float>()) EXPECT_EQ(x, 0.0F);
  const Tensor copy = tensor;  // NOLINT(performance-unnecessary-copy-initialization): what a copy does is the question
  EXPECT_EQ(copy.view().data(), tensor.view().data());
}

TEST(Tensor, FromCopiesItsValues) {
  std::vector<float> values = {1, 2, 3};
  const Tensor tensor = Tensor::from<float>(values, {3});
  values[0] = 9;
  EXPECT_EQ(tensor.as<float>()[0], 1.0F);
}

TEST(Tensor, OfNoElementsIsUsable) {
  EXPECT_EQ(Tensor(DType::f64, {0, 7}).as<double>().size(), 0U);
}

TEST(Tensor, LeavesNoHoleWhereItStoodBetweenOthers) {
  constexpr std::int64_t kBytes = std::int64_t{1} << 20;
  constexpr int kCount = 64;
  std::vector<Tensor> kept, given_back;
  for (int i = 0; i < kCount; ++i) {
    given_back.emplace_back(DType::u8, Shape{kBytes});
    kept.emplace_back(DType::u8, Shape{kBytes / 256});
    std::ranges::fill(given_back.back().mutable_view().as<std::uint8_t>(), std::uint8_t{1});
  }
  const std::uint64_t before = base::resident_bytes();
  given_back.clear();
  EXPECT_LT(base::resident_bytes(), before - 60 * static_cast<std::uint64_t>(kBytes));
}

}  // namespace
}  // namespace skerry
