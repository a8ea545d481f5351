// The method `fock`: circuits over modes on one ket or density matrix of photon numbers.
#include <algorithm>
#include <cmath>
#include <skerry/error.hpp>
#include <skerry/fock_state.hpp>

#include "base/threads.hpp"
#include "kernels/fock/ket.hpp"
#include "sim/modes/mode_run.hpp"

namespace skerry::sim {
namespace {

using photonic::FockState;

constexpr std::uint64_t kMaxAmplitudes = std::uint64_t{1} << 32, kMaxRows = std::uint64_t{1} << 16;
constexpr double kPerEntry = 10;           // updates that an entry of a gate's matrix takes to be made
constexpr double kPerQuadrature = 5e4;     // and a quadrature's distribution, by the square of the cutoff
constexpr double kPerGate = 5;             // steps that a gate takes besides
constexpr double kMixed = 5;               // a density matrix, times a ket of as many numbers: measured
constexpr double kPerRun = 30;             // steps that a run takes besides
constexpr double kPerReduced = 12;         // updates that an amplitude times another takes in a mode's reduced state
constexpr std::uint64_t kSmall = 1 << 16;  // lists and tables that do not grow with the state

/// What of a circuit decides how its state is kept.
struct Course {
  ModeRequest request;
  bool is_mixed = false;
  std::uint64_t numbers = 1;   ///< of the ket, or of the density matrix
  std::uint64_t matrices = 0;  ///< entries of the gates of the longest run
  std::vector<kernels::Work> work;
};

class FockModes final : public ModeState {
 public:
  explicit FockModes(const ModeRequest& request) : request_(request), state_(FockState::vacuum(request.cutoffs)) {}

  std::unique_ptr<ModeState> copy() const override { return std::make_unique<FockModes>(*this); }
  void run(const photonic::Circuit& gates) override { state_.run(gates, {}, request_.precision); }

  void prepare(Op op, std::uint32_t mode, std::span<const double> params) override {
    state_.prepare(mode, one(op, request_.cutoffs[mode], params));
  }

  double select(Op op, std::uint32_t mode, std::span<const double> params) override {
    const double before = settle();
    if (op == Op::select_homodyne) return state_.select_homodyne(mode, params[0], params[1]) / before;
    return state_.select_photons(mode, whole(params[0])) / before;
  }

  std::array<double, 2> measure(Op op, std::uint32_t mode, double angle, base::Philox& random) override {
    settle();
    if (op == Op::measure_homodyne) return {state_.measure_homodyne(mode, angle, random.uniform()), 0.0};
    if (op == Op::measure_photons) return {static_cast<double>(state_.measure_photons(mode, random.uniform())), 0.0};
    if (op == Op::measure_click) return {state_.measure_click(mode, random.uniform()) ? 1.0 : 0.0, 0.0};
    const double first = random.uniform();
    const std::complex<double> alpha = state_.measure_heterodyne(mode, first, random.uniform());
    return {alpha.real(), alpha.imag()};
  }

  bool sample(std::span<const ModeEnding> endings, std::uint64_t shots, std::uint64_t seed,
              std::span<double> out) const override {
    const bool counts = std::ranges::all_of(
        endings, [](const ModeEnding& end) { return end.op == Op::measure_photons || end.op == Op::measure_click; });
    if (!counts) return false;
    const std::vector<std::uint32_t> photons = state_.sample_photons(shots, seed);
    const std::size_t modes = state_.modes();
    std::size_t at = 0;
    for (std::uint64_t shot = 0; shot < shots; ++shot)
      for (const ModeEnding& end : endings) {
        const std::uint32_t found = photons[shot * modes + end.mode];
        out[at++] = end.op == Op::measure_click ? std::min(found, 1U) : found;
      }
    return true;
  }

