/// \file
/// Observables: real-weighted sums of Pauli strings.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace skerry {

/// One Pauli string in symplectic form: wire w carries X if only x has bit w, Z if only z has it, Y if both.
/// The string is the Hermitian product of its letters (a Y is iXZ, not XZ).
struct PauliTerm {
  double coefficient = 1.0;
  std::vector<std::uint64_t> x, z;  ///< bit masks, 64 wires a word, ceil(wires / 64) words
  bool operator==(const PauliTerm&) const = default;
};

/// Sum of Pauli strings on `num_wires` wires. A value.
class Observable {
 public:
  explicit Observable(std::uint32_t num_wires = 0) : num_wires_(num_wires) {}
  /// Terms as (letters, wires, coefficient): {"ZZ", {0, 1}, 0.5}. Errors: invalid_argument for a letter not in IXYZ or
  /// a length that differs, out_of_range for a wire, invalid_argument for a wire twice in a term.
  static Observable from_sparse_list(std::span<const std::tuple<std::string, std::vector<std::uint32_t>, double>> terms,
                                     std::uint32_t num_wires);
  /// `0.5*Z0 Z1 - 1.2*X2 + 3` (`*` and blanks optional; I is the identity). Errors: syntax_error with the column.
  static Observable parse(std::string_view text, std::uint32_t num_wires);

  std::uint32_t num_wires() const noexcept { return num_wires_; }
  const std::vector<PauliTerm>& terms() const noexcept { return terms_; }
  void add(std::string_view letters, std::span<const std::uint32_t> wires, double coefficient);
  /// The text parse() reads, coefficients with 17 digits.
  std::string text() const;
  bool operator==(const Observable&) const = default;

 private:
  std::uint32_t num_wires_ = 0;
  std::vector<PauliTerm> terms_;
};

}  // namespace skerry
