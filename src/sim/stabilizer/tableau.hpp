/// \file
/// A stabilizer state as its inverse tableau: what each X_w and Z_w was before the circuit.
///
/// For the circuit U so far, row x_w holds U† X_w U and row z_w holds U† Z_w U, Pauli strings on the wires of |0…0>. A
/// gate replaces the rows of its own wires by products of them. A measurement of w asks what z_w says of |0…0>: without
/// an X in it, the outcome is its sign. Otherwise the outcome is a coin, and the state is projected on it by the
/// Clifford V = (A + B) / √2 put before the circuit, where B is the measured ± z_w and A a Z_k that anticommutes with
/// it: V|0…0> is the projected state, and R -> V R V multiplies those rows by BA that anticommute with A. All rows but
/// x_w commute with B, so one pass over the rows does it, without a transposed copy. Source: Gidney, arXiv:2103.02202;
/// Aaronson, Gottesman, arXiv:quant-ph/0406196.
#pragma once

#include <cstdint>
#include <optional>
#include <skerry/stabilizer_circuit.hpp>
#include <span>
#include <vector>

#include "base/memory.hpp"

namespace skerry::sim {

class Tableau {
 public:
  /// |0…0>. Errors: budget_exceeded.
  Tableau(std::uint32_t wires, const base::MemoryBudget& budget);
  /// What a tableau charges.
  static std::uint64_t bytes(std::uint64_t wires) noexcept;
  std::uint32_t wires() const noexcept { return wires_; }
  void clear();
  void copy_from(const Tableau& other);
  /// Rows x_0, z_0, x_1, …, each ceil(wires / 64) words of X, then as many of Z; and their signs.
  void write(std::span<std::uint64_t> rows, std::span<std::uint8_t> signs) const;
  void read(std::span<const std::uint64_t> rows, std::span<const std::uint8_t> signs);

  /// A gate, h … swap.
  void apply(const StabilizerStep& step);
  /// The outcome of measuring a wire if it is determined.
  std::optional<bool> outcome(std::uint32_t wire) const;
  /// Projects an undetermined wire on an outcome.
  void project(std::uint32_t wire, bool found);
  /// The same, but only what later outcomes of the listed wires need is kept: nothing else may be asked any more.
  void project_last(std::uint32_t wire, bool found, std::span<const std::uint32_t> later);
  /// Measures, taking coin() where the outcome is not determined.
  template <class Coin>
  bool measure(std::uint32_t wire, Coin coin) {
    if (const auto known = outcome(wire)) return *known;
    const bool found = coin();
    project(wire, found);
    return found;
  }
  void flip(std::uint32_t wire) { apply({StabilizerOp::x, wire, 0, 0}); }
  /// -1, 0 or 1 for the Hermitian string with these x and z bits, 64 wires a word.
  int expectation(std::span<const std::uint64_t> x, std::span<const std::uint64_t> z) const;

  /// Outcomes of some wires in the Z basis as functions of independent coins: outcome j is bit j of `base` exclusive or
  /// the parity of (coins & masks[j]). At most 63 wires.
  struct Outcomes {
    std::uint64_t base = 0;
    std::vector<std::uint64_t> masks;
    std::uint32_t coins = 0;
  };
  Outcomes outcomes(std::span<const std::uint32_t> wires) const;

 private:
  std::uint64_t* row(std::uint32_t r) noexcept { return rows_ + 2 * words_ * r; }
  const std::uint64_t* row(std::uint32_t r) const noexcept { return rows_ + 2 * words_ * r; }
  std::uint32_t& x_row(std::uint32_t wire) noexcept { return place_[std::size_t{2} * wire]; }
  std::uint32_t& z_row(std::uint32_t wire) noexcept { return place_[std::size_t{2} * wire + 1]; }
  std::uint32_t z_row(std::uint32_t wire) const noexcept { return place_[std::size_t{2} * wire + 1]; }
  std::uint32_t x_row(std::uint32_t wire) const noexcept { return place_[std::size_t{2} * wire]; }
  void multiply(std::uint32_t to, std::uint32_t from, unsigned phase);
  std::uint32_t factor_for(std::uint32_t wire, bool found, unsigned& phase);

  std::uint32_t wires_ = 0;
  std::size_t words_ = 0;
  base::Buffer buffer_;
  std::uint64_t* rows_ = nullptr;     // 2 wires_ rows, and one for the factor of a projection
  std::vector<std::uint32_t> place_;  // row of x_0, z_0, x_1, …: a Hadamard exchanges two numbers
  std::vector<std::uint8_t> signs_;   // of rows
  std::vector<std::uint32_t> listed_;
};

}  // namespace skerry::sim
