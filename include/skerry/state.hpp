/// \file
/// A pure state of n qubits as a run left it, with the questions one asks of it; amplitudes are viewed, not copied.
#pragma once

#include <complex>
#include <cstdint>
#include <memory>
#include <skerry/observable.hpp>
#include <skerry/options.hpp>
#include <skerry/tensor.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace skerry {

/// Outcomes and how often they came, sorted by outcome. Bit 0 is the least significant, the rightmost in text.
class Counts {
 public:
  Counts() = default;
  /// outcomes: `bits` wide, packed in ceil(bits / 64) words each, ascending; times: same order.
  Counts(std::uint32_t bits, std::vector<std::uint64_t> outcomes, std::vector<std::uint64_t> times);
  std::size_t size() const noexcept { return times_.size(); }
  std::uint32_t bits() const noexcept { return bits_; }
  std::uint64_t times(std::size_t i) const noexcept { return times_[i]; }
  std::span<const std::uint64_t> outcome(std::size_t i) const noexcept;
  /// `0110`, leftmost the highest bit.
  std::string text(std::size_t i) const;
  /// Sum of all times.
  std::uint64_t shots() const noexcept;
  /// How often a bit string came; 0 if never. Errors: invalid_argument for another length or other letters.
  std::uint64_t operator[](std::string_view outcome) const;
  bool operator==(const Counts&) const = default;

 private:
  std::uint32_t bits_ = 0;
  std::vector<std::uint64_t> outcomes_, times_;
};

/// Amplitudes of 2^n basis states, wire 0 least significant. Copies share the amplitudes; nothing writes them any more.
class State {
 public:
  /// amplitudes: c64 or c128 of shape [2^n].
  explicit State(Tensor amplitudes);
  std::uint32_t num_wires() const noexcept { return num_wires_; }
  Precision precision() const noexcept;
  const Tensor& amplitudes() const noexcept { return amplitudes_; }
  /// Errors: out_of_range.
  std::complex<double> amplitude(std::uint64_t basis_state) const;
  /// Probability of each outcome of these wires, wires[0] least significant; all wires when empty. f64.
  Tensor probabilities(std::span<const std::uint32_t> wires = {}) const;
  /// <psi|O|psi>. Errors: invalid_argument when the number of wires differs.
  double expectation(const Observable& observable) const;
  /// Counts of all wires. O(2^n + shots); the same for any number of threads.
  Counts sample(std::uint64_t shots, std::uint64_t seed) const;
  /// The basis state that each shot of sample() finds, u64.
  Tensor draw(std::uint64_t shots, std::uint64_t seed) const;

 private:
  Tensor amplitudes_;
  std::uint32_t num_wires_ = 0;
};

}  // namespace skerry
