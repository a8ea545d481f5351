#include "sim/trajectories/trajectory_run.hpp"

#include <algorithm>
#include <cmath>
#include <memory>

#include "base/random.hpp"
#include "base/threads.hpp"
#include "sim/state/leaving.hpp"

namespace skerry::sim {
namespace {

constexpr std::size_t kBlock = 64;
/// Batches of a piece, which starts a reference of its own.
constexpr std::size_t kBatches = 4;
constexpr std::size_t kMaxPieces = 64;

std::size_t pieces_of(std::uint64_t shots, std::size_t lanes) {
  const std::size_t batches = (shots + lanes - 1) / lanes;
  return std::clamp<std::size_t>(batches / kBatches, 1, kMaxPieces);
}

std::size_t blocks_of(int wires) {
  return std::max<std::size_t>((std::size_t{1} << wires) / kBlock, 1);
}

}  // namespace

bool is_branching(const NoisyProgram& program) {
  return std::any_of(program.code.steps.begin(), program.code.steps.begin() + program.code.tail, [](const Step& step) {
    return step.kind == StepKind::assign || step.kind == StepKind::jump || step.kind == StepKind::jump_unless;
  });
}

std::size_t batch_lanes(const NoisyProgram& program) {
  const bool single = program.options.precision == Precision::single_precision;
  return single ? kernels::kTrajectories<float> : kernels::kTrajectories<double>;
}

std::uint64_t trajectory_peak_bytes(const NoisyProgram& program) {
  const RunOptions& options = program.options;
  const int budget = base::thread_budget();
  const auto threads =
      static_cast<std::uint64_t>(options.limits.threads == 0 ? budget : std::min(options.limits.threads, budget));
  const std::uint64_t line = 128;  // bytes of one amplitude of eight trajectories
  const std::uint64_t state = line << program.wires;
  const std::uint64_t pieces = pieces_of(options.shots, batch_lanes(program));
  const std::uint64_t working = std::min(threads, pieces) * (2 * state + 64 * blocks_of(program.wires));
  const OutcomeShape shape = program.outcome_shape();
  const std::uint64_t each = 16 + 8 * (shape.words() + options.observables.size());
  const std::uint64_t kept = options.shots * each + (pieces + 2) * program.distribution_bytes();
  // The reference that is sampled at the end has a table of its own.
  const std::uint64_t clean = state + (std::uint64_t{8} << program.wires);
  return kept + std::max({working, clean, shape.store_bytes() + shape.counts_bytes()});
}

template <class T>
TrajectoryRun<T>::TrajectoryRun(const NoisyProgram& program, std::vector<Scalar> parameters, const Resources& resources)
    : program_(program),
      budget_(resources.memory),
      control_(resources.control),
      unit_(program.noisy.circuit, program.code, std::move(parameters)),
      branching_(is_branching(program)),
      shots_(program.options.shots),
      words_(program.outcome_shape().words()) {
  if (!branching_) lanes_ = lower(program, unit_);
  for (const Observable& observable : program.options.observables)
    observables_.push_back(mask(observable, program.places));
  starts_ = base::Buffer::allocate_for<Start>(shots_, budget_, "order of the trajectories");
  found_ = base::Buffer::allocate_for<std::uint64_t>(shots_ * words_, budget_, "outcomes of the trajectories");
  values_ = base::Buffer::allocate_for<double>(shots_ * observables_.size(), budget_, "values of the trajectories");
  pieces_ = pieces_of(shots_, kLanes);
  // One more for the trajectories that suffer nothing.
  const std::uint64_t table = program.bits_distribution ? 0 : program.distribution_bytes();
  tables_ = base::Buffer::allocate((pieces_ + 1) * table, budget_, "probabilities");
  batches_.resize(pieces_);
}

template <class T>
std::uint32_t TrajectoryRun<T>::first_event(std::uint64_t id) const {
  std::uint32_t first = lanes_.prefix_end;
  base::Philox random(program_.options.seed, id);
  for (const Site& site : lanes_.sites) {
    if (site.first_step >= first) continue;
    if (random.position() != 2 * std::uint64_t{site.draw}) random.seek(2 * std::uint64_t{site.draw});
    if (site.term(random.uniform()) != site.reference) first = site.first_step;
  }
  return first;
}

template <class T>
void TrajectoryRun<T>::find_starts() {
  const auto starts = starts_.template as<Start>();
  base::parallel_for(0, shots_, 256, [&](std::size_t begin, std::size_t end) {
    control_.check("trajectories");
    for (std::size_t id = begin; id < end; ++id) starts[id] = {branching_ ? 0 : first_event(id), id};
  });
  std::ranges::sort(starts,
                    [](const Start& a, const Start& b) { return a.step != b.step ? a.step < b.step : a.id < b.id; });
}

template <class T>
CircuitResult TrajectoryRun<T>::run() {
  find_starts();
  const auto starts = starts_.template as<Start>();
  const auto end = static_cast<std::uint32_t>(lanes_.steps.size());
  const auto clean = branching_ ? starts.end() : std::ranges::lower_bound(starts, end, {}, &Start::step);
  const auto noisy = static_cast<std::size_t>(clean - starts.begin());
  const std::size_t batches = (noisy + kLanes - 1) / kLanes;
  noisy_ = noisy;
  if (program_.options.resume) take_up(*program_.options.resume);
  if (batches != 0) {
    const std::size_t grain = (batches + pieces_ - 1) / pieces_;
    base::parallel_for(0, batches, grain, [&](std::size_t first, std::size_t last) {
      run_piece(first / grain, first * kLanes, std::min(last * kLanes, noisy));
    });
  }
  if (is_leaving_) leave();
  if (noisy < shots_) run_clean(noisy);
  return finish();
}

template <class T>
void TrajectoryRun<T>::take_up(const Checkpoint& from) {
  const std::uint64_t entries = tables_.template as<double>().size();
  const auto seed = checkpoint_part<std::uint64_t>(from, 0, 1);
  const auto found = checkpoint_part<std::uint64_t>(from, 1, shots_ * words_);
  const auto values = checkpoint_part<double>(from, 2, shots_ * observables_.size());
  const auto tables = checkpoint_part<double>(from, 3, entries);
  const auto batches = checkpoint_part<std::uint32_t>(from, 4, pieces_ + 1);  // the lanes of a batch stand behind
  const std::size_t all = (noisy_ + kLanes - 1) / kLanes, grain = (all + pieces_ - 1) / pieces_;
  std::uint64_t done = 0;
  bool holds = from.parts.size() == 5 && seed[0] == program_.options.seed && batches[pieces_] == kLanes;
  for (std::size_t piece = 0; piece < pieces_; ++piece) {
    const std::size_t begin = std::min(piece * grain, all), end = std::min(begin + grain, all);
    holds = holds && batches[piece] <= end - begin;
    if (holds) done += std::min((begin + batches[piece]) * kLanes, noisy_) - std::min(begin * kLanes, noisy_);
  }
  const auto is_number = [](double value) { return std::isfinite(value); };
  const std::uint32_t rest = program_.outcome_bits % 64;
  for (std::size_t i = words_ - 1; words_ != 0 && rest != 0 && i < found.size(); i += words_)
    holds = holds && found[i] >> rest == 0;
  require_checkpoint(
      holds && done == from.shots && std::ranges::all_of(values, is_number) && std::ranges::all_of(tables, is_number),
      "its trajectories are not those of this run");
  std::ranges::copy(found, found_.template as<std::uint64_t>().begin());
  std::ranges::copy(values, values_.template as<double>().begin());
  std::ranges::copy(tables, tables_.template as<double>().begin());
  std::ranges::copy(batches.first(pieces_), batches_.begin());
  done_ = begun_ = from.shots;
}

template <class T>
bool TrajectoryRun<T>::is_left() {
  const std::scoped_lock lock(asking_);
  const std::uint64_t over = done_ - begun_;
  // What a circuit computed in its last shot is no part of a checkpoint.
  if (is_leaving_ || over <= asked_ || !program_.noisy.circuit.variables().empty()) return is_leaving_;
  asked_ = over;
  const auto all = static_cast<double>(shots_ - begun_), done = static_cast<double>(over);
  const double next = done + static_cast<double>(kLanes * static_cast<std::uint64_t>(base::thread_budget()));
  const std::uint64_t bytes = found_.bytes() + values_.bytes() + tables_.bytes();
  is_leaving_ = program_.options.limits.leave({done / all, std::min(1.0, next / all), bytes});
  return is_leaving_;
}

template <class T>
void TrajectoryRun<T>::leave() {
  std::vector<std::uint32_t> batches = batches_;
  batches.push_back(kLanes);
  Checkpoint out{.method = "trajectories", .gates = 0, .shots = done_};
  out.parts = {Tensor::from<std::uint64_t>(std::array{program_.options.seed}, {1}),
               owning_tensor(std::move(found_), DType::u64), owning_tensor(std::move(values_), DType::f64),
               owning_tensor(std::move(tables_), DType::f64),
               Tensor::from<std::uint32_t>(batches, {static_cast<std::int64_t>(batches.size())})};
  throw Interrupted(*program_.given, std::move(out));
}

template <class T>
void TrajectoryRun<T>::run_piece(std::size_t piece, std::size_t begin, std::size_t end) {
  const auto starts = starts_.template as<Start>();
  const auto steps = static_cast<std::uint32_t>(lanes_.steps.size());
  Batch batch(program_, lanes_, unit_, budget_, control_);
  std::optional<Batch> reference;
  std::uint32_t reached = 0;
  const std::size_t entries = tables_.template as<double>().size() / (pieces_ + 1);
  for (std::size_t first = begin + batches_[piece] * kLanes; first < end; first += kLanes) {
    if (program_.given && is_left()) return;
    std::array<std::uint64_t, kLanes> ids{};
    const std::size_t count = std::min(kLanes, end - first);
    for (std::size_t i = 0; i < count; ++i) ids[i] = starts[first + i].id;
    batch.assign(std::span(ids).first(count));
    const std::uint32_t start = starts[first].step;
    if (start == 0) {
      batch.start_state();
    } else {
      if (!reference) {
        reference.emplace(program_, lanes_, unit_, budget_, control_);
        reference->assign({});
        reference->start_state();
      }
      reference->run(reached, start);
      reached = start;
      batch.copy_state(*reference);
    }
    if (branching_)
      batch.run_code();
    else
      batch.run(start, steps);
    finish_batch(batch, tables_.template as<double>().subspan(piece * entries, entries));
    ++batches_[piece];
    report(count);
  }
}

template <class T>
void TrajectoryRun<T>::measure_observables(Batch& batch, std::span<const double> norms) {
  const auto values = values_.template as<double>();
  for (std::size_t o = 0; o < observables_.size(); ++o) {
    const MaskedObservable& observable = observables_[o];
    std::array<double, kLanes> sums{};
    for (std::size_t s = 0; s < observable.strings.size(); ++s) {
      const auto found =
          kernels::pauli_expectation<T>(batch.state(), observable.strings[s].x, observable.strings[s].z, control_);
      for (std::size_t lane = 0; lane < kLanes; ++lane) sums[lane] += observable.coefficients[s] * found[lane];
    }
    for (std::size_t lane = 0; lane < batch.count(); ++lane)
      values[batch.id(lane) * observables_.size() + o] = observable.constant + sums[lane] / norms[lane];
  }
}

template <class T>
void TrajectoryRun<T>::add_table(Batch& batch, std::span<const double> weights, std::span<double> table) const {
  if (table.empty()) return;
  const auto state = batch.state();
  const auto& wires = program_.distribution_wires;
  for (std::size_t i = 0; i < state.size(); ++i) {
    std::size_t outcome = 0;
    for (std::size_t j = 0; j < wires.size(); ++j)
      if (program_.places[wires[j]] != kIdle) outcome |= (i >> program_.places[wires[j]] & 1) << j;
    double sum = 0;
    for (std::size_t lane = 0; lane < weights.size(); ++lane)
      sum += weights[lane] * std::norm(state.amplitudes[i].get(lane));
    table[outcome] += sum;
  }
}

template <class T>
template <class Draw>
void TrajectoryRun<T>::finish_one(std::uint64_t id, std::uint64_t basis, const Classical& entry, std::uint32_t pc,
                                  Draw draw) {
  std::uint64_t recorded = 0;
  for (std::size_t i = 0; i < program_.tail_measures.size(); ++i) {
    const Wire wire = program_.tail_measures[i].wire;
    const std::uint32_t place = program_.places[wire];
    std::uint64_t bit = place == kIdle ? 0 : basis >> place & 1;
    const Confusion& readout = program_.noisy.readout[wire];
    if (readout != Confusion{1, 0, 0, 1}) bit = draw() < readout[2 * bit + 1] ? 1 : 0;
    recorded |= bit << i;
  }
  const Classical values = program_.after_tail(unit_, entry, pc, recorded, control_);
  program_.outcome(values, found_.template as<std::uint64_t>().subspan(id * words_, words_));
  if (id == shots_ - 1) last_variables_ = values.variables;
}

template <class T>
void TrajectoryRun<T>::finish_batch(Batch& batch, std::span<double> table) {
  const auto state = batch.state();
  const std::size_t blocks = blocks_of(program_.wires), length = state.size() / blocks;
  auto buffer = base::Buffer::allocate(blocks * sizeof(kernels::Line<T>), budget_, "sampling table");
  const std::span sums(reinterpret_cast<kernels::Line<T>*>(buffer.data()), blocks);
  kernels::block_sums<T>(state, sums, control_);
  std::array<double, kLanes> norms{}, weights{};
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    for (const auto& sum : sums) norms[lane] += static_cast<double>(sum.of[lane]);
    weights[lane] = 1 / norms[lane];
  }
  measure_observables(batch, norms);
  add_table(batch, std::span(weights).first(batch.count()), table);
  for (std::size_t lane = 0; lane < batch.count(); ++lane) {
    double rest = batch.draw(lane) * norms[lane];
    std::size_t block = 0;
    // The last block or amplitude that is not 0, should rounding leave something over.
    for (std::size_t b = 0; b < blocks; ++b) {
      const auto sum = static_cast<double>(sums[b].of[lane]);
      if (sum <= 0) continue;
      block = b;
      if (rest < sum) break;
      rest -= sum;
    }
    std::uint64_t basis = block * length;
    for (std::size_t i = block * length; i < (block + 1) * length; ++i) {
      const double p = std::norm(state.amplitudes[i].get(lane));
      if (p <= 0) continue;
      basis = i;
      if (rest < p) break;
      rest -= p;
    }
    finish_one(batch.id(lane), basis, batch.classical(lane), batch.entry(lane), [&] { return batch.draw(lane); });
  }
}

