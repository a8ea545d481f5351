#include "sim/stabilizer/carried.hpp"

#include <algorithm>
#include <bit>
#include <vector>

#include "base/random.hpp"
#include "sim/state/leaving.hpp"

namespace skerry::sim {
namespace {

/// Rounds of which each finds every second wrong set of rows.
constexpr int kCommuteRounds = 24;

struct LetterRows {
  std::span<const std::uint64_t> words;
  std::uint32_t wires = 0;
  std::size_t each = 0;  ///< words of X; as many of Z follow

  const std::uint64_t* row(std::size_t r) const noexcept { return words.data() + 2 * each * r; }
};

/// Row x_w anticommutes with z_w and with no other: with R the rows and v any set of them, each row anticommutes with
/// the product of v just if its partner is in v. Source: Freivalds, IFIP Congress 1977.
bool commute_as_rows_do(const LetterRows& rows) {
  base::Philox random(1);
  std::vector<std::uint64_t> product(2 * rows.each);
  std::vector<std::uint8_t> is_in(2 * std::size_t{rows.wires});
  for (int round = 0; round < kCommuteRounds; ++round) {
    std::ranges::fill(product, 0);
    for (std::size_t r = 0; r < is_in.size(); ++r) {
      is_in[r] = static_cast<std::uint8_t>(random() & 1);
      for (std::size_t i = 0; is_in[r] != 0 && i < product.size(); ++i) product[i] ^= rows.row(r)[i];
    }
    for (std::size_t r = 0; r < is_in.size(); ++r) {
      std::uint64_t parity = 0;
      for (std::size_t i = 0; i < rows.each; ++i)
        parity ^= (rows.row(r)[i] & product[rows.each + i]) ^ (rows.row(r)[rows.each + i] & product[i]);
      if ((std::popcount(parity) & 1) != is_in[r ^ 1]) return false;
    }
  }
  return true;
}

bool has_no_other_wires(const LetterRows& rows) {
  if (rows.wires % 64 == 0) return true;
  const std::uint64_t beyond = ~std::uint64_t{0} << rows.wires % 64;
  for (std::size_t i = rows.each - 1; i < rows.words.size(); i += rows.each)
    if ((rows.words[i] & beyond) != 0) return false;
  return true;
}

}  // namespace

Checkpoint carried(const Tableau& tableau, std::uint64_t gates, std::span<const std::uint8_t> found) {
  const auto rows = static_cast<std::int64_t>(2 * std::size_t{tableau.wires()});
  const auto words = static_cast<std::int64_t>(2 * ((std::size_t{tableau.wires()} + 63) / 64));
  Tensor letters(DType::u64, {rows, words}), signs(DType::u8, {rows});
  tableau.write(letters.mutable_view().as<std::uint64_t>(), signs.mutable_view().as<std::uint8_t>());
  return {.method = "stabilizer",
          .gates = gates,
          .parts = {letters, signs, Tensor::from<std::uint8_t>(found, {static_cast<std::int64_t>(found.size())})}};
}

std::span<const std::uint8_t> take_up(const Checkpoint& from, Tableau& tableau, std::uint64_t found) {
  const std::uint64_t rows = 2 * std::uint64_t{tableau.wires()}, each = (std::uint64_t{tableau.wires()} + 63) / 64;
  const LetterRows letters{checkpoint_part<std::uint64_t>(from, 0, 2 * each * rows), tableau.wires(), each};
  const auto signs = checkpoint_part<std::uint8_t>(from, 1, rows);
  const auto outcomes = checkpoint_part<std::uint8_t>(from, 2, found);
  const auto is_bit = [](std::uint8_t value) { return value <= 1; };
  require_checkpoint(from.parts.size() == 3 && std::ranges::all_of(signs, is_bit) &&
                         std::ranges::all_of(outcomes, is_bit) && has_no_other_wires(letters) &&
                         commute_as_rows_do(letters),
                     "its rows are those of no stabilizer state");
  tableau.read(letters.words, signs);
  return outcomes;
}

}  // namespace skerry::sim
