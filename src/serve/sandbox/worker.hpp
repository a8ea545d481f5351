/// \file
/// The process that runs circuits of people whom the server does not trust.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <type_traits>

#include "serve/circuits.hpp"

namespace skerry::serve {

/// The first word of a worker's command line; the program that serves hands such a command line to run_worker().
inline constexpr const char* kWorkerWord = "serve-worker";
inline constexpr int kWorkerSocket = 3;
/// Exit code of a worker that had no memory left to say so.
inline constexpr int kNoMemoryExit = 77;

/// What comes before a circuit request.
struct TaskHead {
  std::uint64_t json_bytes = 0;
  std::uint32_t max_qubits = 0;  ///< 0: any
  CircuitLimits limits;
};
static_assert(std::is_trivially_copyable_v<TaskHead>);

/// What comes before a model's file: this, its name, the keys of those who may have signed it.
struct ModelHead {
  std::uint64_t max_memory_bytes = 0;  ///< of a run; 0: what there is
  double max_seconds = 0.0;            ///< of a run; 0: any
  int threads = 0;
  std::uint32_t name_bytes = 0, trusted = 0;
  ImportLimits import;
};
static_assert(std::is_trivially_copyable_v<ModelHead>);

/// Shuts this process in and does what comes over kWorkerSocket until that ends. words: `serve-worker PARENT
/// DATA-BYTES THREADS`. Gives the exit code.
int run_worker(std::span<char* const> words);

/// A value as its bytes, and back; false: there are too few of them.
template <class T>
std::string packed(const T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  return {reinterpret_cast<const char*>(&value), sizeof value};
}
template <class T>
bool unpack(const std::string& bytes, T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  if (bytes.size() < sizeof value) return false;
  bytes.copy(reinterpret_cast<char*>(&value), sizeof value);
  return true;
}

}  // namespace skerry::serve
