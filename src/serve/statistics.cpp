#include "serve/statistics.hpp"

#include "serve/latency.hpp"

namespace skerry::serve {
namespace {

std::uint64_t now_ms() {
  using std::chrono::system_clock;
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(system_clock::now().time_since_epoch()).count());
}

std::size_t bin_of(Nanoseconds duration) {
  const double seconds = static_cast<double>(duration.count()) * 1e-9;
  std::size_t bin = 0;
  while (bin < kBins && seconds > bin_bound(bin)) ++bin;
  return bin;
}

}  // namespace

double StatisticsSnapshot::percentile(double share) const {
  return latency_of(*this).percentile(share);
}

void ModelStatistics::succeeded(const Timing& timing, std::uint64_t rows) {
  const std::lock_guard lock(mutex_);
  all_.success.add(timing.total);
  all_.queue.add(timing.queue);
  all_.input.add(timing.input);
  all_.infer.add(timing.infer);
  all_.output.add(timing.output);
  all_.inferences += rows;
  all_.last_ms = now_ms();
  ++all_.latency[bin_of(timing.total)];
}

void ModelStatistics::failed(Nanoseconds total) {
  const std::lock_guard lock(mutex_);
  all_.fail.add(total);
  all_.last_ms = now_ms();
}

void ModelStatistics::rejected() {
  const std::lock_guard lock(mutex_);
  ++all_.rejected;
}

void ModelStatistics::executed(std::uint64_t rows, Nanoseconds input, Nanoseconds infer, Nanoseconds output) {
  const std::lock_guard lock(mutex_);
  ++all_.executions;
  BatchTally& batch = all_.batches[rows];
  batch.input.add(input);
  batch.infer.add(infer);
  batch.output.add(output);
}

StatisticsSnapshot ModelStatistics::snapshot() const {
  const std::lock_guard lock(mutex_);
  return all_;
}

}  // namespace skerry::serve
