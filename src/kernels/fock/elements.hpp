/// \file
/// Fock-space matrix elements of photonic gates in double precision, by recurrences that stay accurate.
///
/// All gates stand here with real parameters and phase 0; the phases of D, S, BS and S2 are diagonal matrices on both
/// sides. Conventions: hbar = 2, D(r) = exp(r(a^ - a)), S(r) = exp(r(a² - a^²)/2), BS(t) = exp(t(a1 a2^ - a1^ a2)),
/// S2(r) = exp(r(a1^ a2^ - a1 a2)), V(g) = exp(i g x³/6), where ^ marks a dagger.
///
/// The recurrences along a column that are in general use (Miatto and Quesada, Quantum 4, 366, 2020) lose all digits
/// at large cutoffs: they run through regions where the wanted solution decays. Each function here runs along a
/// direction in which the elements grow or oscillate, so rounding grows like a polynomial only.
#pragma once

#include <complex>
#include <cstddef>
#include <span>
#include <vector>

namespace skerry::kernels::fock {

/// <m|D(r)|n> for m < rows, n < columns, row-major. Along each diagonal m - n the elements are Laguerre functions of
/// r² (three-term recurrence in their degree). Errors below 1e-14 for r <= 4 and 64 x 64.
void displacement(double r, std::size_t rows, std::size_t columns, std::span<double> out);

/// <m|S(r)|n> for m, n < size, row-major; zero where m + n is odd. Three-term recurrence down each column from the
/// first row to the diagonal, the other half by symmetry.
void squeezing(double r, std::size_t size, std::span<double> out);

/// <m|V(g)|n> and its derivative by g for m, n < size, row-major; symmetric. Trapezoidal sums over the position wave
/// functions, whose error is exponentially small once the spacing resolves the fastest phase.
/// Errors: out_of_range when |g| is so large that more than 2^20 points would be needed.
void cubic_phase(double g, std::size_t size, std::span<std::complex<double>> out,
                 std::span<std::complex<double>> derivative);

/// Position wave functions phi_0 .. phi_{size-1} at x (hbar = 2: phi_0 = (2 pi)^{-1/4} exp(-x²/4)).
void wave_functions(double x, std::span<double> out);

/// A real gate on two modes that keeps m1 + m2 (beam splitter) or m1 - m2 (two-mode squeezing) splits into blocks; the
/// rows of a block are its output states in ascending m1. One padding row of either side is there where the basis
/// |m1, m2> with m1 <= cutoff1, m2 <= cutoff2 has it: derivatives need it.
struct PairBlock {
  std::size_t first = 0;         ///< m1 of the first input state
  std::size_t size = 0;          ///< input states
  std::size_t row_first = 0;     ///< m1 of the first row; first or first - 1
  std::size_t rows = 0;          ///< size plus the padding rows
  std::size_t at = 0;            ///< elements[at + row * size + column]
  std::ptrdiff_t invariant = 0;  ///< m1 + m2, or m1 - m2
  /// m2 that belongs to an m1.
  std::size_t second(std::size_t m1, bool keeps_sum) const {
    const auto m = static_cast<std::ptrdiff_t>(m1);
    return static_cast<std::size_t>(keeps_sum ? invariant - m : m - invariant);
  }
};

/// Everything about BS(t) between two cutoffs that does not depend on t: where elements lie and how each follows from
/// its two predecessors. Elements <m1, m2|BS|n1, n2> are Wigner d functions; with all four numbers growing by one they
/// are Jacobi functions of growing degree. Cost of evaluate(): four multiplications an element.
class BeamSplitter {
 public:
  BeamSplitter(std::size_t cutoff1, std::size_t cutoff2);
  std::span<const PairBlock> blocks() const noexcept { return blocks_; }
  std::size_t elements() const noexcept { return elements_; }
  /// out: elements() values. Not for two threads at once.
  void evaluate(double t, std::span<double> out);

 private:
  struct Chain {
    double start;             // times cos^b sin^a
    std::size_t a, b;         // powers
    std::size_t step, steps;  // first recurrence step, how many
    std::size_t at;           // where the first element lies
  };
  /// Seen from x = cos 2t = 1 and from x = -1, where a polynomial p that is 1 at that end obeys
  /// p_{j+1} - p_j = keep (p_j - p_{j-1}) - turn (distance from the end) p_j, and the element is p times `grow`s.
  struct Step {
    double keep, turn, grow;
  };
  void add_chain(std::size_t m1, std::size_t m2, std::size_t n1, std::size_t n2, double start);
  std::size_t place(std::size_t m1, std::size_t m2, std::size_t n1) const;

  std::size_t cutoff1_, cutoff2_, elements_ = 0;
  std::vector<PairBlock> blocks_;
  std::vector<Chain> chains_;
  std::vector<Step> steps_[2];       // from x = 1, from x = -1
  std::vector<std::size_t> places_;  // where each step's element lies
  std::vector<double> cosines_, sines_;
};

/// S2(r) between two cutoffs, in blocks of fixed m1 - m2.
class TwoModeSqueezing {
 public:
  TwoModeSqueezing(std::size_t cutoff1, std::size_t cutoff2);
  std::span<const PairBlock> blocks() const noexcept { return blocks_; }
  std::size_t elements() const noexcept { return elements_; }
  void evaluate(double r, std::span<double> out) const;

 private:
  std::size_t elements_ = 0;
  std::vector<PairBlock> blocks_;
};

}  // namespace skerry::kernels::fock
