#include "kernels/statevec/reduce.hpp"

#include <algorithm>
#include <cmath>

#include "base/threads.hpp"

namespace skerry::kernels {
namespace {

constexpr std::size_t kPiece = std::size_t{1} << 14;
/// Partial sums at most: pieces grow beyond, so that a sum needs no memory of its own.
constexpr std::size_t kMaxPieces = 1024;
/// A table of probabilities up to this size is summed in shares, each with a copy of its own.
constexpr std::size_t kMaxShared = 1024;
constexpr std::size_t kShares = 16;

template <class T>
double probability(std::complex<T> a) {
  const double re = a.real(), im = a.imag();
  return re * re + im * im;
}

std::size_t piece_size(std::size_t size) {
  return std::max(kPiece, size / kMaxPieces);
}

/// Sum over pieces [begin, end) of [0, size) of function(begin, end), an Addend that starts at {}.
template <class Addend, class Function>
Addend sum_pieces(std::size_t size, const RunControl& control, Function function) {
  const std::size_t piece = piece_size(size);
  std::array<Addend, kMaxPieces> partial{};
  base::parallel_for(0, size, piece, [&](std::size_t begin, std::size_t end) {
    control.check("simulation");
    partial[begin / piece] = function(begin, end);
  });
  Addend total{};
  for (std::size_t i = 0; i < (size + piece - 1) / piece; ++i) total += partial[i];
  return total;
}

struct Pair {
  double values[2] = {0, 0};
  Pair& operator+=(const Pair& other) {
    values[0] += other.values[0];
    values[1] += other.values[1];
    return *this;
  }
};

/// Which outcome of some wires a basis state belongs to: its bits at those wires, gathered by two table look-ups.
class Outcome {
 public:
  explicit Outcome(std::span<const int> wires) : wires_(wires) {
    for (std::size_t i = 0; i < low_.size(); ++i) low_[i] = gather(i);
  }
  static constexpr std::size_t kLow = 256;
  /// Outcome bits of the part of an index above the lowest eight bits; or it with low().
  std::size_t high(std::size_t index) const { return gather(index & ~(kLow - 1)); }
  std::size_t low(std::size_t index) const { return low_[index & (kLow - 1)]; }

