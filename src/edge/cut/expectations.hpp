/// \file
/// Expectation values of a whole from expectation values of its pieces.
#pragma once

#include <cstdint>
#include <skerry/observable.hpp>
#include <span>
#include <vector>

#include "edge/cut/pieces.hpp"

namespace skerry::edge::cut {

/// What each piece is asked and how the answers are put together. A term of an observable is a product over pieces; of
/// each, the part that falls on it is asked with each Pauli letter on each port: 4^ports questions.
class Expectations {
 public:
  /// place: see Straight. The observables are on the original's wires; a reference to `pieces` is kept.
  Expectations(const Pieces& pieces, std::span<const Wire> place, std::span<const Observable> observables);

  /// In order: question 4^ports * part + letters, two bits a port, I X Y Z.
  std::vector<Observable> questions(std::uint32_t piece) const;
  std::uint64_t count(std::uint32_t piece) const noexcept;
  /// answers[piece]: of its questions. O(terms of the observables * Pieces::terms()). Errors: invalid_argument for
  /// another number of them.
  std::vector<double> combine(std::span<const std::vector<double>> answers) const;

 private:
  struct Term {
    double coefficient = 0.0;
    std::vector<std::uint32_t> parts;  ///< by piece
  };
  double product(const Term& term, std::span<const std::vector<double>> answers, std::size_t link,
                 std::vector<std::uint32_t>& letters) const;

  const Pieces& pieces_;
  std::vector<std::array<double, 16>> weights_;        ///< by link
  std::vector<std::array<std::uint32_t, 2>> port_of_;  ///< of each link's two sides, the number among its piece's
  std::vector<std::vector<Wire>> ports_;               ///< by piece
  std::vector<std::vector<Observable>> parts_;         ///< by piece, different ones
  std::vector<std::vector<Term>> observables_;
};

}  // namespace skerry::edge::cut
