/// \file
/// Ranges of activations from what was seen of them: a histogram, and four ways to cut its ends.
#pragma once

#include <array>
#include <cstdint>
#include <skerry/calibration.hpp>
#include <span>

namespace skerry::passes::quant {

struct Range {
  float low = 0.0F, high = 0.0F;
};

/// What was seen of one tensor. Two passes over the samples: the ends first, then how often what lies between.
class Seen {
 public:
  static constexpr std::size_t kBins = 2048;

  /// First pass. Not-a-number and infinities are passed over.
  void widen(std::span<const float> values) noexcept;
  /// Second pass, over the same values.
  void count(std::span<const float> values) noexcept;
  /// Always low <= 0 <= high. percentile: of Calibration::percentile.
  Range range(Calibration method, double percentile) const;

 private:
  double centre(std::size_t bin) const noexcept;
  Range cut(double tail) const noexcept;
  Range best(double (*loss)(const Seen&, Range)) const;
  static double squared_error(const Seen& seen, Range range);
  static double divergence(const Seen& seen, Range range);

  float low_ = 0.0F, high_ = 0.0F;
  std::array<std::uint64_t, kBins> bins_{};
  std::uint64_t total_ = 0;
};

/// Levels of an unsigned byte over a range: x = (q - zero) * scale, 0 exactly on a level.
struct Levels {
  float scale = 1.0F;
  std::uint8_t zero = 0;
};
Levels levels_of(Range range) noexcept;

}  // namespace skerry::passes::quant
