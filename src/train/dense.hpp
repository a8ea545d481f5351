/// \file
/// A dense network with leaky ReLU between its layers, and its reverse pass.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace skerry::train {

/// Parameters are W1, b1, W2, b2, … with W row-major [out][in]; working memory is kept between calls.
class DenseNetwork {
 public:
  /// widths: of input, hidden layers, output.
  explicit DenseNetwork(std::vector<std::size_t> widths);
  static constexpr double kSlope = 0.2;

  std::span<double> parameters() noexcept { return parameters_; }
  std::span<const double> parameters() const noexcept { return parameters_; }
  std::size_t layers() const noexcept { return widths_.size() - 1; }
  std::size_t fan_in(std::size_t layer) const noexcept { return widths_[layer]; }
  std::span<double> weight(std::size_t layer) noexcept;

  /// x: [batch][input]; gives [batch][output], valid until the next call.
  std::span<const double> forward(std::size_t batch, std::span<const double> x);
  /// After forward(): adds dL/dparameters to by_parameters and writes dL/dx (unless empty) for dL/doutput.
  void backward(std::span<const double> by_output, std::span<double> by_parameters, std::span<double> by_x);

 private:
  std::vector<std::size_t> widths_, begins_;
  std::vector<double> parameters_;
  std::size_t batch_ = 0;
  std::vector<std::vector<double>> activations_;
  std::vector<double> transposed_, back_, further_;
};

}  // namespace skerry::train
