#include "kernels/trajectories/lanes.hpp"

#include <algorithm>
#include <bit>
#include <vector>

#include "base/threads.hpp"
#include "kernels/trajectories/lanes_simd.hpp"

namespace skerry::kernels {
namespace {

/// Lines that a thread takes at once: a quarter of a megabyte, so that a small state costs no synchronisation.
constexpr std::size_t kPiece = std::size_t{1} << 12;
constexpr std::size_t kMaxPieces = 256;

GroupIndex groups_of(std::uint64_t wires, std::uint64_t controls) {
  return {wires | controls, controls};
}
std::size_t count_of(int wires, GroupIndex groups) {
  return std::size_t{1} << (wires - std::popcount(groups.fixed));
}

template <class Function>
void for_groups(int wires, GroupIndex groups, const RunControl& control, Function fn) {
  const std::size_t each = std::size_t{1} << std::popcount(groups.fixed & ~groups.set);
  base::parallel_for(0, count_of(wires, groups), std::max<std::size_t>(kPiece / each, 1),
                     [&](std::size_t begin, std::size_t end) {
                       control.check("trajectories");
                       fn(begin, end);
                     });
}

std::size_t piece_of(std::size_t size) {
  return std::max(kPiece, size / kMaxPieces);
}

}  // namespace

template <class T>
void apply_one(LaneState<T> state, int wire, std::uint64_t controls, const LaneMatrix2<T>& m,
               const RunControl& control) {
  const std::size_t stride = std::size_t{1} << wire;
  const GroupIndex groups = groups_of(stride, controls);
  for_groups(state.wires, groups, control, [&](std::size_t begin, std::size_t end) {
    lane_kernels<T>().one(state.amplitudes, groups, stride, m, begin, end);
  });
}

template <class T>
void apply_two(LaneState<T> state, int a, const LaneMatrix2<T>& ma, int b, const LaneMatrix2<T>& mb,
               const RunControl& control) {
  const std::size_t x = std::size_t{1} << a, y = std::size_t{1} << b;
  const GroupIndex groups = groups_of(x | y, 0);
  for_groups(state.wires, groups, control, [&](std::size_t begin, std::size_t end) {
    lane_kernels<T>().two(state.amplitudes, groups, x, ma, y, mb, begin, end);
  });
}

template <class T>
void apply_four(LaneState<T> state, int a, int b, std::uint64_t controls, const LaneMatrix4<T>& m,
                const RunControl& control) {
  const std::size_t x = std::size_t{1} << a, y = std::size_t{1} << b;
  const GroupIndex groups = groups_of(x | y, controls);
  for_groups(state.wires, groups, control, [&](std::size_t begin, std::size_t end) {
    lane_kernels<T>().four(state.amplitudes, groups, x, y, m, begin, end);
  });
}

template <class T>
void apply_phase(LaneState<T> state, std::uint64_t mask, const ComplexLine<T>& factor, const RunControl& control) {
  const GroupIndex groups = groups_of(0, mask);
  for_groups(state.wires, groups, control, [&](std::size_t begin, std::size_t end) {
    lane_kernels<T>().phase(state.amplitudes, groups, factor, begin, end);
  });
}

template <class T>
void apply_many(LaneState<T> state, std::span<const int> wires, std::uint64_t controls,
                std::span<const std::complex<double>> m, const Line<T>& active, const RunControl& control) {
  const std::size_t rows = std::size_t{1} << wires.size();
  std::vector<std::size_t> places(rows);
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t j = 0; j < wires.size(); ++j) places[r] |= (r >> j & 1) << wires[j];
  const GroupIndex groups = groups_of(places.back(), controls);
  for_groups(state.wires, groups, control, [&](std::size_t begin, std::size_t end) {
    std::vector<ComplexLine<T>> x(rows);
    std::size_t i = groups(begin);
    for (std::size_t group = begin; group < end; ++group, i = groups.next(i)) {
      for (std::size_t r = 0; r < rows; ++r) x[r] = state.amplitudes[i | places[r]];
      for (std::size_t r = 0; r < rows; ++r) {
        ComplexLine<T> sum;
        for (std::size_t c = 0; c < rows; ++c) {
          const auto re = static_cast<T>(m[r * rows + c].real()), im = static_cast<T>(m[r * rows + c].imag());
          if (re == T(0) && im == T(0)) continue;
          for (std::size_t l = 0; l < kTrajectories<T>; ++l) {
            sum.re.of[l] += re * x[c].re.of[l] - im * x[c].im.of[l];
            sum.im.of[l] += re * x[c].im.of[l] + im * x[c].re.of[l];
          }
        }
        ComplexLine<T>& out = state.amplitudes[i | places[r]];
        for (std::size_t l = 0; l < kTrajectories<T>; ++l) {
          if (active.of[l] == T(0)) continue;
          out.re.of[l] = sum.re.of[l];
          out.im.of[l] = sum.im.of[l];
        }
      }
    }
  });
}

