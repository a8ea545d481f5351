#include "sim/density/density_run.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <memory>
#include <numeric>
#include <skerry/error.hpp>

#include "base/random.hpp"
#include "base/threads.hpp"
#include "sim/state/leaving.hpp"

namespace skerry::sim {
namespace {

/// Branches less likely than this are left out: what they add is below the rounding of the others.
constexpr double kNegligible = 1e-14;
constexpr std::size_t kGrain = std::size_t{1} << 16;
/// Steps between two places at which a run may be left, at least, since passes serve many; and such places at most.
constexpr std::uint32_t kPassSteps = 64, kMostPassStretches = 64;
constexpr std::uint32_t kNoOffer = 0xffffffffU;
/// What an expectation value saved in single precision may be off.
constexpr double kSavedRounding = 1e-4;

bool is_mapping(const Step& step) {
  return step.kind == StepKind::gate || step.kind == StepKind::reset;
}

std::size_t interleaved(std::uint64_t x, std::uint64_t z) {
  std::size_t index = 0;
  for (; x != 0; x &= x - 1) index |= std::size_t{1} << (2 * std::countr_zero(x));
  for (; z != 0; z &= z - 1) index |= std::size_t{2} << (2 * std::countr_zero(z));
  return index;
}

/// values[c] <- sum_z (-1)^(z . c) values[z].
template <class Value>
void walsh_hadamard(std::span<Value> values) {
  for (std::size_t stride = 1; stride < values.size(); stride *= 2) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      if ((i & stride) != 0) continue;
      const Value a = values[i], b = values[i | stride];
      values[i] = a + b;
      values[i | stride] = a - b;
    }
  }
}

/// Real vector of the map that keeps what is read as `read`: sum_t P(read | t) |t><t| rho |t><t|.
std::array<double, 16> instrument(const Confusion& p, std::size_t read) {
  const double zero = p[read], one = p[2 + read];
  const double same = (zero + one) / 2, other = (zero - one) / 2;
  std::array<double, 16> map{};
  map[0] = map[10] = same;
  map[2] = map[8] = other;
  return map;
}

}  // namespace

template <class T>
DensityRun<T>::DensityRun(const NoisyProgram& program, std::vector<Scalar> parameters, const Resources& resources)
    : program_(program),
      budget_(resources.memory),
      control_(resources.control),
      unit_(program.noisy.circuit, program.code, std::move(parameters)),
      passes_(program.wires),
      expectations_(program.options.observables.size()),
      density_wires_(program.options.density_wires) {
  for (const Observable& observable : program.options.observables)
    observables_.push_back(mask(observable, program.places));
  distribution_ = base::Buffer::allocate(program.distribution_bytes(), budget_, "probabilities");
  if (!program.options.want_density) return;
  if (density_wires_.empty()) {
    density_wires_.resize(program.places.size());
    std::iota(density_wires_.begin(), density_wires_.end(), 0U);
  }
  const std::uint64_t entries = std::uint64_t{1} << (2 * density_wires_.size());
  charges_.emplace_back(budget_, 2 * sizeof(std::complex<double>) * entries, "density matrix");
  density_.resize(entries);
}

template <class T>
CircuitResult DensityRun<T>::run() {
  const std::uint64_t numbers = std::uint64_t{1} << (2 * program_.wires);
  auto state = base::Buffer::allocate_for<T>(numbers, budget_, "density matrix in the Pauli basis");
  while (leading_ < program_.code.tail && is_mapping(program_.code.steps[leading_])) ++leading_;
  if (program_.options.resume)
    first_ = applied_ = load_checkpoint(state.template as<T>());
  else
    start(state.template as<T>());
  if (program_.given) next_offer_ = first_ + stretch();
  branch(first_, unit_.initial(program_.classical_bits), std::move(state));
  return finish();
}

template <class T>
std::uint32_t DensityRun<T>::stretch() const noexcept {
  return std::max(kPassSteps, program_.code.tail / kMostPassStretches);
}

