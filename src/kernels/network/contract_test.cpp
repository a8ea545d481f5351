#include "kernels/network/contract.hpp"

#include <gtest/gtest.h>

#include <complex>
#include <random>

#include "base/threads.hpp"
#include "kernels/testing/targets.hpp"

namespace skerry::kernels {
namespace {

template <class T>
struct Contraction {
  ContractionAxes axes;
  std::vector<T> a, b;
};

/// Axes of the two tensors in random places.
template <class T>
Contraction<T> random_case(std::size_t batch, std::size_t rows, std::size_t columns, std::size_t inner, bool in_order,
                           std::mt19937& random) {
  Contraction<T> out;
  const auto deal = [&](std::initializer_list<std::pair<std::vector<std::uint8_t>*, std::size_t>> groups) {
    std::vector<std::uint8_t> places;
    for (const auto& [group, count] : groups)
      for (std::size_t i = 0; i < count; ++i) places.push_back(static_cast<std::uint8_t>(places.size()));
    if (!in_order) std::shuffle(places.begin(), places.end(), random);
    auto next = places.begin();
    for (const auto& [group, count] : groups)
      for (std::size_t i = 0; i < count; ++i) group->push_back(*next++);
  };
  deal({{&out.axes.a_inner, inner}, {&out.axes.a_rows, rows}, {&out.axes.a_batch, batch}});
  deal({{&out.axes.b_columns, columns}, {&out.axes.b_inner, inner}, {&out.axes.b_batch, batch}});
  std::normal_distribution<double> normal;
  out.a.resize(std::size_t{2} << (batch + rows + inner));
  out.b.resize(std::size_t{2} << (batch + columns + inner));
  for (T& x : out.a) x = static_cast<T>(normal(random));
  for (T& x : out.b) x = static_cast<T>(normal(random));
  return out;
}

template <class T>
std::vector<T> contracted(const Contraction<T>& given) {
  const ContractionAxes& axes = given.axes;
  std::vector<T> c(std::size_t{2} << (axes.a_batch.size() + axes.a_rows.size() + axes.b_columns.size()));
  contract<T>(axes, {given.a.data(), given.a.size() / 2}, {given.b.data(), given.b.size() / 2}, c.data(), RunControl{});
  return c;
}

std::size_t spread(std::size_t number, std::span<const std::uint8_t> places) {
  std::size_t out = 0;
  for (std::size_t i = 0; i < places.size(); ++i) out |= (number >> i & 1) << places[i];
  return out;
}

/// The formula, number by number.
template <class T>
void expect_is_the_sum(const Contraction<T>& given, const std::vector<T>& c, const char* target) {
  const ContractionAxes& x = given.axes;
  const std::size_t columns = std::size_t{1} << x.b_columns.size(), rows = std::size_t{1} << x.a_rows.size(),
                    batch = std::size_t{1} << x.a_batch.size(), inner = std::size_t{1} << x.a_inner.size();
  for (std::size_t at = 0; at < batch * rows * columns; ++at) {
    const std::size_t column = at % columns, row = at / columns % rows, set = at / columns / rows;
    std::complex<double> sum = 0;
    double size = 0;
    for (std::size_t k = 0; k < inner; ++k) {
      const std::size_t i = spread(set, x.a_batch) | spread(row, x.a_rows) | spread(k, x.a_inner);
      const std::size_t j = spread(set, x.b_batch) | spread(column, x.b_columns) | spread(k, x.b_inner);
      const std::complex<double> u(given.a[i], given.a[given.a.size() / 2 + i]);
      const std::complex<double> v(given.b[j], given.b[given.b.size() / 2 + j]);
      sum += u * v;
      size += std::abs(u * v);
    }
    const std::complex<double> found(c[at], c[c.size() / 2 + at]);
    ASSERT_LE(std::abs(found - sum), 4 * std::numeric_limits<T>::epsilon() * size)
        << target << " " << batch << "x" << rows << "x" << columns << "x" << inner << " at " << at;
  }
}

template <class T>
void check_all_shapes() {
  std::mt19937 random(5);
  testing::for_each_target([&](const char* target) {
    for (const std::size_t batch : {0U, 2U})
      for (const std::size_t rows : {0U, 1U, 2U, 6U})
        for (const std::size_t columns : {0U, 2U, 3U, 4U, 5U, 7U})
          for (const std::size_t inner : {0U, 1U, 7U})
            for (const bool in_order : {false, true}) {
              if (batch + rows + columns + inner > 14) continue;
              const auto given = random_case<T>(batch, rows, columns, inner, in_order, random);
              expect_is_the_sum(given, contracted(given), target);
            }
  });
}

TEST(Contract, IsTheSumOverTheInnerAxesWhereverAxesLie) {
  check_all_shapes<double>();
  check_all_shapes<float>();
}

TEST(Contract, ThreadsChangeNoBit) {
  std::mt19937 random(6);
  const auto given = random_case<double>(1, 7, 8, 8, false, random);
  std::vector<double> one;
  {
    const base::ThreadLimit limit(1);
    one = contracted(given);
  }
  base::set_thread_budget(4);
  EXPECT_EQ(contracted(given), one);
  base::set_thread_budget(0);
}

TEST(Spread, PutsEachBitInItsPlace) {
  const std::vector<std::uint8_t> places = {3, 0, 7, 1, 12, 2, 9, 15, 20, 21, 5, 30};
  const Spread spreads(places);
  for (std::size_t number = 0; number < spreads.size(); ++number)
    ASSERT_EQ(spreads(number), spread(number, places)) << number;
}

}  // namespace
}  // namespace skerry::kernels
