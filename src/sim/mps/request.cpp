#include "sim/mps/request.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <skerry/error.hpp>
#include <string>

#include "ops/qubit/gate_record.hpp"
#include "sim/state/leaving.hpp"
#include "sim/state/questions.hpp"
#include "sim/state/trajectories.hpp"

namespace skerry::sim {
namespace {

constexpr std::uint32_t kMaxVectorWires = 26;
constexpr std::size_t kMaxGateWires = 5;
/// A wider bond has tensors that nobody has memory for.
constexpr std::uint64_t kWidestBond = 4096;

void check_truncation(const RunOptions& options) {
  if (!(options.truncation_threshold >= 0.0 && options.truncation_threshold < 1.0)) {
    throw Error(ErrorCode::invalid_argument, "truncation_threshold is " + std::to_string(options.truncation_threshold),
                "truncation_threshold", "give a squared norm from 0 to below 1");
  }
}

bool is_gate_step(const MpsRequest& request, std::size_t step) {
  return step < request.code.steps.size() && request.code.steps[step].kind == StepKind::gate;
}

/// Puts the gates of each run into layers of disjoint wires; layers are swept to and fro, so that the centre, which
/// must stand at the gate that is applied, travels once over the chain for each.
class Scheduler {
 public:
  Scheduler(const Circuit& circuit, MpsRequest& request) : circuit_(circuit), request_(request) {}

  void run() {
    const auto size = static_cast<std::uint32_t>(request_.code.steps.size());
    request_.run_begin.assign(size, 0);
    request_.run_end.assign(size, 0);
    std::vector<bool> is_target(size + 1);
    for (const Step& step : request_.code.steps)
      if (step.kind == StepKind::jump || step.kind == StepKind::jump_unless) is_target[step.a] = true;
    for (std::uint32_t begin = 0; begin < size;) {
      std::uint32_t end = begin + 1;
      if (is_gate_step(request_, begin)) {
        while (is_gate_step(request_, end) && !is_target[end]) ++end;
        schedule(begin, end);
      }
      begin = end;
    }
  }

 private:
  struct Place {
    std::uint32_t layer = 0;
    bool is_single = false;
    std::uint32_t wire = 0;
    std::uint32_t step = 0;
  };

  void schedule(std::uint32_t begin, std::uint32_t end) {
    std::vector<std::uint32_t> level(request_.wires());
    std::vector<Place> places;
    for (std::uint32_t i = begin; i < end; ++i) {
      const Step& step = request_.code.steps[i];
      const auto wires = chain_wires(circuit_.blocks()[step.b][step.a], request_.code.positions);
      Place place{0, wires.size() < 2, wires.empty() ? 0 : *std::ranges::min_element(wires), i};
      for (const std::uint32_t wire : wires) place.layer = std::max(place.layer, level[wire]);
      if (!place.is_single) ++place.layer;
      for (const std::uint32_t wire : wires) level[wire] = place.layer;
      places.push_back(place);
    }
    // Single gates follow the layer that they depend on.
    const auto key = [](const Place& p) {
      const std::int64_t along = p.is_single ? 0 : p.layer % 2 == 1 ? p.wire : -std::int64_t{p.wire};
      return std::tuple(p.layer, p.is_single, along, p.step);
    };
    std::ranges::sort(places, {}, key);
    request_.run_begin[begin] = static_cast<std::uint32_t>(request_.gates.size());
    request_.run_end[begin] = end;
    for (const Place& place : places) request_.gates.push_back({place.step, place.layer % 2 == 1, 0.0});
  }

  const Circuit& circuit_;
  MpsRequest& request_;
};

/// Schmidt rank of a gate on two wires.
std::uint64_t schmidt_rank(std::span<const Complex> matrix) {
  constexpr double kRounding = 1e-20;
  std::array<Complex, 16> rows{};
  for (std::size_t r = 0; r < 4; ++r)
    for (std::size_t c = 0; c < 4; ++c) rows[((r >> 1) * 2 + (c >> 1)) * 4 + (r & 1) * 2 + (c & 1)] = matrix[r * 4 + c];
  std::array<double, 4> norms{};
  kernels::orthogonalize_rows(rows.data(), 4, 4, 1e-40, norms);
  return static_cast<std::uint64_t>(std::ranges::count_if(norms, [](double n) { return n > kRounding; }));
}

/// Follows the bond dimensions that gates can make, without a number of the state.
class BondPlan {
 public:
  explicit BondPlan(MpsRequest& request)
      : request_(request), layout_(request.wires()), bonds_(request.wires() + 1, 1) {}

