#include <gtest/gtest.h>

#include <fstream>
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

}  // namespace
}  // namespace skerry
