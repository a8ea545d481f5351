#include "sim/gradient/lane_run.hpp"

#include <algorithm>
#include <bit>
#include <map>

#include "base/threads.hpp"

namespace skerry::sim {
namespace {

/// Pieces of work to a pass; partial sums are kept for each, so that answers do not depend on the number of threads.
constexpr std::size_t kPieces = 64;
/// Vectors (groups of them) below which a piece is not worth a thread's while.
constexpr std::size_t kShortest = 1024;
/// Groups after which a moment goes from T to double.
constexpr std::size_t kFlush = 2048;

std::size_t grain(std::size_t count) {
  return std::max(count / kPieces, kShortest);
}

/// Largest coefficients of a segment, in numbers.
std::size_t segment_numbers(const GateTape& tape) {
  const std::size_t vector = std::size_t{2} << tape.layout.lane_bits;
  std::size_t most = 0;
  for (const TapeSegment& segment : tape.segments) {
    std::size_t sum = 0;
    for (std::uint32_t i = segment.first; i < segment.first + segment.count; ++i)
      sum += tape.nodes[i].gate.coefficients() * vector;
    most = std::max(most, sum);
  }
  return most;
}

}  // namespace

/// Weights at most, and vectors so few that adding them up once costs less than one batch.
constexpr std::size_t kMaxWeights = std::size_t{1} << 18;

/// Sums of the terms of each flip at each vector; every lane has the same.
template <class T>
void add_weights(kernels::LaneSum<T>& sum, int vector_wires) {
  const std::size_t vectors = std::size_t{1} << vector_wires;
  if (sum.flips.size() * vectors * 2 > kMaxWeights) return;
  sum.weights.resize(sum.flips.size() * vectors * 2);
  T* weights = sum.weights.data();
  for (const kernels::LaneFlip& flip : sum.flips) {
    for (std::size_t u = 0; u < vectors; ++u, weights += 2) {
      for (std::uint32_t t = flip.first; t < flip.first + flip.count; ++t) {
        const kernels::LaneTerm& term = sum.terms[t];
        const T coefficient = sum.lanes[term.vector];
        weights[term.is_imaginary ? 1 : 0] += (std::popcount(u & term.z) & 1) != 0 ? -coefficient : coefficient;
      }
    }
  }
}

template <class T>
kernels::LaneSum<T> lane_sum(std::span<const Observable> observables, std::span<const double> weights,
                             const GateTape& tape) {
  struct Masks {
    std::uint64_t x = 0, z = 0;
    auto operator<=>(const Masks&) const = default;
  };
  const auto moved = [&](const std::vector<std::uint64_t>& words) {
    std::uint64_t mask = 0;
    for (std::size_t wire = 0; wire < tape.positions.size(); ++wire)
      if ((words[wire / 64] >> (wire % 64) & 1) != 0) mask |= std::uint64_t{1} << tape.positions[wire];
    return mask;
  };
  std::map<Masks, double> strings;
  for (std::size_t i = 0; i < observables.size(); ++i)
    for (const PauliTerm& term : observables[i].terms())
      strings[{moved(term.x), moved(term.z)}] += weights[i] * term.coefficient;

  const int bits = tape.layout.lane_bits;
  const std::size_t lanes = std::size_t{1} << bits;
  kernels::LaneSum<T> sum;
  const auto add = [&](const Masks& masks, double coefficient) {
    // A string takes |j> to i^y (-1)^{|j & z|} |j ^ x>, y being its number of Y.
    const int turns = std::popcount(masks.x & masks.z) & 3;
    const double signed_coefficient = turns == 2 || turns == 3 ? -coefficient : coefficient;
    sum.terms.push_back({masks.z >> bits, static_cast<std::uint32_t>(sum.lanes.size()), (turns & 1) != 0});
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      const bool negative = (std::popcount(lane & masks.z) & 1) != 0;
      sum.lanes.push_back(static_cast<T>(negative ? -signed_coefficient : signed_coefficient));
    }
    ++sum.flips.back().count;
  };
  for (auto first = strings.begin(); first != strings.end();) {
    const std::uint64_t x = first->first.x;
    auto last = first;
    while (last != strings.end() && last->first.x == x) ++last;
    sum.flips.push_back(
        {x >> bits, static_cast<std::uint32_t>(x & (lanes - 1)), static_cast<std::uint32_t>(sum.terms.size()), 0});
    for (const int imaginary : {0, 1})
      for (auto it = first; it != last; ++it)
        if ((std::popcount(it->first.x & it->first.z) & 1) == imaginary) add(it->first, it->second);
    first = last;
  }
  if (tape.layout.is_batch) add_weights(sum, tape.vector_wires);
  return sum;
}

