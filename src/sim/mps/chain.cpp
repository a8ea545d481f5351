#include "sim/mps/chain.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

namespace skerry::sim {
namespace {

constexpr std::array<Complex, 16> kSwap = {1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1};
/// Rows whose squared norm is this small a part of all are rounding; those below the floor are not even turned.
constexpr double kRounding = 1e-30, kFloor = 1e-32;

std::vector<Complex> transposed(const std::vector<Complex>& from, std::size_t rows, std::size_t columns) {
  std::vector<Complex> to(from.size());
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < columns; ++j) to[j * rows + i] = from[i * columns + j];
  return to;
}

/// The matrix with its bits in the order of the sites: the first site of the window is the most significant.
std::vector<Complex> in_site_order(std::span<const Complex> matrix, std::span<const std::uint32_t> bit_of_offset) {
  const std::size_t count = bit_of_offset.size(), rows = std::size_t{1} << count;
  const auto moved = [&](std::size_t index) {
    std::size_t to = 0;
    for (std::size_t offset = 0; offset < count; ++offset)
      to |= (index >> (count - 1 - offset) & 1) << bit_of_offset[offset];
    return to;
  };
  std::vector<Complex> out(rows * rows);
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t c = 0; c < rows; ++c) out[r * rows + c] = matrix[moved(r) * rows + moved(c)];
  return out;
}

}  // namespace

Chain::Chain(std::uint32_t wires, BondLimit limit, std::uint64_t bytes, const base::MemoryBudget& budget)
    : limit_(limit), charge_(budget, bytes, "matrix product state"), layout_(wires), sites_(wires) {
  for (Site& site : sites_) site.a = {1.0, 0.0};
}

void Chain::copy_from(const Chain& other) {
  layout_ = other.layout_;
  sites_ = other.sites_;
  centre_ = other.centre_;
  discarded_ = other.discarded_;
  distance_ = other.distance_;
  widest_ = other.widest_;
}

void Chain::step_right() {
  // A = Q R: Q stays, R goes into the next site.
  Site &here = sites_[centre_], &next = sites_[centre_ + 1];
  const std::size_t rows = 2 * std::size_t{here.left};
  auto columns = transposed(here.a, rows, here.right);
  const std::size_t found = kernels::orthonormalize_rows(columns.data(), here.right, rows, factor_);
  columns.resize(found * rows);
  const auto r = transposed(factor_, here.right, found);
  product_.resize(found * 2 * next.right);
  kernels::multiply(found, here.right, 2 * std::size_t{next.right}, r.data(), next.a.data(), product_.data());
  here.a = transposed(columns, found, rows);
  here.right = next.left = static_cast<std::uint32_t>(found);
  next.a.swap(product_);
  ++centre_;
}

void Chain::step_left() {
  Site &here = sites_[centre_], &next = sites_[centre_ - 1];
  const std::size_t columns = 2 * std::size_t{here.right};
  const std::size_t found = kernels::orthonormalize_rows(here.a.data(), here.left, columns, factor_);
  product_.resize(2 * std::size_t{next.left} * found);
  kernels::multiply(2 * std::size_t{next.left}, here.left, found, next.a.data(), factor_.data(), product_.data());
  here.a.resize(found * columns);
  here.left = next.right = static_cast<std::uint32_t>(found);
  next.a.swap(product_);
  --centre_;
}

void Chain::move_centre(std::uint32_t to) {
  while (centre_ < to) step_right();
  while (centre_ > to) step_left();
}

void Chain::apply(std::span<const std::uint32_t> wires, std::span<const Complex> matrix, bool forwards) {
  if (wires.empty()) {
    // A phase of the whole.
    if (sites_.empty()) return;
    for (Complex& entry : sites_[centre_].a) entry *= matrix[0];
    return;
  }
  if (wires.size() == 1) {
    // A unitary on one site keeps every form.
    Site& site = sites_[layout_.site(wires[0])];
    for (std::uint32_t l = 0; l < site.left; ++l) {
      Complex* const zero = site.a.data() + 2 * std::size_t{l} * site.right;
      Complex* const one = zero + site.right;
      for (std::uint32_t r = 0; r < site.right; ++r) {
        const Complex u = zero[r], v = one[r];
        zero[r] = matrix[0] * u + matrix[1] * v;
        one[r] = matrix[2] * u + matrix[3] * v;
      }
    }
    return;
  }
  const std::uint32_t first = layout_.gather(wires, [&](std::uint32_t s) { apply_window(s, 2, kSwap, forwards); });
  std::vector<std::uint32_t> bit_of_offset(wires.size());
  for (std::size_t i = 0; i < wires.size(); ++i)
    bit_of_offset[layout_.site(wires[i]) - first] = static_cast<std::uint32_t>(i);
  apply_window(first, wires.size(), in_site_order(matrix, bit_of_offset), forwards);
}