  void answer(const ModeRequest& request, CircuitResult& result) const override {
    const std::uint32_t modes = state_.modes();
    std::vector<double> values[6];  // x, p, n and their variances
    for (std::uint32_t mode = 0; mode < modes; ++mode) {
      const auto [x, xx] = state_.quadrature(mode, 0.0);
      const auto [p, pp] = state_.quadrature(mode, std::acos(0.0));
      const auto rho = state_.reduced(mode);
      double n = 0, nn = 0;
      for (std::uint32_t k = 0; k < request.cutoffs[mode]; ++k) {
        const double weight = rho[std::size_t{k} * request.cutoffs[mode] + k].real();
        n += k * weight;
        nn += static_cast<double>(k) * k * weight;
      }
      const double row[] = {x, p, n, xx, pp, nn - n * n};
      for (std::size_t i = 0; i < 6; ++i) values[i].push_back(row[i]);
    }
    constexpr const char* kNames[] = {"x", "p", "n", "variance_x", "variance_p", "variance_n"};
    for (std::size_t i = 0; i < 6; ++i)
      result.tensors.emplace_back(kNames[i], mode_tensor(values[i], std::span(&modes, 1)));
    if (request.want_probabilities) result.probabilities = marginal(request.probability_modes);
    if (!request.want_state) return;
    const std::vector<std::complex<double>> numbers(state_.data().begin(), state_.data().end());
    if (state_.is_pure()) {
      std::vector<std::int64_t> dims(request.cutoffs.begin(), request.cutoffs.end());
      if (dims.size() > Shape::kMaxRank) dims = {static_cast<std::int64_t>(numbers.size())};
      result.tensors.emplace_back("ket", Tensor::from(std::span(numbers), Shape(dims)));
    } else {
      const auto rows = static_cast<std::int64_t>(std::llround(std::sqrt(static_cast<double>(numbers.size()))));
      result.density = Tensor::from(std::span(numbers), {rows, rows});
    }
  }

  double lost() const override { return std::max(lost_, 1.0 - state_.trace()); }

 private:
  static std::uint32_t whole(double photons) {
    if (!(photons >= 0 && photons < photonic::FockSimulator::kMaxCutoff) || photons != std::floor(photons))
      throw Error(ErrorCode::out_of_range, std::to_string(photons) + " photons", {}, "take a whole number from 0");
    return static_cast<std::uint32_t>(photons);
  }

  static FockState one(Op op, std::uint32_t cutoff, std::span<const double> params) {
    const std::span shape(&cutoff, 1);
    if (op == Op::prepare_cat) return FockState::cat(cutoff, std::polar(1.0, params[1]) * params[0], params[2]);
    if (op == Op::prepare_gkp) return FockState::gkp(cutoff, params[0]);
    if (op == Op::prepare_thermal) return FockState::thermal(cutoff, params[0]);
    if (op == Op::prepare_vacuum) return FockState::vacuum(shape);
    const std::uint32_t photons = whole(params[0]);
    return FockState::fock(shape, std::span(&photons, 1));
  }

  /// Notes what cutoffs lost, before a measurement normalises the state; gives its trace.
  double settle() {
    const double trace = state_.trace();
    lost_ = std::max(lost_, 1.0 - trace);
    return trace;
  }

  Tensor marginal(std::span<const std::uint32_t> modes) const {
    const std::vector<double> all = state_.probabilities();
    std::vector<std::uint32_t> shape;
    std::vector<std::size_t> strides(state_.modes());
    std::size_t size = 1;
    for (const std::uint32_t mode : modes) shape.push_back(request_.cutoffs[mode]);
    for (std::size_t k = modes.size(); k-- > 0; size *= shape[k]) strides[modes[k]] = size;
    std::vector<double> out(size);
    for (std::size_t i = 0; i < all.size(); ++i) {
      std::size_t rest = i, at = 0;
      for (std::size_t mode = state_.modes(); mode-- > 0; rest /= request_.cutoffs[mode])
        at += rest % request_.cutoffs[mode] * strides[mode];
      out[at] += all[i];
    }
    return mode_tensor(out, shape);
  }

