#include <algorithm>
#include <cmath>
#include <numbers>
#include <skerry/error.hpp>
#include <string>

#include "base/random.hpp"
#include "sim/gaussian/prepared.hpp"

namespace skerry::photonic {
namespace {

constexpr std::uint64_t kMaxNumbers = std::uint64_t{1} << 32;

void check_size(std::uint64_t shots, std::uint64_t each) {
  if (shots > kMaxNumbers / std::max<std::uint64_t>(each, 1))
    throw Error(ErrorCode::limit_exceeded, std::to_string(shots) + " shots", "Gaussian state", "draw fewer at once");
}

/// The states of modes 0 … k for all k: what the chain rule asks for.
std::vector<GaussianState> prefixes(const GaussianState& state) {
  std::vector<GaussianState> result;
  std::vector<std::uint32_t> modes;
  for (std::uint32_t k = 0; k < state.modes(); ++k) {
    modes.push_back(k);
    result.push_back(state.reduced(modes));
  }
  return result;
}

/// Two independent normal numbers of mean 0 and variance 1 (Box and Muller).
std::pair<double, double> normal_pair(base::Philox& random) {
  const double radius = std::sqrt(-2 * std::log1p(-random.uniform())), angle = 2 * std::numbers::pi * random.uniform();
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

/// Inverse of the normal distribution function by bisection: exact to the last bits, and no table.
double normal_at(double uniform) {
  double low = -40, high = 40;
  while (high - low > 1e-15 * std::max(1.0, std::abs(low))) {
    const double middle = (low + high) / 2;
    if (middle <= low || middle >= high) break;
    (std::erfc(-middle / std::numbers::sqrt2) / 2 < uniform ? low : high) = middle;
  }
  return low;
}

}  // namespace

std::vector<std::uint32_t> GaussianState::sample_photons(std::uint64_t shots, std::uint32_t cutoff,
                                                         std::uint64_t seed) const {
  check_size(shots, modes_);
  if (cutoff == 0) throw Error(ErrorCode::out_of_range, "a cutoff of 0 photons", "Gaussian state", "take 1 or more");
  const std::vector<GaussianState> parts = prefixes(*this);
  std::vector<std::uint32_t> samples(shots * modes_);
  std::vector<std::uint32_t> found;
  for (std::uint64_t shot = 0; shot < shots; ++shot) {
    base::Philox random(seed, shot);
    found.clear();
    double known = 1;
    for (std::uint32_t k = 0; k < modes_; ++k) {
      double left = random.uniform() * known, p = 0;
      found.push_back(0);
      for (; found[k] < cutoff; ++found[k]) {
        p = std::max(0.0, parts[k].prepared().probability(found));
        if (left < p || found[k] + 1 == cutoff) break;
        left -= p;
      }
      known = p;
    }
    std::copy(found.begin(), found.end(), samples.begin() + static_cast<std::ptrdiff_t>(shot * modes_));
  }
  return samples;
}

std::vector<std::uint8_t> GaussianState::sample_clicks(std::uint64_t shots, std::uint64_t seed) const {
  check_size(shots, modes_);
  const std::vector<GaussianState> parts = prefixes(*this);
  std::vector<std::uint8_t> samples(shots * modes_);
  std::vector<std::uint8_t> found;
  for (std::uint64_t shot = 0; shot < shots; ++shot) {
    base::Philox random(seed, shot);
    found.clear();
    double known = 1;
    for (std::uint32_t k = 0; k < modes_; ++k) {
      found.push_back(0);
      const double silent = std::clamp(parts[k].threshold_probability(found), 0.0, known);
      found[k] = random.uniform() * known < silent ? 0 : 1;
      known = found[k] == 0 ? silent : known - silent;
    }
    std::copy(found.begin(), found.end(), samples.begin() + static_cast<std::ptrdiff_t>(shot * modes_));
  }
  return samples;
}

std::vector<double> GaussianState::sample_heterodyne(std::uint64_t shots, std::uint64_t seed) const {
  const std::size_t size = 2 * std::size_t{modes_};
  check_size(shots, size);
  std::vector<double> factor(covariance_);
  for (std::size_t i = 0; i < size; ++i) factor[i * size + i] += 1;  // the vacuum's share
  cholesky(size, factor);
  std::vector<double> samples(shots * size), normal(size);
  for (std::uint64_t shot = 0; shot < shots; ++shot) {
    base::Philox random(seed, shot);
    for (std::size_t i = 0; i < size; i += 2) std::tie(normal[i], normal[i + 1]) = normal_pair(random);
    for (std::size_t i = 0; i < size; ++i) {
      double value = mean_[i];
      for (std::size_t j = 0; j <= i; ++j) value += factor[i * size + j] * normal[j];
      samples[shot * size + i] = value;
    }
  }
  return samples;
}

double GaussianState::measure_homodyne(std::uint32_t mode, double angle, double uniform) {
  if (!(uniform > 0 && uniform < 1))
    throw Error(ErrorCode::out_of_range, "a random number of " + std::to_string(uniform), "homodyne measurement",
                "take one between 0 and 1");
  const GaussianState one = reduced(std::span(&mode, 1));
  const double c = std::cos(angle), s = std::sin(angle);
  const double mean = c * one.mean_[0] + s * one.mean_[1];
  const double variance = c * c * one.covariance_[0] + 2 * c * s * one.covariance_[1] + s * s * one.covariance_[3];
  const double outcome = mean + std::sqrt(variance) * normal_at(uniform);
  condition_homodyne(mode, angle, outcome);
  return outcome;
}

std::complex<double> GaussianState::measure_heterodyne(std::uint32_t mode, double uniform1, double uniform2) {
  if (!(uniform1 > 0 && uniform1 < 1 && uniform2 > 0 && uniform2 < 1))
    throw Error(ErrorCode::out_of_range,
                "random numbers " + std::to_string(uniform1) + " and " + std::to_string(uniform2),
                "heterodyne measurement", "take two between 0 and 1");
  const GaussianState one = reduced(std::span(&mode, 1));
  // Both quadratures at once, each with the vacuum's share of noise; the second as it is when the first is known.
  const std::size_t size = 2 * std::size_t{modes_}, index[] = {mode, std::size_t{modes_} + mode};
  const double a = one.covariance_[0] + 1, b = one.covariance_[1], c = one.covariance_[3] + 1, det = a * c - b * b;
  const double dx = std::sqrt(a) * normal_at(uniform1), dp = b / a * dx + std::sqrt(det / a) * normal_at(uniform2);
  prepared_.reset();
  std::vector<double> with_x(size), with_p(size);
  for (std::size_t i = 0; i < size; ++i) {
    with_x[i] = covariance_[i * size + index[0]];
    with_p[i] = covariance_[i * size + index[1]];
  }
  for (std::size_t i = 0; i < size; ++i) {
    const double by_x = (c * with_x[i] - b * with_p[i]) / det, by_p = (a * with_p[i] - b * with_x[i]) / det;
    mean_[i] += by_x * dx + by_p * dp;
    for (std::size_t j = 0; j < size; ++j) covariance_[i * size + j] -= by_x * with_x[j] + by_p * with_p[j];
  }
  prepare_thermal(mode, 0);
  return {(one.mean_[0] + dx) / 2, (one.mean_[1] + dp) / 2};
}

}  // namespace skerry::photonic
