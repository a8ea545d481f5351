/// \file
/// Runs a circuit over modes on any kind of state of light: gates in runs, measurements, what is fed forward.
#pragma once

#include <array>
#include <complex>
#include <cstdint>
#include <memory>
#include <skerry/circuit.hpp>
#include <skerry/photonic.hpp>
#include <span>
#include <string>
#include <vector>

#include "base/expected.hpp"
#include "base/random.hpp"
#include "sim/method.hpp"

namespace skerry::sim {

/// What a circuit over modes asks of a method, known before it runs.
struct ModeRequest {
  /// cutoff of each mode: the options', else the circuit's, else 10.
  std::vector<std::uint32_t> cutoffs;
  std::size_t first_measurement = 0;  ///< body index; the way there is the same for all shots
  std::size_t tail = 0;               ///< from here on nothing but measurements, the last of the circuit
  std::size_t size = 0;               ///< where the body ends
  std::uint32_t outcomes = 0;         ///< columns of `samples`
  std::uint64_t shots = 0, seed = 0;
  Precision precision = Precision::double_precision;
  bool want_state = false, want_probabilities = false;
  std::vector<std::uint32_t> probability_modes;

  /// Nothing is done between two measurements.
  bool measures_last() const noexcept { return first_measurement == tail; }
};

/// The request, or why no method over modes can do that. Errors: out_of_range (cutoff, modes asked for).
Expected<ModeRequest> make_mode_request(const Circuit& circuit, const RunOptions& options);

/// A measurement at the end of a circuit.
struct ModeEnding {
  Op op{};
  std::uint32_t mode = 0;
  double angle = 0.0;
};

/// A state of light that a method computes with.
class ModeState {
 public:
  virtual ~ModeState() = default;
  virtual std::unique_ptr<ModeState> copy() const = 0;
  virtual void run(const photonic::Circuit& gates) = 0;
  /// op: a row prepare_… of modes.def.
  virtual void prepare(Op op, std::uint32_t mode, std::span<const double> params) = 0;
  /// Probability (density) of the outcome, on which the state is conditioned.
  virtual double select(Op op, std::uint32_t mode, std::span<const double> params) = 0;
  /// Draws an outcome of measurement op; heterodyne gives two numbers, others one in [0].
  virtual std::array<double, 2> measure(Op op, std::uint32_t mode, double angle, base::Philox& random) = 0;
  /// All shots of these last measurements into out, [shots][outcomes]; false if they are better drawn one by one.
  virtual bool sample(std::span<const ModeEnding> endings, std::uint64_t shots, std::uint64_t seed,
                      std::span<double> out) const = 0;
  /// Means, variances and what else was asked for; exact.
  virtual void answer(const ModeRequest& request, CircuitResult& result) const = 0;
  /// Norm that cutoffs have lost so far.
  virtual double lost() const = 0;
};

/// Runs the circuit from `vacuum`. Errors: those of the state, with the gate; semantic_error of expressions.
CircuitResult run_modes(const Circuit& circuit, const ModeRequest& request, const ModeState& vacuum,
                        std::span<const double> parameters, const Resources& resources);

/// Gate of photonic circuits of that op. Precondition: op is one of the first rows of modes.def, up to amplifier.
photonic::Gate mode_gate(Op op) noexcept;
constexpr bool is_mode_gate(Op op) noexcept {
  return op >= Op::displacement && op <= Op::amplifier;
}

/// `gate 7 (kerr)`.
std::string mode_place(std::size_t index, Op op);

/// f64 of these elements; one axis if the shape has more than a tensor can have.
Tensor mode_tensor(std::span<const double> values, std::span<const std::uint32_t> shape);

}  // namespace skerry::sim
