/// \file
/// A dense network that scores points, as a graph with its gradients.
#pragma once

#include <cstddef>
#include <skerry/session.hpp>
#include <span>
#include <vector>

namespace skerry::train {

/// Leaky ReLU between layers. Parameters are W1, b1, W2, b2, … with W row-major [out][in]. The loss is a graph (Gemm,
/// LeakyRelu, Softplus, ReduceMean), differentiated by passes/grad and run by sessions that keep their plans.
class Discriminator {
 public:
  /// widths: of input, hidden layers, output (1). batch: points in every call.
  Discriminator(std::vector<std::size_t> widths, std::size_t batch);
  static constexpr double kSlope = 0.2;

  std::span<double> parameters() noexcept { return parameters_; }
  std::span<const double> parameters() const noexcept { return parameters_; }
  std::size_t layers() const noexcept { return widths_.size() - 1; }
  std::size_t fan_in(std::size_t layer) const noexcept { return widths_[layer]; }
  std::span<double> weight(std::size_t layer) noexcept;

  /// Mean over points ([batch][input]) of softplus(sign * score); adds its gradient to by_parameters.
  double by_parameters(double sign, std::span<const double> points, std::span<double> gradient);
  /// The same; writes its gradient by the points.
  double by_points(double sign, std::span<const double> points, std::span<double> gradient);

 private:
  Graph loss_graph() const;
  std::vector<std::string> parameter_names() const;
  Session session(std::span<const std::string> by) const;
  NamedTensors inputs(double sign, std::span<const double> points) const;

  std::vector<std::size_t> widths_, begins_;
  std::size_t batch_;
  std::vector<double> parameters_;
  std::vector<Session> sessions_;  // by parameters, by points
};

}  // namespace skerry::train
