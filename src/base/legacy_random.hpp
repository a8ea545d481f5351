/// \file
/// MT19937 drawn from as NumPy's RandomState does it: the numbers that ONNX's reference gives for a node's seed.
#pragma once

#include <array>
#include <cstdint>

#include "base/random.hpp"

namespace skerry::base {

/// 2.5 kB, no allocation. Sources: Matsumoto, Nishimura, "Mersenne Twister", ACM TOMACS 8 (1998); NumPy's
/// legacy-distributions.c, whose stream of numbers is frozen (NEP 19).
class LegacyRandom {
 public:
  /// RandomState(seed).
  explicit LegacyRandom(std::uint32_t seed) noexcept;
  /// A state whose words are the next ones of `words`, for streams that no 32-bit seed tells apart.
  explicit LegacyRandom(Philox words) noexcept;

  /// random_sample(): a multiple of 2^-53 in [0, 1).
  double uniform() noexcept;
  /// standard_normal(), by Marsaglia's polar method.
  double normal() noexcept;
  /// binomial(1, probability). Precondition: 0 <= probability <= 1.
  bool bernoulli(double probability) noexcept;

 private:
  static constexpr std::size_t kWords = 624;
  std::uint32_t word() noexcept;
  void refill() noexcept;
  bool inverted(double probability) noexcept;

  std::array<std::uint32_t, kWords> words_;
  std::size_t at_ = kWords;
  double spare_ = 0.0;  // normal numbers come in pairs
  bool has_spare_ = false;
};

/// What one run draws from where a node names no seed, on the calling thread and for a scope: the run's seed, and a
/// number for each graph that is entered on the way, so that the turns of a loop draw anew.
class RunDraws {
 public:
  /// A run with this seed.
  explicit RunDraws(std::uint64_t seed) noexcept;
  /// A run with the seed of the scope around it, 0 where there is none.
  RunDraws() noexcept : RunDraws(current.seed) {}
  RunDraws(const RunDraws&) = delete;
  RunDraws& operator=(const RunDraws&) = delete;
  ~RunDraws() { current = outer_; }

  /// One graph within the run, for a scope: the first entered is the run's own.
  class Entered {
   public:
    Entered() noexcept : outer_(current.entered) { current.entered = current.graphs++; }
    Entered(const Entered&) = delete;
    Entered& operator=(const Entered&) = delete;
    ~Entered() { current.entered = outer_; }

   private:
    std::uint32_t outer_;
  };

  /// The numbers of the node of this name here.
  static LegacyRandom of(std::uint32_t name) noexcept;

 private:
  struct State {
    std::uint64_t seed = 0;
    std::uint32_t entered = 0, graphs = 0;
  };
  static thread_local State current;
  State outer_;
};

}  // namespace skerry::base