namespace {

/// Of the gates of all rows that are bound at once.
std::uint64_t matrix_bytes(const GateTape& tape) noexcept {
  const std::uint64_t rows = tape.layout.is_batch ? std::uint64_t{1} << tape.layout.lane_bits : 1;
  return rows * tape.matrix_entries * sizeof(std::complex<double>);
}

}  // namespace

template <class T>
std::uint64_t LaneRun<T>::bytes(const GateTape& tape, std::size_t bras) noexcept {
  const std::uint64_t state = sizeof(T) * 2 << (tape.vector_wires + tape.layout.lane_bits);
  return state * (1 + bras) + segment_numbers(tape) * sizeof(T) + matrix_bytes(tape);
}

template <class T>
LaneRun<T>::LaneRun(const Circuit& circuit, const GateTape& tape, std::size_t bras, base::MemoryBudget budget,
                    const RunControl& control)
    : circuit_(circuit), tape_(tape), control_(control) {
  const std::uint64_t numbers = std::uint64_t{2} << (tape.vector_wires + tape.layout.lane_bits);
  for (std::size_t i = 0; i < 1 + bras; ++i)
    states_.push_back(base::Buffer::allocate_for<T>(numbers, budget, i == 0 ? "state vector" : "adjoint state"));
  coefficient_buffer_ =
      base::Buffer::allocate_for<T>(std::max<std::size_t>(segment_numbers(tape), 1), budget, "gate coefficients");
  matrix_charge_ = base::Reservation(budget, matrix_bytes(tape), "matrices of the gates");
}

template <class T>
void LaneRun<T>::bind(std::span<const double> slots, std::size_t rows, std::size_t width) {
  width_ = width;
  rows_ = rows;
  const std::size_t bound = tape_.layout.is_batch ? lanes() : 1;
  slots_.assign(slots.begin(), slots.end());
  matrices_.resize(bound * tape_.matrix_entries);
  cosines_.resize(slots.size());
  sines_.resize(slots.size());
  kernels::half_angles(slots, cosines_, sines_);
  for (std::size_t row = 0; row < rows_; ++row) {
    bind_tape(circuit_, tape_, slots.subspan(row * width, width),
              {std::span(cosines_).subspan(row * width, width), std::span(sines_).subspan(row * width, width)},
              std::span(matrices_).subspan(row * tape_.matrix_entries, tape_.matrix_entries));
  }
  for (std::size_t row = rows_; row < bound; ++row) {
    std::ranges::copy(matrices(rows_ - 1), matrices_.begin() + static_cast<std::ptrdiff_t>(row * tape_.matrix_entries));
  }
}

template <class T>
kernels::LaneView<T> LaneRun<T>::block(std::size_t state, std::size_t number) {
  const std::size_t vectors = tape_.block_vectors();
  return {this->state(state).data + number * vectors * 2 * lanes(), tape_.layout.block_wires - tape_.layout.lane_bits};
}
template <class T>
std::size_t LaneRun<T>::blocks() const noexcept {
  return (std::size_t{1} << tape_.vector_wires) / tape_.block_vectors();
}

