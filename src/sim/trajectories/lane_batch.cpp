#include "sim/trajectories/lane_batch.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/random.hpp"
#include "base/threads.hpp"
#include "ir/noise/matrices.hpp"

namespace skerry::sim {
namespace {

constexpr std::size_t kGrain = std::size_t{1} << 20;

template <std::size_t n>
std::array<bool, n> everyone() {
  std::array<bool, n> all{};
  all.fill(true);
  return all;
}

}  // namespace

template <class T>
LaneBatch<T>::LaneBatch(const NoisyProgram& program, const LaneProgram& lanes, const ClassicalUnit& unit,
                        base::MemoryBudget budget, const RunControl& control)
    : program_(program),
      lanes_(lanes),
      unit_(unit),
      control_(control),
      buffer_(base::Buffer::allocate(sizeof(kernels::ComplexLine<T>) << program.wires, std::move(budget),
                                     "states of a batch of trajectories")),
      terms_(lanes.sites.size() * kLanes),
      has_event_(lanes.sites.size()) {}

template <class T>
void LaneBatch<T>::assign(std::span<const std::uint64_t> trajectories) {
  count_ = trajectories.size();
  for (std::size_t lane = 0; lane < kLanes; ++lane)
    ids_[lane] = count_ == 0 ? 0 : trajectories[lane < count_ ? lane : 0];
  classical_.assign(kLanes, unit_.initial(program_.classical_bits));
  pc_.fill(program_.code.tail);
  next_draw_.fill(lanes_.draws);
  for (std::size_t s = 0; s < lanes_.sites.size(); ++s) {
    const Site& site = lanes_.sites[s];
    const auto terms = std::span(terms_).subspan(s * kLanes, kLanes);
    has_event_[s] = false;
    if (count_ == 0) {
      std::ranges::fill(terms, site.reference);
      continue;
    }
    const Numbers drawn = uniforms(site.draw);
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      terms[lane] = site.term(drawn[lane]);
      if (terms[lane] != site.reference) has_event_[s] = true;
    }
  }
}

template <class T>
void LaneBatch<T>::start_state() {
  const State to = state();
  const auto& given = program_.options.initial_state;
  base::parallel_for(0, to.size(), kGrain / sizeof(kernels::ComplexLine<T>), [&](std::size_t begin, std::size_t end) {
    control_.check("trajectories");
    for (std::size_t i = begin; i < end; ++i) {
      std::complex<double> value = i == 0 ? 1.0 : 0.0;
      if (given) {
        value = given->dtype() == DType::c64 ? std::complex<double>(given->as<std::complex<float>>()[i])
                                             : given->as<std::complex<double>>()[i];
      }
      to.amplitudes[i].re.of.fill(static_cast<T>(value.real()));
      to.amplitudes[i].im.of.fill(static_cast<T>(value.imag()));
    }
  });
}

template <class T>
void LaneBatch<T>::copy_state(const LaneBatch& from) {
  base::parallel_for(0, buffer_.bytes(), kGrain, [&](std::size_t begin, std::size_t end) {
    std::memcpy(buffer_.data() + begin, from.buffer_.data() + begin, end - begin);
  });
}

template <class T>
typename LaneBatch<T>::Numbers LaneBatch<T>::uniforms(std::uint32_t draw) const {
  Numbers out{};
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    base::Philox random(program_.options.seed, ids_[lane]);
    random.seek(2 * std::uint64_t{draw});
    out[lane] = random.uniform();
  }
  return out;
}

template <class T>
double LaneBatch<T>::draw(std::size_t lane) {
  base::Philox random(program_.options.seed, ids_[lane]);
  random.seek(2 * std::uint64_t{next_draw_[lane]++});
  return random.uniform();
}

