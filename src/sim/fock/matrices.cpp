#include "sim/fock/matrices.hpp"

#include <algorithm>
#include <cmath>
#include <skerry/error.hpp>
#include <string>

namespace skerry::sim::fock {

using kernels::fock::ElementBlock;
using kernels::fock::GateElements;
using kernels::fock::MatrixBlock;
using kernels::fock::MatrixGate;
using kernels::fock::ModeLayout;
using photonic::Gate;

ModeLayout layout_of(std::span<const std::uint32_t> cutoffs) {
  ModeLayout layout;
  layout.amplitudes = 1;
  for (const std::uint32_t cutoff : cutoffs) {
    layout.cutoffs.push_back(cutoff);
    layout.amplitudes *= cutoff;
    if (layout.amplitudes > std::size_t{1} << 40)
      throw Error(ErrorCode::limit_exceeded, "a ket of more than 2^40 amplitudes", "photonic circuit",
                  "take smaller cutoffs or fewer modes");
  }
  layout.strides.resize(cutoffs.size());
  std::size_t stride = 1;
  for (std::size_t k = cutoffs.size(); k-- > 0; stride *= cutoffs[k]) layout.strides[k] = stride;
  return layout;
}

std::vector<double> phase_function(const Phase& phase, const ModeLayout& layout) {
  std::vector<double> values(layout.amplitudes);
  const auto level = [&layout](std::size_t i, std::size_t mode) {
    return static_cast<double>(i / layout.strides[mode] % layout.cutoffs[mode]);
  };
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double n = level(i, phase.mode1);
    values[i] = phase.kind == Phase::Kind::linear ? n : n * level(i, phase.mode2);
  }
  return values;
}

namespace {

/// Larger diagonal factors are computed when they are needed: stored, one for each place, they would outweigh the kets.
constexpr std::size_t kStoredAmplitudes = std::size_t{1} << 14;

GateElements elements_of(Gate gate, std::size_t cutoff1, std::size_t cutoff2) {
  if (gate == Gate::displacement || gate == Gate::cubic_phase) return GateElements::displacement(cutoff1);
  if (gate == Gate::squeezing) return GateElements::squeezing(cutoff1);
  if (gate == Gate::beam_splitter) return GateElements::beam_splitter(cutoff1, cutoff2);
  return GateElements::two_mode_squeezing(cutoff1, cutoff2);
}

/// z x without the NaN rules of std::complex.
inline std::complex<double> times(std::complex<double> z, std::complex<double> x) {
  return {z.real() * x.real() - z.imag() * x.imag(), z.real() * x.imag() + z.imag() * x.real()};
}

/// exp(i (linear n + quadratic n²)) for n < count, multiplied up from every 16th, which keeps rounding at 1e-14.
void level_turns(double linear, double quadratic, std::size_t count, double* re, double* im) {
  if (linear == 0.0 && quadratic == 0.0) {
    std::fill_n(re, count, 1.0);
    std::fill_n(im, count, 0.0);
    return;
  }
  const std::complex<double> twice = quadratic == 0.0 ? 1.0 : std::polar(1.0, 2 * quadratic);
  std::complex<double> turn = 1.0, next;
  for (std::size_t n = 0; n < count; ++n) {
    if (n % 16 == 0) {
      const auto level = static_cast<double>(n);
      if (n > 0) turn = std::polar(1.0, level * (linear + quadratic * level));
      next = std::polar(1.0, linear + quadratic * (2 * level + 1));
    }
    re[n] = turn.real();
    im[n] = turn.imag();
    turn = times(turn, next);
    next = times(next, twice);
  }
}

}  // namespace

