/// \file
/// Training a model's weights further: quantisation-aware, or with the zeros of a pruned model kept.
///
///     train::FineTuner tuner(model, {.weight_bits = 8, .activation_bits = 8});
///     for (const auto& [inputs, labels] : batches) tuner.step(inputs, labels);
///     Graph trained = tuner.model();
#pragma once

#include <cstdint>
#include <memory>
#include <skerry/graph.hpp>
#include <skerry/session.hpp>
#include <string>
#include <vector>

namespace skerry::train {

enum class Loss : std::uint8_t {
  cross_entropy,  ///< of the first output's softmax over its last axis; targets: i64 labels, one for each row
  mean_squared,   ///< of the first output; targets: f32 of its shape
};

struct FineTuneOptions {
  Loss loss = Loss::cross_entropy;
  double rate = 1e-3;  ///< Adam 0.9, 0.999, 1e-8 (Kingma and Ba 2014, arXiv:1412.6980)
  /// Levels that weights and the inputs of layers are rounded to on the way forward, 2 to 16 bits; 0: not at all.
  /// Weights: symmetric, a scale for each output. Inputs: affine, a range that follows what is seen. Gradients pass
  /// rounding as if it were not there, and nothing passes outside of the range (Jacob et al., CVPR 2018,
  /// arXiv:1712.05877).
  int weight_bits = 0, activation_bits = 0;
  bool keep_zeros = false;        ///< weights of layers that are zero stay zero
  std::vector<std::string> keep;  ///< layers that are not rounded, by name; by the name of their output without one
};

/// A tensor that is trained: the weights or the bias of a layer.
struct TrainedParameter {
  std::string name, layer, op;
  bool is_bias = false;
  Tensor value;            ///< f32, as it is now
  std::uint64_t left = 0;  ///< elements that may change
};

/// Adam on the weights and biases of a model's layers (Conv, Gemm, MatMul). Batch normalisation is folded into
/// convolutions first. The same numbers for the same steps on one kind of CPU.
class FineTuner {
 public:
  /// Errors: invalid_argument (options, `keep` that no layer has), unsupported (no layer to train).
  FineTuner(const Graph& model, const FineTuneOptions& options);
  FineTuner(FineTuner&&) noexcept;
  FineTuner& operator=(FineTuner&&) noexcept;
  ~FineTuner();

  /// The loss of a batch, with rounding where it was asked for. Errors: type_mismatch, invalid_argument (targets that
  /// do not fit), unsupported (an operator without a derivative), and those of runs.
  double loss(const NamedTensors& inputs, const Tensor& targets);
  /// The loss before the update, which then is made. Errors: as loss(); semantic_error when a gradient is not finite.
  double step(const NamedTensors& inputs, const Tensor& targets);

  /// The model with the weights as they are now, not rounded.
  Graph model() const;
  std::vector<TrainedParameter> parameters() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace skerry::train