template <class T>
kernels::LaneMatrix2<T> LaneBatch<T>::chain_matrix(const std::vector<Link>& chain) const {
  kernels::LaneMatrix2<T> out;
  const auto product = [&](std::size_t lane) {
    std::array<std::complex<double>, 4> m = {1, 0, 0, 1};
    for (const Link& link : chain) {
      const auto site = static_cast<std::size_t>(link.site);
      const Matrix& next = link.site < 0 ? link.fixed : lanes_.sites[site].legs[terms_[site * kLanes + lane]][link.leg];
      const auto& v = next.values;
      m = {v[0] * m[0] + v[1] * m[2], v[0] * m[1] + v[1] * m[3], v[2] * m[0] + v[3] * m[2], v[2] * m[1] + v[3] * m[3]};
    }
    return m;
  };
  const auto suffers = [&](std::size_t lane) {
    return std::ranges::any_of(chain, [&](const Link& link) {
      if (link.site < 0) return false;
      const auto site = static_cast<std::size_t>(link.site);
      return has_event_[site] && terms_[site * kLanes + lane] != lanes_.sites[site].reference;
    });
  };
  // All lanes that suffer nothing here have the same matrix.
  std::array<std::complex<double>, 4> common{};
  bool has_common = false;
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    const bool own = suffers(lane);
    if (!own && !has_common) common = product(lane);
    has_common = has_common || !own;
    const auto m = own ? product(lane) : common;
    for (std::size_t e = 0; e < 4; ++e) out[e].set(lane, m[e]);
  }
  return out;
}

template <class T>
void LaneBatch<T>::turn(const LaneStep& step) {
  const auto first = chain_matrix(step.chains[0]);
  if (step.places.size() == 1) return kernels::apply_one<T>(state(), step.places[0], 0, first, control_);
  kernels::apply_two<T>(state(), step.places[0], first, step.places[1], chain_matrix(step.chains[1]), control_);
}

template <class T>
void LaneBatch<T>::gate(const Matrix& matrix, std::span<const int> places, std::uint64_t controls,
                        const Active& active) {
  const auto fill = [&](auto& lines, std::size_t n) {
    for (std::size_t e = 0; e < n * n; ++e)
      for (std::size_t lane = 0; lane < kLanes; ++lane)
        lines[e].set(lane, active[lane] ? matrix.values[e] : std::complex<double>(e % (n + 1) == 0 ? 1 : 0));
  };
  if (places.size() == 1) {
    kernels::LaneMatrix2<T> lines;
    fill(lines, 2);
    return kernels::apply_one<T>(state(), places[0], controls, lines, control_);
  }
  if (places.size() == 2) {
    kernels::LaneMatrix4<T> lines;
    fill(lines, 4);
    return kernels::apply_four<T>(state(), places[0], places[1], controls, lines, control_);
  }
  kernels::Line<T> mask;
  for (std::size_t lane = 0; lane < kLanes; ++lane) mask.of[lane] = active[lane] ? T(1) : T(0);
  kernels::apply_many<T>(state(), places, controls, matrix.values, mask, control_);
}

template <class T>
void LaneBatch<T>::mix(const Site& site, std::span<const std::uint32_t> terms, const Active& active) {
  const std::size_t n = std::size_t{1} << site.places.size();
  if (n > 4) {
    Active left = active;
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      if (!left[lane]) continue;
      Active same{};
      for (std::size_t other = lane; other < kLanes; ++other) same[other] = left[other] && terms[other] == terms[lane];
      gate(site.unitaries[terms[lane]], site.places, 0, same);
      for (std::size_t other = 0; other < kLanes; ++other) left[other] = left[other] && !same[other];
    }
    return;
  }
  const auto fill = [&](auto& lines) {
    for (std::size_t e = 0; e < n * n; ++e)
      for (std::size_t lane = 0; lane < kLanes; ++lane)
        lines[e].set(lane, active[lane] ? site.unitaries[terms[lane]].values[e]
                                        : std::complex<double>(e % (n + 1) == 0 ? 1 : 0));
  };
  if (n == 2) {
    kernels::LaneMatrix2<T> lines;
    fill(lines);
    return kernels::apply_one<T>(state(), site.places[0], 0, lines, control_);
  }
  kernels::LaneMatrix4<T> lines;
  fill(lines);
  kernels::apply_four<T>(state(), site.places[0], site.places[1], 0, lines, control_);
}

