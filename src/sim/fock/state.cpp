#include <algorithm>
#include <cmath>
#include <numbers>
#include <skerry/error.hpp>
#include <skerry/fock_state.hpp>
#include <string>

#include "kernels/fock/elements.hpp"

namespace skerry::photonic {

using Complex = std::complex<double>;

namespace {

constexpr double kProduct = 1e-10;  // what a mode in a product may lack of purity, by rounding

std::size_t product(std::span<const std::uint32_t> cutoffs) {
  std::size_t size = 1;
  for (const std::uint32_t cutoff : cutoffs) {
    if (cutoff == 0 || cutoff > FockSimulator::kMaxCutoff)
      throw Error(ErrorCode::out_of_range, "cutoff " + std::to_string(cutoff), "Fock state",
                  "take 1 to " + std::to_string(FockSimulator::kMaxCutoff));
    size *= cutoff;
    if (size > std::size_t{1} << 32U)
      throw Error(ErrorCode::limit_exceeded, "a state of more than 2^32 numbers", "Fock state",
                  "take smaller cutoffs or fewer modes");
  }
  return size;
}

std::vector<Complex> coherent_vector(std::uint32_t cutoff, Complex alpha) {
  std::vector<Complex> vector(cutoff);
  vector[0] = std::exp(-std::norm(alpha) / 2);
  for (std::uint32_t n = 1; n < cutoff; ++n) vector[n] = vector[n - 1] * alpha / std::sqrt(static_cast<double>(n));
  return vector;
}

void divide_by_norm(std::vector<Complex>& vector) {
  double norm = 0;
  for (const Complex& c : vector) norm += std::norm(c);
  for (Complex& c : vector) c /= std::sqrt(norm);
}

}  // namespace

FockState::FockState(std::span<const std::uint32_t> cutoffs, bool is_mixed)
    : cutoffs_(cutoffs.begin(), cutoffs.end()), is_mixed_(is_mixed) {
  if (cutoffs.empty()) throw Error(ErrorCode::out_of_range, "a state of no mode", "Fock state", "take 1 mode or more");
  const std::size_t size = product(cutoffs);
  if (is_mixed && size > std::size_t{1} << 16U)
    throw Error(ErrorCode::limit_exceeded, "a density matrix of " + std::to_string(size) + " rows", "Fock state",
                "take smaller cutoffs or fewer modes");
  data_.assign(is_mixed ? size * size : size, 0.0);
}

FockState FockState::vacuum(std::span<const std::uint32_t> cutoffs) {
  FockState state(cutoffs, false);
  state.data_[0] = 1.0;
  return state;
}

FockState FockState::from_ket(std::span<const std::uint32_t> cutoffs, std::vector<Complex> ket) {
  FockState state(cutoffs, false);
  if (ket.size() != state.data_.size())
    throw Error(ErrorCode::invalid_argument,
                "a ket of " + std::to_string(ket.size()) + " amplitudes, not " + std::to_string(state.data_.size()),
                "Fock state", "pass the product of the cutoffs");
  state.data_ = std::move(ket);
  return state;
}

FockState FockState::from_density(std::span<const std::uint32_t> cutoffs, std::vector<Complex> matrix) {
  FockState state(cutoffs, true);
  if (matrix.size() != state.data_.size())
    throw Error(
        ErrorCode::invalid_argument,
        "a density matrix of " + std::to_string(matrix.size()) + " numbers, not " + std::to_string(state.data_.size()),
        "Fock state", "pass the squared product of the cutoffs");
  state.data_ = std::move(matrix);
  return state;
}

FockState FockState::fock(std::span<const std::uint32_t> cutoffs, std::span<const std::uint32_t> photons) {
  FockState state(cutoffs, false);
  if (photons.size() != cutoffs.size())
    throw Error(ErrorCode::invalid_argument,
                std::to_string(photons.size()) + " photon numbers for " + std::to_string(cutoffs.size()) + " modes",
                "Fock state", "pass one for each mode");
  std::size_t index = 0;
  for (std::size_t k = 0; k < cutoffs.size(); ++k) {
    if (photons[k] >= cutoffs[k])
      throw Error(ErrorCode::out_of_range,
                  std::to_string(photons[k]) + " photons below a cutoff of " + std::to_string(cutoffs[k]), "Fock state",
                  "take a larger cutoff");
    index = index * cutoffs[k] + photons[k];
  }
  state.data_[index] = 1.0;
  return state;
}

FockState FockState::coherent(std::span<const std::uint32_t> cutoffs, std::span<const Complex> alphas) {
  FockState state(cutoffs, false);
  if (alphas.size() != cutoffs.size())
    throw Error(ErrorCode::invalid_argument,
                std::to_string(alphas.size()) + " alphas for " + std::to_string(cutoffs.size()) + " modes",
                "Fock state", "pass one for each mode");
  std::vector<Complex> ket{1.0};
  for (std::size_t k = 0; k < cutoffs.size(); ++k) {
    const std::vector<Complex> vector = coherent_vector(cutoffs[k], alphas[k]);
    std::vector<Complex> next;
    next.reserve(ket.size() * vector.size());
    for (const Complex& left : ket)
      for (const Complex& right : vector) next.push_back(left * right);
    ket = std::move(next);
  }
  state.data_ = std::move(ket);
  return state;
}

FockState FockState::cat(std::uint32_t cutoff, Complex alpha, double phase) {
  FockState state(std::span(&cutoff, 1), false);
  const std::vector<Complex> plus = coherent_vector(cutoff, alpha), minus = coherent_vector(cutoff, -alpha);
  for (std::uint32_t n = 0; n < cutoff; ++n) state.data_[n] = plus[n] + std::polar(1.0, phase) * minus[n];
  divide_by_norm(state.data_);
  return state;
}

FockState FockState::gkp(std::uint32_t cutoff, double epsilon) {
  if (!(epsilon > 0) || !(epsilon < 10))
    throw Error(ErrorCode::out_of_range, "a damping of " + std::to_string(epsilon), "GKP state", "take one above 0");
  FockState state(std::span(&cutoff, 1), false);
  std::vector<double> phi(cutoff);
  // Peaks beyond the last wave function's reach add nothing.
  const double spacing = 2 * std::sqrt(2 * std::numbers::pi), reach = 2 * std::sqrt(cutoff + 0.5) + 12;
  for (int peak = 0; peak * spacing <= reach; ++peak)
    for (const double sign : {1.0, -1.0}) {
      if (peak == 0 && sign < 0) continue;
      kernels::fock::wave_functions(sign * peak * spacing, phi);
      for (std::uint32_t n = 0; n < cutoff; ++n) state.data_[n] += std::exp(-epsilon * n) * phi[n];
    }
  divide_by_norm(state.data_);
  return state;
}

FockState FockState::thermal(std::uint32_t cutoff, double mean_photons) {
  if (!(mean_photons >= 0) || !std::isfinite(mean_photons))
    throw Error(ErrorCode::out_of_range, std::to_string(mean_photons) + " photons", "thermal state", "take 0 or more");
  FockState state(std::span(&cutoff, 1), true);
  double probability = 1 / (1 + mean_photons);
  for (std::uint32_t n = 0; n < cutoff; ++n, probability *= mean_photons / (1 + mean_photons))
    state.data_[std::size_t{n} * cutoff + n] = probability;
  return state;
}

FockState FockState::mixed() const {
  if (is_mixed_) return *this;
  FockState state(cutoffs_, true);
  const std::size_t size = data_.size();
  for (std::size_t i = 0; i < size; ++i)
    for (std::size_t j = 0; j < size; ++j) state.data_[i * size + j] = data_[i] * std::conj(data_[j]);
  return state;
}

FockState& FockState::run(const Circuit& circuit, std::span<const double> weights, Precision precision) {
  const bool has_channel = std::any_of(circuit.instructions().begin(), circuit.instructions().end(),
                                       [](const auto& i) { return i.gate == Gate::loss || i.gate == Gate::amplifier; });
  if (has_channel && !is_mixed_) *this = mixed();
  FockSimulator simulator = is_mixed_ ? FockSimulator::density_form(circuit, cutoffs_, precision)
                                      : FockSimulator(circuit, cutoffs_, precision);
  simulator.set_weights(weights);
  std::vector<Complex> result(data_.size());
  FockOutputs out;
  out.kets = result;
  simulator.forward(1, {{}, {}, data_}, out);
  data_ = std::move(result);
  return *this;
}

FockState& FockState::prepare(std::uint32_t mode, const FockState& one) {
  check_mode(mode);
  const std::size_t cutoff = cutoffs_[mode];
  if (one.modes() != 1 || one.cutoffs_[0] != cutoff)
    throw Error(ErrorCode::invalid_argument, "a state of another shape for mode " + std::to_string(mode), "Fock state",
                "prepare one mode with a cutoff of " + std::to_string(cutoff));
  std::size_t stride = 1;
  for (std::size_t k = cutoffs_.size(); k-- > mode + std::size_t{1};) stride *= cutoffs_[k];
  if (!is_mixed_ && !one.is_mixed_) {
    const std::vector<Complex> rho = reduced(mode);
    double trace = 0, purity = 0;
    std::size_t most = 0;
    for (std::size_t n = 0; n < cutoff; ++n) {
      trace += rho[n * cutoff + n].real();
      if (rho[n * cutoff + n].real() > rho[most * cutoff + most].real()) most = n;
    }
    for (const Complex& c : rho) purity += std::norm(c);
    if (purity >= (1 - kProduct) * trace * trace) {
      // In a product the others' ket stands at every photon number of this mode; where there is most of it, it is known
      // best.
      const double weight = std::sqrt(trace / rho[most * cutoff + most].real());
      for (std::size_t base = 0; base < data_.size(); ++base) {
        if (base / stride % cutoff != 0) continue;
        const Complex others = trace > 0 ? data_[base + most * stride] * weight : 0.0;
        for (std::size_t n = 0; n < cutoff; ++n) data_[base + n * stride] = others * one.data_[n];
      }
      return *this;
    }
  }
  const FockState before = mixed(), after = one.mixed();
  const std::size_t size = product(cutoffs_);
  *this = FockState(before.cutoffs_, true);
  for (std::size_t i = 0; i < size; ++i)
    for (std::size_t j = 0; j < size; ++j) {
      if (i / stride % cutoff != 0 || j / stride % cutoff != 0) continue;
      Complex others = 0;
      for (std::size_t n = 0; n < cutoff; ++n) others += before.data_[(i + n * stride) * size + j + n * stride];
      for (std::size_t m = 0; m < cutoff; ++m)
        for (std::size_t n = 0; n < cutoff; ++n)
          data_[(i + m * stride) * size + j + n * stride] = others * after.data_[m * cutoff + n];
    }
  return *this;
}

void FockState::check_mode(std::uint32_t mode) const {
  if (mode >= modes())
    throw Error(ErrorCode::out_of_range, "mode " + std::to_string(mode) + " of " + std::to_string(modes()),
                "Fock state", "modes count from 0");
}

double FockState::trace() const {
  double sum = 0;
  for (const double p : probabilities()) sum += p;
  return sum;
}

double FockState::purity() const {
  double sum = 0;
  for (const Complex& c : data_) sum += std::norm(c);
  return is_mixed_ ? sum : sum * sum;
}

std::vector<double> FockState::probabilities() const {
  const std::size_t size = product(cutoffs_);
  std::vector<double> result(size);
  for (std::size_t i = 0; i < size; ++i) result[i] = is_mixed_ ? data_[i * size + i].real() : std::norm(data_[i]);
  return result;
}

std::vector<Complex> FockState::reduced(std::uint32_t mode) const {
  check_mode(mode);
  const std::size_t size = product(cutoffs_), cutoff = cutoffs_[mode];
  std::size_t stride = 1;
  for (std::size_t k = cutoffs_.size(); k-- > mode + std::size_t{1};) stride *= cutoffs_[k];
  std::vector<Complex> matrix(cutoff * cutoff);
  const auto add = [&](std::size_t base) {
    for (std::size_t m = 0; m < cutoff; ++m) {
      const std::size_t i = base + m * stride;
      if (is_mixed_) {
        for (std::size_t n = 0; n < cutoff; ++n) matrix[m * cutoff + n] += data_[i * size + base + n * stride];
        continue;
      }
      const double re = data_[i].real(), im = data_[i].imag();
      for (std::size_t n = 0; n <= m; ++n) {
        const Complex other = data_[base + n * stride];
        matrix[m * cutoff + n] += Complex(re * other.real() + im * other.imag(), im * other.real() - re * other.imag());
      }
    }
  };
  for (std::size_t first = 0; first < size; first += stride * cutoff)
    for (std::size_t base = first; base < first + stride; ++base) add(base);
  for (std::size_t m = 0; !is_mixed_ && m < cutoff; ++m)
    for (std::size_t n = 0; n < m; ++n) matrix[n * cutoff + m] = std::conj(matrix[m * cutoff + n]);
  return matrix;
}

double FockState::mean_photons(std::uint32_t mode) const {
  const std::vector<Complex> matrix = reduced(mode);
  double sum = 0;
  for (std::uint32_t n = 0; n < cutoffs_[mode]; ++n) sum += n * matrix[std::size_t{n} * cutoffs_[mode] + n].real();
  return sum;
}

std::pair<double, double> FockState::quadrature(std::uint32_t mode, double angle) const {
  const std::vector<Complex> rho = reduced(mode);
  const std::size_t cutoff = cutoffs_[mode];
  const Complex turn = std::polar(1.0, -angle);  // x_t = a e^{-it} + h.c.
  Complex lowered = 0, twice = 0;
  double trace = 0, photons = 0;
  for (std::size_t n = 0; n < cutoff; ++n) {
    const auto number = static_cast<double>(n);
    trace += rho[n * cutoff + n].real();
    photons += number * rho[n * cutoff + n].real();
    if (n >= 1) lowered += std::sqrt(number) * rho[n * cutoff + n - 1];
    if (n >= 2) twice += std::sqrt(number * (number - 1)) * rho[n * cutoff + n - 2];
  }
  const double mean = 2 * (turn * lowered).real();
  return {mean, 2 * (turn * turn * twice).real() + 2 * photons + trace - mean * mean};
}

std::vector<double> FockState::wigner(std::uint32_t mode, std::span<const double> x, std::span<const double> p) const {
  // W(x, p) = Tr(rho D(2 alpha) (-1)^n) / (2 pi), alpha = (x + i p) / 2. Source: Cahill, Glauber, Phys. Rev. 177, 1969.
  const std::vector<Complex> rho = reduced(mode);
  const std::size_t cutoff = cutoffs_[mode];
  const auto gate = kernels::fock::GateElements::displacement(cutoff);
  const std::size_t points = x.size() * p.size(), width = kernels::fock::GateElements::width();
  std::vector<double> elements(width * gate.elements()), scratch, result(points);
  const std::size_t block = gate.blocks()[0].at;
  for (std::size_t first = 0; first < points; first += width) {
    const std::size_t count = std::min(width, points - first);
    double radii[kernels::fock::GateElements::kMaxWidth];
    double* outs[kernels::fock::GateElements::kMaxWidth];
    for (std::size_t k = 0; k < count; ++k) {
      radii[k] = std::hypot(x[(first + k) / p.size()], p[(first + k) % p.size()]);
      outs[k] = elements.data() + k * gate.elements();
    }
    gate.evaluate<double>(std::span(radii, count), scratch, std::span<double* const>(outs, count));
    for (std::size_t k = 0; k < count; ++k) {
      const double* element = outs[k] + block;
      const Complex turn = std::polar(1.0, std::atan2(p[(first + k) % p.size()], x[(first + k) / p.size()]));
      double sum = 0;
      Complex power = 1.0;  // turn^j of the diagonals n = m + j
      for (std::size_t j = 0; j < cutoff; ++j, power *= turn)
        for (std::size_t m = 0; m + j < cutoff; ++m) {
          const double sign = m % 2 == 0 ? 1 : -1;
          sum += (j == 0 ? 1 : 2) * sign * element[(m + j) * cutoff + m] * (rho[m * cutoff + m + j] * power).real();
        }
      result[first + k] = sum / (2 * std::numbers::pi);
    }
  }
  return result;
}

std::vector<double> FockState::homodyne_density(std::uint32_t mode, double angle, std::span<const double> x) const {
  std::vector<Complex> rho = reduced(mode);
  const std::size_t cutoff = cutoffs_[mode];
  for (std::size_t m = 0; m < cutoff; ++m)
    for (std::size_t n = 0; n < cutoff; ++n)
      rho[m * cutoff + n] *= std::polar(1.0, -angle * (static_cast<double>(m) - static_cast<double>(n)));
  std::vector<double> phi(cutoff), result(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    kernels::fock::wave_functions(x[i], phi);
    double sum = 0;
    for (std::size_t m = 0; m < cutoff; ++m)
      for (std::size_t n = 0; n < cutoff; ++n) sum += rho[m * cutoff + n].real() * phi[m] * phi[n];
    result[i] = sum;
  }
  return result;
}

double FockState::fidelity(const FockState& other) const {
  if (cutoffs_ != other.cutoffs_)
    throw Error(ErrorCode::invalid_argument, "states of other cutoffs", "fidelity", "compare states of one shape");
  if (is_mixed_ && other.is_mixed_)
    throw Error(ErrorCode::unsupported, "two mixed states", "fidelity", "one of them must be pure");
  const FockState &ket = is_mixed_ ? other : *this, &second = is_mixed_ ? *this : other;
  const std::size_t size = ket.data_.size();
  Complex sum = 0;
  if (!second.is_mixed_) {
    for (std::size_t i = 0; i < size; ++i) sum += std::conj(ket.data_[i]) * second.data_[i];
    return std::norm(sum);
  }
  for (std::size_t i = 0; i < size; ++i)
    for (std::size_t j = 0; j < size; ++j) sum += std::conj(ket.data_[i]) * second.data_[i * size + j] * ket.data_[j];
  return sum.real();
}

}  // namespace skerry::photonic
