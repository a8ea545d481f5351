/// \file
/// Samples of stabilizer circuits with noise: detection events and logical flips, or measurement records.
///
///     auto circuit = skerry::load_stabilizer("surface.stim");
///     auto sampler = skerry::StabilizerSampler::of_detectors(circuit);
///     auto counts = sampler.count(100'000, 7);   // counts.observables[0] / 1e5: logical error rate without a decoder
#pragma once

#include <cstdint>
#include <memory>
#include <skerry/options.hpp>
#include <skerry/stabilizer_circuit.hpp>
#include <skerry/tensor.hpp>
#include <vector>

namespace skerry {

/// Bits of many shots. A row is the detectors (or records) in whole 64-bit words, then the observables in whole words.
struct StabilizerSamples {
  std::uint64_t shots = 0;
  std::uint32_t bits = 0;         ///< detectors, or records
  std::uint32_t observables = 0;  ///< 0 for records
  Tensor rows;                    ///< u64 [shots, words]; bit i is bit i % 64 of word i / 64
  std::uint32_t first_observable_word() const noexcept { return (bits + 63) / 64; }
};

/// How often each bit was 1.
struct StabilizerCounts {
  std::uint64_t shots = 0;
  std::uint64_t shots_with_events = 0;  ///< shots in which some detector (record) was 1
  std::vector<std::uint64_t> bits, observables;
};

/// A circuit made ready for sampling: for each error that can happen, which bits it flips.
///
/// The circuit is walked once from its end, with the set of bits that an X and a Z on each qubit would flip. After that
/// a shot costs time for the errors that happen in it alone, not for its gates. A coin that a measurement or reset
/// throws is an error of probability 1/2; one that flips nothing is left out, so detectors that are sure without noise
/// cost nothing, and others come out random as they should. Source: Gidney, arXiv:2103.02202; Delfosse, Paetznick,
/// arXiv:2304.05943. Immutable; from any thread. The same seed gives the same rows for any number of threads, and more
/// shots begin with the same ones.
class StabilizerSampler {
 public:
  /// Errors: limit_exceeded for a table of more than kMaxSymptoms flips, budget_exceeded, cancelled, deadline_exceeded.
  static StabilizerSampler of_detectors(const StabilizerCircuit& circuit, const Limits& limits = {});
  static StabilizerSampler of_measurements(const StabilizerCircuit& circuit, const Limits& limits = {});

  static constexpr std::uint64_t kMaxSymptoms = std::uint64_t{1} << 27;

  std::uint32_t bits() const noexcept;
  std::uint32_t observables() const noexcept;
  /// Bytes of the table.
  std::uint64_t table_bytes() const noexcept;
  /// Errors: budget_exceeded, cancelled, deadline_exceeded.
  StabilizerSamples sample(std::uint64_t shots, std::uint64_t seed, const Limits& limits = {}) const;
  /// In constant memory.
  StabilizerCounts count(std::uint64_t shots, std::uint64_t seed, const Limits& limits = {}) const;

  struct Table;

 private:
  explicit StabilizerSampler(std::shared_ptr<const Table> table) : table_(std::move(table)) {}
  std::shared_ptr<const Table> table_;  // shared: copies sample from one table, which nobody changes
};

}  // namespace skerry
