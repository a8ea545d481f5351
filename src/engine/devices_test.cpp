#include <gtest/gtest.h>
#include <sched.h>

#include <cmath>
#include <fstream>
#include <numeric>
#include <random>
#include <skerry/batch_math.hpp>
#include <skerry/devices.hpp>
#include <skerry/error.hpp>

#include "base/machine.hpp"
#include "base/temporary_folder.hpp"
#include "base/threads.hpp"

namespace skerry {
namespace {

ErrorCode device_code(const auto& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.code();
  }
  return ErrorCode::internal;
}

void put(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

// A machine of files: two sockets of two cores with two threads each, two graphics cards, a neural one.
void lay_out_machine(const std::filesystem::path& root) {
  for (int cpu = 0; cpu < 8; ++cpu) {
    const auto folder = root / "sys/devices/system/cpu" / ("cpu" + std::to_string(cpu)) / "topology";
    put(folder / "physical_package_id", std::to_string(cpu / 4) + "\n");
    put(folder / "core_id", std::to_string(cpu % 2) + "\n");
  }
  put(root / "sys/devices/system/cpu/cpufreq/policy0", "");
  put(root / "proc/driver/nvidia/gpus/0000:01:00.0/information", "Model: \t\t NVIDIA H200\nIRQ: 7\n");
  put(root / "sys/class/drm/card1/device/mem_info_vram_total", "17163091968\n");
  put(root / "sys/class/drm/card1/device/product_name", "Radeon\n");
  put(root / "sys/class/drm/card1-DP-1/device/mem_info_vram_total", "1\n");
  put(root / "sys/class/accel/accel0/device/uevent", "DRIVER=intel_vpu\nPCI_ID=8086:7D1D\n");
  put(root / "sys/class/thermal/thermal_zone0/temp", "41500\n");
  put(root / "sys/class/hwmon/hwmon0/temp1_input", "63250\n");
  put(root / "proc/stat", "cpu  100 0 100 800 0 0 0 0 0 0\n");
}

TEST(DeviceManager, FindsWhatTheMachineHas) {
  const base::TemporaryFolder folder;
  lay_out_machine(folder.path());
  DeviceManager manager(folder.path());
  ASSERT_EQ(manager.devices().size(), 4U);
  const DeviceInfo& cpu = manager.device("cpu");
  EXPECT_EQ(cpu.sockets, 2);
  EXPECT_EQ(cpu.cores, 4);
  EXPECT_EQ(cpu.threads, 8);
  EXPECT_EQ(manager.device("gpu0").model, "NVIDIA H200");
  EXPECT_EQ(manager.device("gpu1").model, "Radeon");
  EXPECT_EQ(manager.device("gpu1").memory_bytes, 17163091968U);
  EXPECT_EQ(manager.device("npu0").model, "intel_vpu");
  EXPECT_EQ(device_code([&] { manager.device("tpu0"); }), ErrorCode::not_found);
}

TEST(DeviceManager, TellsUtilizationSinceItWasAskedBefore) {
  const base::TemporaryFolder folder;
  lay_out_machine(folder.path());
  DeviceManager manager(folder.path());
  EXPECT_FALSE(manager.load("cpu").utilization.has_value());
  put(folder.path() / "proc/stat", "cpu  160 0 115 825 0 0 0 0 0 0\n");  // 75 busy of 100
  const DeviceLoad load = manager.load("cpu");
  ASSERT_TRUE(load.utilization.has_value());
  EXPECT_NEAR(*load.utilization, 0.75, 1e-12);
  EXPECT_NEAR(load.celsius.value_or(0.0), 63.25, 1e-9);
  EXPECT_GT(load.own_bytes, 0U);
}

TEST(DeviceManager, DescribesThisMachineAndAsksForNothingThatIsNotThere) {
  DeviceManager manager;
  const DeviceInfo& cpu = manager.device("cpu");
  EXPECT_EQ(cpu.usable_threads, base::usable_cpus());
  EXPECT_EQ(cpu.memory_bytes, base::machine().memory_bytes);
  const base::TemporaryFolder nothing;
  DeviceManager bare(nothing.path());
  EXPECT_EQ(bare.devices().size(), 1U);
  EXPECT_FALSE(bare.load("cpu").utilization.has_value());
}

TEST(DeviceReservation, IsNeverPromisedTwice) {
  DeviceManager manager;
  DeviceReservation most = manager.reserve("cpu", "gold", 0.7);
  EXPECT_EQ(device_code([&] { manager.reserve("cpu", "tin", 0.4); }), ErrorCode::budget_exceeded);
  const DeviceReservation rest = manager.reserve("cpu", "tin", 0.3);
  EXPECT_NEAR(manager.unreserved_share("cpu"), 0.0, 1e-9);
  EXPECT_GE(most.threads(), 1);
  DeviceReservation moved = std::move(most);
  EXPECT_NEAR(manager.unreserved_share("cpu"), 0.0, 1e-9);
  moved.release();
  EXPECT_NEAR(manager.unreserved_share("cpu"), 0.7, 1e-9);
  const std::uint64_t memory = manager.device("cpu").memory_bytes;
  const DeviceReservation bytes = manager.reserve("cpu", "gold", 0.1, memory - 100);
  EXPECT_EQ(device_code([&] { manager.reserve("cpu", "more", 0.1, 101); }), ErrorCode::budget_exceeded);
  EXPECT_EQ(device_code([&] { manager.reserve("cpu", "none", 0.0); }), ErrorCode::invalid_argument);
  EXPECT_EQ(device_code([&] { manager.reserve("gpu9", "x", 0.1); }), ErrorCode::not_found);
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
  EXPECT_EQ(device_code([] { CacheOptimizedProcessor(0); }), ErrorCode::invalid_argument);
  EXPECT_EQ(device_code([] { CacheOptimizedProcessor(257); }), ErrorCode::invalid_argument);
  EXPECT_EQ(device_code([] {
              CacheOptimizedProcessor().blocked_matrix_multiplication(random_matrix(2, 3, 1), random_matrix(2, 3, 1));
            }),
            ErrorCode::type_mismatch);
  EXPECT_EQ(CacheOptimizedProcessor()
                .blocked_matrix_multiplication(Tensor(DType::f32, {0, 3}), random_matrix(3, 2, 1))
                .shape(),
            Shape({0, 2}));
}

TEST(CacheOptimizedProcessor, TunesItselfToOneOfTheSizesAndTurnsLayouts) {
  CacheOptimizedProcessor processor(7);
  const Tensor a = random_matrix(65, 33, 3);
  constexpr std::array<std::size_t, 2> sizes = {16, 64};
  const std::size_t best = processor.tune(a, random_matrix(33, 40, 4), sizes);
  EXPECT_TRUE(best == 16 || best == 64);
  EXPECT_EQ(processor.block_size(), best);
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
  EXPECT_EQ(device_code([&] { process_batch_optimized(x, w, nullptr, "mish"); }), ErrorCode::invalid_argument);
  EXPECT_EQ(device_code([&] { process_batch_optimized(w, w); }), ErrorCode::type_mismatch);
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
  EXPECT_EQ(device_code([] { CPUAccelerator(1, {100'000}); }), ErrorCode::invalid_argument);
}

}  // namespace
}  // namespace skerry