void Chain::apply_window(std::uint32_t first, std::size_t count, std::span<const Complex> matrix, bool forwards) {
  const auto last = static_cast<std::uint32_t>(first + count - 1);
  move_centre(std::clamp(centre_, first, last));
  // One tensor of all the sites, [left][s … s][right].
  std::size_t rows = 2 * std::size_t{sites_[first].left};
  window_ = sites_[first].a;
  for (std::uint32_t site = first + 1; site <= last; ++site) {
    const Site& next = sites_[site];
    product_.resize(rows * 2 * next.right);
    kernels::multiply(rows, next.left, 2 * std::size_t{next.right}, window_.data(), next.a.data(), product_.data());
    window_.swap(product_);
    rows *= 2;
  }
  const std::size_t states = std::size_t{1} << count, right = sites_[last].right;
  product_.resize(window_.size());
  for (std::size_t l = 0; l < sites_[first].left; ++l)
    kernels::multiply(states, states, right, matrix.data(), window_.data() + l * states * right,
                      product_.data() + l * states * right);
  window_.swap(product_);
  if (forwards)
    split_forwards(first, count);
  else
    split_backwards(first, count);
}

/// Which of the rows with these squared norms are kept, largest first; scale: what makes their norm 1 again.
std::size_t Chain::cut(std::span<const double> norms, std::vector<std::uint32_t>& kept, double& scale) {
  kept.resize(norms.size());
  std::iota(kept.begin(), kept.end(), 0U);
  std::ranges::stable_sort(kept, std::greater<>(), [&](std::uint32_t i) { return norms[i]; });
  const double total = std::accumulate(norms.begin(), norms.end(), 0.0);
  double lost = 0.0;
  std::size_t size = kept.size();
  while (size > 1) {
    const double smallest = norms[kept[size - 1]];
    const bool is_small = smallest <= kRounding * total || lost + smallest <= limit_.truncation * total;
    if (!is_small && (limit_.most == 0 || size <= limit_.most)) break;
    lost += smallest;
    --size;
  }
  kept.resize(size);
  scale = 1.0 / std::sqrt(total - lost);
  if (lost > kRounding * static_cast<double>(norms.size()) * total) {
    discarded_ += lost / total;
    distance_ += std::sqrt(lost / total);
  }
  widest_ = std::max(widest_, static_cast<std::uint32_t>(size));
  return size;
}

void Chain::split_forwards(std::uint32_t first, std::size_t count) {
  std::vector<std::uint32_t> kept;
  for (std::uint32_t site = first; site + 1 < first + count; ++site) {
    Site& here = sites_[site];
    const std::size_t rows = 2 * std::size_t{here.left}, columns = window_.size() / rows;
    auto vectors = transposed(window_, rows, columns);
    norms_.resize(columns);
    kernels::orthogonalize_rows(vectors.data(), columns, rows, kFloor, norms_);
    double scale = 1.0;
    const std::size_t size = cut(norms_, kept, scale);
    // U is made of the kept columns, and what remains is U† times the window.
    std::vector<Complex> adjoint(size * rows);
    here.a.resize(rows * size);
    for (std::size_t k = 0; k < size; ++k) {
      const double factor = 1.0 / std::sqrt(norms_[kept[k]]);
      for (std::size_t i = 0; i < rows; ++i) {
        const Complex entry = factor * vectors[kept[k] * rows + i];
        here.a[i * size + k] = entry;
        adjoint[k * rows + i] = scale * std::conj(entry);
      }
    }
    product_.resize(size * columns);
    kernels::multiply(size, rows, columns, adjoint.data(), window_.data(), product_.data());
    window_.swap(product_);
    here.right = sites_[site + 1].left = static_cast<std::uint32_t>(size);
  }
  centre_ = static_cast<std::uint32_t>(first + count - 1);
  sites_[centre_].a = window_;
}

void Chain::split_backwards(std::uint32_t first, std::size_t count) {
  std::vector<std::uint32_t> kept;
  for (auto site = static_cast<std::uint32_t>(first + count - 1); site > first; --site) {
    Site& here = sites_[site];
    const std::size_t columns = 2 * std::size_t{here.right}, rows = window_.size() / columns;
    auto vectors = window_;
    norms_.resize(rows);
    kernels::orthogonalize_rows(vectors.data(), rows, columns, kFloor, norms_);
    double scale = 1.0;
    const std::size_t size = cut(norms_, kept, scale);
    std::vector<Complex> adjoint(columns * size);
    here.a.resize(size * columns);
    for (std::size_t k = 0; k < size; ++k) {
      const double factor = 1.0 / std::sqrt(norms_[kept[k]]);
      for (std::size_t i = 0; i < columns; ++i) {
        const Complex entry = factor * vectors[kept[k] * columns + i];
        here.a[k * columns + i] = entry;
        adjoint[i * size + k] = scale * std::conj(entry);
      }
    }
    product_.resize(rows * size);
    kernels::multiply(rows, columns, size, window_.data(), adjoint.data(), product_.data());
    window_.swap(product_);
    here.left = sites_[site - 1].right = static_cast<std::uint32_t>(size);
  }
  centre_ = first;
  sites_[centre_].a = window_;
}

}  // namespace skerry::sim