/// Coefficients of a node: its matrix (or its adjoint) entry by entry for each lane, the identity where a control on a
/// lane is 0. In a batch no wire is a lane, and each lane has a matrix of its own.
template <class T>
const T* LaneRun<T>::fill(const TapeNode& node, bool dagger, T* out) const {
  const kernels::LaneGate& gate = node.gate;
  if (gate.action == kernels::LaneAction::exchange) return out;
  const std::size_t n = node.rows(), count = lanes();
  const std::size_t row_stride = tape_.layout.is_batch ? tape_.matrix_entries : 0;
  const Complex* matrix = matrices_.data() + node.matrix;
  const std::size_t low_controls = node.controls & (count - 1);
  const std::size_t high = std::size_t{1} << gate.slots, low = std::size_t{1} << gate.moves;
  const bool diagonal = gate.action == kernels::LaneAction::diagonal;
  const auto row_bits = [](std::size_t value, const std::array<std::uint8_t, 2>& targets) {
    return ((value & 1) << targets[0]) | ((value >> 1 & 1) << targets[1]);
  };
  const auto lane_row = [&](std::size_t lane) {
    std::size_t row = 0;
    for (int m = 0; m < gate.moves; ++m)
      row |= (lane >> gate.move_bits[static_cast<std::size_t>(m)] & 1)
             << node.move_targets[static_cast<std::size_t>(m)];
    return row;
  };
  T* to = out;
  for (std::size_t r = 0; r < high; ++r) {
    const std::size_t row_high = row_bits(r, node.slot_targets);
    for (std::size_t c = diagonal ? r : 0; c < (diagonal ? r + 1 : high); ++c) {
      const std::size_t column_high = row_bits(c, node.slot_targets);
      for (std::size_t s = 0; s < (diagonal ? 1 : low); ++s, to += 2 * count) {
        const std::size_t moved = row_bits(s, node.move_targets);
        if (row_stride == 0 && low == 1 && low_controls == 0) {
          const Complex m = dagger ? std::conj(matrix[column_high * n + row_high]) : matrix[row_high * n + column_high];
          std::fill_n(to, count, static_cast<T>(m.real()));
          std::fill_n(to + count, count, static_cast<T>(m.imag()));
          continue;
        }
        if (row_stride != 0) {
          const Complex* entry = matrix + (dagger ? column_high * n + row_high : row_high * n + column_high);
          for (std::size_t lane = 0; lane < count; ++lane, entry += row_stride) {
            to[lane] = static_cast<T>(entry->real());
            to[lane + count] = static_cast<T>(dagger ? -entry->imag() : entry->imag());
          }
          continue;
        }
        for (std::size_t lane = 0; lane < count; ++lane) {
          const std::size_t row = row_high | lane_row(lane), column = column_high | (lane_row(lane) ^ moved);
          Complex m = dagger ? std::conj(matrix[column * n + row]) : matrix[row * n + column];
          if ((lane & low_controls) != low_controls) m = row == column ? 1.0 : 0.0;
          to[lane] = static_cast<T>(m.real());
          to[lane + count] = static_cast<T>(m.imag());
        }
      }
    }
  }
  return out;
}

template <class T>
void LaneRun<T>::prepare(const TapeSegment& segment, bool dagger) {
  T* const data = coefficient_buffer_.as<T>().data();
  coefficient_at_.resize(segment.count);
  moment_at_.resize(segment.count);
  std::size_t at = 0;
  moment_count_ = 0;
  const std::size_t copies = (states_.size() - 1) * (tape_.layout.is_batch ? lanes() : 1);
  for (std::uint32_t i = 0; i < segment.count; ++i) {
    const TapeNode& node = tape_.nodes[segment.first + i];
    coefficient_at_[i] = at;
    moment_at_[i] = moment_count_;
    if (node.has_slots) moment_count_ += node.rows() * node.rows() * copies;
    if (node.is_wide) continue;
    fill(node, dagger, data + at);
    at += node.gate.coefficients() * 2 * lanes();
  }
}

template <class T>
void LaneRun<T>::apply_wide(const TapeNode& node, kernels::LaneView<T> state, bool dagger) {
  const auto& matrix = circuit_.matrices()[tape_.members[node.first_member].unitary].values;
  const std::size_t n = node.rows();
  std::vector<double> flat(2 * n * n);
  for (std::size_t r = 0; r < n; ++r) {
    for (std::size_t c = 0; c < n; ++c) {
      const Complex m = dagger ? std::conj(matrix[c * n + r]) : matrix[r * n + c];
      flat[2 * (r * n + c)] = m.real();
      flat[2 * (r * n + c) + 1] = m.imag();
    }
  }
  kernels::lane_apply_wide(state, node.controls, node.targets, flat);
}

template <class T>
void LaneRun<T>::apply(const TapeNode& node, kernels::LaneView<T> state) {
  if (node.is_wide) return apply_wide(node, state, false);
  const T* m = fill(node, false, coefficient_buffer_.as<T>().data());
  kernels::lane_apply(state, node.gate, m, 0, node.gate.groups.count());
}

template <class T>
void LaneRun<T>::forward() {
  const auto all = states_[0].template as<T>();
  base::parallel_for(
      0, all.size(), std::max(all.size() / kPieces, std::size_t{1} << 16),
      [&](std::size_t begin, std::size_t end) { std::ranges::fill(all.subspan(begin, end - begin), T(0)); });
  std::ranges::fill(all.first(tape_.layout.is_batch ? lanes() : 1), T(1));
  const T* data = coefficient_buffer_.as<T>().data();
  for (const TapeSegment& segment : tape_.segments) {
    prepare(segment, false);
    const TapeNode& first = tape_.nodes[segment.first];
    if (segment.by_blocks) {
      base::parallel_for(
          0, blocks(), std::max<std::size_t>(blocks() / kPieces, 1), [&](std::size_t begin, std::size_t end) {
            for (std::size_t b = begin; b < end; ++b) {
              control_.check("gradient");
              for (std::uint32_t i = 0; i < segment.count; ++i) {
                const TapeNode& node = tape_.nodes[segment.first + i];
                if ((b << (tape_.layout.block_wires - tape_.layout.lane_bits) & node.controls_above) !=
                    node.controls_above)
                  continue;
                kernels::lane_apply(block(0, b), node.gate, data + coefficient_at_[i], 0, node.gate.groups.count());
              }
            }
          });
    } else if (first.is_wide) {
      apply_wide(first, ket(), false);
    } else {
      const std::size_t count = first.gate.groups.count();
      base::parallel_for(0, count, grain(count), [&](std::size_t begin, std::size_t end) {
        control_.check("gradient");
        kernels::lane_apply(ket(), first.gate, data, begin, end);
      });
    }
  }
}