template <class T>
std::array<std::uint32_t, LaneBatch<T>::kLanes> LaneBatch<T>::kraus(const Operators& operators, const Numbers& uniforms,
                                                                    const Active& active) {
  std::array<std::uint32_t, kLanes> chosen{};
  if (operators.places.empty()) return chosen;
  const std::size_t n = std::size_t{1} << operators.places.size();
  std::array<kernels::ComplexLine<T>, 16> rho;
  kernels::reduced_density<T>(state(), operators.places, std::span(rho).first(n * n), control_);
  std::array<double, kLanes> factor{};
  std::vector<double> p(operators.weights.size());
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    double total = 0;
    for (std::size_t i = 0; i < p.size(); ++i) {
      std::complex<double> trace = 0;
      for (std::size_t r = 0; r < n; ++r)
        for (std::size_t c = 0; c < n; ++c) trace += operators.weights[i].values[r * n + c] * rho[c * n + r].get(lane);
      p[i] = std::max(trace.real(), 0.0);
      total += p[i];
    }
    double rest = uniforms[lane] * total;
    // The last possible one, should rounding leave something over.
    for (std::uint32_t i = 0; i < p.size(); ++i) {
      if (p[i] <= 1e-12 * total) continue;
      chosen[lane] = i;
      rest -= p[i];
      if (rest < 0) break;
    }
    factor[lane] = 1 / std::sqrt(p[chosen[lane]]);
  }
  const auto fill = [&](auto& lines) {
    for (std::size_t e = 0; e < n * n; ++e)
      for (std::size_t lane = 0; lane < kLanes; ++lane)
        lines[e].set(lane, active[lane] ? factor[lane] * operators.operators[chosen[lane]].values[e]
                                        : std::complex<double>(e % (n + 1) == 0 ? 1 : 0));
  };
  if (n == 2) {
    kernels::LaneMatrix2<T> lines;
    fill(lines);
    kernels::apply_one<T>(state(), operators.places[0], 0, lines, control_);
  } else {
    kernels::LaneMatrix4<T> lines;
    fill(lines);
    kernels::apply_four<T>(state(), operators.places[0], operators.places[1], 0, lines, control_);
  }
  return chosen;
}

template <class T>
void LaneBatch<T>::read(std::size_t lane, Wire wire, std::uint32_t bit, std::uint32_t found, double uniform) {
  const double one = program_.noisy.readout[wire][2 * found + 1];
  classical_[lane].bits[bit] = static_cast<std::uint8_t>(uniform < one);
}

template <class T>
void LaneBatch<T>::run(std::uint32_t begin, std::uint32_t end) {
  const Active all = everyone<kLanes>();
  for (std::uint32_t i = begin; i < end; ++i) {
    const LaneStep& step = lanes_.steps[i];
    control_.check("trajectories");
    switch (step.kind) {
      case LaneStepKind::turn:
        turn(step);
        break;
      case LaneStepKind::phase: {
        kernels::ComplexLine<T> factor;
        for (std::size_t lane = 0; lane < kLanes; ++lane) factor.set(lane, step.factor);
        kernels::apply_phase<T>(state(), step.mask, factor, control_);
        break;
      }
      case LaneStepKind::gate:
        gate(step.matrix, step.places, step.mask, all);
        break;
      case LaneStepKind::mix:
        mix(lanes_.sites[step.site], std::span(terms_).subspan(step.site * kLanes, kLanes), all);
        break;
      case LaneStepKind::kraus: {
        const auto chosen = kraus(step.kraus, uniforms(step.draw), all);
        if (!step.is_measure) break;
        const Numbers readings = uniforms(step.draw + 1);
        for (std::size_t lane = 0; lane < kLanes; ++lane) read(lane, step.wire, step.bit, chosen[lane], readings[lane]);
        break;
      }
    }
  }
}

