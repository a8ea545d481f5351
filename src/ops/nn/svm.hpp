/// \file
/// What support vector machines share: their attributes, checked once, and a kernel between a row and each vector.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ops/nn/trees.hpp"

namespace skerry::ops {

/// A machine of SVMClassifier or SVMRegressor. Immutable. Source: Chang and Lin 2011, LIBSVM, section 2.
class SupportVectors {
 public:
  /// Errors: type_mismatch for a kernel that is none, and for lists that do not fit together.
  explicit SupportVectors(const Node& node);

  /// How many support vectors there are. Weights of the features are such too, of each class one (of a regressor one),
  /// by the linear kernel, with coefficients of 1.
  std::size_t count() const noexcept { return count_; }
  std::size_t features() const noexcept { return features_; }
  std::size_t classes() const noexcept { return labels.size(); }
  /// out[j] = k(x, vector j). x: features() numbers; out: count(). Errors: those of check_stop().
  void kernels_of(const double* x, double* out) const;

  std::vector<std::int64_t> labels, per_class;  ///< of a classifier
  std::vector<double> coefficients, rho, prob_a, prob_b;
  PostTransform transform = PostTransform::none;
  bool one_class = false;  ///< of a regressor

 private:
  friend Prepared prepare_machine(const Node&, const NodeTypes&,
                                  void (*)(const SupportVectors&, const KernelArguments&));
  enum class Kind : std::uint8_t { linear, poly, rbf, sigmoid };
  void read_kernel(const Node& node);
  void check_classifier(const Node& node) const;
  double kernel(const double* x, const double* vector) const;

  Kind kind_ = Kind::linear;
  double gamma_ = 0.0, coef0_ = 0.0, degree_ = 0.0;
  std::size_t count_ = 0, features_ = 0;
  std::vector<double> vectors_;
};

/// Pairs of so many classes.
inline std::size_t pairs_of(std::size_t classes) noexcept {
  return classes * (classes - 1) / 2;
}
/// vectors_per_class; nothing where there are no vectors. Errors: type_mismatch.
Longs vectors_per_class(const Node& node);
/// Support vectors of either kind of machine, by its attributes. Errors: type_mismatch.
std::size_t vectors_of(const Node& node);

/// Row by row: the steps of a kernel with every vector. Refuses what is no numbers.
Cost can_support_vectors(const Node& node, const NodeTypes& types);
/// A kernel over a machine that is read once; rows have been seen to have its features. Errors: type_mismatch.
Prepared prepare_machine(const Node& node, const NodeTypes& types,
                         void (*run)(const SupportVectors&, const KernelArguments&));
/// How many rows input 0 has, a vector being one.
inline std::size_t rows_of_input(const KernelArguments& a) {
  return a.inputs[0].shape().rank() == 2 ? static_cast<std::size_t>(a.inputs[0].shape()[0]) : 1;
}
Dim rows_of_input(const TypeContext& context);

}  // namespace skerry::ops