template <class T>
std::uint32_t DensityRun<T>::load_checkpoint(std::span<T> state) const {
  const Checkpoint& from = *program_.options.resume;
  const auto given = checkpoint_part<T>(from, 0, state.size());
  // Expectation values of Pauli strings, that of the identity first.
  constexpr T kMost = T(1) + T(kSavedRounding);
  const bool holds = std::abs(given[0] - T(1)) <= T(kSavedRounding) &&
                     std::ranges::all_of(given, [](T value) { return std::abs(value) <= kMost; });
  require_checkpoint(holds, "its numbers are no density matrix");
  std::ranges::copy(given, state.begin());
  return behind(from, leading_);
}

template <class T>
void DensityRun<T>::offer_to_leave(std::uint32_t pc, base::Buffer& state) {
  next_offer_ = kNoOffer;
  if (pc >= leading_) return;
  apply_passes(state.template as<T>(), pc);
  next_offer_ = pc + stretch();
  const double all = program_.code.tail - first_, done = pc - first_;
  const Standing standing{done / all, std::min(1.0, (done + stretch()) / all), state.bytes()};
  if (!program_.options.limits.leave(standing)) return;
  throw Interrupted(*program_.given,
                    {.method = "density", .gates = pc, .parts = {owning_tensor(std::move(state), dtype_of<T>())}});
}

template <class T>
void DensityRun<T>::start(std::span<T> state) const {
  if (program_.options.initial_state) return load_pure(state);
  // |0><0| of every wire is (I + Z) / 2: 1 for all strings of I and Z.
  base::parallel_for(0, state.size(), kGrain, [&](std::size_t begin, std::size_t end) {
    control_.check("simulation");
    constexpr std::size_t x_bits = 0x5555555555555555;
    for (std::size_t i = begin; i < end; ++i) state[i] = (i & x_bits) == 0 ? T(1) : T(0);
  });
}

template <class T>
void DensityRun<T>::load_pure(std::span<T> state) const {
  const Tensor& given = *program_.options.initial_state;
  const std::size_t size = std::size_t{1} << program_.wires;
  std::vector<std::complex<double>> psi(size);
  if (given.dtype() == DType::c64)
    std::ranges::copy(given.as<std::complex<float>>(), psi.begin());
  else
    std::ranges::copy(given.as<std::complex<double>>(), psi.begin());
  double norm = 0;
  for (const auto& a : psi) norm += std::norm(a);
  if (!(std::abs(norm - 1) <= 1e-4)) {
    throw Error(ErrorCode::invalid_argument, "the initial state has squared norm " + std::to_string(norm) + ", not 1",
                {}, "divide it by its norm");
  }
  // <psi|P|psi> = i^|x & z| sum_c (-1)^(z . c) conj(psi[c ^ x]) psi[c]: one transform for each x.
  base::parallel_for(0, size, 1, [&](std::size_t x, std::size_t) {
    control_.check("simulation");
    std::vector<std::complex<double>> column(size);
    for (std::size_t c = 0; c < size; ++c) column[c] = std::conj(psi[c ^ x]) * psi[c];
    walsh_hadamard<std::complex<double>>(column);
    for (std::size_t z = 0; z < size; ++z)
      state[interleaved(x, z)] = static_cast<T>((kPowersOfI[std::popcount(x & z) % 4] * column[z]).real());
  });
}

template <class T>
const std::vector<double>& DensityRun<T>::matrix_of(const Instruction& instruction, std::span<const double> params) {
  std::vector<double> numbers(params.begin(), params.end());
  auto& matrix = matrices_[{instruction.op, instruction.controls, instruction.aux, std::move(numbers)}];
  if (!matrix.empty()) return matrix;
  if (is_site(instruction)) return matrix = pauli_transfer(program_.noisy.channels[instruction.aux - 1].operators());
  const Matrix full = full_matrix(program_.noisy.circuit, instruction, params);
  return matrix = pauli_transfer(std::span(&full, 1));
}