  const ModeRequest& request_;
  FockState state_;
  double lost_ = 0.0;
};

/// Entries of a gate's blocks between modes of these cutoffs, as many for its derivative.
std::uint64_t entries(Op op, std::uint64_t a, std::uint64_t b, bool is_mixed) {
  if (op == Op::beam_splitter || op == Op::two_mode_squeezing) return 2 * a * b * std::min(a, b);
  if (op == Op::loss || op == Op::amplifier) return 4 * a * a * a;
  const bool is_diagonal = op == Op::rotation || op == Op::kerr || op == Op::cross_kerr;
  return is_diagonal ? 0 : (is_mixed ? 4 : 2) * a * a;
}

Expected<Course> course_of(const Circuit& circuit, const RunOptions& options) {
  auto request = make_mode_request(circuit, options);
  if (!request) return Unexpected{request.error()};
  Course course;
  course.request = std::move(request).value();
  const std::vector<std::uint32_t>& cutoffs = course.request.cutoffs;
  std::uint64_t amplitudes = 1;
  for (const std::uint32_t cutoff : cutoffs) {
    amplitudes *= cutoff;
    if (amplitudes > kMaxAmplitudes)
      return Unexpected{std::to_string(cutoffs.size()) + " modes have more than 2^32 amplitudes; take smaller cutoffs"};
  }
  // A mode that no gate has joined with another since it was prepared or measured may be prepared anew.
  std::vector<bool> is_joined(cutoffs.size());
  for (std::size_t i = 0; i < course.request.size; ++i) {
    const Instruction at = circuit.body()[i];
    if (at.wires.size() == 2 && is_mode_gate(at.op)) is_joined[at.wires[0]] = is_joined[at.wires[1]] = true;
    const bool prepares = at.op >= Op::prepare_vacuum && at.op <= Op::prepare_thermal;
    course.is_mixed = course.is_mixed || at.op == Op::loss || at.op == Op::amplifier || at.op == Op::prepare_thermal ||
                      (prepares && is_joined[at.wires[0]]);
    if (prepares || at.op == Op::select_photons || at.op == Op::select_homodyne || is_mode_measurement(at.op))
      is_joined[at.wires[0]] = false;
  }
  if (course.is_mixed && amplitudes > kMaxRows)
    return Unexpected{"a density matrix of " + std::to_string(amplitudes) + " rows; 2^16 are the most"};
  course.numbers = course.is_mixed ? amplitudes * amplitudes : amplitudes;

  const bool is_single = options.precision == Precision::single_precision;
  const std::size_t lanes =
      is_single ? kernels::fock::ket_kernels<float>().min_lanes : kernels::fock::ket_kernels<double>().min_lanes;
  const auto rate = is_single ? kernels::Rate::amplitude_single_cached : kernels::Rate::amplitude_double_cached;
  const auto numbers = static_cast<double>(course.numbers);
  double updates = 0, gates = 0, measured = 0;
  std::uint64_t run = 0;
  for (std::size_t i = 0; i < course.request.size; ++i) {
    const Instruction at = circuit.body()[i];
    const auto repeats = i < course.request.first_measurement ? 1.0 : static_cast<double>(course.request.shots);
    if (is_mode_gate(at.op)) {
      const std::uint64_t a = cutoffs[at.wires[0]], b = cutoffs[at.wires.back()];
      const std::uint64_t matrix = entries(at.op, a, b, course.is_mixed);
      run += matrix;
      course.matrices = std::max(course.matrices, run);
      gates += repeats;
      updates += repeats * (numbers * static_cast<double>(lanes) *
                                (1 + (matrix == 0 ? 0.0 : static_cast<double>(std::min(a, b)) / 4)) *
                                (course.is_mixed ? kMixed : 1) +
                            kPerEntry * static_cast<double>(matrix));
    } else if (at.wires.size() == 1 && at.op != Op::cutoff) {
      run = 0;
      const auto cutoff = static_cast<double>(cutoffs[at.wires[0]]);
      const bool is_drawn = at.op == Op::measure_homodyne || at.op == Op::measure_heterodyne;
      const bool is_counted_last = i >= course.request.tail && course.request.measures_last() && !is_drawn;
      if (!is_counted_last)
        measured += repeats * (2 * numbers * cutoff + (is_drawn ? kPerQuadrature * cutoff * cutoff : 0.0));
    }
  }
  // Each mode's reduced state is made three times: for x, p and n.
  for (const std::uint32_t cutoff : cutoffs) {
    const double products = course.is_mixed ? cutoff : (cutoff + 1) / 2.0;
    measured += 3 * kPerReduced * static_cast<double>(amplitudes) * products;
  }
  course.work.push_back({rate, updates});
  course.work.push_back(
      {kernels::Rate::amplitude_double_cached, measured + 8 * numbers * static_cast<double>(cutoffs.size())});
  course.work.push_back({kernels::Rate::step, kPerGate * gates + kPerRun});
  course.work.push_back({kernels::Rate::draw, static_cast<double>(course.request.shots) * course.request.outcomes});
  return course;
}

std::uint64_t peak_bytes(const Course& course, int threads) {
  const bool is_single = course.request.precision == Precision::single_precision;
  const std::uint64_t element = is_single ? sizeof(float) : sizeof(double);
  const std::uint64_t lanes =
      is_single ? kernels::fock::ket_kernels<float>().min_lanes : kernels::fock::ket_kernels<double>().min_lanes;
  // A state at work: itself, what comes out, two kets of lanes and their phases; then the gates of one run.
  const std::uint64_t state = course.numbers * sizeof(std::complex<double>);
  const std::uint64_t one = 3 * state + course.numbers * element * (4 * lanes + 4) + 2 * course.matrices * element;
  const std::uint64_t samples = course.request.shots * course.request.outcomes * sizeof(double);
  const auto at_once = course.request.outcomes == 0 || course.request.shots == 0
                           ? std::uint64_t{1}
                           : std::min<std::uint64_t>(course.request.shots, static_cast<std::uint64_t>(threads));
  return kSmall + state + at_once * one + 2 * samples +
         (course.request.shots != 0 ? course.request.shots * course.request.cutoffs.size() * 4 : 0);
}

class FockProgram final : public Program {
 public:
  FockProgram(Circuit circuit, Course course, std::uint64_t bytes)
      : circuit_(std::move(circuit)), course_(std::move(course)), bytes_(bytes) {}

