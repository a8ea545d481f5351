#include <algorithm>
#include <complex>
#include <skerry/error.hpp>
#include <skerry/fidelity.hpp>
#include <vector>

#include "base/threads.hpp"

namespace skerry {
namespace {

using Complex = std::complex<double>;

constexpr std::size_t kMostWires = 12;  // a matrix of 256 MiB
constexpr std::size_t kPiece = std::size_t{1} << 16;

template <class Function>
auto with_amplitudes(const State& state, Function fn) {
  if (state.precision() == Precision::single_precision) return fn(state.amplitudes().as<std::complex<float>>());
  return fn(state.amplitudes().as<std::complex<double>>());
}

/// sum of conj(a[i]) b[i], piece by piece, so that the number of threads changes no bit.
template <class A, class B>
Complex overlap(std::span<const A> a, std::span<const B> b) {
  std::vector<Complex> parts((a.size() + kPiece - 1) / kPiece);
  base::parallel_for(0, a.size(), kPiece, [&](std::size_t begin, std::size_t end) {
    double re = 0, im = 0;
    for (std::size_t i = begin; i < end; ++i) {
      const Complex x(a[i]), y(b[i]);
      re += x.real() * y.real() + x.imag() * y.imag();
      im += x.real() * y.imag() - x.imag() * y.real();
    }
    parts[begin / kPiece] = {re, im};
  });
  Complex sum = 0;
  for (const Complex part : parts) sum += part;
  return sum;
}

std::uint64_t checked_mask(const State& state, std::span<const std::uint32_t> wires) {
  std::uint64_t mask = 0;
  for (const std::uint32_t wire : wires) {
    if (wire >= state.num_wires()) {
      throw Error(ErrorCode::out_of_range,
                  "wire " + std::to_string(wire) + " of a state of " + std::to_string(state.num_wires()) + " wires");
    }
    if ((mask >> wire & 1) != 0)
      throw Error(ErrorCode::invalid_argument, "wire " + std::to_string(wire) + " is listed twice");
    mask |= std::uint64_t{1} << wire;
  }
  if (wires.size() > kMostWires) {
    throw Error(ErrorCode::limit_exceeded, "a density matrix of " + std::to_string(wires.size()) + " wires has 4^" +
                                               std::to_string(wires.size()) + " entries, and 4^" +
                                               std::to_string(kMostWires) + " are the most");
  }
  return mask;
}

/// Row r from its diagonal on; those before are its conjugates in other rows.
template <class T>
void add_row(std::span<const T> psi, std::span<const std::uint64_t> offsets, std::uint64_t mask, std::size_t r,
             std::span<Complex> rho) {
  const std::size_t rows = offsets.size();
  for (std::uint64_t rest = 0;;) {
    const Complex own(psi[rest | offsets[r]]);
    for (std::size_t c = r; c < rows; ++c) {
      const Complex other(psi[rest | offsets[c]]);
      rho[r * rows + c] += Complex(own.real() * other.real() + own.imag() * other.imag(),
                                   own.imag() * other.real() - own.real() * other.imag());
    }
    // The next number whose bits of the mask are 0.
    rest = ((rest | mask) + 1) & ~mask;
    if (rest == 0 || rest >= psi.size()) return;
  }
}

}  // namespace

double fidelity(const State& a, const State& b) {
  if (a.num_wires() != b.num_wires()) {
    throw Error(ErrorCode::invalid_argument, "a state of " + std::to_string(a.num_wires()) +
                                                 " wires has no overlap with one of " + std::to_string(b.num_wires()));
  }
  return with_amplitudes(a,
                         [&](auto x) { return with_amplitudes(b, [&](auto y) { return std::norm(overlap(x, y)); }); });
}

Tensor density_matrix(const State& state, std::span<const std::uint32_t> wires) {
  const std::uint64_t mask = checked_mask(state, wires);
  const std::size_t rows = std::size_t{1} << wires.size();
  std::vector<std::uint64_t> offsets(rows);
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t j = 0; j < wires.size(); ++j) offsets[r] |= (r >> j & 1) << wires[j];
  const auto side = static_cast<std::int64_t>(rows);
  Tensor out(DType::c128, {side, side});
  const auto rho = out.mutable_view().as<Complex>();
  with_amplitudes(state, [&](auto psi) {
    base::parallel_for(0, rows, 1, [&](std::size_t begin, std::size_t end) {
      for (std::size_t r = begin; r < end; ++r) add_row(psi, offsets, mask, r, rho);
    });
  });
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t c = 0; c < r; ++c) rho[r * rows + c] = std::conj(rho[c * rows + r]);
  return out;
}

}  // namespace skerry