template <class T>
void DensityRun<T>::add_gate(const Step& step, const Classical& classical) {
  const Instruction instruction = program_.noisy.circuit.blocks()[step.b][step.a];
  if (instruction.op == Op::id && !is_site(instruction)) return;
  if (instruction.wires.empty()) return;  // a global phase is no part of a density matrix
  std::array<double, 3> params{};
  for (std::size_t i = 0; i < instruction.params.size(); ++i) {
    const Param& param = instruction.params[i];
    params[i] = param.is_constant() ? param.value : unit_.evaluate(param.expr, classical).as_real();
  }
  std::vector<int> digits;
  const auto add = [&](std::span<const Wire> wires) {
    for (const Wire wire : wires) digits.push_back(static_cast<int>(program_.places[wire]));
  };
  // A site's wires are those of its channel in order; a gate's matrix has the controls on top.
  if (is_site(instruction)) {
    add(instruction.wires);
  } else {
    add(instruction.targets());
    add(instruction.control_wires());
  }
  passes_.add(digits, matrix_of(instruction, std::span(params).first(instruction.params.size())));
}

template <class T>
void DensityRun<T>::add_reset(Wire wire) {
  if (program_.places[wire] == kIdle) return;
  // I -> I + Z, all else vanishes.
  const std::array<double, 16> map = {1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0};
  const int digit[] = {static_cast<int>(program_.places[wire])};
  passes_.add(digit, map);
}

template <class T>
void DensityRun<T>::apply_passes(std::span<T> state, std::uint32_t pc) {
  const auto passes = passes_.template take<T>();
  // In stretches a share of the gates is told, else a share of what is left.
  const bool is_stretch = program_.given && pc <= leading_;
  const double all = program_.code.tail;
  const double from = is_stretch ? applied_ / all : done_, to = is_stretch ? pc / all : 1.0;
  if (is_stretch) applied_ = pc;
  for (std::size_t i = 0; i < passes.size(); ++i) {
    kernels::apply<T>(passes[i], state, program_.wires, control_);
    if (program_.wires >= 8)
      control_.report(from + (to - from) * static_cast<double>(i + 1) / static_cast<double>(passes.size() + 1),
                      "simulation");
  }
}

template <class T>
void DensityRun<T>::branch(std::uint32_t pc, Classical classical, base::Buffer state) {
  const auto values = state.template as<T>();
  while (pc < program_.code.tail) {
    if (pc >= next_offer_) offer_to_leave(pc, state);
    const Step& step = program_.code.steps[pc];
    switch (step.kind) {
      case StepKind::gate:
        add_gate(step, classical);
        ++pc;
        break;
      case StepKind::reset:
        add_reset(step.a);
        ++pc;
        break;
      case StepKind::assign:
      case StepKind::jump:
      case StepKind::jump_unless:
        pc = unit_.step(pc, classical, control_);
        break;
      case StepKind::measure: {
        const std::uint32_t place = program_.places[step.a];
        const Confusion& readout = program_.noisy.readout[step.a];
        ++pc;
        if (place == kIdle && readout[1] == 0.0) {
          classical.bits[step.b] = 0;
          break;
        }
        apply_passes(values, pc);
        const auto go_on = [&](std::size_t read, base::Buffer mine) {
          const auto numbers = mine.template as<T>();
          if (place == kIdle) {
            for (T& v : numbers) v *= static_cast<T>(readout[read]);
          } else {
            const std::vector<std::array<double, 16>> maps = {instrument(readout, read)};
            kernels::apply<T>(kernels::Transfer<T>({static_cast<int>(place)}, maps, {}), numbers, program_.wires,
                              control_);
          }
          if (static_cast<double>(numbers[0]) < kNegligible) return;
          Classical next = classical;
          next.bits[step.b] = static_cast<std::uint8_t>(read);
          branch(pc, std::move(next), std::move(mine));
        };
        auto copy = base::Buffer::allocate(state.bytes(), budget_, "density matrix of a branch");
        std::memcpy(copy.data(), state.data(), state.bytes());
        go_on(0, std::move(copy));
        go_on(1, std::move(state));
        return;
      }
    }
  }
  apply_passes(values, pc);
  leaf(pc, std::move(classical), values);
}

