/// \file
/// The devices of this machine: what they are, what they do now, and who was promised how much of them.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <skerry/tensor.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace skerry {

/// One device. `cpu` is the machine's processors together; a GPU or NPU is one card.
struct DeviceInfo {
  std::string id;                           ///< `cpu`, `gpu0`, `npu0`
  std::string kind;                         ///< `cpu`, `gpu`, `npu`
  std::string model;                        ///< the vendor's name
  int sockets = 0, cores = 0, threads = 0;  ///< of a CPU; 0 where the kernel does not tell
  int usable_threads = 0;                   ///< by affinity and the control group's quota
  std::optional<double> cpu_quota;          ///< of the control group, in CPUs
  std::uint64_t memory_bytes = 0;           ///< the control group's limit where that is less; 0: not known
  std::uint64_t available_bytes = 0;
  std::vector<std::string> isa;
};

/// What a device does now.
struct DeviceLoad {
  std::optional<double> utilization;  ///< part of all its threads that were busy since it was asked before
  std::uint64_t used_bytes = 0;       ///< of its memory, by everybody
  std::uint64_t own_bytes = 0;        ///< by this process
  std::optional<double> celsius;
};

class DeviceManager;

/// A part of a device, given back at the end of its life.
class DeviceReservation {
 public:
  DeviceReservation() = default;
  DeviceReservation(DeviceReservation&& other) noexcept = default;
  DeviceReservation& operator=(DeviceReservation&& other) noexcept;
  ~DeviceReservation() { release(); }

  const std::string& device() const noexcept { return device_; }
  const std::string& tenant() const noexcept { return tenant_; }
  double share() const noexcept { return share_; }
  std::uint64_t memory_bytes() const noexcept { return memory_bytes_; }
  /// Threads of a CPU that belong to the share, at least 1; 0 of other devices.
  int threads() const noexcept { return threads_; }
  void release() noexcept;

 private:
  friend class DeviceManager;
  struct Book;
  std::shared_ptr<Book> book_;  // shared: a reservation may outlive its manager
  std::string device_, tenant_;
  double share_ = 0.0;
  std::uint64_t memory_bytes_ = 0;
  int threads_ = 0;
};

/// Finds devices, watches them and lets nobody promise the same part twice. From any thread.
class DeviceManager {
 public:
  /// root: "/" but for tests, which lay out `proc` and `sys` below a folder of their own.
  explicit DeviceManager(std::filesystem::path root = "/");
  ~DeviceManager();
  DeviceManager(const DeviceManager&) = delete;
  DeviceManager& operator=(const DeviceManager&) = delete;

  /// The CPU first. GPUs as their drivers list them in /proc and /sys, NPUs as /sys/class/accel does; one that is not
  /// there is not listed.
  const std::vector<DeviceInfo>& devices() const noexcept;
  /// Errors: not_found that lists the devices.
  const DeviceInfo& device(std::string_view id) const;
  DeviceLoad load(std::string_view id);
  /// share: part of the device's time, above 0, up to 1. Errors: not_found; invalid_argument; budget_exceeded with what
  /// is left, where shares would pass 1 or bytes the memory.
  DeviceReservation reserve(std::string_view id, std::string tenant, double share, std::uint64_t memory_bytes = 0);
  /// What is left of a device's time.
  double unreserved_share(std::string_view id) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// How work is spread over this CPU: so many threads, on these processors alone. While it lives, the calling thread and
/// the library's workers keep to them; then they may go where they could before.
class CPUAccelerator {
 public:
  /// threads: 0 for the process's budget. cpus: numbers of processors; none: those that the process may use. Errors:
  /// invalid_argument for processors that it may not.
  explicit CPUAccelerator(int threads = 0, std::vector<int> cpus = {});
  ~CPUAccelerator();
  CPUAccelerator(const CPUAccelerator&) = delete;
  CPUAccelerator& operator=(const CPUAccelerator&) = delete;

  int threads() const noexcept { return threads_; }
  const std::vector<int>& cpus() const noexcept { return cpus_; }
  /// Instruction sets that kernels choose among.
  std::vector<std::string_view> isa() const;
  /// f32 [m, k] times [k, n] on its threads. Errors: type_mismatch.
  Tensor matmul(const Tensor& a, const Tensor& b) const;

 private:
  int threads_;
  std::vector<int> cpus_, before_;
};

}  // namespace skerry
