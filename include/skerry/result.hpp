/// \file
/// What a run gives back: answers first, then what it took.
#pragma once

#include <complex>
#include <cstdint>
#include <map>
#include <optional>
#include <skerry/state.hpp>
#include <string>
#include <utility>
#include <vector>

namespace skerry {

/// Answers of a circuit and the price paid.
struct CircuitResult {
  Counts counts;                        ///< of the bits; of all wires when the circuit measures nothing
  std::vector<std::uint64_t> memory;    ///< each shot's bits, ceil(bits / 64) words a shot, if wanted
  std::vector<double> expectations;     ///< one per observable
  std::vector<double> standard_errors;  ///< of the expectations, where they are means over trajectories; else empty
  std::optional<Tensor> probabilities;  ///< f64 [2^k]
  std::vector<std::complex<double>> amplitudes;  ///< one per basis state that was asked for
  std::optional<State> state;             ///< if wanted; after the last shot's end for circuits that measure midway
  std::optional<Tensor> density;          ///< c128 [2^k, 2^k], if wanted; first wire least significant
  std::map<std::string, double> outputs;  ///< output variables of the last shot
  double discarded_weight = 0.0;          ///< squared norm that an approximate method or a cutoff lost in all
  double error_bound = 0.0;               ///< on the distance of the state vector from the exact one; 0: exact
  std::uint32_t bond_dimension = 0;       ///< widest bond of a matrix product state; 0: another method
  /// Outputs of a model in the graph's order. Of a circuit over modes: `x`, `p`, `n` and their variances by mode,
  /// `samples` f64 [shots, outcomes] in the order of the measurements, `mean` and `covariance` or `ket`.
  std::vector<std::pair<std::string, Tensor>> tensors;
};

/// Price of a run, predicted and paid.
struct RunReport {
  std::string method;
  std::uint64_t predicted_bytes = 0, peak_bytes = 0;  ///< peak: most that was charged to the run's budget at once
  double predicted_seconds = 0.0, seconds = 0.0;
  int threads = 1;
};

/// Everything skerry::run gives.
struct Result : CircuitResult {
  RunReport report;
};

}  // namespace skerry
