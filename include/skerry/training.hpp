/// \file
/// Training of a photonic generative adversarial network, the same numbers for a seed on every run.
///
///     skerry::train::GanTrainer trainer({.task = "ring", .seed = 1, .batch = 16});
///     for (int step = 0; step < 100; ++step) trainer.step();
///     double distance = trainer.metrics().sliced_w1;
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <skerry/generator.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::train {

struct GanOptions {
  std::string task = "ring";  ///< ring (8 Gaussians on a circle), two_blob, four_blob
  std::uint64_t seed = 1;
  std::uint32_t batch = 64;
  double rate = 0.01;  ///< of both networks; Adam 0.5, 0.99, 1e-8
  photonic::GeneratorOptions generator;
};

/// How near 1024 generated points are to 1024 of the task's.
struct GanMetrics {
  double sliced_w1 = 0;         ///< mean absolute difference of sorted projections on 64 directions
  double mmd2 = 0;              ///< unbiased squared maximum mean discrepancy, Gaussian kernels of .1 .25 .5 1
  std::uint32_t modes_hit = 0;  ///< centres with more than a fifth of their share of points within 3 sigma
  std::uint32_t modes = 0;
};

/// Losses of one step, before its updates.
struct GanLosses {
  double discriminator = 0, generator = 0, leak = 0;
};

/// Generator, dense discriminator (2-32-32-1, leaky ReLU 0.2) and the optimiser's state. Random numbers are splitmix64
/// of seed and counter, so any step's data can be drawn again and a resumed run continues with the same bits.
class GanTrainer {
 public:
  /// Errors: invalid_argument (task, batch of 0, rate that is not positive, other than 2 modes), those of Generator.
  explicit GanTrainer(const GanOptions& options);
  GanTrainer(GanTrainer&&) noexcept;
  GanTrainer& operator=(GanTrainer&&) noexcept;
  ~GanTrainer();

  /// One update of the discriminator, then one of the generator.
  /// Errors: semantic_error when a parameter is no longer finite: training has diverged.
  GanLosses step();
  std::uint64_t steps() const noexcept;
  GanMetrics metrics();
  const GanOptions& options() const noexcept;

  /// Generated points of [count][2] for latents that follow from a seed.
  std::vector<double> sample(std::size_t count, std::uint64_t seed);

  /// Text of options, step, parameters and moments, exact to the bit; written atomically. Errors: io_error.
  void save(const std::filesystem::path& path) const;
  /// Errors: corrupt, version_too_new, not_found, limit_exceeded.
  static GanTrainer load(const std::filesystem::path& path);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Points of [count][2] of a task. Errors: invalid_argument.
std::vector<double> draw_task(std::string_view task, std::uint64_t seed, std::size_t count);
/// Uniform splitmix64 numbers in (0, 1) and the normal ones that Box and Muller make of them.
std::vector<double> uniform_numbers(std::uint64_t seed, std::size_t count);
std::vector<double> normal_numbers(std::uint64_t seed, std::size_t count);
/// Of two sets of [count][2]. Errors: invalid_argument when their sizes differ.
double sliced_wasserstein(const std::vector<double>& a, const std::vector<double>& b);
double squared_mmd(const std::vector<double>& a, const std::vector<double>& b);

}  // namespace skerry::train