  void gate(std::span<const std::uint32_t> wires, std::span<const Complex> matrix) {
    request_.updates += 1;
    if (wires.size() < 2) return;
    const std::uint32_t first = layout_.gather(wires, [&](std::uint32_t s) { window(s, 2, 4); });
    window(first, wires.size(), wires.size() == 2 ? schmidt_rank(matrix) : 0);
  }

  /// A loop may repeat its gates: then any bond may be as wide as its place allows.
  void assume_widest() {
    for (std::uint32_t round = 0; round < request_.wires(); ++round)
      for (std::uint32_t s = 0; s + 1 < request_.wires(); ++s) grow(s, std::uint64_t{1} << 20);
  }

  void finish() {
    std::uint64_t entries = 0;
    for (std::uint32_t s = 0; s < request_.wires(); ++s) {
      entries += 2 * widest_[s] * widest_[s + 1];
      largest_ = std::max(largest_, 4 * widest_[s] * widest_[s + 1]);
      request_.widest = std::max(request_.widest, widest_[s + 1]);
    }
    // The window, its product, the rows that are made orthogonal, U and its adjoint, and what the centre leaves behind.
    constexpr std::uint64_t kWindows = 6;
    request_.chain_bytes = sizeof(Complex) * (entries + kWindows * largest_);
  }

 private:
  void window(std::uint32_t first, std::size_t count, std::uint64_t rank) {
    request_.updates += 1;
    for (std::size_t j = 0; j + 1 < count; ++j) {
      const std::size_t depth = std::min(j + 1, count - 1 - j);
      grow(static_cast<std::uint32_t>(first + j), rank != 0 ? rank : std::uint64_t{1} << (2 * depth));
    }
    const auto left = static_cast<double>(bonds_[first]), right = static_cast<double>(bonds_[first + count]);
    const auto states = static_cast<double>(std::size_t{1} << count);
    const auto middle = static_cast<double>(bonds_[first + count / 2]);
    const std::uint64_t entries = (std::uint64_t{1} << count) * bonds_[first] * bonds_[first + count];
    largest_ = std::max(largest_, entries);
    // Products, and about five sweeps over pairs of rows with eight multiply-adds an entry.
    const double rows = states / 2 * right, length = 2 * left;
    request_.flops +=
        8 * (2 * left * middle * states * right + states * states * left * right + 2 * rows * length * middle) +
        5 * 0.5 * rows * std::min(rows, 2 * middle) * length * 16;
  }

  /// The bond behind site s, times rank; no wider than its neighbours and the ends of the chain allow.
  void grow(std::uint32_t s, std::uint64_t rank) {
    widest_.resize(bonds_.size(), 1);
    const std::uint64_t wanted = std::min({bonds_[s + 1] * rank, 2 * bonds_[s], 2 * bonds_[s + 2]});
    const std::uint64_t most = request_.limit.most != 0 ? request_.limit.most : std::uint64_t{1} << 20;
    request_.may_truncate = request_.may_truncate || (request_.limit.most != 0 && wanted > most);
    bonds_[s + 1] = std::min(wanted, most);
    widest_[s + 1] = std::max(widest_[s + 1], bonds_[s + 1]);
  }

