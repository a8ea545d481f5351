#include <algorithm>
#include <array>
#include <cmath>

#include "sim/mps/chain.hpp"
#include "sim/state/leaving.hpp"

namespace skerry::sim {
namespace {

/// What rounding may leave of a norm or an inner product of rows, over a long way.
constexpr double kCanonicalRounding = 1e-6;

/// Whether `count` rows of `length` are orthonormal; element k of row i lies at i * row + k * step.
bool are_orthonormal(const Complex* a, std::size_t count, std::size_t row, std::size_t length, std::size_t step) {
  std::vector<Complex> rows(count * length);
  for (std::size_t i = 0; i < count; ++i)
    for (std::size_t k = 0; k < length; ++k) rows[i * length + k] = a[i * row + k * step];
  for (std::size_t i = 0; i < count; ++i)
    for (std::size_t j = 0; j <= i; ++j) {
      const Complex product = kernels::inner_product(rows.data() + i * length, rows.data() + j * length, length);
      if (!(std::abs(product - Complex(i == j ? 1.0 : 0.0)) <= kCanonicalRounding)) return false;
    }
  return true;
}

bool is_permutation_of_wires(std::span<const std::uint32_t> wires) {
  std::vector<std::uint32_t> sorted(wires.begin(), wires.end());
  std::ranges::sort(sorted);
  for (std::uint32_t i = 0; i < sorted.size(); ++i)
    if (sorted[i] != i) return false;
  return true;
}

}  // namespace

std::uint64_t Chain::bytes() const noexcept {
  std::uint64_t entries = 0;
  for (const Site& site : sites_) entries += site.a.size();
  return sizeof(Complex) * entries;
}

std::vector<Tensor> Chain::parts() const {
  const auto wires = static_cast<std::int64_t>(sites_.size());
  Tensor entries(DType::c128, {static_cast<std::int64_t>(bytes() / sizeof(Complex))});
  Tensor bonds(DType::u32, {wires + 1}), layout(DType::u32, {wires});
  auto to = entries.mutable_view().as<Complex>().begin();
  const auto bond = bonds.mutable_view().as<std::uint32_t>(), wire = layout.mutable_view().as<std::uint32_t>();
  bond[0] = 1;
  for (std::uint32_t site = 0; site < sites_.size(); ++site) {
    to = std::ranges::copy(sites_[site].a, to).out;
    bond[site + 1] = sites_[site].right;
    wire[site] = layout_.wire(site);
  }
  return {entries, Tensor::from<double>(std::array{discarded_, distance_}, {2}), bonds, layout,
          Tensor::from<std::uint32_t>(std::array{centre_, widest_}, {2})};
}

void Chain::take_up(const Checkpoint& from, std::uint64_t most_bytes) {
  const std::uint64_t wires = sites_.size();
  const auto bonds = checkpoint_part<std::uint32_t>(from, 2, wires + 1);
  const auto layout = checkpoint_part<std::uint32_t>(from, 3, wires);
  const auto lost = checkpoint_part<double>(from, 1, 2);
  const auto places = checkpoint_part<std::uint32_t>(from, 4, 2);
  std::uint64_t entries = 0;
  const std::uint64_t most = most_bytes / sizeof(Complex);
  for (std::uint64_t site = 0; site < wires && entries <= most; ++site)
    entries += 2 * std::uint64_t{bonds[site]} * bonds[site + 1];  // below 2^65 only while both are
  const auto is_bond = [most](std::uint32_t bond) { return bond != 0 && bond <= most; };
  require_checkpoint(wires != 0 && std::ranges::all_of(bonds, is_bond) && bonds[0] == 1 && bonds[wires] == 1 &&
                         entries <= most && is_permutation_of_wires(layout) && places[0] < wires && places[1] != 0 &&
                         lost[0] >= 0.0 && lost[1] >= 0.0 && std::isfinite(lost[0]) && std::isfinite(lost[1]),
                     "its bonds and sites are those of no chain that this run may hold");
  const auto given = checkpoint_part<Complex>(from, 0, entries);
  std::size_t at = 0;
  for (std::uint32_t site = 0; site < wires; ++site) {
    Site& here = sites_[site];
    here.left = bonds[site];
    here.right = bonds[site + 1];
    const auto part = given.subspan(at, 2 * std::size_t{here.left} * here.right);
    here.a.assign(part.begin(), part.end());
    at += part.size();
    const std::size_t left = here.left, right = here.right;
    const bool holds = site < places[0]   ? are_orthonormal(part.data(), right, 1, 2 * left, right)
                       : site > places[0] ? are_orthonormal(part.data(), left, 2 * right, 2 * right, 1)
                                          : are_orthonormal(part.data(), 1, 0, part.size(), 1);
    require_checkpoint(holds, "a site is not in canonical form");
  }
  layout_ = ChainLayout(layout);
  centre_ = places[0];
  widest_ = places[1];
  discarded_ = lost[0];
  distance_ = lost[1];
}

}  // namespace skerry::sim
