#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <random>
#include <skerry/batch_math.hpp>
#include <skerry/devices.hpp>
#include <skerry/error.hpp>
#include <sstream>

#include "base/machine.hpp"
#include "base/temporary_folder.hpp"
#include "base/threads.hpp"

namespace skerry {
namespace {

ErrorCode math_code(const auto& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.code();
  }
  return ErrorCode::internal;
}

Tensor random_matrix(std::int64_t rows, std::int64_t columns, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<std::size_t>(rows * columns));
  for (float& value : values) value = normal(random);
  return Tensor::from<float>(values, {rows, columns});
}

// In f64, as it is written.
std::vector<double> plain_product(const Tensor& a, const Tensor& b) {
  const auto rows = static_cast<std::size_t>(a.shape()[0]), depth = static_cast<std::size_t>(a.shape()[1]),
             columns = static_cast<std::size_t>(b.shape()[1]);
  std::vector<double> out(rows * columns, 0.0);
  const auto x = a.as<float>(), y = b.as<float>();
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t k = 0; k < depth; ++k)
      for (std::size_t j = 0; j < columns; ++j)
        out[i * columns + j] += static_cast<double>(x[i * depth + k]) * static_cast<double>(y[k * columns + j]);
  return out;
}

TEST(CacheOptimizedProcessor, MultipliesOddMatricesInBlocksOfAnySize) {
  for (const auto& [m, k, n] : {std::array<std::int64_t, 3>{257, 131, 67}, {1, 1, 1}, {5, 300, 2}, {64, 64, 64}}) {
    const Tensor a = random_matrix(m, k, 1), b = random_matrix(k, n, 2);
    const std::vector<double> right = plain_product(a, b);
    for (const std::size_t block : {1U, 7U, 16U, 32U, 64U, 100U, 128U, 256U}) {
      const Tensor c = CacheOptimizedProcessor(block).blocked_matrix_multiplication(a, b);
      double worst = 0.0;
      for (std::size_t i = 0; i < right.size(); ++i)
        worst = std::max(worst, std::abs(static_cast<double>(c.as<float>()[i]) - right[i]));
      EXPECT_LT(worst, 1e-4) << block;
    }
  }
  EXPECT_EQ(math_code([] { CacheOptimizedProcessor(0); }), ErrorCode::invalid_argument);
  EXPECT_EQ(math_code([] { CacheOptimizedProcessor(257); }), ErrorCode::invalid_argument);
  EXPECT_EQ(math_code([] {
              CacheOptimizedProcessor().blocked_matrix_multiplication(random_matrix(2, 3, 1), random_matrix(2, 3, 1));
            }),
            ErrorCode::type_mismatch);
  EXPECT_EQ(CacheOptimizedProcessor()
                .blocked_matrix_multiplication(Tensor(DType::f32, {0, 3}), random_matrix(3, 2, 1))
                .shape(),
            Shape({0, 2}));
}

TEST(CacheOptimizedProcessor, TunesItselfToTheSizeThatCostsLeast) {
  const Tensor a = random_matrix(65, 33, 3), b = random_matrix(33, 40, 4);
  constexpr std::array<std::size_t, 5> sizes = {16, 32, 64, 128, 256};
  for (const std::size_t best : sizes) {
    CacheOptimizedProcessor processor(7);
    std::size_t measures = 0;
    // The first measure of each is disturbed, the worse the better the size is.
    const auto cost = [&](const CacheOptimizedProcessor& tried) {
      const auto size = static_cast<double>(tried.block_size()), wanted = static_cast<double>(best);
      const double right = 1.0 + std::abs(std::log2(size / wanted));
      return measures++ % 5 == 0 ? 100.0 / right : right;
    };
    EXPECT_EQ(processor.tune(a, b, sizes, cost), best);
    EXPECT_EQ(processor.block_size(), best);
    EXPECT_EQ(measures, 5 * sizes.size());
  }
  CacheOptimizedProcessor by_time(7);
  EXPECT_TRUE(std::ranges::binary_search(sizes, by_time.tune(a, b, sizes)));
  EXPECT_EQ(math_code([&] { by_time.tune(a, b, {}); }), ErrorCode::invalid_argument);
}

