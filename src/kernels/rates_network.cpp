// Measured price of the row of rates.def that contractions of tensors have.

#include <algorithm>
#include <array>
#include <chrono>
#include <vector>

#include "kernels/network/contract.hpp"
#include "kernels/rates.hpp"

namespace skerry::kernels {

double measure_contraction(int /*threads*/, const RunControl& control) {
  // Tensors of 14 axes with six in common, none of which lies well: what contractions are made of.
  constexpr std::size_t axes = 14, inner = 6, result = 2 * (axes - inner);
  constexpr int repeats = 3;
  ContractionAxes shape;
  for (std::uint8_t i = 0; i < axes; ++i) {
    (i % 2 == 0 && shape.a_inner.size() < inner ? shape.a_inner : shape.a_rows).push_back(i);
    (i % 2 == 1 && shape.b_inner.size() < inner ? shape.b_inner : shape.b_columns).push_back(i);
  }
  std::vector<double> a(std::size_t{2} << axes, 0.5), b(std::size_t{2} << axes, 0.25), c(std::size_t{2} << result);
  const auto planes = [](const std::vector<double>& of) { return Planes<const double>{of.data(), of.size() / 2}; };
  std::array<double, repeats> times{};
  for (double& time : times) {
    const auto start = std::chrono::steady_clock::now();
    contract(shape, planes(a), planes(b), c.data(), control);
    time = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  std::ranges::sort(times);
  return times[repeats / 2] / static_cast<double>(std::size_t{1} << (result + inner));
}

}  // namespace skerry::kernels
