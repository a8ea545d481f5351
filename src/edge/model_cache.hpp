/// \file
/// What is known of models that an executor ran before: their plans, cuts, packages; and what a model is known by.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <skerry/edge.hpp>
#include <span>
#include <string>
#include <vector>

#include "edge/kept.hpp"

namespace skerry::edge {

/// A graph as bytes that tell it from others. In a moment: constants by where they lie, those of up to kToldBytes by
/// their elements too; `owners` hold what they are told by, so the text stands for the graph as long as none of them
/// has expired. Empty, so that nothing is kept, for a graph with a constant whose memory nobody owns. By content: the
/// XXH3-128 of the elements; empty for a graph with texts among its constants, whose elements are no plain bytes.
struct ModelText {
  std::string text;
  std::vector<std::weak_ptr<const void>> owners;
  /// A larger constant is computed with before the run. Whoever owns its memory may write other elements into it (a
  /// NumPy array), and what was made of it would still be that of the old ones: a graph that holds it must not be kept.
  bool folds_large = false;
};
inline constexpr std::uint64_t kToldBytes = 4096;
ModelText momentary_text(const Graph& graph, std::span<const TensorType> inputs);
std::string content_text(const Graph& graph);

/// A text that is equal exactly when two runs of models must give equal outputs, hashes apart; empty where the content
/// has no text.
std::string question_key(const Graph& graph, const NamedTensors& inputs);

/// What the whole model takes here.
struct ModelPlan {
  std::uint64_t peak_bytes = 0;
  double seconds = 0.0;
  std::string cannot_run;  ///< empty: it can
  std::vector<std::weak_ptr<const void>> owners;
};

/// How it is halved, or why not.
struct ModelCut {
  std::optional<GraphCut> cut;  ///< holds on to the weights
  SplitReport split;
  std::string why_whole;
  std::vector<std::weak_ptr<const void>> owners;
};

/// A graph as it is sent.
struct ModelPackage {
  std::string bytes;
  std::string sha256;  ///< hex digits
};

/// From any thread. Each kind is bounded by so many bytes.
class ModelCache {
 public:
  explicit ModelCache(std::uint64_t max_bytes) : plans_(max_bytes), cuts_(max_bytes), packages_(max_bytes) {}

  /// Null: it is not known. By an empty text nothing is kept.
  std::shared_ptr<const ModelPlan> plan(const std::string& text);
  std::shared_ptr<const ModelCut> cut(const std::string& text);
  /// seconds: that finding it out took.
  void keep(const std::string& text, std::shared_ptr<const ModelPlan> plan, double seconds);
  void keep(const std::string& text, std::shared_ptr<const ModelCut> cut, double seconds);
  /// Made when it is not known.
  std::shared_ptr<const ModelPackage> package(const Graph& graph);
  void clear();

 private:
  std::mutex mutex_;
  Kept<ModelPlan> plans_;
  Kept<ModelCut> cuts_;
  Kept<ModelPackage> packages_;
};

std::uint64_t weight_bytes(const Graph& graph);

}  // namespace skerry::edge
