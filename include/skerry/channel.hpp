/// \file
/// Dense matrices on a few wires, and channels: what noise does to them, by Kraus operators.
#pragma once

#include <complex>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skerry {

/// A dense matrix on k wires, row-major 2^k x 2^k, first target least significant.
struct Matrix {
  std::uint32_t wires = 0;
  std::vector<std::complex<double>> values;
  bool operator==(const Matrix&) const = default;
};

/// A completely positive, trace-preserving map rho -> sum_i K_i rho K_i^dagger on a few wires. A value; always valid:
/// what makes it checks sum_i K_i^dagger K_i = 1 to kTolerance.
///
/// Errors of everything that makes one: invalid_argument that names the channel, the number and its range.
class Channel {
 public:
  static constexpr double kTolerance = 1e-8;  ///< largest entry of sum K^dagger K - 1
  static constexpr std::uint32_t kMaxWires = 4;

  /// X, Z, Y with probability p, else nothing.
  static Channel bit_flip(double p);
  static Channel phase_flip(double p);
  static Channel bit_phase_flip(double p);
  /// rho -> (1 - p) rho + p 1/2^wires: the p of Qiskit Aer. Each of the 4^wires - 1 Pauli errors has probability
  /// p / 4^wires, so p may be as large as 4^wires / (4^wires - 1).
  static Channel depolarizing(double p, std::uint32_t wires = 1);
  /// With probability p one of the 4^wires - 1 Pauli errors, each as likely: the p of Cirq and Qulacs. Equal to
  /// depolarizing(p * 4^wires / (4^wires - 1)).
  static Channel uniform_pauli(double p, std::uint32_t wires = 1);
  /// |1> falls to |0> with probability gamma.
  static Channel amplitude_damping(double gamma);
  /// Coherences shrink by sqrt(1 - lambda). Source: Nielsen & Chuang 2010, eq. 8.128.
  static Channel phase_damping(double lambda);
  /// Amplitude damping toward a mixture in which |1> has the probability `excited`.
  static Channel generalized_amplitude_damping(double gamma, double excited);
  /// `time` spent with relaxation times t1, t2 <= 2 t1 (all in one unit; infinity: never): populations approach
  /// `excited` by exp(-time / t1), coherences shrink by exp(-time / t2).
  static Channel thermal_relaxation(double t1, double t2, double time, double excited = 0.0);
  /// Pauli strings with probabilities; letter i from the right acts on wire i. What is left to 1 is the identity.
  static Channel pauli(std::span<const std::pair<std::string, double>> terms);
  /// Put into |0> with probability p0, into |1> with p1.
  static Channel reset(double p0, double p1 = 0.0);
  /// A coherent error: one unitary, applied always.
  static Channel unitary(Matrix matrix);
  /// Unitaries with probabilities that sum to 1.
  static Channel mixed_unitary(std::span<const std::pair<double, Matrix>> terms);
  static Channel kraus(std::vector<Matrix> operators);
  /// A channel of one of the kinds above by its name and numbers, in the order of the functions' arguments (`wires` of
  /// depolarizing and uniform_pauli apart). Errors: also not_found, which lists the names.
  static Channel named(std::string_view kind, std::span<const double> numbers, std::uint32_t wires = 1);
  /// This channel, then another on the same wires.
  [[nodiscard]] Channel then(const Channel& next) const;

  /// `depolarizing`, `pauli`, `kraus`, … : the name of the function that made it.
  const std::string& kind() const noexcept { return kind_; }
  /// Arguments of a named kind; empty for those given by matrices or strings.
  const std::vector<double>& numbers() const noexcept { return numbers_; }
  std::uint32_t wires() const noexcept { return wires_; }
  /// 2^wires x 2^wires each, first wire least significant.
  const std::vector<Matrix>& operators() const noexcept { return operators_; }
  /// `depolarizing(0.01)`.
  std::string text() const;
  bool operator==(const Channel&) const = default;

 private:
  Channel(std::string kind, std::vector<double> numbers, std::vector<Matrix> operators);

  std::string kind_;
  std::vector<double> numbers_;
  std::uint32_t wires_ = 1;
  std::vector<Matrix> operators_;
};

/// The numbers a named kind takes, for readers and listings.
struct ChannelKind {
  std::string_view name;
  std::vector<std::string_view> numbers;  ///< names, in order
  std::size_t required = 0;               ///< how many of them must be given
  std::vector<double> otherwise;          ///< values of the others
  bool any_wires = false;                 ///< takes `wires`
};
std::span<const ChannelKind> channel_kinds();

}  // namespace skerry