template <class T>
void TrajectoryRun<T>::run_clean(std::size_t first) {
  const auto starts = starts_.template as<Start>().subspan(first);
  Batch reference(program_, lanes_, unit_, budget_, control_);
  reference.assign({});
  reference.start_state();
  reference.run(0, static_cast<std::uint32_t>(lanes_.steps.size()));
  const auto state = reference.state();
  auto buffer = base::Buffer::allocate_for<double>(state.size(), budget_, "sampling table");
  const auto cumulative = buffer.template as<double>();
  double total = 0;
  for (std::size_t i = 0; i < state.size(); ++i) cumulative[i] = total += std::norm(state.amplitudes[i].get(0));
  const auto values = values_.template as<double>();
  for (std::size_t o = 0; o < observables_.size(); ++o) {
    double sum = 0;
    for (std::size_t s = 0; s < observables_[o].strings.size(); ++s) {
      const auto& string = observables_[o].strings[s];
      sum += observables_[o].coefficients[s] * kernels::pauli_expectation<T>(state, string.x, string.z, control_)[0];
    }
    for (const Start& start : starts)
      values[start.id * observables_.size() + o] = observables_[o].constant + sum / total;
  }
  const std::size_t entries = tables_.template as<double>().size() / (pieces_ + 1);
  const double weight = static_cast<double>(starts.size()) / total;
  add_table(reference, std::span(&weight, 1), tables_.template as<double>().subspan(pieces_ * entries, entries));
  base::parallel_for(0, starts.size(), 1024, [&](std::size_t begin, std::size_t end) {
    control_.check("trajectories");
    for (std::size_t i = begin; i < end; ++i) {
      base::Philox random(program_.options.seed, starts[i].id);
      random.seek(2 * std::uint64_t{lanes_.draws});
      const double target = std::min(random.uniform() * total, std::nextafter(total, 0.0));
      const auto basis = static_cast<std::uint64_t>(std::ranges::upper_bound(cumulative, target) - cumulative.begin());
      finish_one(starts[i].id, basis, reference.classical(0), reference.entry(0), [&] { return random.uniform(); });
    }
  });
  report(starts.size());
}