template <class T>
void LaneRun<T>::observe(const kernels::LaneSum<T>& sum, std::size_t bra, std::span<double> values) {
  const std::size_t vectors = ket().vectors(), piece = grain(vectors);
  const bool keeps = bra != kNoBra;
  const kernels::LaneView<T> out{keeps ? state(bra + 1).data : nullptr, tape_.vector_wires};
  std::vector<double> partial((vectors + piece - 1) / piece * lanes());
  base::parallel_for(0, vectors, piece, [&](std::size_t begin, std::size_t end) {
    control_.check("observables");
    kernels::lane_pauli(ket(), out, sum, partial.data() + begin / piece * lanes(), begin, end);
  });
  for (std::size_t i = 0; i < partial.size(); ++i) {
    const std::size_t row = tape_.layout.is_batch ? i % lanes() : 0;
    if (row < rows_) values[row] += partial[i];
  }
}

/// Adds the moments that the kernel left for each lane to those of rows and columns.
template <class T>
void LaneRun<T>::gather(const TapeNode& node, std::span<const T> scratch, std::span<Complex> moments) const {
  const kernels::LaneGate& gate = node.gate;
  const std::size_t n = node.rows(), count = lanes();
  const std::size_t low_controls = node.controls & (count - 1);
  const std::size_t high = std::size_t{1} << gate.slots, low = std::size_t{1} << gate.moves;
  const bool diagonal = gate.action == kernels::LaneAction::diagonal;
  const auto row_bits = [](std::size_t value, const std::array<std::uint8_t, 2>& targets) {
    return ((value & 1) << targets[0]) | ((value >> 1 & 1) << targets[1]);
  };
  const T* from = scratch.data();
  for (std::size_t r = 0; r < high; ++r) {
    for (std::size_t c = diagonal ? r : 0; c < (diagonal ? r + 1 : high); ++c) {
      for (std::size_t s = 0; s < (diagonal ? 1 : low); ++s, from += 2 * count) {
        for (std::size_t lane = 0; lane < count; ++lane) {
          if ((lane & low_controls) != low_controls) continue;
          std::size_t lane_row = 0;
          for (int m = 0; m < gate.moves; ++m)
            lane_row |= (lane >> gate.move_bits[static_cast<std::size_t>(m)] & 1)
                        << node.move_targets[static_cast<std::size_t>(m)];
          const std::size_t row = row_bits(r, node.slot_targets) | lane_row;
          const std::size_t column = row_bits(c, node.slot_targets) | (lane_row ^ row_bits(s, node.move_targets));
          const std::size_t own = tape_.layout.is_batch ? lane * n * n : 0;
          moments[own + row * n + column] +=
              Complex(static_cast<double>(from[lane]), static_cast<double>(from[lane + count]));
        }
      }
    }
  }
}

/// A node backwards over groups [begin, end) of a block (whole states: block 0), its moments added.
template <class T>
void LaneRun<T>::back_range(const TapeNode& node, std::size_t i, std::size_t block_number, std::size_t begin,
                            std::size_t end, std::span<T> scratch, std::span<Complex> moments) {
  const T* data = coefficient_buffer_.as<T>().data() + coefficient_at_[i];
  const auto view = [&](std::size_t s) { return node.by_blocks ? block(s, block_number) : state(s); };
  const std::size_t bras = states_.size() - 1;
  if (!node.has_slots) {
    for (std::size_t s = 0; s <= bras; ++s) kernels::lane_apply(view(s), node.gate, data, begin, end);
    return;
  }
  const std::size_t numbers = node.gate.coefficients() * 2 * lanes();
  const std::size_t entries = node.rows() * node.rows() * (tape_.layout.is_batch ? lanes() : 1);
  for (; begin < end; begin += kFlush) {
    const std::size_t stop = std::min(begin + kFlush, end);
    for (std::size_t bra = 0; bra < bras; ++bra) {
      std::ranges::fill(scratch.first(numbers), T(0));
      kernels::lane_unapply(view(0), view(1 + bra), node.gate, data, bra + 1 == bras, scratch.data(), begin, stop);
      gather(node, scratch.first(numbers), moments.subspan(moment_at_[i] + bra * entries, entries));
    }
  }
}