template <class T>
void LaneBatch<T>::run_code() {
  pc_.fill(0);
  for (;;) {
    // The lanes that are furthest behind go on, so that those which went another way meet again after it.
    const std::uint32_t pc = *std::ranges::min_element(pc_);
    if (pc >= program_.code.tail) return;
    Active active{};
    for (std::size_t lane = 0; lane < kLanes; ++lane) active[lane] = pc_[lane] == pc;
    control_.check("trajectories");
    code_step(pc, active);
  }
}

template <class T>
void LaneBatch<T>::code_step(std::uint32_t pc, const Active& active) {
  const Step& step = program_.code.steps[pc];
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    if (!active[lane]) continue;
    const bool classical =
        step.kind == StepKind::assign || step.kind == StepKind::jump || step.kind == StepKind::jump_unless;
    pc_[lane] = classical ? unit_.step(pc, classical_[lane], control_) : pc + 1;
  }
  if (step.kind == StepKind::gate) return code_gate(step, active);
  if (step.kind != StepKind::measure && step.kind != StepKind::reset) return;
  const bool reset = step.kind == StepKind::reset;
  Numbers drawn{};
  for (std::size_t lane = 0; lane < kLanes; ++lane)
    if (active[lane]) drawn[lane] = draw(lane);
  const std::uint32_t place = program_.places[step.a];
  const Operators operators =
      place == kIdle ? Operators() : Operators(measurement_operators(reset), {static_cast<int>(place)});
  const auto chosen = kraus(operators, drawn, active);
  for (std::size_t lane = 0; lane < kLanes && !reset; ++lane)
    if (active[lane]) read(lane, step.a, step.b, chosen[lane], draw(lane));
}

template <class T>
void LaneBatch<T>::code_gate(const Step& step, const Active& active) {
  const Instruction instruction = program_.noisy.circuit.blocks()[step.b][step.a];
  if (is_site(instruction)) {
    const Channel& channel = program_.noisy.channels[instruction.aux - 1];
    const std::vector<int> places = places_of(program_, instruction.wires);
    Numbers drawn{};
    for (std::size_t lane = 0; lane < kLanes; ++lane)
      if (active[lane]) drawn[lane] = draw(lane);
    const auto site = make_site(channel, places);
    if (!site) {
      kraus(Operators(channel.operators(), places), drawn, active);
      return;
    }
    std::array<std::uint32_t, kLanes> terms{};
    for (std::size_t lane = 0; lane < kLanes; ++lane) terms[lane] = site->term(drawn[lane]);
    return mix(*site, terms, active);
  }
  if (instruction.op == Op::id || instruction.wires.empty()) return;
  // Angles may depend on what a lane has measured: lanes with the same matrix go together.
  std::vector<PlacedGate> gates;
  std::array<std::size_t, kLanes> which{};
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    if (!active[lane]) continue;
    PlacedGate mine = place_gate(program_, instruction, unit_, classical_[lane]);
    const auto same = [&](const PlacedGate& other) { return other.matrix == mine.matrix; };
    which[lane] = static_cast<std::size_t>(std::ranges::find_if(gates, same) - gates.begin());
    if (which[lane] == gates.size()) gates.push_back(std::move(mine));
  }
  for (std::size_t g = 0; g < gates.size(); ++g) {
    Active some{};
    for (std::size_t lane = 0; lane < kLanes; ++lane) some[lane] = active[lane] && which[lane] == g;
    gate(gates[g].matrix, gates[g].places, gates[g].controls, some);
  }
}

template class LaneBatch<float>;
template class LaneBatch<double>;

}  // namespace skerry::sim