// How often the last level of a simulated cache of 8 KiB missed in a run of this program's test of that name.
std::uint64_t last_level_misses(const std::string& product, const base::TemporaryFolder& folder) {
  const std::filesystem::path out = folder.path() / product;
  const std::string command = "SKERRY_CACHE_CHILD=" + product +
                              " valgrind --tool=cachegrind --cache-sim=yes --D1=2048,8,64 --LL=8192,8,64"
                              " --cachegrind-out-file='" +
                              out.string() + "' '" + std::filesystem::canonical("/proc/self/exe").string() +
                              "' --gtest_filter=CacheMisses.OfOneProduct >/dev/null 2>&1";
  if (std::system(command.c_str()) != 0) return 0;
  std::ifstream file(out);
  std::vector<std::string> events;
  std::uint64_t misses = 0;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string word;
    words >> word;
    if (word == "events:")
      while (words >> word) events.push_back(word);
    if (word != "summary:") continue;
    std::uint64_t count = 0;
    for (std::size_t i = 0; words >> count; ++i)
      if (i < events.size() && (events[i] == "DLmr" || events[i] == "DLmw")) misses += count;
  }
  return misses;
}

// Only as a child of the next test.
TEST(CacheMisses, OfOneProduct) {
  const char* product = std::getenv("SKERRY_CACHE_CHILD");
  if (product == nullptr) GTEST_SKIP() << "run by the next test";
  const base::ThreadLimit one(1);
  const Tensor a = random_matrix(257, 131, 1), b = random_matrix(131, 67, 2);
  const std::string_view name = product;
  if (name == "naive") {
    // One element after the other, down the columns of b.
    const auto x = a.as<float>(), y = b.as<float>();
    std::vector<float> c(257 * 67);
    for (std::size_t i = 0; i < 257; ++i)
      for (std::size_t j = 0; j < 67; ++j)
        for (std::size_t k = 0; k < 131; ++k) c[i * 67 + j] += x[i * 131 + k] * y[k * 67 + j];
    EXPECT_TRUE(std::isfinite(std::accumulate(c.begin(), c.end(), 0.0F)));
  } else if (name == "blocked") {
    CacheOptimizedProcessor(32).blocked_matrix_multiplication(a, b);
  }
}

TEST(CacheMisses, FallAgainstANaiveProductWhenItGoesBlockByBlock) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "valgrind does not run what a sanitizer has changed";
#endif
  if (std::system("valgrind --version >/dev/null 2>&1") != 0) GTEST_SKIP() << "there is no valgrind";
  const base::TemporaryFolder folder;
  const std::uint64_t without = last_level_misses("none", folder), naive = last_level_misses("naive", folder),
                      blocked = last_level_misses("blocked", folder);
  ASSERT_GT(without, 0U) << "valgrind did not run this program";
  ASSERT_GT(naive, without);
  ASSERT_GT(blocked, without);
  EXPECT_LT(4 * (blocked - without), naive - without) << blocked << ", " << naive << ", " << without;
}

TEST(CacheOptimizedProcessor, TurnsLayouts) {
  const CacheOptimizedProcessor processor(16);
  const Tensor a = random_matrix(65, 33, 3);
  const Tensor turned = processor.cache_friendly_data_layout(a);
  EXPECT_EQ(turned.shape(), Shape({33, 65}));
  for (std::size_t i = 0; i < 65; ++i)
    for (std::size_t j = 0; j < 33; ++j) ASSERT_EQ(turned.as<float>()[j * 65 + i], a.as<float>()[i * 33 + j]);
}

