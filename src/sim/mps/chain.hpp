/// \file
/// A matrix product state in mixed canonical form.
///
/// Site p holds A_p[l][s][r]: s is the qubit, l and r the bonds to its neighbours, row-major. Sites left of the centre
/// are left canonical (sum of A†A over l, s is 1), sites right of it right canonical, so that the centre's norm is the
/// state's, its singular values are the Schmidt coefficients of the cut beside it, and what is cut off there is the
/// best that can be cut. Source: Schollwoeck, Annals of Physics 326 (2011) 96, sections 4.4 and 7.
#pragma once

#include <cmath>
#include <cstdint>
#include <memory>
#include <skerry/checkpoint.hpp>
#include <span>
#include <vector>

#include "base/memory.hpp"
#include "kernels/mps/dense.hpp"
#include "sim/mps/layout.hpp"

namespace skerry::sim {

using kernels::Complex;

/// What may be cut off.
struct BondLimit {
  std::uint32_t most = 0;   ///< bond dimension, 0: any
  double truncation = 0.0;  ///< squared norm that one cut may lose, of 1
};

class Chain {
 public:
  /// |0…0>. bytes: what the chain will hold at most, charged at once. Errors: budget_exceeded.
  Chain(std::uint32_t wires, BondLimit limit, std::uint64_t bytes, const base::MemoryBudget& budget);
  void copy_from(const Chain& other);

  /// Applies a 2^k x 2^k matrix, row-major, wires[0] least significant. forwards: the centre ends on the last of its
  /// sites, else on the first.
  void apply(std::span<const std::uint32_t> wires, std::span<const Complex> matrix, bool forwards);
  /// Probability of finding the wire in 1.
  double probability_of_one(std::uint32_t wire);
  /// Projects on an outcome that is possible; the state is normalised again.
  void project(std::uint32_t wire, bool found);

  /// <P> of the Hermitian Pauli string with these bits, 64 wires a word.
  double expectation(std::span<const std::uint64_t> x, std::span<const std::uint64_t> z);
  /// Adds weight * probability of each outcome of `wires` (wires[0] least significant) to out.
  void add_distribution(std::span<const std::uint32_t> wires, double weight, std::span<double> out);
  /// Moves the centre to the first site, from where sample() draws.
  void prepare_sampling() { move_centre(0); }
  /// Outcomes of all wires: calls found(wire, bit) for each; uniform(i) in [0, 1) decides site i. From any thread.
  template <class Uniform, class Found>
  void sample(Uniform uniform, Found found) const;
  /// The amplitude of one basis state; is_one(wire) tells its bits.
  template <class IsOne>
  Complex amplitude(IsOne is_one) const;
  /// All amplitudes, wire 0 least significant.
  std::vector<Complex> amplitudes() const;

  /// Sum of the squared norms that were cut off, each of 1.
  double discarded() const noexcept { return discarded_; }
  /// Bound on the distance |exact - this| of the state vectors: every cut moves the state by the root of what it loses,
  /// no gate makes two states part, and the norm is put right once a cut.
  double error_bound() const noexcept { return 2 * distance_; }
  std::uint32_t widest_bond() const noexcept { return widest_; }

  /// Bytes of all sites.
  std::uint64_t bytes() const noexcept;
  /// The chain as tensors: c128, the sites one after the other; f64 [2], discarded and half of error_bound; u32 [n +
  /// 1], the bonds from the left end on; u32 [n], the wire of each site; u32 [2], the centre and the widest bond so
  /// far.
  std::vector<Tensor> parts() const;
  /// The way back. Errors: invalid_argument for parts of no chain in canonical form of so many wires, or of more than
  /// the bytes that were charged.
  void take_up(const Checkpoint& from, std::uint64_t most_bytes);

 private:
  struct Site {
    std::uint32_t left = 1, right = 1;
    std::vector<Complex> a;
  };

  void move_centre(std::uint32_t to);
  void step_right();
  void step_left();
  void apply_window(std::uint32_t first, std::size_t count, std::span<const Complex> matrix, bool forwards);
  void split_forwards(std::uint32_t first, std::size_t count);
  void split_backwards(std::uint32_t first, std::size_t count);
  std::size_t cut(std::span<const double> norms, std::vector<std::uint32_t>& kept, double& scale);
  void transfer(const Site& site, int letter, std::vector<Complex>& environment);
  void branch(std::uint32_t site, std::uint32_t last, std::span<const std::uint32_t> bit_of_site,
              std::vector<Complex> environment, std::size_t outcome, double weight, std::span<double> out);

  BondLimit limit_;
  base::Reservation charge_;
  ChainLayout layout_;
  std::vector<Site> sites_;
  std::uint32_t centre_ = 0;
  std::vector<Complex> window_, product_, factor_;
  std::vector<double> norms_;
  double discarded_ = 0.0, distance_ = 0.0;
  std::uint32_t widest_ = 1;
};

template <class IsOne>
Complex Chain::amplitude(IsOne is_one) const {
  std::vector<Complex> row = {1.0}, next;
  for (std::uint32_t site = 0; site < sites_.size(); ++site) {
    const Site& here = sites_[site];
    next.resize(2 * std::size_t{here.right});
    kernels::multiply(1, here.left, next.size(), row.data(), here.a.data(), next.data());
    const auto from = next.begin() + (is_one(layout_.wire(site)) ? here.right : 0);
    row.assign(from, from + here.right);
  }
  return row[0];
}

template <class Uniform, class Found>
void Chain::sample(Uniform uniform, Found found) const {
  std::vector<Complex> row = {1.0}, next;
  for (std::uint32_t site = 0; site < sites_.size(); ++site) {
    const Site& here = sites_[site];
    next.resize(2 * std::size_t{here.right});
    kernels::multiply(1, here.left, next.size(), row.data(), here.a.data(), next.data());
    const double zero = kernels::inner_product(next.data(), next.data(), here.right).real();
    const double one = kernels::inner_product(next.data() + here.right, next.data() + here.right, here.right).real();
    const bool bit = uniform(site) * (zero + one) >= zero && one > 0.0;
    found(layout_.wire(site), bit);
    const double scale = 1.0 / std::sqrt(bit ? one : zero);
    row.resize(here.right);
    for (std::uint32_t r = 0; r < here.right; ++r) row[r] = scale * next[r + (bit ? here.right : 0)];
  }
}

}  // namespace skerry::sim
