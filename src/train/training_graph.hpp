/// \file
/// A model as a graph of its loss, whose weights are inputs and may be rounded to levels.
#pragma once

#include <cstddef>
#include <optional>
#include <skerry/fine_tuning.hpp>
#include <skerry/graph.hpp>
#include <string>
#include <vector>

namespace skerry::train {

/// A constant of the model that is trained.
struct Trainable {
  ValueId value = kNoValue;  ///< of the model
  NodeId layer = 0;
  bool is_bias = false;
  int channel_axis = 0;  ///< of weights: the axis of the layer's outputs
  bool is_rounded = false;
};

/// Weights and biases of the layers of a prepared model, in order; each constant once.
std::vector<Trainable> trainables(const Graph& model, const FineTuneOptions& options);

/// Levels lo … hi of a value.
struct Levels {
  double lo = 0, hi = 0;
};
constexpr Levels signed_levels(int bits) {
  return {-static_cast<double>((1 << (bits - 1)) - 1), static_cast<double>((1 << (bits - 1)) - 1)};
}
constexpr Levels unsigned_levels(int bits) {
  return {0.0, static_cast<double>((1 << bits) - 1)};
}

/// Inputs of the graph beside the model's own are named after what they are of.
struct TrainingGraph {
  static constexpr const char* kLoss = "loss";
  static constexpr const char* kTargets = "targets";
  static std::string scale_of(const std::string& name) { return "scale:" + name; }
  static std::string zero_of(const std::string& name) { return "zero:" + name; }

  Graph graph;                           ///< output `loss`
  std::vector<std::string> parameters;   ///< inputs that are trained, in the order of the trainables
  std::vector<std::string> activations;  ///< values that are rounded, or would be
};

/// rounds: whether activations are rounded; their values are listed in any case.
TrainingGraph training_graph(const Graph& model, const std::vector<Trainable>& trained, const FineTuneOptions& options,
                             bool rounds);

}  // namespace skerry::train