namespace {
/// Moments of one node while they are per lane: at most 16 complex vectors.
template <class T>
struct Scratch {
  alignas(64) std::array<T, 32 * kernels::kMaxLanes> numbers;
};
}  // namespace

template <class T>
void LaneRun<T>::back_by_blocks(const TapeSegment& segment) {
  const std::size_t piece = std::max<std::size_t>(blocks() / kPieces, 1);
  base::parallel_for(0, blocks(), piece, [&](std::size_t begin, std::size_t end) {
    Scratch<T> scratch;
    const auto moments = std::span(moments_).subspan(begin / piece * moment_count_, moment_count_);
    for (std::size_t b = begin; b < end; ++b) {
      control_.check("gradient");
      const std::size_t above = b << (tape_.layout.block_wires - tape_.layout.lane_bits);
      for (std::uint32_t i = segment.count; i-- > 0;) {
        const TapeNode& node = tape_.nodes[segment.first + i];
        if ((above & node.controls_above) != node.controls_above) continue;
        back_range(node, i, b, 0, node.gate.groups.count(), scratch.numbers, moments);
      }
    }
  });
}

template <class T>
void LaneRun<T>::back_whole(const TapeNode& node) {
  if (node.is_wide) {
    for (std::size_t s = 0; s < states_.size(); ++s) apply_wide(node, state(s), true);
    return;
  }
  const std::size_t count = node.gate.groups.count(), piece = grain(count);
  base::parallel_for(0, count, piece, [&](std::size_t begin, std::size_t end) {
    control_.check("gradient");
    Scratch<T> scratch;
    back_range(node, 0, 0, begin, end, scratch.numbers,
               std::span(moments_).subspan(begin / piece * moment_count_, moment_count_));
  });
}

/// Sums what the pieces found, in their order, and turns moments into derivatives.
template <class T>
void LaneRun<T>::finish(const TapeSegment& segment, std::size_t pieces, std::span<double> out) {
  const auto total = std::span(moments_).first(moment_count_);
  for (std::size_t piece = 1; piece < pieces; ++piece)
    for (std::size_t i = 0; i < moment_count_; ++i) total[i] += moments_[piece * moment_count_ + i];
  const std::size_t bras = states_.size() - 1, bound = tape_.layout.is_batch ? lanes() : 1;
  for (std::uint32_t i = 0; i < segment.count; ++i) {
    const TapeNode& node = tape_.nodes[segment.first + i];
    if (!node.has_slots) continue;
    const std::size_t entries = node.rows() * node.rows();
    for (std::size_t bra = 0; bra < bras; ++bra) {
      for (std::size_t row = 0; row < rows_; ++row) {
        add_slot_derivatives(tape_, node, std::span(slots_).subspan(row * width_, width_), matrices(row),
                             total.subspan(moment_at_[i] + (bra * bound + row) * entries, entries),
                             out.subspan((row * bras + bra) * width_, width_));
      }
    }
  }
}

template <class T>
void LaneRun<T>::backward(std::span<double> out) {
  for (std::size_t s = tape_.segments.size(); s-- > 0;) {
    const TapeSegment& segment = tape_.segments[s];
    prepare(segment, true);
    const TapeNode& first = tape_.nodes[segment.first];
    const std::size_t count = segment.by_blocks ? blocks() : first.gate.groups.count();
    const std::size_t piece = segment.by_blocks ? std::max<std::size_t>(count / kPieces, 1) : grain(count);
    const std::size_t pieces = (count + piece - 1) / piece;
    moments_.assign(pieces * moment_count_, 0.0);
    if (segment.by_blocks)
      back_by_blocks(segment);
    else
      back_whole(first);
    finish(segment, pieces, out);
  }
}

#define SKERRY_INSTANTIATE(T)                                                                                      \
  template kernels::LaneSum<T> lane_sum<T>(std::span<const Observable>, std::span<const double>, const GateTape&); \
  template class LaneRun<T>;
SKERRY_INSTANTIATE(float)
SKERRY_INSTANTIATE(double)
#undef SKERRY_INSTANTIATE

}  // namespace skerry::sim
