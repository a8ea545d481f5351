// The reference: reads like the formulas in kernels.hpp and stays slow.

#include <array>

#include "kernels/statevec/kernels.hpp"

namespace skerry::kernels {
namespace {

template <class T>
using Members = std::array<std::complex<T>, std::size_t{1} << kMaxDenseTargets>;

template <class T>
void load(StateView<T> state, const Groups& groups, std::size_t g, Members<T>& x) {
  const auto offsets = groups.offsets();
  for (std::size_t r = 0; r < offsets.size(); ++r) x[r] = state.amplitudes[groups.base(g) + offsets[r]];
}

template <class T>
void dense(StateView<T> state, const Groups& groups, std::span<const std::complex<T>> matrix, std::size_t begin,
           std::size_t end) {
  Members<T> x;
  const auto offsets = groups.offsets();
  const std::size_t rows = offsets.size();
  for (std::size_t g = begin; g < end; ++g) {
    load(state, groups, g, x);
    for (std::size_t r = 0; r < rows; ++r) {
      std::complex<T> sum = 0;
      for (std::size_t c = 0; c < rows; ++c) sum += matrix[r * rows + c] * x[c];
      state.amplitudes[groups.base(g) + offsets[r]] = sum;
    }
  }
}

template <class T>
void diagonal(StateView<T> state, const Groups& groups, std::span<const std::complex<T>> entries, std::size_t begin,
              std::size_t end) {
  for (std::size_t g = begin; g < end; ++g) {
    for (std::size_t r = 0; r < entries.size(); ++r)
      state.amplitudes[groups.base(g) + groups.offsets()[r]] *= entries[r];
  }
}

template <class T>
void permute(StateView<T> state, const Groups& groups, std::span<const std::uint32_t> sources,
             std::span<const std::complex<T>> factors, std::size_t begin, std::size_t end) {
  Members<T> x;
  for (std::size_t g = begin; g < end; ++g) {
    load(state, groups, g, x);
    for (std::size_t r = 0; r < sources.size(); ++r)
      state.amplitudes[groups.base(g) + groups.offsets()[r]] = factors[r] * x[sources[r]];
  }
}

}  // namespace

template <class T>
const Kernels<T>& ref_kernels() {
  static constexpr Kernels<T> kSet = {"ref", dense<T>, diagonal<T>, permute<T>};
  return kSet;
}
template const Kernels<float>& ref_kernels<float>();
template const Kernels<double>& ref_kernels<double>();

}  // namespace skerry::kernels
