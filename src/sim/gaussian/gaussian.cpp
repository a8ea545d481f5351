// The method `gaussian`: circuits over modes that keep states Gaussian, by means and covariances.
#include <algorithm>
#include <cmath>
#include <skerry/error.hpp>
#include <skerry/gaussian.hpp>

#include "base/threads.hpp"
#include "sim/modes/mode_run.hpp"

namespace skerry::sim {
namespace {

using photonic::GaussianState;

constexpr std::uint64_t kMaxPatterns = std::uint64_t{1} << 16;
constexpr std::uint64_t kSmall = 1 << 16;
// Steps of a gate besides its arithmetic, and of an outcome drawn by inverting a normal distribution.
constexpr double kPerGate = 500, kPerQuadrature = 8000;

/// Random numbers that inverses of distributions are asked at may not be 0.
double inner_uniform(base::Philox& random) {
  const double value = random.uniform();
  return value > 0 ? value : 0x1p-54;
}

class GaussianModes final : public ModeState {
 public:
  explicit GaussianModes(const ModeRequest& request)
      : request_(request), state_(static_cast<std::uint32_t>(request.cutoffs.size())) {}

  std::unique_ptr<ModeState> copy() const override { return std::make_unique<GaussianModes>(*this); }
  void run(const photonic::Circuit& gates) override { state_.run(gates); }
  void prepare(Op op, std::uint32_t mode, std::span<const double> params) override {
    state_.prepare_thermal(mode, op == Op::prepare_thermal ? params[0] : 0.0);
  }

  double select(Op /*op*/, std::uint32_t mode, std::span<const double> params) override {
    const GaussianState one = state_.reduced(std::span(&mode, 1));
    const double c = std::cos(params[0]), s = std::sin(params[0]);
    const auto mean = one.mean(), covariance = one.covariance();
    const double variance = c * c * covariance[0] + 2 * c * s * covariance[1] + s * s * covariance[3];
    const double away = params[1] - c * mean[0] - s * mean[1];
    state_.condition_homodyne(mode, params[0], params[1]);
    return std::exp(-away * away / (2 * variance)) / std::sqrt(4 * std::acos(0.0) * variance);
  }

  std::array<double, 2> measure(Op op, std::uint32_t mode, double angle, base::Philox& random) override {
    if (op == Op::measure_homodyne) return {state_.measure_homodyne(mode, angle, inner_uniform(random)), 0.0};
    if (op == Op::measure_heterodyne) {
      const double first = inner_uniform(random);
      const std::complex<double> alpha = state_.measure_heterodyne(mode, first, inner_uniform(random));
      return {alpha.real(), alpha.imag()};
    }
    // Photons are counted after all else. What is counted first decides what the next mode may have: each answer is
    // that of a new sample of all modes counted so far, drawn from the same random numbers.
    if (counted_.empty()) seed_ = std::uint64_t{random()} << 32U | random();
    counted_.push_back(mode);
    const auto photons = state_.reduced(counted_).sample_photons(1, std::ranges::max(request_.cutoffs), seed_);
    return {static_cast<double>(op == Op::measure_click ? std::min(photons.back(), 1U) : photons.back()), 0.0};
  }

  bool sample(std::span<const ModeEnding> endings, std::uint64_t shots, std::uint64_t seed,
              std::span<double> out) const override {
    std::vector<std::uint32_t> modes;
    std::uint32_t cutoff = 1;
    bool clicks = true, counts = true;
    for (const ModeEnding& end : endings) {
      modes.push_back(end.mode);
      cutoff = std::max(cutoff, request_.cutoffs[end.mode]);
      clicks = clicks && end.op == Op::measure_click;
      counts = counts && (end.op == Op::measure_photons || end.op == Op::measure_click);
    }
    if (!counts) return false;
    const GaussianState asked = state_.reduced(modes);
    if (clicks) {
      std::ranges::copy(asked.sample_clicks(shots, seed), out.begin());
      return true;
    }
    const std::vector<std::uint32_t> photons = asked.sample_photons(shots, cutoff, seed);
    for (std::size_t i = 0; i < photons.size(); ++i)
      out[i] = endings[i % endings.size()].op == Op::measure_click ? std::min(photons[i], 1U) : photons[i];
    return true;
  }

