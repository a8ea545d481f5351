/// \file
/// What support vector machines share: a kernel between a row and each support vector.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "ops/nn/trees.hpp"

namespace skerry::ops {

/// Kernel and support vectors of attributes kernel_type, kernel_params (gamma, coef0, degree) and support_vectors,
/// checked once. Immutable. Source: Chang and Lin 2011, LIBSVM, section 2.
class SupportVectors {
 public:
  /// count: of vectors. Errors: type_mismatch for a kernel that is none, or vectors that are not all of one length.
  SupportVectors(const Node& node, std::size_t count);

  std::size_t count() const noexcept { return count_; }
  std::size_t features() const noexcept { return features_; }
  std::uint64_t bytes() const noexcept { return vectors_.size() * sizeof(double); }
  /// out[j] = k(x, vector j). x: features() numbers; out: count(). Errors: those of check_stop().
  void kernels_of(const double* x, double* out) const;

 private:
  enum class Kind : std::uint8_t { linear, poly, rbf, sigmoid };
  double kernel(const double* x, const double* vector) const;

  Kind kind_ = Kind::linear;
  double gamma_ = 0.0, coef0_ = 0.0, degree_ = 0.0;
  std::size_t count_ = 0, features_ = 0;
  Doubles vectors_;
};

/// A kernel over a machine that is read and checked once. Machine: made of the node, tells bytes() that it keeps and
/// working_bytes() of a run beside the copies of inputs and outputs. Errors: type_mismatch.
template <class Machine, void (*Run)(const Node&, const Machine&, const KernelArguments&)>
Prepared prepared_machine(const Node& node, const NodeTypes& types) {
  auto machine = std::make_shared<const Machine>(node);  // shared: std::function copies its target
  const Node place{.op = node.op, .name = node.name};    // without the lists of the attributes
  const std::uint64_t scratch = bytes_of_copies(types) + machine->working_bytes(), kept = machine->bytes();
  return {[place, machine = std::move(machine)](const KernelArguments& a) { Run(place, *machine, a); }, scratch, kept};
}

/// Errors: type_mismatch unless the list has so many numbers.
void require_count(const Node& node, const char* attribute, std::size_t found, std::size_t wanted);
/// Steps of `columns` scores of rows of x by so many vectors. Refuses what is no matrix of numbers.
Cost can_support_vectors(const NodeTypes& types, std::size_t vectors);
/// x's columns are as many as a machine was made for. Errors: type_mismatch.
void require_features(const Node& node, std::size_t found, std::size_t wanted);

}  // namespace skerry::ops
