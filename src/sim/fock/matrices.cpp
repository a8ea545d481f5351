#include "sim/fock/matrices.hpp"

#include <algorithm>
#include <cmath>
#include <skerry/error.hpp>
#include <string>

namespace skerry::sim::fock {

using kernels::fock::MatrixBlock;
using kernels::fock::MatrixGate;
using kernels::fock::ModeLayout;
using kernels::fock::PairBlock;
using kernels::fock::tile_rows;
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

/// Packs size x size elements in tiles of rows.
template <class T, bool IsComplex, class Element>
void pack(std::uint32_t size, T* to, Element element) {
  for (std::uint32_t row = 0; row < size;) {
    const std::uint32_t rows = tile_rows(row, size);
    for (std::uint32_t column = 0; column < size; ++column) {
      for (std::uint32_t r = 0; r < rows; ++r) {
        if constexpr (IsComplex) {
          const std::complex<double> value = element(row + r, column);
          to[r] = static_cast<T>(value.real());
          to[rows + r] = static_cast<T>(value.imag());
        } else {
          to[r] = static_cast<T>(element(row + r, column));
        }
      }
      to += IsComplex ? 2 * rows : rows;
    }
    row += rows;
  }
}

/// z x without the NaN rules of std::complex.
inline std::complex<double> times(std::complex<double> z, std::complex<double> x) {
  return {z.real() * x.real() - z.imag() * x.imag(), z.real() * x.imag() + z.imag() * x.real()};
}

}  // namespace

template <class T>
Matrices<T>::Matrices(std::vector<Step> steps, ModeLayout layout) : layout_(std::move(layout)) {
  steps_.resize(steps.size());
  for (std::size_t i = 0; i < steps.size(); ++i) {
    steps_[i].step = std::move(steps[i]);
    shape(steps_[i]);
  }
}

template <class T>
void Matrices<T>::shape(StepMatrices<T>& step) {
  const auto [a, b] = step.step.modes;
  if (step.step.gate == Gate::rotation) {
    step.factors.resize(2 * layout_.amplitudes);
    return;
  }
  MatrixGate<T>& gate = step.gate;
  gate.is_complex = step.step.gate == Gate::cubic_phase || !step.step.in.empty() || !step.step.out.empty();
  gate.links_complex = !step.step.out.empty();
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
  const std::size_t cutoff = layout_.cutoffs[a], other = layout_.cutoffs[b];
  const auto stride = static_cast<std::ptrdiff_t>(layout_.strides[a]);
  const std::pair pair(cutoff, other);
  if (step.step.gate == Gate::beam_splitter) {
    shape_pair(step, splitters_.try_emplace(pair, cutoff, other).first->second.blocks(), true);
  } else if (a != b) {
    shape_pair(step, squeezers_.try_emplace(pair, cutoff, other).first->second.blocks(), false);
  } else if (step.step.gate == Gate::squeezing) {
    for (std::size_t parity = 0; parity < std::min<std::size_t>(2, cutoff); ++parity) {
      MatrixBlock block;
      block.offset = static_cast<std::ptrdiff_t>(parity) * stride;
      block.stride = 2 * stride;
      block.size = static_cast<std::uint32_t>((cutoff + 1 - parity) / 2);
      block.high_rows = 1;
      gate.blocks.push_back(block);
    }
  } else {
    MatrixBlock block;
    block.stride = stride;
    block.size = static_cast<std::uint32_t>(cutoff);
    block.high_rows = step.has_links ? 1 : 0;
    gate.blocks.push_back(block);
  }
  reserve(gate);
  if (!step.has_links) step.derivative = gate;
}

template <class T>
void Matrices<T>::shape_pair(StepMatrices<T>& step, std::span<const PairBlock> blocks, bool keeps_sum) {
  const auto stride1 = static_cast<std::ptrdiff_t>(layout_.strides[step.step.modes[0]]);
  const auto stride2 = static_cast<std::ptrdiff_t>(layout_.strides[step.step.modes[1]]);
  for (const PairBlock& pair : blocks) {
    MatrixBlock block;
    block.offset = static_cast<std::ptrdiff_t>(pair.first) * stride1 +
                   static_cast<std::ptrdiff_t>(pair.second(pair.first, keeps_sum)) * stride2;
    block.stride = keeps_sum ? stride1 - stride2 : stride1 + stride2;
    block.size = static_cast<std::uint32_t>(pair.size);
    if (step.has_links) {
      block.low_rows = static_cast<std::uint32_t>(pair.first - pair.row_first);
      block.high_rows = static_cast<std::uint32_t>(pair.rows - pair.size) - block.low_rows;
    }
    step.gate.blocks.push_back(block);
  }
}

