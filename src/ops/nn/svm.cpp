#include "ops/nn/svm.hpp"

#include <array>
#include <cmath>

namespace skerry::ops {
namespace {

constexpr std::array<std::string_view, 4> kKinds = {"LINEAR", "POLY", "RBF", "SIGMOID"};

}  // namespace

SupportVectors::SupportVectors(const Node& node, std::size_t count)
    : count_(count), vectors_(real_list(node, "support_vectors")) {
  const std::string name = node.text("kernel_type", "LINEAR");
  const auto found = std::ranges::find(kKinds, name);
  if (found == kKinds.end()) refuse(node, "kernel_type is '" + name + "'", "use LINEAR, POLY, RBF or SIGMOID");
  kind_ = static_cast<Kind>(found - kKinds.begin());
  const Doubles parameters = real_list(node, "kernel_params");
  if (!parameters.empty()) {
    require_count(node, "kernel_params", parameters.size(), 3);
    gamma_ = parameters[0];
    coef0_ = parameters[1];
    degree_ = parameters[2];
  }
  if (count == 0 || vectors_.size() % count != 0)
    refuse(node, std::to_string(vectors_.size()) + " numbers for " + std::to_string(count) + " support vectors");
  features_ = vectors_.size() / count;
}

double SupportVectors::kernel(const double* x, const double* vector) const {
  double sum = 0.0;
  if (kind_ == Kind::rbf) {
    for (std::size_t c = 0; c < features_; ++c) sum += (x[c] - vector[c]) * (x[c] - vector[c]);
    return std::exp(-gamma_ * sum);
  }
  for (std::size_t c = 0; c < features_; ++c) sum += x[c] * vector[c];
  if (kind_ == Kind::linear) return sum;
  sum = gamma_ * sum + coef0_;
  return kind_ == Kind::poly ? std::pow(sum, degree_) : std::tanh(sum);
}

void SupportVectors::kernels_of(const double* x, double* out) const {
  constexpr std::size_t kVectorsBetweenChecks = 64;
  for (std::size_t j = 0; j < count_; ++j) {
    if (j % kVectorsBetweenChecks == 0) base::check_stop();
    out[j] = kernel(x, vectors_.data() + j * features_);
  }
}

void require_count(const Node& node, const char* attribute, std::size_t found, std::size_t wanted) {
  if (found == wanted) return;
  refuse(node, std::string(attribute) + " has " + std::to_string(found) + " numbers, not " + std::to_string(wanted));
}

void require_features(const Node& node, std::size_t found, std::size_t wanted) {
  if (found == wanted) return;
  refuse(node, "rows have " + std::to_string(found) + " features, the machine was made for " + std::to_string(wanted));
}

Cost can_support_vectors(const NodeTypes& types, std::size_t vectors) {
  if (!kernels::Numbers::contains(types.inputs[0].dtype)) return no_kernel(types.inputs[0].dtype);
  constexpr double kOfKernel = 20.0;
  const auto& shape = *types.inputs[0].shape;
  const auto rows = static_cast<double>(shape.size() == 2 ? shape[0].value : 1);
  const auto numbers = static_cast<double>(elements(types.inputs[0]));
  return scalar_steps(types, static_cast<double>(vectors) * (2.0 * numbers + kOfKernel * rows));
}

}  // namespace skerry::ops
