#include <algorithm>
#include <cmath>
#include <numbers>
#include <skerry/error.hpp>
#include <skerry/fock_state.hpp>
#include <string>

#include "base/random.hpp"
#include "kernels/fock/elements.hpp"

namespace skerry::photonic {

using Complex = std::complex<double>;

namespace {

constexpr std::size_t kPoints = 4096;  // of the cumulative distribution of a quadrature

void check_uniform(double uniform) {
  if (!(uniform >= 0 && uniform < 1))
    throw Error(ErrorCode::out_of_range, "a random number of " + std::to_string(uniform), "measurement",
                "take one from 0 to below 1");
}

/// Where the cumulative sum of `density` at equally spaced points of [-reach, reach] passes `uniform`, linear between.
double invert(std::span<const double> density, double reach, double uniform) {
  std::vector<double> cumulative(density.size());
  for (std::size_t i = 1; i < density.size(); ++i)
    cumulative[i] = cumulative[i - 1] + std::max(0.0, (density[i] + density[i - 1]) / 2);
  const double target = uniform * cumulative.back(), step = 2 * reach / static_cast<double>(density.size() - 1);
  const auto after = std::upper_bound(cumulative.begin(), cumulative.end(), target);
  if (after == cumulative.end()) return reach;
  const auto i = static_cast<std::size_t>(after - cumulative.begin());
  if (i == 0) return -reach;
  const double part = (target - cumulative[i - 1]) / (cumulative[i] - cumulative[i - 1]);
  return -reach + step * (static_cast<double>(i - 1) + part);
}

std::vector<double> grid(double reach, std::size_t count) {
  std::vector<double> x(count);
  for (std::size_t i = 0; i < count; ++i)
    x[i] = -reach + 2 * reach * static_cast<double>(i) / static_cast<double>(count - 1);
  return x;
}

double reach_of(std::uint32_t cutoff) {
  return 2 * std::sqrt(static_cast<double>(cutoff)) + 6;
}

}  // namespace

void FockState::project(std::uint32_t mode, std::span<const Complex> vector, std::uint32_t left) {
  check_mode(mode);
  // A density matrix is a ket over its rows' modes and its columns' modes, with the conjugated bra on the latter.
  const std::size_t cutoff = cutoffs_[mode];
  const auto contract = [&](std::size_t stride, bool conjugated) {
    for (std::size_t base = 0; base < data_.size(); ++base) {
      if (base / stride % cutoff != 0) continue;
      Complex sum = 0;
      for (std::size_t n = 0; n < cutoff; ++n) {
        Complex& value = data_[base + n * stride];
        sum += (conjugated ? std::conj(vector[n]) : vector[n]) * value;
        value = 0;
      }
      data_[base + left * stride] = sum;
    }
  };
  std::size_t stride = 1;
  for (std::size_t k = cutoffs_.size(); k-- > mode + std::size_t{1};) stride *= cutoffs_[k];
  if (!is_mixed_) {
    contract(stride, false);
    return;
  }
  std::size_t size = 1;
  for (const std::uint32_t each : cutoffs_) size *= each;
  contract(stride * size, false);
  contract(stride, true);
}

double FockState::normalise() {
  const double weight = trace();
  if (!(weight > 0))
    throw Error(ErrorCode::invalid_argument, "an outcome of probability 0", "measurement", "select another one");
  for (Complex& c : data_) c /= is_mixed_ ? weight : std::sqrt(weight);
  return weight;
}

std::vector<Complex> FockState::quadrature_bra(std::uint32_t mode, double angle, double x) const {
  check_mode(mode);
  std::vector<double> phi(cutoffs_[mode]);
  kernels::fock::wave_functions(x, phi);
  std::vector<Complex> bra(phi.size());
  for (std::size_t n = 0; n < bra.size(); ++n) bra[n] = std::polar(phi[n], -angle * static_cast<double>(n));
  return bra;
}

double FockState::select_homodyne(std::uint32_t mode, double angle, double outcome) {
  project(mode, quadrature_bra(mode, angle, outcome), 0);
  return normalise();
}

double FockState::measure_homodyne(std::uint32_t mode, double angle, double uniform) {
  check_uniform(uniform);
  check_mode(mode);
  const double reach = reach_of(cutoffs_[mode]);
  const double outcome = invert(homodyne_density(mode, angle, grid(reach, kPoints)), reach, uniform);
  select_homodyne(mode, angle, outcome);
  return outcome;
}

Complex FockState::measure_heterodyne(std::uint32_t mode, double uniform1, double uniform2) {
  check_uniform(uniform1);
  check_uniform(uniform2);
  check_mode(mode);
  // Husimi function on a grid: first Re alpha by its marginal, then Im alpha along that line.
  constexpr std::size_t kGrid = 96;
  const std::vector<Complex> rho = reduced(mode);
  const std::size_t cutoff = cutoffs_[mode];
  const double reach = reach_of(cutoffs_[mode]) / 2;
  const std::vector<double> axis = grid(reach, kGrid);
  std::vector<Complex> bra(cutoff);
  const auto husimi = [&](Complex alpha) {
    bra[0] = std::exp(-std::norm(alpha) / 2);
    for (std::size_t n = 1; n < cutoff; ++n) bra[n] = bra[n - 1] * std::conj(alpha) / std::sqrt(static_cast<double>(n));
    double sum = 0;
    for (std::size_t m = 0; m < cutoff; ++m)
      for (std::size_t n = 0; n < cutoff; ++n) sum += (bra[m] * rho[m * cutoff + n] * std::conj(bra[n])).real();
    return sum;
  };
  std::vector<double> marginal(kGrid), line(kGrid);
  for (std::size_t i = 0; i < kGrid; ++i)
    for (std::size_t j = 0; j < kGrid; ++j) marginal[i] += husimi({axis[i], axis[j]});
  const double re = invert(marginal, reach, uniform1);
  for (std::size_t j = 0; j < kGrid; ++j) line[j] = husimi({re, axis[j]});
  const Complex alpha(re, invert(line, reach, uniform2));
  husimi(alpha);  // leaves <alpha| in bra
  project(mode, bra, 0);
  normalise();
  return alpha;
}

double FockState::select_photons(std::uint32_t mode, std::uint32_t photons) {
  check_mode(mode);
  if (photons >= cutoffs_[mode])
    throw Error(ErrorCode::out_of_range,
                std::to_string(photons) + " photons below a cutoff of " + std::to_string(cutoffs_[mode]), "measurement",
                "take a larger cutoff");
  std::vector<Complex> bra(cutoffs_[mode]);
  bra[photons] = 1.0;
  project(mode, bra, photons);
  return normalise();
}

std::uint32_t FockState::measure_photons(std::uint32_t mode, double uniform) {
  check_uniform(uniform);
  const std::vector<Complex> rho = reduced(mode);
  const std::uint32_t cutoff = cutoffs_[mode];
  double left = 0;
  for (std::uint32_t n = 0; n < cutoff; ++n) left += rho[std::size_t{n} * cutoff + n].real();
  left *= uniform;
  std::uint32_t photons = 0;
  for (; photons + 1 < cutoff; ++photons) {
    const double p = rho[std::size_t{photons} * cutoff + photons].real();
    if (left < p) break;
    left -= p;
  }
  select_photons(mode, photons);
  return photons;
}

bool FockState::measure_click(std::uint32_t mode, double uniform) {
  check_uniform(uniform);
  const std::vector<Complex> rho = reduced(mode);
  double total = 0;
  for (std::size_t n = 0; n < cutoffs_[mode]; ++n) total += rho[n * cutoffs_[mode] + n].real();
  if (uniform * total < rho[0].real()) {
    select_photons(mode, 0);
    return false;
  }
  // A click keeps what is not the vacuum, coherences between photon numbers included.
  std::size_t stride = 1, size = 1;
  for (std::size_t k = cutoffs_.size(); k-- > mode + std::size_t{1};) stride *= cutoffs_[k];
  for (const std::uint32_t each : cutoffs_) size *= each;
  for (std::size_t i = 0; i < data_.size(); ++i) {
    const bool row = (is_mixed_ ? i / size : i) / stride % cutoffs_[mode] == 0;
    const bool column = is_mixed_ && i % size / stride % cutoffs_[mode] == 0;
    if (row || column) data_[i] = 0;
  }
  normalise();
  return true;
}

std::vector<std::uint32_t> FockState::sample_photons(std::uint64_t shots, std::uint64_t seed) const {
  if (shots > std::uint64_t{1} << 32U)
    throw Error(ErrorCode::limit_exceeded, std::to_string(shots) + " shots", "Fock state", "draw fewer at once");
  std::vector<double> cumulative = probabilities();
  double sum = 0;
  for (double& value : cumulative) value = sum += std::max(0.0, value);
  std::vector<std::uint32_t> samples(shots * modes());
  base::Philox random(seed);
  for (std::uint64_t shot = 0; shot < shots; ++shot) {
    const auto found = std::upper_bound(cumulative.begin(), cumulative.end(), random.uniform() * sum);
    auto index = static_cast<std::size_t>(std::min(found, cumulative.end() - 1) - cumulative.begin());
    for (std::size_t k = modes(); k-- > 0; index /= cutoffs_[k])
      samples[shot * modes() + k] = static_cast<std::uint32_t>(index % cutoffs_[k]);
  }
  return samples;
}

std::vector<double> FockState::sample_homodyne(std::span<const double> angles, std::uint64_t shots,
                                               std::uint64_t seed) const {
  if (angles.size() != modes() || shots > std::uint64_t{1} << 32U)
    throw Error(ErrorCode::invalid_argument,
                std::to_string(angles.size()) + " angles for " + std::to_string(modes()) + " modes, " +
                    std::to_string(shots) + " shots",
                "Fock state", "pass one angle for each mode and at most 2^32 shots");
  std::vector<double> samples(shots * modes());
  for (std::uint64_t shot = 0; shot < shots; ++shot) {
    base::Philox random(seed, shot);
    FockState state = *this;
    for (std::uint32_t k = 0; k < modes(); ++k)
      samples[shot * modes() + k] = state.measure_homodyne(k, angles[k], random.uniform());
  }
  return samples;
}

}  // namespace skerry::photonic
