/// \file
/// What a model's requests took, counted as the Open Inference Protocol and Prometheus want it.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <utility>

namespace skerry::serve {

using Nanoseconds = std::chrono::nanoseconds;

/// What a process of its own did of a model's run, by this server's clock.
struct ApartTimes {
  using Part = std::pair<std::chrono::steady_clock::time_point, std::chrono::steady_clock::time_point>;
  std::int64_t process = 0;   ///< 0: the run was made here
  std::array<Part, 3> parts;  ///< all of it; reading the inputs; the model
};

/// Where the time of one request went.
struct Timing {
  Nanoseconds queue{}, input{}, infer{}, output{}, total{};
  std::uint64_t rows = 1;  ///< of the run, those of others included
  ApartTimes apart = {};
};

/// Count and sum of durations.
struct Tally {
  std::uint64_t count = 0, ns = 0;
  void add(Nanoseconds duration) {
    ++count;
    ns += static_cast<std::uint64_t>(duration.count());
  }
};

/// Upper bounds of the latency histogram in seconds: 50 us to 13 s, each twice the one before; the last bin is the
/// rest.
inline constexpr std::size_t kBins = 20;
constexpr double bin_bound(std::size_t bin) {
  return 50e-6 * static_cast<double>(std::uint64_t{1} << bin);
}

struct BatchTally {
  Tally input, infer, output;
};

/// A copy of all counters at one moment.
struct StatisticsSnapshot {
  Tally success, fail, queue, input, infer, output;
  std::uint64_t inferences = 0;  ///< rows of batches
  std::uint64_t executions = 0;  ///< runs of the model
  std::uint64_t rejected = 0;    ///< refused because the queue was full or too slow
  std::uint64_t last_ms = 0;     ///< of the last request, since 1970
  std::map<std::uint64_t, BatchTally> batches;
  std::array<std::uint64_t, kBins + 1> latency{};  ///< requests by total seconds

  /// Seconds below which this share of the requests stayed, interpolated inside a bin; 0 before the first.
  double percentile(double share) const;
};

/// Counters of one model. From any thread.
class ModelStatistics {
 public:
  void succeeded(const Timing& timing, std::uint64_t rows);
  void failed(Nanoseconds total);
  void rejected();
  /// One run of the model on `rows` rows at once.
  void executed(std::uint64_t rows, Nanoseconds input, Nanoseconds infer, Nanoseconds output);
  StatisticsSnapshot snapshot() const;

 private:
  mutable std::mutex mutex_;
  StatisticsSnapshot all_;
};

}  // namespace skerry::serve