  void answer(const ModeRequest& request, CircuitResult& result) const override {
    const std::uint32_t modes = state_.modes(), size = 2 * modes;
    const auto mean = state_.mean(), covariance = state_.covariance();
    std::vector<double> values[6];
    for (std::uint32_t mode = 0; mode < modes; ++mode) {
      const std::size_t x = mode, p = modes + mode;
      const double xx = covariance[x * size + x], pp = covariance[p * size + p], xp = covariance[x * size + p];
      // Var n of a Gaussian state: (tr V² - 2) / 8 + m V m / 4. Source: Dodonov et al., Phys. Rev. A 49, 2993, 1994.
      const double spread = (xx * xx + pp * pp + 2 * xp * xp - 2) / 8;
      const double moved = (mean[x] * mean[x] * xx + 2 * mean[x] * mean[p] * xp + mean[p] * mean[p] * pp) / 4;
      const double row[] = {mean[x], mean[p], state_.mean_photons(mode), xx, pp, spread + moved};
      for (std::size_t i = 0; i < 6; ++i) values[i].push_back(row[i]);
    }
    constexpr const char* kNames[] = {"x", "p", "n", "variance_x", "variance_p", "variance_n"};
    for (std::size_t i = 0; i < 6; ++i)
      result.tensors.emplace_back(kNames[i], mode_tensor(values[i], std::span(&modes, 1)));
    if (request.want_state) {
      const std::uint32_t square[] = {size, size};
      result.tensors.emplace_back("mean", mode_tensor(mean, std::span(&size, 1)));
      result.tensors.emplace_back("covariance", mode_tensor(covariance, square));
    }
    if (request.want_probabilities) result.probabilities = patterns(request);
  }

  double lost() const override { return 0.0; }

 private:
  Tensor patterns(const ModeRequest& request) const {
    std::vector<std::uint32_t> shape;
    std::size_t size = 1;
    for (const std::uint32_t mode : request.probability_modes) {
      shape.push_back(request.cutoffs[mode]);
      size *= shape.back();
    }
    const GaussianState asked = state_.reduced(request.probability_modes);
    std::vector<double> out(size);
    std::vector<std::uint32_t> photons(shape.size());
    for (std::size_t i = 0; i < size; ++i) {
      std::size_t rest = i;
      for (std::size_t k = shape.size(); k-- > 0; rest /= shape[k])
        photons[k] = static_cast<std::uint32_t>(rest % shape[k]);
      out[i] = asked.fock_probability(photons);
    }
    return mode_tensor(out, shape);
  }

  const ModeRequest& request_;
  GaussianState state_;
  std::vector<std::uint32_t> counted_;
  std::uint64_t seed_ = 0;
};

/// Why the circuit leaves the Gaussian states, if it does.
std::string obstacle(const Circuit& circuit, const ModeRequest& request) {
  bool counts = false;
  for (std::size_t i = 0; i < request.size; ++i) {
    const Op op = circuit.body()[i].op;
    if (op == Op::kerr || op == Op::cross_kerr || op == Op::cubic_phase || op == Op::prepare_fock ||
        op == Op::prepare_cat || op == Op::prepare_gkp || op == Op::select_photons)
      return mode_place(i, op) + " leaves the Gaussian states";
    if (i < request.tail && (op == Op::measure_photons || op == Op::measure_click))
      return mode_place(i, op) + " comes before the end and leaves the Gaussian states";
    counts = counts || op == Op::measure_photons || op == Op::measure_click;
    if (counts && (op == Op::measure_homodyne || op == Op::measure_heterodyne))
      return mode_place(i, op) + " comes after photons were counted; measure quadratures first";
  }
  return {};
}

class GaussianProgram final : public Program {
 public:
  GaussianProgram(Circuit circuit, ModeRequest request, std::uint64_t bytes)
      : circuit_(std::move(circuit)), request_(std::move(request)), bytes_(bytes) {}