template <class T>
void Matrices<T>::reserve(MatrixGate<T>& gate) const {
  const std::size_t parts = gate.is_complex ? 2 : 1;
  std::size_t matrices = 0, padding = 0, links = 0;
  for (MatrixBlock& block : gate.blocks) {
    block.forward = block.adjoint = matrices;
    block.padding = padding;
    block.links = links;
    matrices += parts * block.size * block.size;
    padding += parts * block.size * (block.low_rows + block.high_rows);
    links += 2 * (std::size_t{block.size} + 1);
  }
  gate.forward.resize(matrices);
  gate.adjoint.resize(matrices);
  gate.padding.resize(padding);
  gate.links.resize(links);
}

template <class T>
void Matrices<T>::level_phases(const std::vector<Phase>& phases, const Step& step, std::span<const double> weights,
                               LevelPhases& out) const {
  out.any = !phases.empty();
  if (!out.any) return;
  const auto [a, b] = step.modes;
  const std::size_t first = layout_.cutoffs[a], second = a == b ? 1 : layout_.cutoffs[b];
  // One angle for each kind and mode; powers of one turn are exact enough (log2 n multiplications).
  double linear[2] = {0, 0}, quadratic[2] = {0, 0}, product = 0;
  for (const Phase& phase : phases) {
    const double angle = phase.coefficient * phase.param.at(weights);
    const int side = phase.mode1 == a ? 0 : 1;
    if (phase.kind == Phase::Kind::linear) linear[side] += angle;
    if (phase.kind == Phase::Kind::quadratic) quadratic[side] += angle;
    if (phase.kind == Phase::Kind::product) product += angle;
  }
  std::vector<Complex>& values = out.values;
  values.resize(first * second + first + second);
  const auto turns = [&](int side, std::size_t count, Complex* to) {
    to[0] = 1.0;
    if (count > 1) to[1] = std::polar(1.0, linear[side]);
    for (std::size_t n = 2; n < count; ++n) to[n] = times(to[n / 2], to[n - n / 2]);
    if (quadratic[side] != 0.0)
      for (std::size_t n = 1; n < count; ++n)
        to[n] = times(to[n], std::polar(1.0, quadratic[side] * static_cast<double>(n * n)));
  };
  Complex* left = values.data() + first * second;
  Complex* right = left + first;
  turns(0, first, left);
  turns(1, second, right);
  for (std::size_t m = 0; m < first; ++m)
    for (std::size_t n = 0; n < second; ++n) values[m * second + n] = times(left[m], right[n]);
  if (product != 0.0)
    for (std::size_t m = 1; m < first; ++m)
      for (std::size_t n = 1; n < second; ++n)
        values[m * second + n] = times(values[m * second + n], std::polar(1.0, product * static_cast<double>(m * n)));
}

