/// \file
/// The amplitudes that state-vector kernels work on, as a view.
#pragma once

#include <complex>
#include <cstddef>

namespace skerry::kernels {

/// 2^wires amplitudes somebody else owns, wire 0 the least significant bit of the index. T is float or double.
template <class T>
struct StateView {
  std::complex<T>* amplitudes = nullptr;
  int wires = 0;
  std::size_t size() const noexcept { return std::size_t{1} << wires; }
};

/// The same for readers.
template <class T>
struct ConstStateView {
  const std::complex<T>* amplitudes = nullptr;
  int wires = 0;
  ConstStateView(const std::complex<T>* data, int num_wires) : amplitudes(data), wires(num_wires) {}
  ConstStateView(StateView<T> view)  // NOLINT(google-explicit-constructor): a writer may read
      : amplitudes(view.amplitudes), wires(view.wires) {}
  std::size_t size() const noexcept { return std::size_t{1} << wires; }
};

}  // namespace skerry::kernels
