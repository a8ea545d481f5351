/// \file
/// Which passes, level and threads suit a model: policies propose, a manager measures and keeps what is a gain.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <skerry/compile.hpp>
#include <skerry/session.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace skerry {

/// How a model is compiled and run.
struct OptimizationChoice {
  Level level = Level::high;
  std::vector<std::string> disabled_passes;
  int threads = 0;  ///< 0: the process's budget
  /// `high, 2 threads, without channels_last`.
  std::string text() const;
  bool operator==(const OptimizationChoice&) const = default;
};

/// What policies look at: `nodes`, `flops`, `bytes` (read and written by all steps), `weight_bytes`, `convolutions`,
/// `products`, `attentions`, `recurrent`, `largest_flops` (of one step), `threads` (the budget).
using ModelFeatures = std::map<std::string, double>;
ModelFeatures model_features(const Graph& graph, std::span<const TensorType> inputs);

/// One thing to try, with its reason.
struct Proposal {
  std::string rule;    ///< of a rule: its name; of data: `measured`
  std::string reason;  ///< for people
  std::optional<Level> level;
  std::optional<int> threads;
  std::vector<std::string> without;  ///< passes
  /// On top of a choice.
  OptimizationChoice applied(OptimizationChoice choice) const;
};

/// Proposes; may learn from what came of it.
class OptimizationPolicy {
 public:
  virtual ~OptimizationPolicy() = default;
  virtual std::string_view name() const noexcept = 0;
  /// In the order in which they should be tried.
  virtual std::vector<Proposal> propose(const ModelFeatures& features) const = 0;
  /// What such a model took, and what it took as it was at first.
  virtual void observe(const ModelFeatures& features, const OptimizationChoice& choice, double seconds,
                       double first_seconds);
};

/// Rules that people read and edit, one a line:
///
///     NAME: when FEATURE < NUMBER [and FEATURE > NUMBER ...] then ACTION because REASON
///
/// with the comparisons < <= > >=, `always` as condition, and the actions `threads N`, `level LEVEL`, `without PASS`.
/// `#` begins a comment. Each rule that holds is a proposal under its name.
class RuleBasedPolicy : public OptimizationPolicy {
 public:
  /// Errors: syntax_error with the line; invalid_argument for a pass or level that there is not.
  explicit RuleBasedPolicy(std::string_view rules = default_rules());
  static std::string_view default_rules() noexcept;

  std::string_view name() const noexcept override { return "rules"; }
  std::vector<Proposal> propose(const ModelFeatures& features) const override;
  /// The rules as they were read.
  std::string text() const;

 private:
  struct Condition {
    std::string feature, comparison;
    double number = 0.0;
  };
  struct Rule {
    std::vector<Condition> conditions;
    Proposal proposal;
    std::string line;
  };
  std::vector<Rule> rules_;
};

/// Chooses among candidates by what it saw of models like this one: the mean of the logarithms of (seconds / seconds at
/// first), each observation weighed by how near its model is in the logarithms of the features (Nadaraya 1964), minus a
/// bonus for what was seldom tried (Auer, Cesa-Bianchi, Fischer 2002). A table of expected ratios counts as one
/// observation each, so measurements correct it. From one thread at a time.
class MLBasedPolicy : public OptimizationPolicy {
 public:
  /// candidates: at least one. expected: ratio to the first choice by candidate, 1 where nothing is said.
  explicit MLBasedPolicy(std::vector<OptimizationChoice> candidates = default_candidates(),
                         std::vector<double> expected = {}, double exploration = 0.05);
  static std::vector<OptimizationChoice> default_candidates();

  std::string_view name() const noexcept override { return "measured"; }
  /// The candidate that promises most; nothing if that is none of a gain.
  std::vector<Proposal> propose(const ModelFeatures& features) const override;
  void observe(const ModelFeatures& features, const OptimizationChoice& choice, double seconds,
               double first_seconds) override;
  /// Expected seconds / seconds at first of each candidate, without the bonus.
  std::vector<double> expected_ratios(const ModelFeatures& features) const;
  const std::vector<OptimizationChoice>& candidates() const noexcept { return candidates_; }
  std::size_t observations() const noexcept { return observations_.size(); }

  /// What it saw, as text that a later process reads. Errors: syntax_error with the line.
  std::string save() const;
  void restore(std::string_view text);

 private:
  struct Observation {
    std::vector<double> place;  ///< logarithms of the features, by name
    std::size_t candidate = 0;  ///< one past the last: another choice
    double log_ratio = 0.0;
  };
  struct Estimate {
    double mean = 0.0, weight = 0.0;
  };
  Estimate estimate(std::span<const double> place, std::size_t candidate) const;
  static std::vector<double> place_of(const ModelFeatures& features);

  std::vector<OptimizationChoice> candidates_;
  std::vector<double> prior_;
  double exploration_;
  std::vector<Observation> observations_;
};

/// One thing that was tried.
struct OptimizationTrial {
  Proposal proposal;
  OptimizationChoice choice;
  double seconds = 0.0, against_seconds = 0.0;  ///< medians, measured by turns
  bool kept = false;
  std::string why;  ///< why not
};

struct OptimizedModel {
  Graph graph;  ///< compiled
  OptimizationChoice choice;
  double first_seconds = 0.0, seconds = 0.0;  ///< before and after, measured by turns at the end
  std::vector<OptimizationTrial> trials;
  /// A line for each trial: what, by which rule, what came of it.
  std::string explain() const;
};

struct OptimizationOptions {
  OptimizationChoice first;  ///< what gains are measured against
  double least_gain = 0.02;  ///< part of the time that a proposal has to save
  double tolerance = 1e-3;   ///< of outputs, beside the largest magnitude
  std::size_t runs = 15;     ///< of each side of a comparison
  Limits limits;
  /// Seconds of one run of a choice, for tests and for devices that are elsewhere. Empty: measured here.
  std::function<double(const OptimizationChoice&)> measure;
};

/// Tries what a policy proposes, one thing after the other on top of what was kept, and keeps what answers the same and
/// takes less; tells the policy. A model never ends slower than it began but for the noise of the comparison: at the
/// end both are measured again and the first choice wins a draw.
class OptimizationManager {
 public:
  /// policy: shared, since it learns over many models.
  explicit OptimizationManager(std::shared_ptr<OptimizationPolicy> policy, OptimizationOptions options = {});
  /// Errors: those of compiling and running the model as it is.
  OptimizedModel optimize(const Graph& graph, const NamedTensors& inputs);

 private:
  std::shared_ptr<OptimizationPolicy> policy_;
  OptimizationOptions options_;
};

}  // namespace skerry