template <class T>
template <class Element, class Link>
void Matrices<T>::fill(StepMatrices<T>& step, bool with_gradient, Element element, Link e) {
  MatrixGate<T>& gate = step.gate;
  const auto [a, b] = step.step.modes;
  const auto stride1 = static_cast<std::ptrdiff_t>(layout_.strides[a]);
  const std::size_t second = a == b ? 1 : layout_.cutoffs[b];
  for (std::size_t index = 0; index < gate.blocks.size(); ++index) {
    const MatrixBlock& block = gate.blocks[index];
    // Where row i's phases lie: levels are the block's offset and stride in units of the two modes.
    std::ptrdiff_t start = block.offset / stride1, step_by = block.stride / stride1;
    if (a != b) {
      const auto stride2 = static_cast<std::ptrdiff_t>(layout_.strides[b]);
      const auto level = [&](std::ptrdiff_t at, std::ptrdiff_t stride, std::size_t mode) {
        return at / stride % static_cast<std::ptrdiff_t>(layout_.cutoffs[mode]);
      };
      start = level(block.offset, stride1, a) * static_cast<std::ptrdiff_t>(second) + level(block.offset, stride2, b);
      step_by = static_cast<std::ptrdiff_t>(second) + (block.stride == stride1 + stride2 ? 1 : -1);
    }
    const auto phase = [start, step_by](const LevelPhases& phases, std::uint32_t i) {
      return phases.values[static_cast<std::size_t>(start + static_cast<std::ptrdiff_t>(i) * step_by)];
    };
    const std::uint32_t size = block.size, low = block.low_rows;
    if (gate.is_complex) {
      const auto dressed = [&](std::uint32_t row, std::uint32_t column) {
        Complex value = element(index, row + low, column);
        if (in_.any) value = times(value, phase(in_, column));
        return out_.any ? times(value, phase(out_, row)) : value;
      };
      pack<T, true>(size, gate.forward.data() + block.forward, dressed);
      if (!with_gradient) continue;
      pack<T, true>(size, gate.adjoint.data() + block.adjoint,
                    [&](std::uint32_t row, std::uint32_t column) { return std::conj(dressed(column, row)); });
    } else {
      const auto plain = [&](std::uint32_t row, std::uint32_t column) {
        return std::real(element(index, row + low, column));
      };
      pack<T, false>(size, gate.forward.data() + block.forward, plain);
      if (!with_gradient) continue;
      pack<T, false>(size, gate.adjoint.data() + block.adjoint,
                     [&](std::uint32_t row, std::uint32_t column) { return plain(column, row); });
    }
    if (!step.has_links) continue;
    T* padding = gate.padding.data() + block.padding;
    for (std::uint32_t side = 0; side < 2; ++side) {
      if ((side == 0 ? low : block.high_rows) == 0) continue;
      const std::uint32_t row = side == 0 ? 0 : low + size;
      for (std::uint32_t column = 0; column < size; ++column) {
        Complex value = element(index, row, column);
        if (in_.any) value = times(value, phase(in_, column));
        *padding++ = static_cast<T>(value.real());
        if (gate.is_complex) *padding++ = static_cast<T>(value.imag());
      }
    }
    T* links = gate.links.data() + block.links;
    for (std::uint32_t i = 0; i <= size; ++i) {
      Complex link = e(index, i);
      if (out_.any && i < size) link *= phase(out_, i);
      if (out_.any && i > 0) link *= std::conj(phase(out_, i - 1));
      links[2 * i] = static_cast<T>(link.real());
      links[2 * i + 1] = static_cast<T>(link.imag());
    }
  }
}

template <class T>
void Matrices<T>::build(std::span<const double> weights, bool with_gradient) {
  for (StepMatrices<T>& step : steps_) build_step(step, weights, with_gradient);
}

template <class T>
void Matrices<T>::build_step(StepMatrices<T>& step, std::span<const double> weights, bool with_gradient) {
  const auto [a, b] = step.step.modes;
  const std::size_t cutoff = layout_.cutoffs[a];
  const double value = step.step.param.at(weights);
  const auto root = [](std::size_t n) { return std::sqrt(static_cast<double>(n)); };
  if (step.step.gate != Gate::rotation) {
    level_phases(step.step.in, step.step, weights, in_);
    level_phases(step.step.out, step.step, weights, out_);
  }
  const auto room = [this](std::size_t count) {
    if (elements_.size() < count) elements_.resize(count);
    return std::span<double>(elements_);
  };
  switch (step.step.gate) {
    case Gate::rotation:
    case Gate::kerr:
    case Gate::cross_kerr:
      build_diagonal(step, weights);
      return;
    case Gate::displacement:
      kernels::fock::displacement(value, cutoff + 1, cutoff, room((cutoff + 1) * cutoff));
      fill(
          step, with_gradient,
          [&](std::size_t, std::uint32_t row, std::uint32_t column) { return elements_[row * cutoff + column]; },
          [&](std::size_t, std::uint32_t i) { return root(i); });
      return;
    case Gate::squeezing: {
      const std::size_t size = cutoff + 2;
      kernels::fock::squeezing(value, size, room(size * size));
      fill(
          step, with_gradient,
          [&](std::size_t parity, std::uint32_t row, std::uint32_t column) {
            return elements_[(parity + 2 * row) * size + parity + 2 * column];
          },
          [&](std::size_t parity, std::uint32_t i) {
            const std::size_t m = parity + 2 * std::size_t{i};
            return m < 2 ? 0.0 : -0.5 * root(m * (m - 1));
          });
      return;
    }
    case Gate::cubic_phase:
      complex_elements_.resize(cutoff * cutoff);
      complex_derivative_.resize(cutoff * cutoff);
      kernels::fock::cubic_phase(value, cutoff, complex_elements_, complex_derivative_);
      for (MatrixGate<T>* gate : {&step.derivative, &step.gate}) {
        const std::vector<Complex>& from = gate == &step.gate ? complex_elements_ : complex_derivative_;
        fill(
            step, with_gradient,
            [&](std::size_t, std::uint32_t row, std::uint32_t column) { return from[row * cutoff + column]; },
            [](std::size_t, std::uint32_t) { return 0.0; });
        if (gate == &step.derivative) step.derivative.forward = step.gate.forward;
      }
      return;
    case Gate::beam_splitter: {
      kernels::fock::BeamSplitter& splitter = splitters_.at({cutoff, layout_.cutoffs[b]});
      splitter.evaluate(value, room(splitter.elements()));
      const std::span<const PairBlock> blocks = splitter.blocks();
      fill(
          step, with_gradient,
          [&](std::size_t index, std::uint32_t row, std::uint32_t column) {
            return elements_[blocks[index].at + row * blocks[index].size + column];
          },
          [&](std::size_t index, std::uint32_t i) {
            const std::size_t m = blocks[index].first + i, total = static_cast<std::size_t>(blocks[index].invariant);
            return m > total ? 0.0 : -root(m * (total - m + 1));
          });
      return;
    }
    case Gate::two_mode_squeezing: {
      const kernels::fock::TwoModeSqueezing& squeezer = squeezers_.at({cutoff, layout_.cutoffs[b]});
      squeezer.evaluate(value, room(squeezer.elements()));
      const std::span<const PairBlock> blocks = squeezer.blocks();
      fill(
          step, with_gradient,
          [&](std::size_t index, std::uint32_t row, std::uint32_t column) {
            return elements_[blocks[index].at + row * blocks[index].size + column];
          },
          [&](std::size_t index, std::uint32_t i) {
            const std::size_t m = blocks[index].first + i;
            return root(m * blocks[index].second(m, false));
          });
      return;
    }
    case Gate::loss:
    case Gate::amplifier:
      build_channel(step, value, with_gradient);
      return;
  }
}

