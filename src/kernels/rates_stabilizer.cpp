// Measured price of the stabilizer row of rates.def.

#include <algorithm>
#include <array>
#include <chrono>
#include <vector>

#include "kernels/rates.hpp"
#include "kernels/stabilizer/pauli.hpp"

namespace skerry::kernels {

double measure_pauli_word(int /*threads*/, const RunControl& /*control*/) {
  // As a tableau of some hundred wires does it: row by row, from the second-level cache.
  constexpr std::size_t words = 8, rows = 1024;
  constexpr int repeats = 3;
  std::vector<std::uint64_t> table(2 * words * rows, 0x9e3779b97f4a7c15ULL);
  std::array<double, repeats> times{};
  for (double& time : times) {
    const auto start = std::chrono::steady_clock::now();
    for (std::size_t row = 1; row < rows; ++row)
      multiply_pauli(table.data() + 2 * words * row, table.data() + 2 * words * (row - 1), words);
    time = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  std::ranges::sort(times);
  return times[repeats / 2] / static_cast<double>(2 * words * (rows - 1));
}

}  // namespace skerry::kernels
