/// \file
/// Shots one stretch after the other, in memory that does not depend on how many there are.
///
///     skerry::ShotStream stream = skerry::stream_shots(circuit, {.shots = 100'000'000, .seed = 7});
///     std::vector<std::uint64_t> room(65536 * stream.words());
///     while (const std::uint64_t shots = stream.next(room)) { … }
#pragma once

#include <cstdint>
#include <memory>
#include <skerry/circuit.hpp>
#include <skerry/options.hpp>
#include <span>
#include <string>

namespace skerry {

/// The outcomes of a run's shots in order. Owns what it needs; one call at a time.
class ShotStream {
 public:
  ShotStream(ShotStream&&) noexcept;
  ShotStream& operator=(ShotStream&&) noexcept;
  ~ShotStream();

  /// Bits of an outcome, and words that hold them, bit 0 least significant.
  std::uint32_t bits() const noexcept;
  std::size_t words() const noexcept { return (std::size_t{bits()} + 63) / 64; }
  /// Shots not yet given.
  std::uint64_t remaining() const noexcept;
  const std::string& method() const noexcept;

  /// Writes the next outcomes, words() each, as many as `out` has room for; gives their number, 0 at the end.
  /// Errors: cancelled, deadline_exceeded, budget_exceeded, semantic_error; invalid_argument if not one fits.
  std::uint64_t next(std::span<std::uint64_t> out);

 private:
  friend ShotStream stream_shots(const Circuit& circuit, const RunOptions& options);
  struct Impl;
  explicit ShotStream(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Plans the run and goes to its measurements. With method `statevector` the outcomes are those that run() keeps with
/// want_memory for the same seed; a circuit that branches is run again for every 65536 shots, which share their way.
/// Other methods run once for every 65536 shots, each time under a seed made of the seed and their number. The memory
/// limit bounds the state and one such stretch. Errors: those of run(); invalid_argument if anything but shots is
/// asked.
ShotStream stream_shots(const Circuit& circuit, const RunOptions& options);

}  // namespace skerry
