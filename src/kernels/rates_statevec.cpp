// Measured prices of the state-vector rows of rates.def, a tenth of a second for all of them.

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <numbers>

#include "base/memory.hpp"
#include "base/random.hpp"
#include "base/threads.hpp"
#include "kernels/rates.hpp"
#include "kernels/statevec/gate.hpp"
#include "kernels/statevec/reduce.hpp"

namespace skerry::kernels {
namespace {

constexpr int kCachedWires = 13;   // 64 or 128 KiB: in the second-level cache of one core
constexpr int kCachedSpread = 16;  // cut into pieces for the threads, in the cache of all of them together
constexpr std::uint64_t kMemoryBytes = std::uint64_t{64} << 20;  // more than most last-level caches
constexpr int kRepeats = 3;
constexpr std::size_t kFillGrain = std::size_t{1} << 17;
constexpr std::string_view kStage = "measuring this machine";
constexpr int kMemoryRepeats = 1;  // a large state takes long enough to be measured well

/// Median of a few runs.
template <int repeats = kRepeats, class Work>
double seconds_of(Work work) {
  std::array<double, repeats> times{};
  for (double& time : times) {
    const auto start = std::chrono::steady_clock::now();
    work();
    time = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  std::ranges::sort(times);
  return times[repeats / 2];
}

/// A one-target gate without zeros, as most gates are.
template <class T>
Gate<T> rotation(int wires, int target) {
  constexpr double half = std::numbers::sqrt2 / 2;
  const std::array<std::complex<double>, 4> matrix = {half, {0, -half}, {0, -half}, half};
  const int targets[] = {target};
  return {wires, 0, targets, matrix};
}

/// Seconds per amplitude of a gate: the mean of one on the lowest wire, which is slower, the middle and the highest
/// one.
template <class T, int repeats>
double sweep(int wires, int threads, int rounds, const RunControl& control) {
  const base::ThreadLimit limit(threads);
  auto buffer =
      base::Buffer::allocate_for<std::complex<T>>(std::uint64_t{1} << wires, base::MemoryBudget{}, "calibration");
  const StateView<T> state{buffer.template as<std::complex<T>>().data(), wires};
  base::parallel_for(0, state.size(), kFillGrain, [&](std::size_t begin, std::size_t end) {
    control.check(kStage);
    std::fill(state.amplitudes + begin, state.amplitudes + end, std::complex<T>(T(1e-3)));
  });
  const std::array gates = {rotation<T>(wires, 0), rotation<T>(wires, wires / 2), rotation<T>(wires, wires - 1)};
  std::array<double, gates.size()> times{};
  for (std::size_t i = 0; i < gates.size(); ++i) {
    times[i] = seconds_of<repeats>([&] {
      for (int round = 0; round < rounds; ++round) gates[i].apply(state, control);
    });
  }
  const double mean = (times[0] + times[1] + times[2]) / 3;
  return mean / (static_cast<double>(rounds) * static_cast<double>(state.size()));
}

template <class T>
int memory_wires() {
  return std::countr_zero(kMemoryBytes / sizeof(std::complex<T>));
}
int cached_wires(int threads) {
  return threads == 1 ? kCachedWires : kCachedSpread;
}

}  // namespace

double measure_gate(int threads, const RunControl& control) {
  // Made ready and applied to a state so small that its amplitudes cost next to nothing, as a run does gate by gate.
  const base::ThreadLimit limit(threads);
  constexpr int gates = 2000;
  std::array<std::complex<double>, 4> amplitudes = {1.0};
  const double seconds = seconds_of([&] {
    for (int i = 0; i < gates; ++i) rotation<double>(2, i & 1).apply({amplitudes.data(), 2}, control);
  });
  return seconds / gates;
}
double measure_amplitude_single(int threads, const RunControl& control) {
  return sweep<float, kMemoryRepeats>(memory_wires<float>(), threads, 1, control);
}
double measure_amplitude_single_cached(int threads, const RunControl& control) {
  return sweep<float, kRepeats>(cached_wires(threads), threads, 8, control);
}
double measure_amplitude_double(int threads, const RunControl& control) {
  return sweep<double, kMemoryRepeats>(memory_wires<double>(), threads, 1, control);
}
double measure_amplitude_double_cached(int threads, const RunControl& control) {
  return sweep<double, kRepeats>(cached_wires(threads), threads, 8, control);
}

double measure_first_touch(int threads, const RunControl& control) {
  const base::ThreadLimit limit(threads);
  constexpr std::uint64_t bytes = std::uint64_t{16} << 20;
  constexpr std::uint64_t page = 4096;
  const double seconds = seconds_of([&] {
    auto buffer = base::Buffer::allocate(bytes, base::MemoryBudget{}, "calibration");
    base::parallel_for(0, bytes / page, 64, [&](std::size_t begin, std::size_t end) {
      control.check(kStage);
      for (std::size_t page = begin; page < end; ++page) buffer.data()[page * page] = std::byte{1};
    });
  });
  return seconds / static_cast<double>(bytes);
}

double measure_draw(int threads, const RunControl& control) {
  const base::ThreadLimit limit(threads);
  constexpr int wires = 12;
  constexpr std::size_t draws = 8192;
  auto buffer =
      base::Buffer::allocate_for<std::complex<double>>(std::uint64_t{1} << wires, base::MemoryBudget{}, "calibration");
  std::ranges::fill(buffer.as<std::complex<double>>(), std::complex<double>(1.0 / 64));
  const Sampler<double> sampler({buffer.as<std::complex<double>>().data(), wires}, base::MemoryBudget{}, control);
  std::array<std::uint64_t, draws> drawn{};
  const double seconds = seconds_of([&] {
    base::parallel_for(0, draws, 2048, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) drawn[i] = sampler.draw(base::Philox(1, i).uniform());
    });
  });
  return seconds / draws;
}

}  // namespace skerry::kernels
