/// \file
/// Smaller models from trained ones: quantising and pruning after training, and ONNX files for other runtimes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <skerry/calibration.hpp>
#include <skerry/graph.hpp>
#include <skerry/pruning.hpp>
#include <skerry/session.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace skerry {

/// Errors: invalid_argument that lists them.
Calibration calibration_from_name(std::string_view name);
std::string_view calibration_name(Calibration calibration) noexcept;

/// What becomes of the layers (Conv, Gemm, MatMul with constant weights).
enum class Quantization : std::uint8_t {
  int8,          ///< u8 activations and i8 weights: integer kernels
  int8_weights,  ///< i8 weights, computed in f32
  int4_weights,  ///< i4 weights in blocks with a scale each, i8 where sums are short; computed in f32
};
/// Errors: invalid_argument that lists them.
Quantization quantization_from_name(std::string_view name);
std::string_view quantization_name(Quantization quantization) noexcept;

/// Inputs of runs and, where they are known, the right classes: labels[i] has one integer for each row of the first
/// output of run i.
struct Samples {
  std::vector<NamedTensors> inputs;
  std::vector<Tensor> labels;
};

struct QuantizeOptions {
  Quantization kind = Quantization::int8;
  Calibration calibration = Calibration::min_max;
  double percentile = 99.99;       ///< of Calibration::percentile, above 50 and at most 100
  bool per_channel = true;         ///< a scale for each output of a layer, else one
  std::int64_t block = 32;         ///< weights of int4 that share a scale, along what is summed over; 2 to 4096
  std::vector<std::string> keep;   ///< nodes that stay as they are, by name; by the name of their output without one
  std::optional<double> max_loss;  ///< mixed precision: the layers that hurt most stay wider until the score holds
  Limits limits;                   ///< of each run
};

/// A layer of the result.
struct QuantizedLayer {
  std::string node, op;
  DType weights = DType::f32;
  std::uint64_t bytes = 0, bytes_before = 0;  ///< of its weights, scales included
};

struct Quantized {
  Graph graph;  ///< QuantizeLinear and DequantizeLinear around operators of f32, as any ONNX runtime reads them
  std::vector<QuantizedLayer> layers;
  std::uint64_t weight_bytes = 0, weight_bytes_before = 0;  ///< of all constants
  /// Share of rows whose largest output is at the label, else at the place where the given model has it; NaN where the
  /// first output has no rows of reals.
  double score = 0.0, score_before = 0.0;
  /// Power of the first output over that of its error, in decibels, over the runs that were judged.
  double snr_db = 0.0;
};

/// Quantises a model after training. calibration: inputs that the ranges of activations are seen on (none are needed
/// for weights alone); judged: inputs that score, error and max_loss are measured on, calibration where there are none.
/// Batch normalisation is folded into convolutions first.
/// Errors: invalid_argument (options, no samples where they are needed, `keep` that no node has), unsupported (no layer
/// to quantise), and those of runs.
Quantized quantize(const Graph& model, const Samples& calibration, const Samples& judged,
                   const QuantizeOptions& options);

/// How far the answers of one model are those of another, as in Quantized.
struct Agreement {
  double score = 0.0, score_before = 0.0, snr_db = 0.0;
};
/// before: the model that is taken to be right where there are no labels. Errors: as quantize.
Agreement compare(const Graph& before, const Graph& after, const Samples& judged, const Limits& limits = {});

/// The model as an ONNX file (opset 21 or newer). Errors: unsupported for subgraphs, circuits, and graphs that were
/// compiled; limit_exceeded past 2 GiB.
std::string to_onnx(const Graph& graph);
/// The same, written atomically. Errors: also io_error, not_found.
void save_onnx(const Graph& graph, const std::filesystem::path& path);

}  // namespace skerry