template <class T>
double DensityRun<T>::entry(std::span<const T> state, std::span<const Wire> wires, std::uint64_t x,
                            std::uint64_t z) const {
  std::size_t index = 0;
  for (std::size_t j = 0; j < wires.size(); ++j) {
    const std::uint32_t place = program_.places[wires[j]];
    // An idle wire is in |0>: X and Y are 0 there, Z is 1.
    if (place == kIdle && (x >> j & 1) != 0) return 0.0;
    if (place != kIdle) index |= ((x >> j & 1) | (z >> j & 1) << 1) << (2 * place);
  }
  return static_cast<double>(state[index]);
}

template <class T>
std::vector<double> DensityRun<T>::table_of(std::span<const T> state, std::span<const Wire> wires) const {
  std::vector<double> table(std::size_t{1} << wires.size());
  for (std::size_t z = 0; z < table.size(); ++z) table[z] = entry(state, wires, 0, z);
  walsh_hadamard<double>(table);
  // Rounding may leave a probability just below 0.
  for (double& p : table) p = std::max(p / static_cast<double>(table.size()), 0.0);
  return table;
}

template <class T>
void DensityRun<T>::leaf(std::uint32_t pc, Classical classical, std::span<const T> state) {
  const double weight = static_cast<double>(state[0]);
  for (std::size_t i = 0; i < observables_.size(); ++i) {
    const MaskedObservable& o = observables_[i];
    expectations_[i] += o.constant * weight;
    for (std::size_t s = 0; s < o.strings.size(); ++s)
      expectations_[i] += o.coefficients[s] * static_cast<double>(state[interleaved(o.strings[s].x, o.strings[s].z)]);
  }
  add_density(state);
  if (program_.options.want_probabilities && !program_.bits_distribution) {
    auto table = table_of(state, program_.distribution_wires);
    program_.misread(program_.distribution_wires, table);
    const auto out = distribution_.template as<double>();
    for (std::size_t i = 0; i < table.size(); ++i) out[i] += table[i];
  }
  done_ += weight;
  if (program_.options.shots == 0 && !program_.bits_distribution) return;
  std::vector<Wire> read;
  for (const TailMeasure& measure : program_.tail_measures) read.push_back(measure.wire);
  // A wire that is read twice is read with its own errors each time: the table is over readings, the truth is one.
  std::vector<Wire> truth = read;
  std::ranges::sort(truth);
  truth.erase(std::ranges::unique(truth).begin(), truth.end());
  const std::vector<double> true_table = table_of(state, truth);
  charges_.emplace_back(budget_, sizeof(double) << read.size(), "probabilities of a branch");
  std::vector<double> table(std::size_t{1} << read.size());
  for (std::size_t t = 0; t < true_table.size(); ++t) {
    std::size_t reading = 0;
    for (std::size_t j = 0; j < read.size(); ++j) {
      const auto at = static_cast<std::size_t>(std::ranges::lower_bound(truth, read[j]) - truth.begin());
      reading |= (t >> at & 1) << j;
    }
    table[reading] = true_table[t];
  }
  program_.misread(read, table);
  Leaf& leaf = leaves_.emplace_back(Leaf{std::move(classical), pc, {}});
  if (program_.bits_distribution) add_bits(leaf, table);
  std::partial_sum(table.begin(), table.end(), table.begin());
  leaf.cumulative = std::move(table);
}

template <class T>
void DensityRun<T>::add_bits(const Leaf& leaf, std::span<const double> table) {
  const auto out = distribution_.template as<double>();
  for (std::size_t reading = 0; reading < table.size(); ++reading) {
    if (table[reading] == 0.0) continue;
    std::uint64_t bits = 0;
    program_.outcome(program_.after_tail(unit_, leaf.entry, leaf.pc, reading, control_),
                     std::span(&bits, program_.outcome_shape().words()));
    out[bits] += table[reading];
  }
}