TEST(ProcessBatch, NormalisesMultipliesAndActivatesInOneGo) {
  constexpr std::int64_t kRows = 205, kFeatures = 70, kOutputs = 33;
  std::vector<float> values(kRows * kFeatures);
  const Tensor noise = random_matrix(kRows, kFeatures, 5);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t column = i % kFeatures;
    values[i] = column == 3 ? 0.1F : 100.0F + static_cast<float>(column) * noise.as<float>()[i];
  }
  const Tensor x = Tensor::from<float>(values, {kRows, kFeatures}), w = random_matrix(kFeatures, kOutputs, 6),
               b = random_matrix(1, kOutputs, 7);
  // Column 0 is 100 everywhere too: two constant columns.
  const Tensor y = process_batch_optimized(x, w, &b, "tanh");
  for (std::int64_t r = 0; r < kRows; r += 17) {
    for (std::int64_t o = 0; o < kOutputs; ++o) {
      double sum = b.as<float>()[static_cast<std::size_t>(o)];
      for (std::int64_t f = 0; f < kFeatures; ++f) {
        double mean = 0.0, square = 0.0;
        for (std::int64_t k = 0; k < kRows; ++k) mean += values[static_cast<std::size_t>(k * kFeatures + f)];
        mean /= kRows;
        for (std::int64_t k = 0; k < kRows; ++k)
          square += std::pow(values[static_cast<std::size_t>(k * kFeatures + f)] - mean, 2);
        const double deviation = std::sqrt(square / kRows);
        if (f == 0 || f == 3) continue;
        sum += (values[static_cast<std::size_t>(r * kFeatures + f)] - mean) / deviation *
               w.as<float>()[static_cast<std::size_t>(f * kOutputs + o)];
      }
      ASSERT_NEAR(y.as<float>()[static_cast<std::size_t>(r * kOutputs + o)], std::tanh(sum), 2e-5);
    }
  }
  const Tensor one_thread = [&] {
    const base::ThreadLimit limit(1);
    return process_batch_optimized(x, w, &b, "tanh");
  }();
  EXPECT_TRUE(std::ranges::equal(y.as<float>(), one_thread.as<float>()));
  const Tensor bounded = process_batch_optimized(x, w);
  for (const float value : bounded.as<float>()) ASSERT_GE(value, 0.0F);
  EXPECT_EQ(math_code([&] { process_batch_optimized(x, w, nullptr, "mish"); }), ErrorCode::invalid_argument);
  EXPECT_EQ(math_code([&] { process_batch_optimized(w, w); }), ErrorCode::type_mismatch);
}

TEST(CPUAccelerator, KeepsToItsProcessorsAndGivesTheOthersBack) {
  cpu_set_t before, inside, after;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  const Tensor a = random_matrix(60, 50, 8), b = random_matrix(50, 40, 9);
  const std::vector<double> right = plain_product(a, b);
  {
    const CPUAccelerator all;
    ASSERT_FALSE(all.cpus().empty());
    const CPUAccelerator one(2, {all.cpus().back()});
    ASSERT_EQ(sched_getaffinity(0, sizeof inside, &inside), 0);
    EXPECT_EQ(CPU_COUNT(&inside), 1);
    EXPECT_TRUE(CPU_ISSET(static_cast<std::size_t>(all.cpus().back()), &inside));
    const Tensor c = one.matmul(a, b);
    for (std::size_t i = 0; i < right.size(); ++i) ASSERT_NEAR(c.as<float>()[i], right[i], 1e-4);
    EXPECT_EQ(one.isa(), base::machine().isa);
  }
  ASSERT_EQ(sched_getaffinity(0, sizeof after, &after), 0);
  EXPECT_TRUE(CPU_EQUAL(&before, &after));
  EXPECT_EQ(math_code([] { CPUAccelerator(1, {100'000}); }), ErrorCode::invalid_argument);
}

}  // namespace
}  // namespace skerry
