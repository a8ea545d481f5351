// Matrices of more targets than a tile has vectors: plain loops over amplitudes, wherever their bits lie.

#include <array>
#include <complex>

#include "kernels/lanes/lanes.hpp"

namespace skerry::kernels {

template <class T>
void lane_apply_wide(LaneView<T> state, std::uint64_t controls, std::span<const int> targets,
                     std::span<const double> matrix) {
  const int bits = lane_bits<T>();
  const std::size_t lanes = std::size_t{1} << bits;
  const Groups groups(state.vector_wires + bits, controls, targets);
  const std::size_t rows = groups.offsets().size();
  const auto place = [&](std::size_t index) {
    return state.data + 2 * lanes * (index >> bits) + (index & (lanes - 1));
  };
  std::vector<std::complex<double>> x(rows);
  for (std::size_t g = 0; g < groups.count(); ++g) {
    const std::size_t base = groups.base(g);
    for (std::size_t r = 0; r < rows; ++r) {
      const T* from = place(base + groups.offsets()[r]);
      x[r] = {static_cast<double>(from[0]), static_cast<double>(from[lanes])};
    }
    for (std::size_t r = 0; r < rows; ++r) {
      double re = 0, im = 0;
      for (std::size_t c = 0; c < rows; ++c) {
        const double* m = matrix.data() + 2 * (r * rows + c);
        re += m[0] * x[c].real() - m[1] * x[c].imag();
        im += m[0] * x[c].imag() + m[1] * x[c].real();
      }
      T* to = place(base + groups.offsets()[r]);
      to[0] = static_cast<T>(re);
      to[lanes] = static_cast<T>(im);
    }
  }
}

template void lane_apply_wide<float>(LaneView<float>, std::uint64_t, std::span<const int>, std::span<const double>);
template void lane_apply_wide<double>(LaneView<double>, std::uint64_t, std::span<const int>, std::span<const double>);

}  // namespace skerry::kernels