template <class T>
Matrices<T>::Matrices(Folded folded, ModeLayout layout) : layout_(std::move(layout)) {
  stores_phases_ = layout_.amplitudes <= kStoredAmplitudes;
  steps_.resize(folded.steps.size());
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    steps_[i].step = folded.steps[i];
    shape(i);
  }
  std::size_t levels = 0;
  for (const std::size_t cutoff : layout_.cutoffs) levels += cutoff;
  for (std::vector<Phase>& given : folded.phases) {
    Turns& turns = phases_.emplace_back();
    turns.given = std::move(given);
    if (turns.given.empty()) continue;
    turns.re.resize(levels);
    turns.im.resize(levels);
    for (const Phase& phase : turns.given) {
      const bool is_product = phase.kind == Phase::Kind::product;
      turns.product.emplace_back(is_product ? layout_.cutoffs[phase.mode1] * layout_.cutoffs[phase.mode2] : 0);
    }
    if (stores_phases_) turns.factors.resize(2 * layout_.amplitudes);
  }
}

template <class T>
typename Matrices<T>::Family& Matrices<T>::family_of(const Step& step) {
  const std::size_t cutoff = layout_.cutoffs[step.modes[0]];
  const std::size_t other = step.modes[0] == step.modes[1] ? 1 : layout_.cutoffs[step.modes[1]];
  for (Family& family : families_)
    if (family.gate == step.gate && family.cutoffs[0] == cutoff && family.cutoffs[1] == other) return family;
  families_.push_back({step.gate, {cutoff, other}, elements_of(step.gate, cutoff, other), {}});
  return families_.back();
}

template <class T>
void Matrices<T>::shape(std::size_t index) {
  StepMatrices<T>& step = steps_[index];
  const auto [a, b] = step.step.modes;
  MatrixGate<T>& gate = step.gate;
  step.has_links =
      step.step.gate != Gate::cubic_phase && step.step.gate != Gate::loss && step.step.gate != Gate::amplifier;
  // Columns: every state of the other modes, fastest mode last.
  gate.columns = {0};
  for (std::size_t k = 0; k < layout_.cutoffs.size(); ++k) {
    if (k == a || k == b) continue;
    std::vector<std::ptrdiff_t> more;
    for (const std::ptrdiff_t column : gate.columns)
      for (std::size_t n = 0; n < layout_.cutoffs[k]; ++n)
        more.push_back(column + static_cast<std::ptrdiff_t>(n * layout_.strides[k]));
    gate.columns = std::move(more);
  }
  Family& family = family_of(step.step);
  family.steps.push_back(index);
  const std::size_t modes[2] = {a, b};
  for (const ElementBlock& from : family.elements.blocks()) {
    MatrixBlock block;
    for (const std::size_t side : {0U, 1U}) {
      const auto stride = static_cast<std::ptrdiff_t>(layout_.strides[modes[side]]);
      block.offset += static_cast<std::ptrdiff_t>(from.first[side]) * stride;
      block.stride += from.step[side] * stride;
    }
    block.size = static_cast<std::uint32_t>(from.size);
    block.matrix = from.at;
    gate.blocks.push_back(block);
    if (!step.has_links) continue;
    const std::span<const double> links = family.elements.links().subspan(from.links, from.size + 1);
    const std::ptrdiff_t last = block.offset + (static_cast<std::ptrdiff_t>(from.size) - 1) * block.stride;
    for (std::size_t i = 1; i < from.size; ++i) gate.link_factors.push_back(static_cast<T>(links[i]));
    if (from.has_low) {
      gate.paddings.push_back({from.at - from.size, block.size, block.offset, block.offset});
      gate.padding_factors.push_back(static_cast<T>(-links[0]));
    }
    if (from.has_high) {
      gate.paddings.push_back({from.at + from.size * from.size, block.size, block.offset, last});
      gate.padding_factors.push_back(static_cast<T>(links[from.size]));
    }
  }
  gate.entries.resize(family.elements.elements());
  if (step.step.gate == Gate::cubic_phase) gate.imaginary.resize(gate.entries.size());
  if (!step.has_links) step.derivative = gate;
}