  CircuitResult run(std::span<const double> parameters, const Resources& resources) const override {
    const base::Reservation charged(resources.memory, bytes_, "Gaussian states");
    return run_modes(circuit_, request_, GaussianModes(request_), parameters, resources);
  }

 private:
  Circuit circuit_;
  ModeRequest request_;
  std::uint64_t bytes_;
};

Expected<Estimate> estimate(const Circuit& circuit, const RunOptions& options) {
  auto made = make_mode_request(circuit, options);
  if (!made) return Unexpected{made.error()};
  const ModeRequest& request = *made;
  if (std::string why = obstacle(circuit, request); !why.empty()) return Unexpected{std::move(why)};
  std::uint64_t patterns = 1;
  double photons = 0;
  if (request.want_probabilities)
    for (const std::uint32_t mode : request.probability_modes) {
      patterns *= request.cutoffs[mode];
      photons += (request.cutoffs[mode] - 1) / 2.0;
      if (patterns > kMaxPatterns)
        return Unexpected{"probabilities of more than 2^16 photon patterns; take a smaller cutoff or fewer modes"};
    }
  const auto modes = static_cast<double>(circuit.num_wires());
  double steps = 0, draws = 0, counted = 0;
  for (std::size_t i = 0; i < request.size; ++i) {
    const Op op = circuit.body()[i].op;
    const auto repeats = i < request.first_measurement ? 1.0 : static_cast<double>(request.shots);
    if (is_mode_gate(op)) steps += repeats * (kPerGate + 16 * modes);
    if (op == Op::measure_homodyne || op == Op::measure_heterodyne)
      draws += repeats * (kPerQuadrature + 32 * modes * modes);
    if (op == Op::measure_photons || op == Op::measure_click) counted += 1;
  }
  // Each number that is drawn asks for one or two probabilities of about half as many photons as modes are counted.
  const double each = std::min(1e12, counted * counted * counted + std::exp2(counted / 4) * counted * counted);
  const double shots = static_cast<double>(request.shots) * counted * 2 * each;
  const double asked = request.want_probabilities
                           ? static_cast<double>(patterns) * (std::exp2(photons) * photons + 8 * modes * modes)
                           : 0.0;
  Estimate estimate;
  const std::uint64_t size = 2 * std::uint64_t{circuit.num_wires()};
  const int threads = options.limits.threads != 0 ? options.limits.threads : base::thread_budget();
  const std::uint64_t prefixes = counted > 0 ? 2 * std::uint64_t{circuit.num_wires()} : 0;
  estimate.peak_bytes = kSmall + size * size * sizeof(double) * (4 * static_cast<std::uint64_t>(threads) + prefixes) +
                        2 * request.shots * request.outcomes * sizeof(double) + patterns * sizeof(double);
  estimate.work = {{kernels::Rate::scalar, steps + draws + shots + asked + 64 * modes * modes},
                   {kernels::Rate::draw, static_cast<double>(request.shots) * request.outcomes}};
  // shared: a std::function is copied, and what it holds is handed over once.
  auto held = std::make_shared<ModeRequest>(std::move(made).value());
  estimate.prepare = [held, &circuit, bytes = estimate.peak_bytes] {
    return std::make_unique<GaussianProgram>(circuit, std::move(*held), bytes);
  };
  return estimate;
}

std::unique_ptr<Program> prepare(const Circuit& circuit, const RunOptions& options) {
  const auto estimated = estimate(circuit, options);
  if (!estimated) throw Error(ErrorCode::unsupported, estimated.error(), "gaussian");
  return estimated->prepare();
}

}  // namespace

extern const Method gaussian_method;
const Method gaussian_method = {
    .name = "gaussian",
    .help = "optical modes by means and covariances; exact for Gaussian gates, states and detectors at the end",
    .estimate = estimate,
    .prepare = prepare,
    .on_modes = true,
};

}  // namespace skerry::sim
