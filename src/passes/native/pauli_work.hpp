/// \file
/// What all networks for Pauli programs share: the strings under way, which rotations are free, and the gates so far.
#pragma once

#include <cstdint>
#include <vector>

#include "base/random.hpp"
#include "passes/native/flat.hpp"
#include "passes/native/pauli_program.hpp"
#include "passes/native/pauli_table.hpp"

namespace skerry::passes::native {

/// A controlled Pauli: p on wire a, q on wire b. It exchanges with a CX by gates of one wire.
struct PauliMove {
  Wire a = 0, b = 0;
  Letter p{}, q{};
};

inline constexpr std::size_t kPauliLayers = 3;
inline constexpr std::array kPauliLetters = {Letter::x, Letter::y, Letter::z};

/// A program on its way to nothing: every gate that is written is taken off the strings that remain. Strings 0 to
/// count-1 are the rotations, then come three rows for each wire: what Z, X and their product become (of a measured
/// wire Z alone).
class PauliWork {
 public:
  /// measured: wires of which only the Z outcome is looked at afterwards, one byte each.
  PauliWork(const PauliProgram& program, const std::vector<std::uint8_t>& measured);

  std::uint32_t wires() const noexcept { return table_.wires(); }
  const PauliTable& table() const noexcept { return table_; }
  std::size_t z_row(Wire w) const noexcept { return count_ + std::size_t{3} * w; }
  std::size_t x_row(Wire w) const noexcept { return count_ + std::size_t{3} * w + 1; }
  std::size_t product_row(Wire w) const noexcept { return count_ + std::size_t{3} * w + 2; }
  bool is_measured(Wire w) const noexcept { return measured_[w] != 0; }
  const Mask& rows() const noexcept { return rows_; }

  /// Rotations that have not been written yet.
  std::size_t left() const noexcept { return left_; }
  /// Those that nothing holds back.
  const std::vector<std::uint32_t>& front() const noexcept { return front_; }
  /// 0: the front; l + 1: what only the layers before hold back.
  const Mask& layer(std::size_t l) const noexcept { return layers_[l]; }

  /// Writes rotations of the front that have come down to one wire, until there are none.
  void emit_ready();
  /// Writes a controlled Pauli and conjugates what remains.
  void apply(const PauliMove& move);
  /// All rows of the wire have one letter.
  bool row_done(Wire w) const;
  /// Forgets the rotations, which are all written: a table of the rows alone is quicker to look through.
  void keep_rows_only();
  /// When every row has one letter: turns these to Z and X. The gates; `places` says where each wire has come to.
  Flat last_gates();

  static void set(Mask& mask, std::size_t k) { mask[k / 64] |= std::uint64_t{1} << (k % 64); }
  static bool has(const Mask& mask, std::size_t k) { return ((mask[k / 64] >> (k % 64)) & 1) != 0; }

 private:
  void find_order();
  void find_layers();
  void emit(std::size_t k, const std::vector<Wire>& wires);
  void into(Wire w, Letter from, Letter to);
  void gate_h(Wire w);
  void gate_s(Wire w);
  void mark_rows();

  const PauliProgram& program_;
  std::vector<std::uint8_t> measured_;
  std::size_t count_, left_ = 0;
  PauliTable table_;
  FlatWriter out_;
  Mask standing_, rows_;
  std::vector<std::uint32_t> blocked_by_, front_;
  std::vector<std::vector<std::uint32_t>> blocks_;
  std::vector<Mask> layers_;
};

/// Keeps the move with the least score, ties by chance.
struct BestMove {
  PauliMove move;
  double score = 1e300;
  unsigned ties = 0;
  void offer(const PauliMove& candidate, double value, base::Philox& random) {
    if (value < score - 1e-9) {
      move = candidate;
      score = value;
      ties = 1;
    } else if (value < score + 1e-9 && random() % ++ties == 0) {
      move = candidate;
    }
  }
};

/// The four controlled Paulis on wires a and b that take one of two letters away.
template <class Visit>
void visit_reducing(Wire a, Letter on_a, Wire b, Letter on_b, Visit visit) {
  for (const Letter other : kPauliLetters) {
    if (other != on_a) visit(PauliMove{a, b, other, on_b});
    if (other != on_b) visit(PauliMove{a, b, on_a, other});
  }
}

}  // namespace skerry::passes::native
