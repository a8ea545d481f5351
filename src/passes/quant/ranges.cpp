#include "passes/quant/ranges.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace skerry::passes::quant {
namespace {

constexpr int kLevels = 256;
// Ranges that are tried, from all that was seen down to a twentieth of it.
constexpr int kTriedRanges = 96;
constexpr double kLeast = 0.05;
// What an empty level stands for where the other distribution is not empty.
constexpr double kTiny = 1e-9;

}  // namespace

void Seen::widen(std::span<const float> values) noexcept {
  for (const float value : values) {
    if (!std::isfinite(value)) continue;
    low_ = std::min(low_, value);
    high_ = std::max(high_, value);
  }
}

void Seen::count(std::span<const float> values) noexcept {
  const double width = static_cast<double>(high_) - static_cast<double>(low_);
  if (width <= 0.0) return;
  for (const float value : values) {
    if (!std::isfinite(value)) continue;
    const double at = (static_cast<double>(value) - static_cast<double>(low_)) / width * static_cast<double>(kBins);
    ++bins_[static_cast<std::size_t>(std::clamp(at, 0.0, static_cast<double>(kBins - 1)))];
    ++total_;
  }
}

double Seen::centre(std::size_t bin) const noexcept {
  const double width = (static_cast<double>(high_) - static_cast<double>(low_)) / static_cast<double>(kBins);
  return static_cast<double>(low_) + (static_cast<double>(bin) + 0.5) * width;
}

// As much of either end as `tail` of all values.
Range Seen::cut(double tail) const noexcept {
  const auto outside = static_cast<std::uint64_t>(tail * static_cast<double>(total_));
  std::size_t first = 0, last = kBins;
  for (std::uint64_t sum = bins_[0]; first + 1 < kBins && sum <= outside; sum += bins_[++first]) {
  }
  for (std::uint64_t sum = bins_[kBins - 1]; last > first + 1 && sum <= outside; sum += bins_[--last - 1]) {
  }
  const double half = (centre(1) - centre(0)) / 2;
  return {std::min(static_cast<float>(centre(first) - half), 0.0F),
          std::max(static_cast<float>(centre(last - 1) + half), 0.0F)};
}

// Both ends move towards 0 at once: most activations begin at 0, others are about as wide on either side.
Range Seen::best(double (*loss)(const Seen&, Range)) const {
  Range best{low_, high_};
  double least = std::numeric_limits<double>::infinity();
  for (int i = 0; i <= kTriedRanges; ++i) {
    const auto share = static_cast<float>(1.0 - (1.0 - kLeast) * i / kTriedRanges);
    const Range range{low_ * share, high_ * share};
    const double found = loss(*this, range);
    if (found < least) least = found, best = range;
  }
  return best;
}

double Seen::squared_error(const Seen& seen, Range range) {
  const Levels levels = levels_of(range);
  double sum = 0.0;
  for (std::size_t bin = 0; bin < kBins; ++bin) {
    if (seen.bins_[bin] == 0) continue;
    const double x = seen.centre(bin), scale = levels.scale;
    const double q = std::clamp(std::nearbyint(x / scale) + levels.zero, 0.0, 255.0);
    const double error = (q - levels.zero) * scale - x;
    // Within a level, values are spread evenly.
    const bool inside = q > 0.0 && q < 255.0;
    sum +=
        static_cast<double>(seen.bins_[bin]) * (inside ? std::max(error * error, scale * scale / 12) : error * error);
  }
  return sum;
}

// D(P | Q): P are the values with what lies outside put at the ends; Q has of each level only the mean.
double Seen::divergence(const Seen& seen, Range range) {
  std::vector<double> p(kBins, 0.0);
  std::vector<std::size_t> level(kBins, 0);
  std::array<double, kLevels> mass{}, filled{};
  const double width = static_cast<double>(range.high) - static_cast<double>(range.low);
  std::size_t first = kBins, last = 0;
  for (std::size_t bin = 0; bin < kBins; ++bin) {
    const double at = (seen.centre(bin) - static_cast<double>(range.low)) / width;
    if (at < 0.0 || at >= 1.0) continue;
    first = std::min(first, bin);
    last = bin;
    level[bin] = static_cast<std::size_t>(at * kLevels);
  }
  if (first > last) return std::numeric_limits<double>::infinity();
  for (std::size_t bin = first; bin <= last; ++bin) {
    const auto count = static_cast<double>(seen.bins_[bin]);
    mass[level[bin]] += count;
    filled[level[bin]] += count > 0.0 ? 1.0 : 0.0;
    p[bin] = count;
  }
  for (std::size_t bin = 0; bin < kBins; ++bin) {
    if (bin < first) p[first] += static_cast<double>(seen.bins_[bin]);
    if (bin > last) p[last] += static_cast<double>(seen.bins_[bin]);
  }
  double inside = 0.0, sum = 0.0;
  for (const double m : mass) inside += m;
  if (inside <= 0.0) return std::numeric_limits<double>::infinity();
  const auto total = static_cast<double>(seen.total_);
  for (std::size_t bin = first; bin <= last; ++bin) {
    if (p[bin] <= 0.0) continue;
    const bool empty = seen.bins_[bin] == 0;  // an end that only took what lay outside
    const double q = empty ? kTiny : mass[level[bin]] / filled[level[bin]] / inside;
    sum += p[bin] / total * std::log(p[bin] / total / q);
  }
  return sum;
}

Range Seen::range(Calibration method, double percentile) const {
  if (total_ == 0) return {low_, high_};
  switch (method) {
    case Calibration::min_max:
      return {low_, high_};
    case Calibration::percentile:
      return cut(1.0 - percentile / 100.0);
    case Calibration::entropy:
      return best(divergence);
    case Calibration::mse:
      return best(squared_error);
  }
  return {low_, high_};
}

Levels levels_of(Range range) noexcept {
  const float width = range.high - range.low;
  if (!(width > std::numeric_limits<float>::min() * 256) || !std::isfinite(width)) return {};
  const float scale = width / 255.0F;
  return {scale, static_cast<std::uint8_t>(std::clamp(std::nearbyint(-range.low / scale), 0.0F, 255.0F))};
}

}  // namespace skerry::passes::quant
