#include "kernels/density/transfer.hpp"

#include <gtest/gtest.h>

#include "base/memory.hpp"
#include "base/random.hpp"
#include "base/threads.hpp"
#include "kernels/testing/targets.hpp"

namespace skerry::kernels {
namespace {

struct Case {
  int wires;
  std::vector<int> digits;
  bool before, sparse;
};

std::vector<double> random_numbers(std::size_t count, std::uint64_t seed) {
  base::Philox random(seed);
  std::vector<double> out(count);
  for (double& v : out) v = random.uniform() - 0.5;
  return out;
}

/// The definition, index by index.
std::vector<double> expected(const Case& c, const std::vector<std::array<double, 16>>& before,
                             const std::vector<double>& matrix, std::vector<double> state) {
  const auto digit = [&](std::size_t index, std::size_t j) { return index >> (2 * c.digits[j]) & 3U; };
  for (std::size_t j = 0; j < before.size(); ++j) {
    std::vector<double> next(state.size());
    for (std::size_t i = 0; i < state.size(); ++i) {
      const std::size_t cleared = i & ~(std::size_t{3} << (2 * c.digits[j]));
      for (std::size_t s = 0; s < 4; ++s)
        next[i] += before[j][4 * digit(i, j) + s] * state[cleared | s << (2 * c.digits[j])];
    }
    state = next;
  }
  if (matrix.empty()) return state;
  const std::size_t rows = std::size_t{1} << (2 * c.digits.size());
  std::vector<double> next(state.size());
  for (std::size_t i = 0; i < state.size(); ++i) {
    std::size_t row = 0, cleared = i;
    for (std::size_t j = 0; j < c.digits.size(); ++j) {
      row |= digit(i, j) << (2 * j);
      cleared &= ~(std::size_t{3} << (2 * c.digits[j]));
    }
    for (std::size_t s = 0; s < rows; ++s) {
      std::size_t source = cleared;
      for (std::size_t j = 0; j < c.digits.size(); ++j) source |= (s >> (2 * j) & 3U) << (2 * c.digits[j]);
      next[i] += matrix[row * rows + s] * state[source];
    }
  }
  return next;
}

const std::vector<Case>& cases() {
  static const std::vector<Case> all = [] {
    std::vector<Case> list;
    for (int wires = 2; wires <= 5; ++wires)
      for (int a = 0; a < wires; ++a) {
        list.push_back({wires, {a}, a % 2 == 0, true});
        for (int b = 0; b < wires; ++b)
          if (a != b) list.push_back({wires, {a, b}, (a + b) % 3 != 0, (a + b) % 2 == 0});
      }
    list.push_back({4, {3, 0, 2}, true, true});
    list.push_back({4, {2, 0, 3, 1}, false, true});
    list.push_back({5, {4, 3, 2}, false, true});
    return list;
  }();
  return all;
}

template <class T>
void expect_all_cases(double tolerance) {
  std::uint64_t seed = 1;
  for (const Case& c : cases()) {
    const std::size_t rows = std::size_t{1} << (2 * c.digits.size());
    std::vector<std::array<double, 16>> before;
    for (std::size_t j = 0; c.before && j < c.digits.size(); ++j) {
      const auto numbers = random_numbers(16, ++seed);
      std::copy_n(numbers.begin(), 16, before.emplace_back().begin());
    }
    std::vector<double> matrix = c.sparse ? random_numbers(rows * rows, ++seed) : std::vector<double>{};
    for (std::size_t i = 0; i < matrix.size(); i += 3) matrix[i] = 0;
    const std::vector<double> start = random_numbers(std::size_t{1} << (2 * c.wires), ++seed);
    const std::vector<double> want = expected(c, before, matrix, start);
    const Transfer<T> map(c.digits, before, matrix);
    for (const int threads : {1, 2}) {
      const base::ThreadLimit limit(threads);
      auto buffer = base::Buffer::allocate_for<T>(start.size(), base::MemoryBudget{}, "test");
      const auto state = buffer.template as<T>();
      for (std::size_t i = 0; i < start.size(); ++i) state[i] = static_cast<T>(start[i]);
      apply<T>(map, state, c.wires, {});
      for (std::size_t i = 0; i < start.size(); ++i)
        ASSERT_NEAR(state[i], want[i], tolerance) << c.wires << " wires, first digit " << c.digits[0] << " at " << i;
    }
  }
}

TEST(Transfer, IsTheMatrixOnItsDigitsForEveryInstructionSet) {
  testing::for_each_target([](const char* name) {
    SCOPED_TRACE(name);
    // Sums of 256 products of numbers below a half, each rounded.
    expect_all_cases<float>(2e-5);
    expect_all_cases<double>(1e-13);
  });
}

TEST(Transfer, StopsWhenTold) {
  std::stop_source source;
  source.request_stop();
  auto buffer = base::Buffer::allocate_for<double>(16, base::MemoryBudget{}, "test");
  const Transfer<double> map({0}, {}, random_numbers(16, 1));
  EXPECT_ANY_THROW(apply<double>(map, buffer.as<double>(), 2, {.stop = source.get_token()}));
}

}  // namespace
}  // namespace skerry::kernels
