#include "sim/trajectories/lane_program.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <optional>

#include "ir/noise/matrices.hpp"

namespace skerry::sim {
namespace {

using Complex = std::complex<double>;
constexpr double kSame = 1e-12;

/// u = rest (x) first, where `first` is on the least significant wire; nothing if it is no such product.
std::optional<std::pair<Matrix, Matrix>> split_first(const Matrix& u) {
  const std::size_t n = std::size_t{1} << u.wires, m = n / 2;
  const auto pivot = static_cast<std::size_t>(
      std::ranges::max_element(u.values, {}, [](Complex v) { return std::abs(v); }) - u.values.begin());
  const std::size_t pr = pivot / n, pc = pivot % n;
  const auto at = [&](std::size_t r, std::size_t c) { return u.values[r * n + c]; };
  Matrix first{1, std::vector<Complex>(4)}, rest{u.wires - 1, std::vector<Complex>(m * m)};
  for (std::size_t i = 0; i < 2; ++i)
    for (std::size_t j = 0; j < 2; ++j)
      first.values[2 * i + j] = at((pr & ~std::size_t{1}) | i, (pc & ~std::size_t{1}) | j);
  // A factor of a unitary is one up to a number.
  double norm = 0;
  for (const Complex v : first.values) norm += std::norm(v);
  first = ir::scaled(first, std::sqrt(2 / norm));
  for (std::size_t r = 0; r < m; ++r)
    for (std::size_t c = 0; c < m; ++c)
      rest.values[r * m + c] = at(2 * r + (pr & 1), 2 * c + (pc & 1)) / first.values[2 * (pr & 1) + (pc & 1)];
  for (std::size_t r = 0; r < n; ++r)
    for (std::size_t c = 0; c < n; ++c)
      if (std::abs(at(r, c) - rest.values[r / 2 * m + c / 2] * first.values[2 * (r & 1) + (c & 1)]) > kSame)
        return std::nullopt;
  return std::pair(std::move(first), std::move(rest));
}

/// One-wire factors, the first wire's first; empty if there are none.
std::vector<Matrix> factors(Matrix u) {
  std::vector<Matrix> out;
  while (u.wires > 1) {
    auto split = split_first(u);
    if (!split) return {};
    out.push_back(std::move(split->first));
    u = std::move(split->second);
  }
  out.push_back(std::move(u));
  return out;
}

class Lowering {
 public:
  Lowering(const NoisyProgram& program, const ClassicalUnit& unit)
      : program_(program),
        unit_(unit),
        initial_(unit.initial(program.classical_bits)),
        chains_(static_cast<std::size_t>(program.wires)) {}

  LaneProgram run() {
    for (std::uint32_t pc = 0; pc < program_.code.tail; ++pc) {
      const Step& step = program_.code.steps[pc];
      if (step.kind == StepKind::gate)
        instruction(program_.noisy.circuit.blocks()[step.b][step.a]);
      else
        collapse(step);
    }
    std::vector<int> all(chains_.size());
    std::iota(all.begin(), all.end(), 0);
    flush(all);
    out_.prefix_end = static_cast<std::uint32_t>(std::ranges::find(out_.steps, LaneStepKind::kraus, &LaneStep::kind) -
                                                 out_.steps.begin());
    return std::move(out_);
  }

 private:
  std::vector<Link>& chain(int place) { return chains_[static_cast<std::size_t>(place)]; }

  void add_fixed(int place, const Matrix& matrix) {
    auto& links = chain(place);
    if (!links.empty() && links.back().site < 0)
      links.back().fixed = ir::product(matrix, links.back().fixed);
    else
      links.push_back({matrix, -1, 0});
  }

  /// What waits on these places becomes passes, two places to each.
  void flush(std::span<const int> places) {
    std::vector<int> waiting;
    for (const int place : places)
      if (!chain(place).empty()) waiting.push_back(place);
    for (std::size_t i = 0; i < waiting.size(); i += 2) {
      LaneStep step;
      for (std::size_t j = i; j < std::min(i + 2, waiting.size()); ++j) {
        for (const Link& link : chain(waiting[j])) {
          if (link.site < 0) continue;
          auto& first = out_.sites[static_cast<std::size_t>(link.site)].first_step;
          first = std::min(first, static_cast<std::uint32_t>(out_.steps.size()));
        }
        step.places.push_back(waiting[j]);
        step.chains.push_back(std::move(chain(waiting[j])));
        chain(waiting[j]).clear();
      }
      out_.steps.push_back(std::move(step));
    }
  }

  void instruction(const Instruction& instruction) {
    if (is_site(instruction)) return channel(instruction);
    if (instruction.op == Op::id || instruction.wires.empty()) return;
    gate(place_gate(program_, instruction, unit_, initial_));
  }

  void gate(PlacedGate gate) {
    if (gate.places.size() == 1 && gate.controls == 0) return add_fixed(gate.places[0], gate.matrix);
    std::vector<int> touched = gate.places;
    for (int place = 0; place < program_.wires; ++place)
      if ((gate.controls >> place & 1) != 0) touched.push_back(place);
    flush(touched);
    LaneStep step;
    const auto& m = gate.matrix.values;
    if (gate.places.size() == 1 && m[1] == 0.0 && m[2] == 0.0 && m[0] == 1.0) {
      step.kind = LaneStepKind::phase;
      step.mask = gate.controls | std::uint64_t{1} << gate.places[0];
      step.factor = m[3];
    } else {
      step.kind = LaneStepKind::gate;
      step.mask = gate.controls;
      step.matrix = std::move(gate.matrix);
      step.places = std::move(gate.places);
    }
    out_.steps.push_back(std::move(step));
  }

