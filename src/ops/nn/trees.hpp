/// \file
/// What the classifiers and regressors of ai.onnx.ml share: decision trees, and what is made of scores at the end.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "ops/nn/reference.hpp"

namespace skerry::ops {

/// What is done to a row of scores.
enum class PostTransform : std::uint8_t { none, softmax, logistic, softmax_zero, probit };
/// Of attribute post_transform (`NONE`, `SOFTMAX`, ...; absent: none). Errors: type_mismatch.
PostTransform post_transform(const Node& node);
/// In place. softmax_zero leaves scores of 0 out of the exponentials; probit takes Winitzki 2008's inverse of
/// erf with a = 0.147, as the standard's own.
void transform_scores(PostTransform transform, std::span<double> row);

/// How the weights of the leaves that a row reaches are put together.
enum class Aggregate : std::uint8_t { average, sum, min, max };

/// Trees whose nodes are checked once: every branch leads somewhere, and to a leaf after at most as many steps as there
/// are nodes. Immutable.
class TreeEnsemble {
 public:
  /// Of the nodes_*, and target_* or class_* (prefix) attributes of the first four versions. Errors: type_mismatch.
  TreeEnsemble(const Node& node, std::string_view prefix, std::size_t targets);
  /// Of version 5's, with leaves apart and set membership.
  static TreeEnsemble version5(const Node& node);

  /// Adds each row's leaves to `out` [rows, targets], which holds the base values. x: [rows, features].
  void evaluate(const Doubles& x, std::size_t features, Aggregate aggregate, Doubles& out) const;
  std::size_t targets() const noexcept { return targets_; }
  /// One past the highest feature that is asked for.
  std::size_t features() const noexcept { return features_; }
  /// Whether all leaves speak of one target alone.
  bool single_target() const noexcept;

 private:
  enum class Mode : std::uint8_t { leq, lt, gte, gt, eq, neq, member, leaf };
  struct Branch {
    Mode mode = Mode::leaf;
    bool missing_is_true = false;
    std::uint32_t feature = 0, yes = 0, no = 0;
    std::uint32_t first = 0, count = 0;  ///< of a leaf's weights, or of a set's members
    double value = 0.0;
  };
  struct Weight {
    std::uint32_t target = 0;
    double value = 0.0;
  };

  explicit TreeEnsemble(std::size_t targets) : targets_(targets) {}
  static Mode mode_of(const Node& node, std::string_view name);
  bool goes_yes(const Branch& branch, double x) const;
  void check(const Node& node) const;

  std::size_t targets_ = 1, features_ = 0;
  std::vector<std::uint32_t> roots_;
  std::vector<Branch> branches_;
  std::vector<Weight> weights_;
  std::vector<double> members_;
};

/// How many targets `attribute` says, 1 where it is absent. Errors: type_mismatch.
std::int64_t targets_of(const Node& node, std::string_view attribute = "n_targets");
/// Type rule [N, targets] for rows of x [N, features] or [features].
void infer_targets(TypeContext& context, DType dtype, std::string_view attribute = "n_targets");
/// Of each row of the input: what its leaves come to, plus base_values, then post_transform.
void score_targets(const Node& node, const TreeEnsemble& trees, Aggregate aggregate, const KernelArguments& a);

/// A kernel over trees that are read and checked once. Errors: type_mismatch.
Prepared prepared_trees(const Node& node, TreeEnsemble (*make)(const Node&),
                        void (*run)(const Node&, const TreeEnsemble&, const KernelArguments&));

/// Attribute `name` as numbers: reals, or integers, or a tensor in `name`_as_tensor.
Doubles real_list(const Node& node, std::string_view name);
/// Integers in `name`, or a tensor of them.
Longs integer_list(const Node& node, std::string_view name);

/// Type rule of a classifier over x [N, C] or [C]: labels i64 or strings [N] and scores f32 [N, classes]. Errors:
/// type_mismatch.
void infer_classifier(TypeContext& context, std::string_view integer_labels, std::string_view text_labels);
/// Rows and columns of a matrix, a vector being one row.
std::pair<std::size_t, std::size_t> rows_and_columns(const Node& node, const Shape& shape);

}  // namespace skerry::ops
