#include <gtest/gtest.h>

#include <skerry/tensor_pool.hpp>
#include <thread>
#include <vector>

#include "base/thrown_by.hpp"

namespace skerry {
namespace {

const Shape kRow{2, 3};

TEST(TensorPool, KeepsAHundredAndDropsTheHundredAndFirst) {
  TensorPool pool;
  std::vector<Tensor> buffers;
  for (int i = 0; i < 101; ++i) buffers.push_back(pool.get_buffer(kRow));
  EXPECT_EQ(pool.statistics().lent, 101U);
  for (std::size_t i = 0; i < 100; ++i) pool.return_buffer(buffers[i]);
  EXPECT_EQ(pool.statistics().waiting, 100U);
  pool.return_buffer(buffers[100]);
  EXPECT_EQ(pool.statistics().waiting, 100U);
  EXPECT_EQ(pool.statistics().lent, 0U);
}

TEST(TensorPool, PreallocatesTenOfAShapeOrAnEqualShareOfWhatFits) {
  const std::vector<Shape> shapes{{1}, {2}, {3}, {4}};
  TensorPool pool, small(10);
  pool.preallocate_buffers(shapes);
  EXPECT_EQ(pool.statistics().waiting, 40U);
  EXPECT_EQ(pool.statistics().waiting_bytes, 10U * 4 * (1 + 2 + 3 + 4));
  small.preallocate_buffers(shapes);
  EXPECT_EQ(small.statistics().waiting, 8U);  // min(10, 10 / 4) each
  small.preallocate_buffers({});
  EXPECT_EQ(small.statistics().waiting, 8U);
}

TEST(TensorPool, GivesTheSameBufferAgainAsZeros) {
  TensorPool pool;
  Tensor first = pool.get_buffer(kRow);
  const std::byte* const place = first.view().data();
  for (float& x : first.mutable_view().as<float>()) x = 7.0F;
  pool.return_buffer(first);
  EXPECT_EQ(first.as<float>()[5], 0.0F);  // cleared when it came back
  EXPECT_NE(pool.get_buffer({3, 2}).view().data(), place);
  EXPECT_NE(pool.get_buffer(kRow, DType::i32).view().data(), place);
  const Tensor second = pool.get_buffer(kRow);
  EXPECT_EQ(second.view().data(), place);
  EXPECT_EQ(pool.statistics().hits, 1U);
}

TEST(TensorPool, RefusesABufferThatComesTwiceOrFromElsewhere) {
  TensorPool pool, other;
  const Tensor buffer = pool.get_buffer(kRow);
  EXPECT_EQ(base::thrown_by([&] { other.return_buffer(buffer); }).code(), ErrorCode::invalid_argument);
  pool.return_buffer(buffer);
  EXPECT_EQ(base::thrown_by([&] { pool.return_buffer(buffer); }).code(), ErrorCode::invalid_argument);
  EXPECT_EQ(base::thrown_by([&] { pool.return_buffer(Tensor(DType::f32, kRow)); }).code(), ErrorCode::invalid_argument);
  EXPECT_EQ(pool.statistics().waiting, 1U);
}

TEST(TensorPool, TakesBackWhatItLentWhenTheLastHolderLetsGo) {
  auto pool = std::make_unique<TensorPool>();
  Tensor lent = pool->lend(kRow);
  lent.mutable_view().as<float>()[0] = 5.0F;
  const std::byte* const place = lent.view().data();
  Tensor copy = lent;
  lent = {};
  EXPECT_EQ(pool->statistics().waiting, 0U);
  copy = {};
  EXPECT_EQ(pool->statistics().waiting, 1U);
  EXPECT_EQ(pool->lend(kRow).view().data(), place);
  const Tensor clear = pool->get_buffer(kRow);
  EXPECT_EQ(clear.view().data(), place);
  EXPECT_EQ(clear.as<float>()[0], 0.0F);
  const Tensor late = pool->lend(kRow);
  pool.reset();
  EXPECT_EQ(late.as<float>().size(), 6U);  // and gives its storage back by itself
}

TEST(TensorPool, OfManyShapesForgetsTheOldest) {
  TensorPool pool(4);
  for (std::int64_t n = 1; n <= 1000; ++n) pool.lend({n});
  EXPECT_EQ(pool.statistics().waiting, 4U);
  EXPECT_EQ(pool.statistics().waiting_bytes, 4U * (997 + 998 + 999 + 1000));
}

TEST(TensorPool, LendsABufferToOneThreadAtATime) {
  TensorPool pool;
  std::atomic<int> wrong{0};
  std::vector<std::jthread> threads;
  for (int thread = 0; thread < 8; ++thread) {
    threads.emplace_back([&, thread] {
      for (int round = 0; round < 500; ++round) {
        Tensor mine = round % 2 == 0 ? pool.lend(kRow) : pool.get_buffer(kRow);
        for (float& x : mine.mutable_view().as<float>()) x = static_cast<float>(thread);
        for (const float x : mine.as<float>())
          if (x != static_cast<float>(thread)) ++wrong;
        if (round % 2 == 1) pool.return_buffer(mine);
      }
    });
  }
  threads.clear();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(pool.statistics().lent, 0U);
}

}  // namespace
}  // namespace skerry