template <class T>
void Matrices<T>::build(std::span<const double> weights, bool with_gradient) {
  for (const Family& family : families_) {
    const std::size_t width = GateElements::width();
    for (std::size_t first = 0; first < family.steps.size(); first += width) {
      const std::size_t count = std::min(width, family.steps.size() - first);
      double values[GateElements::kMaxWidth];
      T* outs[GateElements::kMaxWidth];
      for (std::size_t i = 0; i < count; ++i) {
        StepMatrices<T>& step = steps_[family.steps[first + i]];
        values[i] = step.step.param.at(weights);
        outs[i] = step.gate.entries.data();
        if (step.step.gate == Gate::cubic_phase) build_cubic(step, values[i]);
        if (step.step.gate == Gate::loss || step.step.gate == Gate::amplifier)
          build_channel(step, values[i], with_gradient);
      }
      if (steps_[family.steps[first]].has_links)
        family.elements.template evaluate<T>(std::span(values, count), scratch_, std::span<T* const>(outs, count));
    }
  }
  for (Turns& turns : phases_)
    if (!turns.given.empty()) build_turns(turns, weights);
}

template <class T>
void Matrices<T>::build_turns(Turns& turns, std::span<const double> weights) const {
  std::size_t at = 0;
  for (std::size_t mode = 0; mode < layout_.cutoffs.size(); at += layout_.cutoffs[mode++]) {
    double linear = 0, quadratic = 0;
    for (const Phase& phase : turns.given) {
      if (phase.mode1 != mode || phase.kind == Phase::Kind::product) continue;
      (phase.kind == Phase::Kind::linear ? linear : quadratic) += phase.coefficient * phase.param.at(weights);
    }
    level_turns(linear, quadratic, layout_.cutoffs[mode], turns.re.data() + at, turns.im.data() + at);
  }
  for (std::size_t i = 0; i < turns.given.size(); ++i)
    if (const Phase& phase = turns.given[i]; phase.kind == Phase::Kind::product) {
      const double angle = phase.coefficient * phase.param.at(weights);
      const std::size_t columns = layout_.cutoffs[phase.mode2];
      for (std::size_t at = 0; at < turns.product[i].size(); ++at) {
        const std::size_t quanta = (at / columns) * (at % columns);
        turns.product[i][at] = std::polar(1.0, angle * static_cast<double>(quanta));
      }
    }
  if (stores_phases_) expand(turns, turns.factors.data(), turns.factors.data() + layout_.amplitudes);
}

template <class T>
void Matrices<T>::expand(const Turns& turns, T* re, T* im) const {
  const std::size_t modes = layout_.cutoffs.size(), last = layout_.cutoffs[modes - 1];
  const auto last_re = std::span(turns.re).last(last), last_im = std::span(turns.im).last(last);
  for (std::size_t base = 0; base < layout_.amplitudes; base += last) {
    std::complex<double> outer = 1.0;
    std::size_t at = 0, rest = base / last;  // the other modes' levels, digits of `rest`
    for (std::size_t mode = 0; mode + 1 < modes; at += layout_.cutoffs[mode++]) {
      const std::size_t period = layout_.strides[mode] / last, level = period == 1 ? rest : rest / period;
      rest -= level * period;
      outer = times(outer, {turns.re[at + level], turns.im[at + level]});
    }
    kernels::fock::turned_row<T>(outer, last_re, last_im, re + base, im + base);
  }
  for (std::size_t i = 0; i < turns.given.size(); ++i) {
    const Phase& phase = turns.given[i];
    if (phase.kind != Phase::Kind::product) continue;
    for (std::size_t n = 0; n < layout_.amplitudes; ++n) {
      const auto level = [&](std::size_t mode) { return n / layout_.strides[mode] % layout_.cutoffs[mode]; };
      const std::complex<double> factor =
          turns.product[i][level(phase.mode1) * layout_.cutoffs[phase.mode2] + level(phase.mode2)];
      const std::complex<double> turned = times({static_cast<double>(re[n]), static_cast<double>(im[n])}, factor);
      re[n] = static_cast<T>(turned.real());
      im[n] = static_cast<T>(turned.imag());
    }
  }
}

