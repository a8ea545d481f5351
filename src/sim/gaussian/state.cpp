#include <algorithm>
#include <cmath>
#include <numbers>
#include <skerry/error.hpp>
#include <skerry/gaussian.hpp>
#include <string>

#include "sim/gaussian/prepared.hpp"

namespace skerry::photonic {

GaussianState::GaussianState(std::uint32_t modes) : modes_(modes) {
  if (modes == 0 || modes > kMaxModes)
    throw Error(ErrorCode::out_of_range, std::to_string(modes) + " modes", "Gaussian state",
                "take 1 to " + std::to_string(kMaxModes));
  const std::size_t size = 2 * std::size_t{modes};
  mean_.assign(size, 0.0);
  covariance_.assign(size * size, 0.0);
  for (std::size_t i = 0; i < size; ++i) covariance_[i * size + i] = 1.0;
}

GaussianState::GaussianState(std::vector<double> mean, std::vector<double> covariance)
    : modes_(static_cast<std::uint32_t>(mean.size() / 2)), mean_(std::move(mean)), covariance_(std::move(covariance)) {
  const std::size_t size = mean_.size();
  if (size == 0 || size % 2 != 0 || covariance_.size() != size * size)
    throw Error(
        ErrorCode::invalid_argument,
        "a mean of " + std::to_string(size) + " and a covariance of " + std::to_string(covariance_.size()) + " numbers",
        "Gaussian state", "pass 2N and 2N x 2N");
  for (std::size_t i = 0; i < size; ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (!(std::abs(covariance_[i * size + j] - covariance_[j * size + i]) <=
            1e-9 * (1 + std::abs(covariance_[i * size + j]))))
        throw Error(ErrorCode::invalid_argument,
                    "a covariance that differs from its transpose at " + std::to_string(i) + ", " + std::to_string(j),
                    "Gaussian state", "pass a symmetric matrix");
}

GaussianState::GaussianState(const GaussianState& other)
    : modes_(other.modes_), mean_(other.mean_), covariance_(other.covariance_) {}
GaussianState::GaussianState(GaussianState&&) noexcept = default;
GaussianState& GaussianState::operator=(const GaussianState& other) {
  GaussianState copy(other);
  return *this = std::move(copy);
}
GaussianState& GaussianState::operator=(GaussianState&&) noexcept = default;
GaussianState::~GaussianState() = default;

const GaussianState::Prepared& GaussianState::prepared() const {
  if (prepared_ == nullptr) prepared_ = std::make_unique<Prepared>(modes_, mean_, covariance_);
  return *prepared_;
}

GaussianState& GaussianState::run(const Circuit& circuit, std::span<const double> weights) {
  if (circuit.modes() != modes_ || circuit.weights() != weights.size())
    throw Error(ErrorCode::invalid_argument,
                "a circuit of " + std::to_string(circuit.modes()) + " modes and " + std::to_string(circuit.weights()) +
                    " weights for " + std::to_string(modes_) + " modes and " + std::to_string(weights.size()) +
                    " weights",
                "Gaussian state", "pass what the circuit asks for");
  for (const Instruction& instruction : circuit.instructions()) apply(instruction, weights);
  return *this;
}

void GaussianState::apply(const Instruction& instruction, std::span<const double> weights) {
  using Complex = std::complex<double>;
  prepared_.reset();
  const auto [a, b] = instruction.modes;
  const double r = instruction.params[0].at(weights);
  const Complex turn = std::polar(1.0, instruction.params[1].at(weights));
  const std::uint32_t one[] = {a}, two[] = {a, b};
  switch (instruction.gate) {
    case Gate::displacement:
      mean_[a] += 2 * r * turn.real();
      mean_[modes_ + a] += 2 * r * turn.imag();
      return;
    case Gate::squeezing: {
      const Complex u[] = {std::cosh(r)}, w[] = {-turn * std::sinh(r)};
      transform(one, u, w);
      return;
    }
    case Gate::rotation: {
      const Complex u[] = {std::polar(1.0, r)}, w[] = {0.0};
      transform(one, u, w);
      return;
    }
    case Gate::beam_splitter: {
      const Complex c = std::cos(r), q = turn * std::sin(r);
      const Complex u[] = {c, -std::conj(q), q, c}, w[] = {0.0, 0.0, 0.0, 0.0};
      transform(two, u, w);
      return;
    }
    case Gate::two_mode_squeezing: {
      const Complex c = std::cosh(r), s = turn * std::sinh(r);
      const Complex u[] = {c, 0.0, 0.0, c}, w[] = {0.0, s, s, 0.0};
      transform(two, u, w);
      return;
    }
    case Gate::loss:
      scale(a, std::sqrt(r), 1 - r);
      return;
    case Gate::amplifier:
      scale(a, std::sqrt(r), r - 1);
      return;
    case Gate::kerr:
    case Gate::cross_kerr:
    case Gate::cubic_phase:
      throw Error(ErrorCode::unsupported, std::string(gate_name(instruction.gate)) + " does not keep states Gaussian",
                  "Gaussian state", "take the Fock simulator");
  }
}

void GaussianState::transform(std::span<const std::uint32_t> modes, std::span<const std::complex<double>> u,
                              std::span<const std::complex<double>> w) {
  // a -> U a + W a^ as a real matrix on (x, p) of these modes, from the left on rows and from the right on columns.
  const std::size_t k = modes.size(), rows = 2 * k, size = 2 * std::size_t{modes_};
  double real[16];
  std::size_t index[4];
  for (std::size_t i = 0; i < k; ++i) {
    index[i] = modes[i];
    index[k + i] = modes_ + modes[i];
    for (std::size_t j = 0; j < k; ++j) {
      const std::complex<double> plus = u[i * k + j] + w[i * k + j], minus = u[i * k + j] - w[i * k + j];
      real[i * rows + j] = plus.real();
      real[i * rows + k + j] = -minus.imag();
      real[(k + i) * rows + j] = plus.imag();
      real[(k + i) * rows + k + j] = minus.real();
    }
  }
  const auto mix = [&](double* values, std::size_t step) {
    double before[4];
    for (std::size_t i = 0; i < rows; ++i) before[i] = values[index[i] * step];
    for (std::size_t i = 0; i < rows; ++i) {
      double sum = 0;
      for (std::size_t j = 0; j < rows; ++j) sum += real[i * rows + j] * before[j];
      values[index[i] * step] = sum;
    }
  };
  mix(mean_.data(), 1);
  for (std::size_t column = 0; column < size; ++column) mix(covariance_.data() + column, size);
  for (std::size_t row = 0; row < size; ++row) mix(covariance_.data() + row * size, 1);
}

void GaussianState::scale(std::uint32_t mode, double factor, double noise) {
  const std::size_t size = 2 * std::size_t{modes_};
  for (const std::size_t i : {std::size_t{mode}, std::size_t{modes_} + mode}) {
    mean_[i] *= factor;
    for (std::size_t j = 0; j < size; ++j) covariance_[i * size + j] *= factor;
    for (std::size_t j = 0; j < size; ++j) covariance_[j * size + i] *= factor;
    covariance_[i * size + i] += noise;
  }
}

GaussianState GaussianState::reduced(std::span<const std::uint32_t> modes) const {
  std::vector<std::size_t> index;
  for (const std::size_t part : {std::size_t{0}, std::size_t{modes_}})
    for (const std::uint32_t mode : modes) {
      if (mode >= modes_)
        throw Error(ErrorCode::out_of_range, "mode " + std::to_string(mode) + " of " + std::to_string(modes_),
                    "Gaussian state", "modes count from 0");
      index.push_back(part + mode);
    }
  const std::size_t size = index.size();
  std::vector<double> mean(size), covariance(size * size);
  for (std::size_t i = 0; i < size; ++i) {
    mean[i] = mean_[index[i]];
    for (std::size_t j = 0; j < size; ++j) covariance[i * size + j] = covariance_[index[i] * 2 * modes_ + index[j]];
  }
  return {std::move(mean), std::move(covariance)};
}

double GaussianState::mean_photons(std::uint32_t mode) const {
  const GaussianState one = reduced(std::span(&mode, 1));
  const double x = one.mean_[0], p = one.mean_[1];
  return (one.covariance_[0] + one.covariance_[3] + x * x + p * p) / 4 - 0.5;
}

double GaussianState::wigner(std::uint32_t mode, double x, double p) const {
  const GaussianState one = reduced(std::span(&mode, 1));
  const double a = one.covariance_[0], b = one.covariance_[1], c = one.covariance_[3], determinant = a * c - b * b;
  const double dx = x - one.mean_[0], dp = p - one.mean_[1];
  const double form = (c * dx * dx - 2 * b * dx * dp + a * dp * dp) / determinant;
  return std::exp(-form / 2) / (2 * std::numbers::pi * std::sqrt(determinant));
}

double GaussianState::fock_probability(std::span<const std::uint32_t> photons) const {
  if (photons.size() != modes_)
    throw Error(ErrorCode::invalid_argument,
                std::to_string(photons.size()) + " photon numbers for " + std::to_string(modes_) + " modes",
                "Gaussian state", "pass one for each mode");
  return Prepared::probability_of(mean_, covariance_, photons);
}

double GaussianState::threshold_probability(std::span<const std::uint8_t> clicks) const {
  if (clicks.size() != modes_)
    throw Error(ErrorCode::invalid_argument,
                std::to_string(clicks.size()) + " clicks for " + std::to_string(modes_) + " modes", "Gaussian state",
                "pass one for each mode");
  return click_probability(mean_, covariance_, clicks);
}

void GaussianState::condition_homodyne(std::uint32_t mode, double angle, double outcome) {
  const double c = std::cos(angle), s = std::sin(angle);
  if (mode >= modes_)
    throw Error(ErrorCode::out_of_range, "mode " + std::to_string(mode) + " of " + std::to_string(modes_),
                "homodyne measurement", "modes count from 0");
  prepared_.reset();
  const std::size_t size = 2 * std::size_t{modes_}, ix = mode, ip = modes_ + mode;
  std::vector<double> with(size);  // covariances with the measured quadrature
  for (std::size_t i = 0; i < size; ++i) with[i] = c * covariance_[i * size + ix] + s * covariance_[i * size + ip];
  const double variance = c * with[ix] + s * with[ip], shift = outcome - c * mean_[ix] - s * mean_[ip];
  for (std::size_t i = 0; i < size; ++i) {
    mean_[i] += with[i] * shift / variance;
    for (std::size_t j = 0; j < size; ++j) covariance_[i * size + j] -= with[i] * with[j] / variance;
  }
  prepare_thermal(mode, 0);
}

void GaussianState::prepare_thermal(std::uint32_t mode, double mean_photons) {
  if (mode >= modes_ || !(mean_photons >= 0) || !std::isfinite(mean_photons))
    throw Error(
        ErrorCode::out_of_range,
        std::to_string(mean_photons) + " photons in mode " + std::to_string(mode) + " of " + std::to_string(modes_),
        "Gaussian state", "modes count from 0; take 0 photons or more");
  prepared_.reset();
  const std::size_t size = 2 * std::size_t{modes_};
  for (const std::size_t i : {std::size_t{mode}, std::size_t{modes_} + mode}) {
    mean_[i] = 0;
    for (std::size_t j = 0; j < size; ++j) covariance_[i * size + j] = covariance_[j * size + i] = 0;
    covariance_[i * size + i] = 2 * mean_photons + 1;
  }
}

}  // namespace skerry::photonic