template <class T>
void reduced_density(LaneState<T> state, std::span<const int> wires, std::span<ComplexLine<T>> rho,
                     const RunControl& control) {
  const std::size_t n = std::size_t{1} << wires.size();
  std::array<std::size_t, 4> places{};
  for (std::size_t r = 0; r < n; ++r)
    for (std::size_t j = 0; j < wires.size(); ++j) places[r] |= (r >> j & 1) << wires[j];
  const GroupIndex groups = groups_of(places[n - 1], 0);
  const std::size_t count = count_of(state.wires, groups), piece = std::max<std::size_t>(piece_of(state.size()) / n, 1);
  std::vector<std::array<ComplexLine<T>, 16>> parts((count + piece - 1) / piece);
  base::parallel_for(0, count, piece, [&](std::size_t begin, std::size_t end) {
    control.check("trajectories");
    lane_kernels<T>().reduced(state.amplitudes, groups, std::span(places).first(n), parts[begin / piece].data(), begin,
                              end);
  });
  for (std::size_t r = 0; r < n; ++r) {
    for (std::size_t c = 0; c <= r; ++c) {
      for (std::size_t l = 0; l < kTrajectories<T>; ++l) {
        std::complex<double> sum;
        for (const auto& part : parts) sum += part[r * n + c].get(l);
        rho[r * n + c].set(l, sum);
        rho[c * n + r].set(l, std::conj(sum));
      }
    }
  }
}

template <class T>
void block_sums(LaneState<T> state, std::span<Line<T>> sums, const RunControl& control) {
  const std::size_t block = state.size() / sums.size();
  base::parallel_for(0, sums.size(), std::max<std::size_t>(kPiece / block, 1), [&](std::size_t begin, std::size_t end) {
    control.check("trajectories");
    for (std::size_t b = begin; b < end; ++b)
      lane_kernels<T>().squares(state.amplitudes, b * block, (b + 1) * block, sums[b]);
  });
}

template <class T>
std::array<double, kTrajectories<T>> pauli_expectation(LaneState<T> state, std::uint64_t x, std::uint64_t z,
                                                       const RunControl& control) {
  // Short pieces, summed in double: a sum of many floats would lose the last digits.
  const std::size_t piece = std::min<std::size_t>(256, state.size());
  std::vector<Line<T>> parts(state.size() / piece);
  base::parallel_for(0, parts.size(), std::max<std::size_t>(kPiece / piece, 1),
                     [&](std::size_t begin, std::size_t end) {
                       control.check("trajectories");
                       for (std::size_t p = begin; p < end; ++p)
                         lane_kernels<T>().pauli(state.amplitudes, x, z, p * piece, (p + 1) * piece, parts[p]);
                     });
  std::array<double, kTrajectories<T>> out{};
  for (const auto& part : parts)
    for (std::size_t l = 0; l < out.size(); ++l) out[l] += static_cast<double>(part.of[l]);
  // i^(number of Y) times what the loop left: conj(b) a is real for an even number, and i (conj(b) a) has the real part
  // -Im(conj(b) a) for an odd one.
  const int turns = std::popcount(x & z) % 4;
  if (turns == 1 || turns == 2)
    for (double& value : out) value = -value;
  return out;
}

#define SKERRY_INSTANTIATE(T)                                                                                          \
  template void apply_one<T>(LaneState<T>, int, std::uint64_t, const LaneMatrix2<T>&, const RunControl&);              \
  template void apply_two<T>(LaneState<T>, int, const LaneMatrix2<T>&, int, const LaneMatrix2<T>&, const RunControl&); \
  template void apply_four<T>(LaneState<T>, int, int, std::uint64_t, const LaneMatrix4<T>&, const RunControl&);        \
  template void apply_phase<T>(LaneState<T>, std::uint64_t, const ComplexLine<T>&, const RunControl&);                 \
  template void apply_many<T>(LaneState<T>, std::span<const int>, std::uint64_t,                                       \
                              std::span<const std::complex<double>>, const Line<T>&, const RunControl&);               \
  template void reduced_density<T>(LaneState<T>, std::span<const int>, std::span<ComplexLine<T>>, const RunControl&);  \
  template void block_sums<T>(LaneState<T>, std::span<Line<T>>, const RunControl&);                                    \
  template std::array<double, kTrajectories<T>> pauli_expectation<T>(LaneState<T>, std::uint64_t, std::uint64_t,       \
                                                                     const RunControl&);
SKERRY_INSTANTIATE(float)
SKERRY_INSTANTIATE(double)
#undef SKERRY_INSTANTIATE

}  // namespace skerry::kernels
