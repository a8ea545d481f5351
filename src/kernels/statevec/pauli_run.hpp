/// \file
/// Between the driver of Pauli expectation values and its vector code.
#pragma once

#include <complex>
#include <cstddef>
#include <cstdint>

namespace skerry::kernels {

/// Strings of one x over a piece of the amplitudes.
template <class T>
struct PauliRun {
  const std::complex<T>* amplitudes = nullptr;
  std::size_t begin = 0, end = 0;  ///< multiples of pauli_vector()
  std::uint64_t x = 0;
  std::uint64_t skip = 0;  ///< amplitudes with this bit are left out; 0, or the highest bit of x, at least a vector
  const std::uint64_t* z = nullptr;
  const bool* imaginary = nullptr;  ///< which part of the products a string adds
  std::size_t count = 0;
};

/// sums[s] += sum over i of (-1)^{|i & z[s]|} Re or Im(conj(a[i ^ x]) a[i]).
template <class T>
void add_pauli_run(const PauliRun<T>& run, double* sums);

/// Amplitudes in a vector.
template <class T>
std::size_t pauli_vector();

}  // namespace skerry::kernels