  void channel(const Instruction& instruction) {
    const Channel& channel = program_.noisy.channels[instruction.aux - 1];
    const std::vector<int> places = places_of(program_, instruction.wires);
    auto site = make_site(channel, places);
    if (!site) {
      kraus(Operators(channel.operators(), places));
      return;
    }
    if (site->unitaries.size() == 1) {
      if (site->legs.empty()) return gate({site->unitaries[0], places, 0});
      for (std::size_t j = 0; j < places.size(); ++j) add_fixed(places[j], site->legs[0][j]);
      return;
    }
    site->draw = out_.draws++;
    const auto index = static_cast<int>(out_.sites.size());
    const bool product = !site->legs.empty();
    if (product) {
      for (std::uint32_t j = 0; j < places.size(); ++j) chain(places[j]).push_back({{}, index, j});
    } else {
      flush(places);
      LaneStep step;
      step.kind = LaneStepKind::mix;
      step.site = static_cast<std::uint32_t>(index);
      step.places = places;
      site->first_step = static_cast<std::uint32_t>(out_.steps.size());
      out_.steps.push_back(std::move(step));
    }
    out_.sites.push_back(std::move(*site));
  }

  LaneStep& kraus(Operators operators) {
    flush(operators.places);
    LaneStep step;
    step.kind = LaneStepKind::kraus;
    step.kraus = std::move(operators);
    step.draw = out_.draws++;
    return out_.steps.emplace_back(std::move(step));
  }

  void collapse(const Step& step) {
    const bool reset = step.kind == StepKind::reset;
    const std::uint32_t place = program_.places[step.a];
    if (place == kIdle && reset) return;
    // An idle wire is in |0> whatever is done: no operators, but it may be misread.
    Operators operators;
    if (place != kIdle) operators = Operators(measurement_operators(reset), {static_cast<int>(place)});
    LaneStep& made = kraus(std::move(operators));
    if (reset) return;
    made.is_measure = true;
    made.wire = step.a;
    made.bit = step.b;
    ++out_.draws;
  }

  const NoisyProgram& program_;
  const ClassicalUnit& unit_;
  Classical initial_;
  std::vector<std::vector<Link>> chains_;
  LaneProgram out_;
};

}  // namespace

std::uint32_t Site::term(double uniform) const noexcept {
  const double target = uniform * cumulative.back();
  const auto found = std::ranges::upper_bound(cumulative, target) - cumulative.begin();
  return static_cast<std::uint32_t>(std::min<std::ptrdiff_t>(found, std::ssize(cumulative) - 1));
}

Operators::Operators(std::vector<Matrix> from, std::vector<int> on)
    : operators(std::move(from)), places(std::move(on)) {
  for (const Matrix& k : operators) {
    const std::size_t n = std::size_t{1} << k.wires;
    Matrix dagger = k;
    for (std::size_t r = 0; r < n; ++r)
      for (std::size_t c = 0; c < n; ++c) dagger.values[r * n + c] = std::conj(k.values[c * n + r]);
    weights.push_back(ir::product(dagger, k));
  }
}

std::vector<Matrix> measurement_operators(bool reset) {
  if (reset) return {{1, {1, 0, 0, 0}}, {1, {0, 1, 0, 0}}};
  return {{1, {1, 0, 0, 0}}, {1, {0, 0, 0, 1}}};
}

std::vector<int> places_of(const NoisyProgram& program, std::span<const Wire> wires) {
  std::vector<int> places;
  for (const Wire wire : wires) places.push_back(static_cast<int>(program.places[wire]));
  return places;
}

PlacedGate place_gate(const NoisyProgram& program, const Instruction& instruction, const ClassicalUnit& unit,
                      const Classical& classical) {
  std::array<double, 3> params{};
  for (std::size_t i = 0; i < instruction.params.size(); ++i) {
    const Param& param = instruction.params[i];
    params[i] = param.is_constant() ? param.value : unit.evaluate(param.expr, classical).as_real();
  }
  PlacedGate gate{target_matrix(program.noisy.circuit, instruction, std::span(params).first(instruction.params.size())),
                  places_of(program, instruction.targets()), 0};
  for (const int place : places_of(program, instruction.control_wires())) gate.controls |= std::uint64_t{1} << place;
  return gate;
}

std::optional<Site> make_site(const Channel& channel, std::vector<int> places) {
  auto mixture = as_mixture(channel);
  if (!mixture) return std::nullopt;
  Site site;
  site.places = std::move(places);
  site.first_step = ~0U;
  const auto& p = mixture->probabilities;
  site.reference = static_cast<std::uint32_t>(std::ranges::max_element(p) - p.begin());
  site.cumulative.resize(p.size());
  std::partial_sum(p.begin(), p.end(), site.cumulative.begin());
  for (const Matrix& unitary : mixture->unitaries) {
    std::vector<Matrix> legs = factors(unitary);
    if (legs.empty()) {
      site.legs.clear();
      break;
    }
    site.legs.push_back(std::move(legs));
  }
  site.unitaries = std::move(mixture->unitaries);
  return site;
}

LaneProgram lower(const NoisyProgram& program, const ClassicalUnit& unit) {
  return Lowering(program, unit).run();
}

}  // namespace skerry::sim
