/// \file
/// A stabilizer circuit with noise, detectors and observables: what error correction is simulated with.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace skerry {

/// What a step does. Gates act by conjugation; phases of the whole state are left out.
enum class StabilizerOp : std::uint8_t {
  h,              ///< Hadamard on a
  s,              ///< X -> Y on a
  x,              ///< on a
  y,              ///< on a
  z,              ///< on a
  cx,             ///< control a, target b
  cz,             ///< a, b
  swap,           ///< a, b
  measure,        ///< qubit a in the Z basis into record b
  reset,          ///< qubit a to |0>
  x_if,           ///< X on qubit a if record b is 1
  z_if,           ///< Z on qubit a if record b is 1
  invert_record,  ///< record b is inverted
  noise1,         ///< channel `channel` on qubit a: X, Y, Z by weights 0, 1, 2
  noise2,         ///< channel `channel` on a and b: weight 4 p + q - 1 for Pauli p on a, q on b, 0 I, 1 X, 2 Y, 3 Z
  noise_record,   ///< record b is inverted with weight 0 of `channel`
};

struct StabilizerStep {
  StabilizerOp op{};
  std::uint32_t a = 0, b = 0;
  std::uint32_t channel = 0;
  bool operator==(const StabilizerStep&) const = default;
};

/// Probabilities of the errors of a step, of which at most one happens.
struct PauliChannel {
  std::array<double, 15> weights{};
  std::uint32_t size = 0;  ///< 1, 3 or 15 weights are meant
  double total() const noexcept;
  bool operator==(const PauliChannel&) const = default;
};

/// Steps in order, repetitions written out. A detector is a parity of records that is the same in every run without
/// noise; an observable is one whose flips are logical errors. A value; equality is structural.
class StabilizerCircuit {
 public:
  std::uint32_t num_qubits() const noexcept { return num_qubits_; }
  std::uint32_t num_measurements() const noexcept { return num_measurements_; }
  std::uint32_t num_detectors() const noexcept { return static_cast<std::uint32_t>(detector_end_.size()); }
  std::uint32_t num_observables() const noexcept { return static_cast<std::uint32_t>(observables_.size()); }
  std::span<const StabilizerStep> steps() const noexcept { return steps_; }
  std::span<const PauliChannel> channels() const noexcept { return channels_; }
  /// Records of a detector, of an observable; a record that stands there twice counts for nothing.
  std::span<const std::uint32_t> detector(std::uint32_t i) const noexcept;
  std::span<const std::uint32_t> observable(std::uint32_t i) const noexcept { return observables_[i]; }

  /// Errors: out_of_range (a record that is not yet there), invalid_argument (a qubit twice, weights outside [0, 1] or
  /// whose sum is above 1).
  void gate(StabilizerOp op, std::uint32_t a, std::uint32_t b = 0);
  /// The new record's number.
  std::uint32_t measure(std::uint32_t qubit);
  void reset(std::uint32_t qubit);
  void feedback(StabilizerOp op, std::uint32_t qubit, std::uint32_t record);
  void invert(std::uint32_t record);
  void noise(StabilizerOp op, std::uint32_t a, std::uint32_t b, const PauliChannel& channel);
  std::uint32_t add_detector(std::span<const std::uint32_t> records);
  void add_to_observable(std::uint32_t observable, std::span<const std::uint32_t> records);
  /// Makes the circuit at least this wide.
  void touch(std::uint32_t qubit);

  bool operator==(const StabilizerCircuit&) const = default;

 private:
  void append(const StabilizerStep& step);
  void check_records(std::span<const std::uint32_t> records) const;

  std::uint32_t num_qubits_ = 0, num_measurements_ = 0;
  std::vector<StabilizerStep> steps_;
  std::vector<PauliChannel> channels_;
  std::vector<std::uint32_t> detector_records_, detector_end_;
  std::vector<std::vector<std::uint32_t>> observables_;
};

}  // namespace skerry
