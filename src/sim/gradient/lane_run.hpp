/// \file
/// Carries a gate tape out: forward to the state, its observables, and back to the derivatives by every slot.
///
/// The way back is the adjoint method (Jones & Gacon 2020, arXiv:2009.02823): with ket = U_k ... U_1 |0> and
/// bra = U_{k+1}^dagger ... U_K^dagger O |psi>, dE/dtheta = 2 Re <bra| dU_k/dtheta U_k^dagger |ket>; both step back one
/// gate at a time, so that memory holds one ket and a bra for each observable, however many gates there are.
#pragma once

#include <complex>
#include <cstdint>
#include <skerry/observable.hpp>
#include <skerry/progress.hpp>
#include <span>
#include <vector>

#include "base/memory.hpp"
#include "sim/gradient/gate_tape.hpp"

namespace skerry::sim {

/// Sum of weights[i] * observables[i], ready for states of the tape's layout.
template <class T>
kernels::LaneSum<T> lane_sum(std::span<const Observable> observables, std::span<const double> weights,
                             const GateTape& tape);

/// One walk, or in a batch one walk for every lane. Used by one thread; it shares its work out itself.
template <class T>
class LaneRun {
 public:
  /// circuit and tape must outlive the run. bras: states for backward(). Errors: budget_exceeded.
  LaneRun(const Circuit& circuit, const GateTape& tape, std::size_t bras, base::MemoryBudget budget,
          const RunControl& control);
  /// What the constructor charges.
  static std::uint64_t bytes(const GateTape& tape, std::size_t bras) noexcept;

  /// Sets the angles, [rows, width]. One row; in a batch up to the number of lanes, of which the last is repeated.
  void bind(std::span<const double> slots, std::size_t rows, std::size_t width);
  /// ket = U |0>.
  void forward();
  static constexpr std::size_t kNoBra = static_cast<std::size_t>(-1);
  /// <ket|O|ket> of each row, added to values[row]; bra = O |ket>, unless it is kNoBra.
  void observe(const kernels::LaneSum<T>& sum, std::size_t bra, std::span<double> values);
  /// Steps back to |0>; out[(row * bras + bra) * width + slot] += the derivative. The bras are used up.
  void backward(std::span<double> out);

  std::size_t rows() const noexcept { return rows_; }
  std::size_t lanes() const noexcept { return std::size_t{1} << tape_.layout.lane_bits; }
  kernels::LaneView<T> ket() { return {states_[0].template as<T>().data(), tape_.vector_wires}; }
  std::span<const std::complex<double>> matrices(std::size_t row) const {
    return std::span(matrices_).subspan(row * tape_.matrix_entries, tape_.matrix_entries);
  }
  /// Applies a node to any state of the layout; a batch's state has one block.
  void apply(const TapeNode& node, kernels::LaneView<T> state);

 private:
  using Complex = std::complex<double>;

  kernels::LaneView<T> state(std::size_t i) { return {states_[i].template as<T>().data(), tape_.vector_wires}; }
  kernels::LaneView<T> block(std::size_t state, std::size_t number);
  std::size_t blocks() const noexcept;
  const T* fill(const TapeNode& node, bool dagger, T* out) const;
  void prepare(const TapeSegment& segment, bool dagger);
  void apply_wide(const TapeNode& node, kernels::LaneView<T> state, bool dagger);
  void back_by_blocks(const TapeSegment& segment);
  void back_whole(const TapeNode& node);
  void back_range(const TapeNode& node, std::size_t i, std::size_t block_number, std::size_t begin, std::size_t end,
                  std::span<T> scratch, std::span<Complex> moments);
  void gather(const TapeNode& node, std::span<const T> scratch, std::span<Complex> moments) const;
  void finish(const TapeSegment& segment, std::size_t pieces, std::span<double> out);

  const Circuit& circuit_;
  const GateTape& tape_;
  const RunControl& control_;
  std::vector<base::Buffer> states_;  ///< the ket, then the bras
  base::Buffer coefficient_buffer_;
  std::vector<std::size_t> coefficient_at_;  ///< of the nodes of the segment at hand
  std::vector<std::size_t> moment_at_;
  std::size_t moment_count_ = 0;  ///< of the segment, all bras and rows
  base::Reservation matrix_charge_;
  std::vector<Complex> matrices_, moments_;
  std::vector<double> slots_, cosines_, sines_;
  std::size_t width_ = 0, rows_ = 1;
};

}  // namespace skerry::sim