template <class T>
void Matrices<T>::build_diagonal(StepMatrices<T>& step, std::span<const double> weights) {
  std::vector<double> angles(layout_.amplitudes);
  for (const Phase& phase : step.step.in) {
    const double angle = phase.coefficient * phase.param.at(weights);
    const std::vector<double> g = phase_function(phase, layout_);
    for (std::size_t i = 0; i < angles.size(); ++i) angles[i] += angle * g[i];
  }
  for (std::size_t i = 0; i < angles.size(); ++i) {
    step.factors[2 * i] = static_cast<T>(std::cos(angles[i]));
    step.factors[2 * i + 1] = static_cast<T>(std::sin(angles[i]));
  }
}

template <class T>
void Matrices<T>::build_channel(StepMatrices<T>& step, double value, bool with_gradient) {
  const bool is_loss = step.step.gate == Gate::loss;
  const std::size_t cutoff = layout_.cutoffs[step.step.modes[0]];
  const std::span<const PairBlock> blocks = squeezers_.at({cutoff, layout_.cutoffs[step.step.modes[1]]}).blocks();
  // loss: rho'[m, n] = sum over l of sqrt(C(m+l, l) C(n+l, l)) T^{(m+n)/2} (1-T)^l rho[m+l, n+l];
  // amplifier: rho'[m, n] = sum of sqrt(C(m, l) C(n, l)) T^{(m+n)/2 - l + 1} (1-T)^l rho[m-l, n-l], T = 1/G.
  const double t = is_loss ? value : 1 / value;
  const auto power = [](double x, double y) { return y == 0 ? 1.0 : (x <= 0 ? 0.0 : std::pow(x, y)); };
  const auto element = [&](std::size_t index, std::size_t row, std::size_t column, bool derivative) {
    const PairBlock& block = blocks[index];
    const std::size_t high = std::max(row, column), low = std::min(row, column), l = high - low;
    if (is_loss ? row > column : column > row) return 0.0;
    const auto m = static_cast<double>(block.first + high),
               n = static_cast<double>(block.second(block.first + high, false));
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
  const auto none = [](std::size_t, std::uint32_t) { return 0.0; };
  for (const bool derivative : {true, false}) {
    fill(
        step, with_gradient,
        [&](std::size_t index, std::uint32_t row, std::uint32_t column) {
          return element(index, row, column, derivative);
        },
        none);
    if (derivative) step.derivative.forward = step.gate.forward;
  }
}

template <class T>
std::uint64_t Matrices<T>::bytes() const noexcept {
  std::uint64_t numbers = 0;
  for (const StepMatrices<T>& step : steps_)
    for (const MatrixGate<T>* gate : {&step.gate, &step.derivative})
      numbers += gate->forward.size() + gate->adjoint.size() + gate->padding.size() + gate->links.size();
  return numbers * sizeof(T);
}

template class Matrices<float>;
template class Matrices<double>;

}  // namespace skerry::sim::fock
