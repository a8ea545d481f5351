#include "sim/state/masks.hpp"

#include <algorithm>
#include <bit>
#include <optional>
#include <tuple>

namespace skerry::sim {
namespace {

/// Bits of a wide mask at their simulated positions, and whether some stood on an idle wire.
struct Moved {
  std::uint64_t bits = 0;
  bool on_idle = false;
};
Moved move_bits(std::span<const std::uint64_t> words, std::span<const std::uint32_t> positions) {
  Moved out;
  for (std::size_t word = 0; word < words.size(); ++word) {
    for (std::uint64_t rest = words[word]; rest != 0; rest &= rest - 1) {
      const std::uint32_t position = positions[64 * word + static_cast<std::size_t>(std::countr_zero(rest))];
      if (position == kIdle)
        out.on_idle = true;
      else
        out.bits |= std::uint64_t{1} << position;
    }
  }
  return out;
}

}  // namespace

MaskedObservable mask(const Observable& observable, std::span<const std::uint32_t> positions) {
  struct Row {
    kernels::PauliMasks masks;
    double coefficient;
  };
  std::vector<Row> rows;
  MaskedObservable out;
  for (const PauliTerm& term : observable.terms()) {
    const Moved x = move_bits(term.x, positions), z = move_bits(term.z, positions);
    if (x.on_idle) continue;
    if (x.bits == 0 && z.bits == 0)
      out.constant += term.coefficient;
    else
      rows.push_back({{x.bits, z.bits}, term.coefficient});
  }
  std::ranges::stable_sort(rows, {}, [](const Row& row) { return std::tuple(row.masks.x, row.masks.z); });
  for (const Row& row : rows) {
    out.strings.push_back(row.masks);
    out.coefficients.push_back(row.coefficient);
  }
  return out;
}

}  // namespace skerry::sim
