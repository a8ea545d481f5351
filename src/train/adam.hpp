/// \file
/// The optimiser of all training here.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace skerry::train {

/// Kingma and Ba, arXiv:1412.6980, with both moments corrected for their start.
struct Adam {
  double rate = 0.01, first_decay = 0.5, second_decay = 0.99;
  std::vector<double> first, second;

  void start(std::size_t count) {
    first.assign(count, 0.0);
    second.assign(count, 0.0);
  }

  /// step counts from 0.
  template <class T>
  void update(std::uint64_t step, std::span<const T> gradient, std::span<T> parameters) {
    constexpr double kSmall = 1e-8;
    const auto t = static_cast<double>(step + 1);
    const double first_left = 1 - std::pow(first_decay, t), second_left = 1 - std::pow(second_decay, t);
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const auto slope = static_cast<double>(gradient[i]);
      first[i] = first_decay * first[i] + (1 - first_decay) * slope;
      second[i] = second_decay * second[i] + (1 - second_decay) * slope * slope;
      parameters[i] -= static_cast<T>(rate * (first[i] / first_left) / (std::sqrt(second[i] / second_left) + kSmall));
    }
  }
};

}  // namespace skerry::train
