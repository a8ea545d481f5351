// Questions to a matrix product state.

#include <algorithm>
#include <cmath>

#include "sim/mps/chain.hpp"

namespace skerry::sim {
namespace {

bool bit(std::span<const std::uint64_t> words, std::uint32_t i) {
  return (words[i / 64] >> (i % 64) & 1) != 0;
}

std::vector<Complex> adjoint(const std::vector<Complex>& from, std::size_t rows, std::size_t columns) {
  std::vector<Complex> to(from.size());
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < columns; ++j) to[j * rows + i] = std::conj(from[i * columns + j]);
  return to;
}

std::vector<Complex> identity(std::size_t size) {
  std::vector<Complex> out(size * size);
  for (std::size_t i = 0; i < size; ++i) out[i * size + i] = 1;
  return out;
}

double trace(const std::vector<Complex>& matrix, std::size_t size) {
  double sum = 0;
  for (std::size_t i = 0; i < size; ++i) sum += matrix[i * size + i].real();
  return sum;
}

}  // namespace

double Chain::probability_of_one(std::uint32_t wire) {
  move_centre(layout_.site(wire));
  const Site& site = sites_[centre_];
  double norms[2] = {0, 0};
  for (std::size_t i = 0; i < site.a.size(); ++i) norms[i / site.right & 1] += std::norm(site.a[i]);
  return norms[1] / (norms[0] + norms[1]);
}

void Chain::project(std::uint32_t wire, bool found) {
  move_centre(layout_.site(wire));
  Site& site = sites_[centre_];
  double norm = 0;
  for (std::size_t i = 0; i < site.a.size(); ++i) {
    if ((i / site.right & 1) != (found ? 1U : 0U))
      site.a[i] = 0;
    else
      norm += std::norm(site.a[i]);
  }
  for (Complex& entry : site.a) entry /= std::sqrt(norm);
}

/// E -> sum over s, s' of A_s† P_ss' E A_s'; letter: bit 0 X, bit 1 Z, both Y.
void Chain::transfer(const Site& site, int letter, std::vector<Complex>& environment) {
  const std::size_t half = site.right, columns = 2 * half;
  product_.resize(site.left * columns);
  kernels::multiply(site.left, site.left, columns, environment.data(), site.a.data(), product_.data());
  for (std::size_t l = 0; letter != 0 && l < site.left; ++l) {
    Complex* const zero = product_.data() + l * columns;
    for (std::size_t r = 0; r < half; ++r) {
      const Complex u = zero[r], v = zero[half + r];
      zero[r] = letter == 1 ? v : letter == 2 ? u : Complex(0, -1) * v;
      zero[half + r] = letter == 1 ? u : letter == 2 ? -v : Complex(0, 1) * u;
    }
  }
  const auto left = adjoint(site.a, 2 * std::size_t{site.left}, half);
  environment.resize(half * half);
  kernels::multiply(half, 2 * std::size_t{site.left}, half, left.data(), product_.data(), environment.data());
}

double Chain::expectation(std::span<const std::uint64_t> x, std::span<const std::uint64_t> z) {
  const auto wires = layout_.wires();
  std::uint32_t first = wires, last = 0;
  for (std::uint32_t wire = 0; wire < wires; ++wire) {
    if (!bit(x, wire) && !bit(z, wire)) continue;
    first = std::min(first, layout_.site(wire));
    last = std::max(last, layout_.site(wire));
  }
  if (first > last) return 1.0;
  // Left of the centre and right of it nothing but the identity is left of the sums.
  move_centre(std::clamp(centre_, first, last));
  auto environment = identity(sites_[first].left);
  for (std::uint32_t site = first; site <= last; ++site) {
    const std::uint32_t wire = layout_.wire(site);
    transfer(sites_[site], (bit(x, wire) ? 1 : 0) | (bit(z, wire) ? 2 : 0), environment);
  }
  return trace(environment, sites_[last].right);
}

/// Walks the sites from `site` on; where an outcome is wanted the way parts.
void Chain::branch(std::uint32_t site, std::uint32_t last, std::span<const std::uint32_t> bit_of_site,
                   std::vector<Complex> environment, std::size_t outcome, double weight, std::span<double> out) {
  constexpr std::uint32_t kUnwanted = 0xffffffffU;
  for (; site <= last; ++site) {
    const Site& here = sites_[site];
    if (bit_of_site[site] == kUnwanted) {
      transfer(here, 0, environment);
      continue;
    }
    for (std::size_t s = 0; s < 2; ++s) {
      std::vector<Complex> slice(std::size_t{here.left} * here.right), product(slice.size());
      for (std::size_t l = 0; l < here.left; ++l)
        std::copy_n(here.a.data() + (2 * l + s) * here.right, here.right, slice.data() + l * here.right);
      kernels::multiply(here.left, here.left, here.right, environment.data(), slice.data(), product.data());
      std::vector<Complex> next(std::size_t{here.right} * here.right);
      kernels::multiply(here.right, here.left, here.right, adjoint(slice, here.left, here.right).data(), product.data(),
                        next.data());
      // Depth is bounded by the number of wanted wires.
      branch(site + 1, last, bit_of_site, std::move(next), outcome | s << bit_of_site[site], weight, out);
    }
    return;
  }
  out[outcome] += weight * std::max(trace(environment, sites_[last].right), 0.0);
}

void Chain::add_distribution(std::span<const std::uint32_t> wires, double weight, std::span<double> out) {
  if (wires.empty()) {
    out[0] += weight;
    return;
  }
  std::vector<std::uint32_t> bit_of_site(sites_.size(), 0xffffffffU);
  std::uint32_t first = layout_.wires(), last = 0;
  for (std::size_t i = 0; i < wires.size(); ++i) {
    const std::uint32_t site = layout_.site(wires[i]);
    bit_of_site[site] = static_cast<std::uint32_t>(i);
    first = std::min(first, site);
    last = std::max(last, site);
  }
  move_centre(std::clamp(centre_, first, last));
  branch(first, last, bit_of_site, identity(sites_[first].left), 0, weight, out);
}

std::vector<Complex> Chain::amplitudes() const {
  std::vector<Complex> rows = {1.0}, next;
  std::size_t count = 1;
  for (const Site& site : sites_) {
    next.resize(count * 2 * site.right);
    kernels::multiply(count, site.left, 2 * std::size_t{site.right}, rows.data(), site.a.data(), next.data());
    rows.swap(next);
    count *= 2;
  }
  // The first site is the most significant so far; a basis state counts wire 0 least.
  const std::size_t wires = sites_.size();
  next.assign(count, Complex(0));
  for (std::size_t index = 0; index < count; ++index) {
    std::size_t to = 0;
    for (std::uint32_t site = 0; site < wires; ++site) to |= (index >> (wires - 1 - site) & 1) << layout_.wire(site);
    next[to] = rows[index];
  }
  return next;
}

}  // namespace skerry::sim