template <class T>
void TrajectoryRun<T>::report(std::uint64_t trajectories) {
  const std::uint64_t done = done_ += trajectories;
  control_.report(static_cast<double>(done) / static_cast<double>(shots_), "trajectories");
}

template <class T>
void TrajectoryRun<T>::summarise(CircuitResult& result) const {
  const auto values = values_.template as<double>();
  const auto n = static_cast<double>(shots_);
  for (std::size_t o = 0; o < observables_.size(); ++o) {
    double mean = 0, squares = 0;
    for (std::uint64_t id = 0; id < shots_; ++id) mean += values[id * observables_.size() + o];
    mean /= n;
    for (std::uint64_t id = 0; id < shots_; ++id) squares += std::pow(values[id * observables_.size() + o] - mean, 2);
    result.expectations.push_back(mean);
    // Of one trajectory nothing is known of the spread.
    result.standard_errors.push_back(shots_ > 1 ? std::sqrt(squares / (n - 1) / n) : INFINITY);
  }
}

template <class T>
CircuitResult TrajectoryRun<T>::finish() {
  CircuitResult result;
  summarise(result);
  const auto found = found_.template as<std::uint64_t>();
  if (program_.options.want_probabilities) {
    auto distribution = base::Buffer::allocate(program_.distribution_bytes(), budget_, "probabilities");
    const auto out = distribution.template as<double>();
    if (program_.bits_distribution) {
      for (std::uint64_t id = 0; id < shots_; ++id) out[words_ == 0 ? 0 : found[id]] += 1.0;
    } else {
      const auto tables = tables_.template as<double>();
      for (std::size_t i = 0; i < tables.size(); ++i) out[i % out.size()] += tables[i];
      program_.misread(program_.distribution_wires, out);
    }
    for (double& p : out) p /= static_cast<double>(shots_);
    result.probabilities = owning_tensor(std::move(distribution), DType::f64);
  }
  starts_ = {};
  Outcomes outcomes(program_.outcome_shape(), budget_);
  outcomes.record(
      0, shots_, control_, [](std::uint64_t shot) { return shot; },
      [&](std::uint64_t shot, std::span<std::uint64_t> out) {
        std::ranges::copy(found.subspan(shot * words_, words_), out.begin());
      });
  outcomes.give(result);
  give_outputs(program_.noisy.circuit, last_variables_, result);
  return result;
}

template class TrajectoryRun<float>;
template class TrajectoryRun<double>;

}  // namespace skerry::sim
