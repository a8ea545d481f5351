/// \file
/// The process that runs circuits of people whom the server does not trust.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
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
  std::array<char, 55> traceparent{};  ///< of the run, as W3C spells it; zeros: none
};
static_assert(std::is_trivially_copyable_v<TaskHead>);

/// A part of a task as the worker's clock saw it.
struct WorkerSpan {
  std::array<char, 16> id{}, parent{};    ///< hex digits; zeros: there was no such part
  std::int64_t begin_ns = 0, end_ns = 0;  ///< since 1970
};
/// Names of the parts, in the order in which an answer tells of them; the first one holds the others.
inline constexpr std::array<std::string_view, 3> kWorkerParts = {"worker circuit", "read circuit", "simulate circuit"};

/// What comes before an answer, or before an error.
struct AnswerHead {
  std::uint64_t json_bytes = 0;  ///< how much of it is JSON
  CircuitNotes notes;
  std::array<WorkerSpan, kWorkerParts.size()> spans;
};
static_assert(std::is_trivially_copyable_v<AnswerHead>);

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