template <class T>
void DensityRun<T>::add_density(std::span<const T> state) {
  if (density_.empty()) return;
  const std::size_t size = std::size_t{1} << density_wires_.size();
  std::vector<std::complex<double>> row(size);
  for (std::size_t x = 0; x < size; ++x) {
    control_.check("density matrix");
    // <c ^ x| rho |c> = 2^-k sum_z i^|x & z| (-1)^(z . c) tr(P rho).
    for (std::size_t z = 0; z < size; ++z)
      row[z] = kPowersOfI[std::popcount(x & z) % 4] * entry(state, density_wires_, x, z) / static_cast<double>(size);
    walsh_hadamard<std::complex<double>>(row);
    for (std::size_t c = 0; c < size; ++c) density_[(c ^ x) * size + c] += row[c];
  }
}

template <class T>
void DensityRun<T>::draw_shots(CircuitResult& result) {
  std::vector<double> ends;  // of each leaf's share
  double total = 0;
  for (const Leaf& leaf : leaves_) ends.push_back(total += leaf.cumulative.back());
  // The last reading that can come, should rounding carry a draw beyond it.
  const auto read = [&](std::uint64_t shot) {
    const double target = base::Philox(program_.options.seed, shot).uniform() * total;
    const auto at = std::min<std::size_t>(
        static_cast<std::size_t>(std::ranges::upper_bound(ends, target) - ends.begin()), leaves_.size() - 1);
    const Leaf& leaf = leaves_[at];
    const double below = target - (at == 0 ? 0.0 : ends[at - 1]);
    const double inside = std::min(below, std::nextafter(leaf.cumulative.back(), 0.0));
    const auto reading =
        static_cast<std::uint64_t>(std::ranges::upper_bound(leaf.cumulative, inside) - leaf.cumulative.begin());
    return program_.after_tail(unit_, leaf.entry, leaf.pc, reading, control_);
  };
  Outcomes outcomes(program_.outcome_shape(), budget_);
  outcomes.record(
      0, program_.options.shots, control_, [](std::uint64_t shot) { return shot; },
      [&](std::uint64_t shot, std::span<std::uint64_t> out) { program_.outcome(read(shot), out); });
  const Classical last = read(program_.options.shots - 1);
  give_outputs(program_.noisy.circuit, last.variables, result);
  outcomes.give(result);
}

template <class T>
CircuitResult DensityRun<T>::finish() {
  CircuitResult result;
  result.expectations = expectations_;
  if (program_.options.shots != 0) draw_shots(result);
  if (program_.options.want_probabilities) result.probabilities = owning_tensor(std::move(distribution_), DType::f64);
  if (program_.options.want_density) {
    const auto size = std::int64_t{1} << density_wires_.size();
    result.density = Tensor::from<std::complex<double>>(density_, {size, size});
  }
  return result;
}

std::uint64_t density_peak_bytes(const NoisyProgram& program) {
  const RunOptions& options = program.options;
  const std::uint64_t number = options.precision == Precision::single_precision ? sizeof(float) : sizeof(double);
  const std::uint64_t state = number << (2 * program.wires);
  const bool draws = options.shots != 0 || program.bits_distribution;
  const std::uint64_t tables = draws ? sizeof(double) << (program.tail_measures.size() + program.measures_midway) : 0;
  const std::size_t density_wires =
      options.density_wires.empty() ? program.places.size() : options.density_wires.size();
  const std::uint64_t density = options.want_density ? 2 * sizeof(std::complex<double>) << (2 * density_wires) : 0;
  const std::uint64_t results = program.distribution_bytes() + density + tables;
  const std::uint64_t running = state * (1 + program.measures_midway);
  const OutcomeShape shape = program.outcome_shape();
  return results + std::max(running, options.shots != 0 ? shape.store_bytes() + shape.counts_bytes() : 0);
}

template class DensityRun<float>;
template class DensityRun<double>;

}  // namespace skerry::sim