  MpsRequest& request_;
  ChainLayout layout_;
  std::vector<std::uint64_t> bonds_;  // bond s lies left of site s
  std::vector<std::uint64_t> widest_ = std::vector<std::uint64_t>(bonds_.size(), 1);
  std::uint64_t largest_ = 4;
};

std::optional<std::string> plan_bonds(const Circuit& circuit, MpsRequest& request) {
  BondPlan plan(request);
  for (ChainGate& gate : request.gates) {
    const double before = request.flops;
    const Step& step = request.code.steps[gate.step];
    const Instruction instruction = circuit.blocks()[step.b][step.a];
    if (instruction.wires.size() > kMaxGateWires)
      return "a gate on " + std::to_string(instruction.wires.size()) + " wires is wider than " +
             std::to_string(kMaxGateWires);
    // Symbolic parameters count as angles that make no entry vanish.
    std::array<double, 3> angles = {0.3, 0.5, 0.7};
    for (std::size_t i = 0; i < instruction.params.size(); ++i)
      if (instruction.params[i].is_constant()) angles[i] = instruction.params[i].value;
    plan.gate(chain_wires(instruction, request.code.positions),
              chain_matrix(circuit, instruction, std::span(angles).first(instruction.params.size())));
    gate.flops = request.flops - before;
  }
  if (request.code.has_loop) plan.assume_widest();
  plan.finish();
  if (request.widest <= kWidestBond) return std::nullopt;
  return "it may need a bond dimension above " + std::to_string(kWidestBond) +
         "; bound it with max_bond_dimension, and errors are reported";
}

void choose_way(MpsRequest& request) {
  std::uint32_t coins = 0;
  for (const Step& step : request.code.steps) {
    const bool is_random = step.kind == StepKind::measure || step.kind == StepKind::reset;
    coins += is_random ? 1U : 0U;
    request.branches = request.branches || !(is_random || step.kind == StepKind::gate);
  }
  request.branches = request.branches || request.code.random_steps != 0;
  if (request.branches) request.waiting = most_waiting(request.code.has_loop, coins, request.shots);
}

}  // namespace

std::uint64_t MpsRequest::distribution_bytes() const noexcept {
  if (!want_distribution) return 0;
  return sizeof(double) << (distribution_of_bits ? outcome_bits : distribution_wires.size());
}

std::uint64_t MpsRequest::peak_bytes() const noexcept {
  const bool samples = shots != 0;
  const std::uint64_t results = distribution_bytes() + (samples ? outcome_shape().store_bytes() : 0);
  const std::uint64_t ids = branches ? sizeof(std::uint64_t) * shots : 0;
  // Amplitudes are made in two arrays of double precision, then handed out.
  const std::uint64_t amplitudes = want_state ? 2 * sizeof(Complex) << code.wires : 0;
  const std::uint64_t running = chain_bytes * (1 + waiting) + ids + results + amplitudes + state_bytes();
  const std::uint64_t finishing = results + state_bytes() + (samples ? outcome_shape().counts_bytes() : 0);
  return std::max(running, finishing);
}

std::vector<std::uint32_t> chain_wires(const Instruction& instruction, std::span<const std::uint32_t> positions) {
  std::vector<std::uint32_t> wires;
  for (const Wire wire : instruction.targets()) wires.push_back(positions[wire]);
  for (const Wire wire : instruction.control_wires()) wires.push_back(positions[wire]);
  return wires;
}

std::vector<Complex> chain_matrix(const Circuit& circuit, const Instruction& instruction,
                                  std::span<const double> angles) {
  const std::size_t rows = std::size_t{1} << instruction.targets().size(), all = rows << instruction.controls;
  std::vector<Complex> matrix(rows * rows);
  if (instruction.op == Op::unitary)
    matrix = circuit.matrices()[instruction.aux].values;
  else
    ops::gate_record(instruction.op).matrix(angles, matrix);
  if (instruction.controls == 0) return matrix;
  std::vector<Complex> out(all * all);
  for (std::size_t i = 0; i < all - rows; ++i) out[i * all + i] = 1;
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t c = 0; c < rows; ++c) out[(all - rows + r) * all + all - rows + c] = matrix[r * rows + c];
  return out;
}

Expected<MpsRequest> make_mps_request(const Circuit& circuit, const RunOptions& options) {
  check_questions(options, circuit.num_wires());
  check_truncation(options);
  if (options.initial_state) return Unexpected{"an initial state of amplitudes is not cut into a chain"};
  MpsRequest request;
  request.code = flatten(circuit, options.want_state);
  if (options.want_state && request.wires() > kMaxVectorWires)
    return Unexpected{"the amplitudes of " + std::to_string(request.wires()) + " wires are more than 2^" +
                      std::to_string(kMaxVectorWires)};
  if (options.want_state && request.code.random_steps != 0)
    return Unexpected{"the state of a circuit that measures midway is not handed out"};
  request.precision = options.precision;
  request.shots = options.shots;
  request.seed = options.seed;
  request.want_memory = options.want_memory && options.shots != 0;
  request.want_state = options.want_state;
  request.observables = options.observables;
  request.amplitudes = options.amplitudes;
  request.limit = {options.max_bond_dimension, options.truncation_threshold};
  for (const Matrix& matrix : circuit.matrices())
    if (matrix.wires > kMaxGateWires)
      return Unexpected{"a unitary on " + std::to_string(matrix.wires) + " wires is wider than " +
                        std::to_string(kMaxGateWires)};
  Scheduler(circuit, request).run();
  if (auto reason = plan_bonds(circuit, request)) return Unexpected{*reason};
  const OutcomeBits bits = choose_outcome_bits(circuit, request.shots != 0, request.code);
  request.outcome_bits = bits.outcome;
  request.classical_bits = bits.classical;
  if (auto reason = choose_distribution(circuit, options, kMaxSampledBits, request)) return Unexpected{*reason};
  choose_way(request);
  if ((options.want_state || !options.amplitudes.empty()) && request.branches)
    return Unexpected{"the state of a circuit that branches is not handed out"};
  request.leave = options.limits.leave;
  request.resume = options.resume;
  if (request.resume) behind(*request.resume, is_gate_step(request, 0) ? request.run_end[0] : 0);
  return request;
}

}  // namespace skerry::sim
