// Measured price of the matrix product states' row of rates.def.

#include <algorithm>
#include <array>
#include <chrono>
#include <vector>

#include "base/random.hpp"
#include "kernels/mps/dense.hpp"
#include "kernels/rates.hpp"

namespace skerry::kernels {

double measure_bond_flop(int /*threads*/, const RunControl& /*control*/) {
  // A product of the size of a bond of 32, whose rows do not fill long vectors for long, as they do not in a run.
  constexpr std::size_t size = 32;
  constexpr int repeats = 3, rounds = 4;
  base::Philox random(1);
  std::vector<Complex> a(size * size), b(size * size), c(size * size);
  for (Complex& entry : a) entry = {random.uniform(), random.uniform()};
  for (Complex& entry : b) entry = {random.uniform(), random.uniform()};
  std::array<double, repeats> times{};
  for (double& time : times) {
    const auto start = std::chrono::steady_clock::now();
    for (int round = 0; round < rounds; ++round) multiply(size, size, size, a.data(), b.data(), c.data());
    time = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  std::ranges::sort(times);
  return times[repeats / 2] / (rounds * 8.0 * size * size * size);
}

}  // namespace skerry::kernels