  CircuitResult run(std::span<const double> parameters, const Resources& resources) const override {
    const base::Reservation charged(resources.memory, bytes_, "Fock states");
    return run_modes(circuit_, course_.request, FockModes(course_.request), parameters, resources);
  }

 private:
  Circuit circuit_;
  Course course_;
  std::uint64_t bytes_;
};

Expected<Estimate> estimate(const Circuit& circuit, const RunOptions& options) {
  auto course = course_of(circuit, options);
  if (!course) return Unexpected{course.error()};
  const int threads = options.limits.threads != 0 ? options.limits.threads : base::thread_budget();
  Estimate estimate{.peak_bytes = peak_bytes(*course, threads), .work = course->work, .rounding = std::nullopt};
  // shared: a std::function is copied, and what it holds is handed over once.
  auto held = std::make_shared<Course>(std::move(course).value());
  estimate.prepare = [held, &circuit, bytes = estimate.peak_bytes] {
    return std::make_unique<FockProgram>(circuit, std::move(*held), bytes);
  };
  return estimate;
}

std::unique_ptr<Program> prepare(const Circuit& circuit, const RunOptions& options) {
  const auto estimated = estimate(circuit, options);
  if (!estimated) throw Error(ErrorCode::unsupported, estimated.error(), "fock");
  return estimated->prepare();
}

}  // namespace

extern const Method fock_method;
const Method fock_method = {
    .name = "fock",
    .help = "optical modes by photon numbers below a cutoff; any gate, a ket or a density matrix",
    .estimate = estimate,
    .prepare = prepare,
    .on_modes = true,
};

}  // namespace skerry::sim
