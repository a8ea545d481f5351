/// \file
/// Fock-space matrix elements of photonic gates in double precision, by recurrences that stay accurate.
///
/// All gates stand here with real parameters and phase 0; the phases of D, S, BS and S2 are diagonal matrices on both
/// sides. Conventions: hbar = 2, D(r) = exp(r(a^ - a)), S(r) = exp(r(a² - a^²)/2), BS(t) = exp(t(a1 a2^ - a1^ a2)),
/// S2(r) = exp(r(a1^ a2^ - a1 a2)), V(g) = exp(i g x³/6), where ^ marks a dagger.
///
/// The recurrences along a column that are in general use (Miatto and Quesada, Quantum 4, 366, 2020) lose all digits
/// at large cutoffs: they run through regions where the wanted solution decays. Each one here runs along a
/// direction in which the elements grow or oscillate, so rounding grows like a polynomial only.
#pragma once

#include <complex>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace skerry::kernels::fock {

/// The states between which a gate has elements: state i has first + i step photons. The states just before and after
/// are those beyond the cutoff that the generator leads to from inside, if they exist; derivatives need the gate's
/// elements from them, its columns of padding, which are stored as if they were rows -1 and `size`.
struct ElementBlock {
  std::size_t first[2] = {0, 0};    ///< photons of state 0 in the gate's modes
  std::ptrdiff_t step[2] = {0, 0};  ///< how they change from one state to the next
  std::size_t size = 0;
  bool has_low = false, has_high = false;
  std::size_t at = 0;     ///< element (row, column) is at + row * size + column
  std::size_t links = 0;  ///< size + 1 numbers: the generator's entry (i, i - 1), which is minus its entry (i - 1, i)
};

/// What the recurrences of one gate between given cutoffs need besides the gate's parameter. A value.
///
/// Displacement, along each diagonal: Laguerre functions of r². Beam splitter, with all four numbers growing by one:
/// Jacobi functions of cos 2t. Both are taken by their differences from the end where the polynomial is 1:
/// p_{j+1} - p_j = keep (p_j - p_{j-1}) - turn distance p_j. Squeezers, down each column (the column's number is the
/// eigenvalue of a three-term recurrence in the row): v_{j+1} = (stay - t² sink) v_j - t² back v_{j-1}, t = tanh r, and
/// the element is v_j t^power.
class GateElements {
 public:
  /// cutoffs: of the gate's modes.
  static GateElements displacement(std::size_t cutoff);
  static GateElements squeezing(std::size_t cutoff);
  static GateElements beam_splitter(std::size_t cutoff1, std::size_t cutoff2);
  static GateElements two_mode_squeezing(std::size_t cutoff1, std::size_t cutoff2);

  std::span<const ElementBlock> blocks() const noexcept { return blocks_; }
  std::span<const double> links() const noexcept { return links_; }
  std::size_t elements() const noexcept { return elements_; }
  /// Gates that evaluate() takes: the lanes of a vector of doubles, at most kMaxWidth.
  static std::size_t width() noexcept;
  static constexpr std::size_t kMaxWidth = 4;
  /// The elements of parameters.size() <= width() gates, converted to T, each to `elements()` numbers at out[gate]. A
  /// gate's bits do not depend on its neighbours. scratch keeps its memory from call to call.
  template <class T>
  void evaluate(std::span<const double> parameters, std::vector<double>& scratch, std::span<T* const> out) const;

  // What the vector code reads.
  enum class Kind : std::uint8_t { displacement, squeezing, beam_splitter, two_mode_squeezing };
  /// A run of one recurrence: its first value is start times powers[a] times powers[b]; its other elements follow.
  struct Chain {
    double start;
    std::uint32_t a, b;         // rows of the table of powers
    std::uint32_t step, steps;  // the first of its steps; a run of one element has none
    std::uint32_t at, mirror;   // where the first element lies, and the transposed one
    double sign;                // of the transposed elements
  };
  /// One step by differences seen from x = 1 and from x = -1; grown is the polynomial's value there.
  struct Step {
    double keep[2], turn[2], grown[2];
    std::uint32_t at, mirror;
  };
  struct SqueezeStep {
    double stay, sink, back, sign;
    std::uint32_t power, at, mirror;
  };
  Kind kind() const noexcept { return kind_; }
  std::size_t rows_of_powers() const noexcept { return rows_; }
  std::span<const Chain> chains() const noexcept { return chains_; }
  std::span<const Step> steps() const noexcept { return steps_; }
  std::span<const SqueezeStep> squeeze_steps() const noexcept { return squeeze_steps_; }
  std::size_t first_power() const noexcept { return first_power_; }

 private:
  GateElements(Kind kind, std::size_t cutoff1, std::size_t cutoff2);
  void add_block(ElementBlock block);
  void displacement_chains();
  void squeezing_columns();
  void splitter_chains();
  void splitter_chain(std::size_t m1, std::size_t m2, std::size_t n1, std::size_t n2, double start);
  void pair_squeezing_columns();
  std::uint32_t place(const ElementBlock& block, std::ptrdiff_t row, std::ptrdiff_t column) const;

  Kind kind_;
  std::size_t cutoffs_[2], elements_ = 0, rows_ = 0, first_power_ = 0;
  std::vector<ElementBlock> blocks_;
  std::vector<double> links_;
  std::vector<Chain> chains_;
  std::vector<Step> steps_;
  std::vector<SqueezeStep> squeeze_steps_;
};

/// out = factor * row, in double until it is stored: one row of an outer product of phases.
template <class T>
void turned_row(std::complex<double> factor, std::span<const double> re, std::span<const double> im, T* out_re,
                T* out_im);

/// <m|V(g)|n> and its derivative by g for m, n < size, row-major; symmetric. Trapezoidal sums over the position wave
/// functions, whose error is exponentially small once the spacing resolves the fastest phase.
/// Errors: out_of_range when |g| is so large that more than 2^20 points would be needed.
void cubic_phase(double g, std::size_t size, std::span<std::complex<double>> out,
                 std::span<std::complex<double>> derivative);

/// Position wave functions phi_0 .. phi_{size-1} at x (hbar = 2: phi_0 = (2 pi)^{-1/4} exp(-x²/4)).
void wave_functions(double x, std::span<double> out);

}  // namespace skerry::kernels::fock