 private:
  std::size_t gather(std::size_t index) const {
    std::size_t outcome = 0;
    for (std::size_t j = 0; j < wires_.size(); ++j) outcome |= (index >> wires_[j] & 1) << j;
    return outcome;
  }
  std::span<const int> wires_;
  std::array<std::size_t, kLow> low_{};
};

/// out[outcome] += weight * probability over the basis states [begin, end).
template <class T>
void tally(ConstStateView<T> state, const Outcome& outcome, std::size_t begin, std::size_t end, double weight,
           std::span<double> out) {
  for (std::size_t block = begin; block < end; block += Outcome::kLow) {
    const std::size_t high = outcome.high(block);
    const std::size_t stop = std::min(block + Outcome::kLow, end);
    for (std::size_t i = block; i < stop; ++i) out[high | outcome.low(i)] += weight * probability(state.amplitudes[i]);
  }
}

/// The same piece by piece, looking at control in between.
template <class T>
void tally_checked(ConstStateView<T> state, const Outcome& outcome, std::size_t begin, std::size_t end, double weight,
                   std::span<double> out, const RunControl& control) {
  for (; begin < end; begin += kPiece) {
    control.check("probabilities");
    tally(state, outcome, begin, std::min(begin + kPiece, end), weight, out);
  }
}

bool all_in_order(std::span<const int> wires, int num_wires) {
  if (static_cast<int>(wires.size()) != num_wires) return false;
  for (std::size_t j = 0; j < wires.size(); ++j)
    if (wires[j] != static_cast<int>(j)) return false;
  return true;
}

}  // namespace

template <class T>
double squared_norm(ConstStateView<T> state, const RunControl& control) {
  return sum_pieces<double>(state.size(), control, [&](std::size_t begin, std::size_t end) {
    double sum = 0;
    for (std::size_t i = begin; i < end; ++i) sum += probability(state.amplitudes[i]);
    return sum;
  });
}

template <class T>
std::array<double, 2> wire_probabilities(ConstStateView<T> state, int wire, const RunControl& control) {
  const std::size_t stride = std::size_t{1} << wire;
  const Pair total = sum_pieces<Pair>(state.size(), control, [&](std::size_t begin, std::size_t end) {
    Pair sum;
    for (std::size_t i = begin; i < end;) {
      const std::size_t stop = std::min((i | (stride - 1)) + 1, end);
      double run = 0;
      const std::size_t bit = i >> wire & 1;
      for (; i < stop; ++i) run += probability(state.amplitudes[i]);
      sum.values[bit] += run;
    }
    return sum;
  });
  return {total.values[0], total.values[1]};
}

template <class T>
void add_probabilities(ConstStateView<T> state, std::span<const int> wires, double weight, std::span<double> out,
                       const RunControl& control) {
  const std::size_t size = state.size();
  if (all_in_order(wires, state.wires)) {
    base::parallel_for(0, size, kPiece, [&](std::size_t begin, std::size_t end) {
      control.check("probabilities");
      for (std::size_t i = begin; i < end; ++i) out[i] += weight * probability(state.amplitudes[i]);
    });
    return;
  }
  const Outcome outcome(wires);
  if (out.size() > kMaxShared || size < kShares * kPiece) {
    tally_checked(state, outcome, 0, size, weight, out, control);
    return;
  }
  // A share of the states each with a table of its own.
  std::vector<double> tables(kShares * out.size());
  base::parallel_for(0, kShares, 1, [&](std::size_t share, std::size_t) {
    const std::size_t first = size / kShares * share;
    tally_checked(state, outcome, first, first + size / kShares, weight,
                  std::span(tables).subspan(share * out.size(), out.size()), control);
  });
  for (std::size_t i = 0; i < tables.size(); ++i) out[i % out.size()] += tables[i];
}

namespace {

/// Amplitudes whose probabilities are one entry of a sampler's table: the more there are, the longer a draw looks, the
/// fewer, the larger the table. 16 make it a sixteenth of a state in double precision.
std::size_t sampling_block(int wires) {
  constexpr int small = 12, large = 22;
  return wires <= small ? 1 : wires <= large ? 16 : 64;
}

}  // namespace

template <class T>
Sampler<T>::Sampler(ConstStateView<T> state, const base::MemoryBudget& budget, const RunControl& control)
    : state_(state), block_(sampling_block(state.wires)) {
  const std::size_t blocks = state.size() / block_;
  cumulative_ = base::Buffer::allocate_for<double>(blocks, budget, "sampling table");
  guide_ = base::Buffer::allocate_for<std::uint32_t>(blocks, budget, "sampling table");
  const auto sums = cumulative_.template as<double>();
  base::parallel_for(0, blocks, kPiece / block_, [&](std::size_t begin, std::size_t end) {
    control.check("sampling");
    for (std::size_t b = begin; b < end; ++b) {
      double sum = 0;
      for (std::size_t i = b * block_; i < (b + 1) * block_; ++i) sum += probability(state_.amplitudes[i]);
      sums[b] = sum;
    }
  });
  double running = 0;
  for (std::size_t b = 0; b < blocks; ++b) {
    if (b % kPiece == 0) control.check("sampling");
    sums[b] = running += sums[b];
  }
  last_ = std::nextafter(running, 0.0);
  const double share = running / static_cast<double>(blocks);
  const auto guide = guide_.template as<std::uint32_t>();
  std::size_t block = 0;
  for (std::size_t g = 0; g < blocks; ++g) {
    if (g % kPiece == 0) control.check("sampling");
    while (block + 1 < blocks && sums[block] <= static_cast<double>(g) * share) ++block;
    guide[g] = static_cast<std::uint32_t>(block);
  }
}

template <class T>
std::uint64_t Sampler<T>::scratch_bytes(int wires) noexcept {
  return (sizeof(double) + sizeof(std::uint32_t)) * ((std::uint64_t{1} << wires) / sampling_block(wires));
}

template <class T>
std::uint64_t Sampler<T>::draw(double uniform) const noexcept {
  const auto sums = cumulative_.template as<double>();
  const auto guide = guide_.template as<std::uint32_t>();
  // Below the total, so that some block reaches beyond it whatever the rounding.
  const double target = std::min(uniform * sums.back(), last_);
  std::size_t block = guide[static_cast<std::size_t>(uniform * static_cast<double>(sums.size()))];
  // The guide rounds too: a block may be one too far.
  while (block > 0 && sums[block - 1] > target) --block;
  while (sums[block] <= target) ++block;
  if (block_ == 1) return block;
  double running = block == 0 ? 0.0 : sums[block - 1];
  std::uint64_t chosen = block * block_;
  for (std::size_t i = block * block_; i < (block + 1) * block_; ++i) {
    const double p = probability(state_.amplitudes[i]);
    if (p == 0.0) continue;
    chosen = i;
    running += p;
    if (running > target) break;
  }
  return chosen;
}

template <class T>
void Sampler<T>::draw(std::span<const double> uniforms, std::span<std::uint64_t> out) const noexcept {
  if (block_ != 1) {
    for (std::size_t i = 0; i < uniforms.size(); ++i) out[i] = draw(uniforms[i]);
    return;
  }
  const double* const sums = cumulative_.template as<double>().data();
  const std::uint32_t* const guide = guide_.template as<std::uint32_t>().data();
  const auto states = static_cast<double>(state_.size());
  const double total = sums[state_.size() - 1];
  for (std::size_t i = 0; i < uniforms.size(); ++i) {
    const double target = std::min(uniforms[i] * total, last_);
    std::size_t state = guide[static_cast<std::uint32_t>(uniforms[i] * states)];
    while (state > 0 && sums[state - 1] > target) --state;
    while (sums[state] <= target) ++state;
    out[i] = state;
  }
}

#define SKERRY_INSTANTIATE(T)                                                                            \
  template double squared_norm<T>(ConstStateView<T>, const RunControl&);                                 \
  template std::array<double, 2> wire_probabilities<T>(ConstStateView<T>, int, const RunControl&);       \
  template void add_probabilities<T>(ConstStateView<T>, std::span<const int>, double, std::span<double>, \
                                     const RunControl&);                                                 \
  template class Sampler<T>;
SKERRY_INSTANTIATE(float)
SKERRY_INSTANTIATE(double)
#undef SKERRY_INSTANTIATE

}  // namespace skerry::kernels