template <class T>
kernels::fock::Phases<T> Matrices<T>::phases(std::size_t place, T* room) const {
  const Turns& turns = phases_[place];
  if (turns.given.empty()) return {};
  if (stores_phases_) return {turns.factors.data(), turns.factors.data() + layout_.amplitudes};
  expand(turns, room, room + layout_.amplitudes);
  return {room, room + layout_.amplitudes};
}

template <class T>
void Matrices<T>::build_cubic(StepMatrices<T>& step, double value) {
  const std::size_t cutoff = layout_.cutoffs[step.step.modes[0]];
  complex_elements_.resize(cutoff * cutoff);
  complex_derivative_.resize(cutoff * cutoff);
  kernels::fock::cubic_phase(value, cutoff, complex_elements_, complex_derivative_);
  for (std::size_t i = 0; i < cutoff * cutoff; ++i) {
    step.gate.entries[i] = static_cast<T>(complex_elements_[i].real());
    step.gate.imaginary[i] = static_cast<T>(complex_elements_[i].imag());
    step.derivative.entries[i] = static_cast<T>(complex_derivative_[i].real());
    step.derivative.imaginary[i] = static_cast<T>(complex_derivative_[i].imag());
  }
}

template <class T>
void Matrices<T>::build_channel(StepMatrices<T>& step, double value, bool with_gradient) {
  const bool is_loss = step.step.gate == Gate::loss;
  const std::span<const ElementBlock> blocks = family_of(step.step).elements.blocks();
  // loss: rho'[m, n] = sum over l of sqrt(C(m+l, l) C(n+l, l)) T^{(m+n)/2} (1-T)^l rho[m+l, n+l];
  // amplifier: rho'[m, n] = sum of sqrt(C(m, l) C(n, l)) T^{(m+n)/2 - l + 1} (1-T)^l rho[m-l, n-l], T = 1/G.
  const double t = is_loss ? value : 1 / value;
  const auto power = [](double x, double y) { return y == 0 ? 1.0 : (x <= 0 ? 0.0 : std::pow(x, y)); };
  const auto element = [&](const ElementBlock& block, std::size_t row, std::size_t column, bool derivative) {
    const std::size_t high = std::max(row, column), low = std::min(row, column), l = high - low;
    if (is_loss ? row > column : column > row) return 0.0;
    const auto m = static_cast<double>(block.first[0] + high), n = static_cast<double>(block.first[1] + high);
    double binomials = 1.0;
    for (std::size_t i = 0; i < l; ++i) {
      const auto shift = static_cast<double>(i);
      binomials *= std::sqrt((m - shift) * (n - shift)) / (shift + 1);
    }
    const auto lost = static_cast<double>(l);
    const double kept = (m + n) / 2 - lost + (is_loss ? 0 : 1);
    if (!derivative) return binomials * power(t, kept) * power(1 - t, lost);
    const double slope = (kept == 0 ? 0 : kept * power(t, kept - 1) * power(1 - t, lost)) -
                         (l == 0 ? 0 : lost * power(t, kept) * power(1 - t, lost - 1));
    return binomials * slope * (is_loss ? 1 : -t * t);
  };
  for (const ElementBlock& block : blocks)
    for (std::size_t row = 0; row < block.size; ++row)
      for (std::size_t column = 0; column < block.size; ++column) {
        const std::size_t at = block.at + row * block.size + column;
        step.gate.entries[at] = static_cast<T>(element(block, row, column, false));
        if (with_gradient) step.derivative.entries[at] = static_cast<T>(element(block, row, column, true));
      }
}

template class Matrices<float>;
template class Matrices<double>;

}  // namespace skerry::sim::fock
