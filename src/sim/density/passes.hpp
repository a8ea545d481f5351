/// \file
/// Gates and channels as Pauli transfer matrices, gathered into as few passes over the state as may be.
#pragma once

#include <array>
#include <complex>
#include <optional>
#include <skerry/circuit.hpp>
#include <span>
#include <vector>

#include "kernels/density/transfer.hpp"

namespace skerry::sim {

inline constexpr std::complex<double> kPowersOfI[] = {1, {0, 1}, -1, {0, -1}};

/// R[P][Q] = 2^-k Re sum_i tr(P K_i Q K_i^dagger), 4^k x 4^k row-major, Pauli strings numbered as in transfer.hpp.
/// Precondition: at least one operator, all on k <= 4 wires. Source: Greenbaum 2015, arXiv:1509.02921, eq. 2.12.
std::vector<double> pauli_transfer(std::span<const Matrix> operators);

/// Gathers maps. A map on one digit waits until one on several touches its digit, and is applied in that one's pass;
/// maps on the same pair of digits are multiplied.
class Passes {
 public:
  explicit Passes(int wires) : waiting_(static_cast<std::size_t>(wires)), last_(waiting_.size(), kNone) {}
  /// matrix: of digits.size() wires. Digits distinct.
  void add(std::span<const int> digits, std::span<const double> matrix);
  /// All that was added, in an order that gives the same; empty afterwards.
  template <class T>
  std::vector<kernels::Transfer<T>> take();

 private:
  using Four = std::array<double, 16>;
  static constexpr std::size_t kNone = ~std::size_t{0};
  struct Pass {
    std::vector<int> digits;
    std::vector<Four> before;
    std::vector<double> rows;
  };
  void begin_pass(std::span<const int> digits, std::vector<double> rows);
  bool joins_last(std::span<const int> digits, std::span<const double> matrix);
  void flush();

  std::vector<std::optional<Four>> waiting_;
  std::vector<std::size_t> last_;  // the last pass on each digit
  std::vector<Pass> passes_;
};

}  // namespace skerry::sim
