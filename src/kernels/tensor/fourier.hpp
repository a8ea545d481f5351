/// \file
/// The discrete Fourier transform of any length.
#pragma once

#include <complex>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace skerry::kernels {

/// y[k] = sum over n of x[n] exp(-2 pi i k n / length), unscaled; with +2 pi i if inverse. In some length * log(length)
/// steps: by the length's prime factors (Cooley and Tukey), where one of them is large as a convolution (Bluestein).
/// Calls base::check_stop(). One object per thread.
class Fourier {
 public:
  Fourier(std::size_t length, bool inverse);
  /// In place; line.size() is the length.
  void transform(std::span<std::complex<double>> line);

  /// Bytes of an object, tables and working space together.
  static std::uint64_t bytes(std::size_t length) noexcept;
  /// Multiplications of complex numbers in one transform, as prices want them.
  static double products(std::size_t length) noexcept;

 private:
  using Number = std::complex<double>;
  void by_factors(const Number* x, std::size_t step, Number* y, std::size_t size) const;
  void as_convolution(std::span<Number> line);

  std::size_t length_;
  std::vector<Number> roots_;   ///< exp(-+2 pi i k / length)
  std::vector<Number> work_;    ///< as long
  std::vector<Fourier> inner_;  ///< Bluestein's: there and back at a power of two
  std::vector<Number> chirp_, spectrum_, padded_;
};

}  // namespace skerry::kernels
