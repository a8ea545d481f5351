/// \file
/// Graphs of f32 with QuantizeLinear and DequantizeLinear put in: which values get levels, and where.
#pragma once

#include <cstdint>
#include <skerry/graph.hpp>
#include <span>
#include <string>
#include <vector>

#include "passes/quant/ranges.hpp"

namespace skerry::passes::quant {

/// What becomes of a node.
enum class Width : std::uint8_t { real, int8, int8_weights, int4_weights };

/// The graph with constants folded and batch norms inside the convolutions' weights, in operators of ONNX alone.
Graph prepared(const Graph& graph);

/// The nodes with weights that can be quantised: Conv, Gemm and MatMul of f32 with constant weights.
std::vector<NodeId> layers(const Graph& graph);
/// The name that people give a layer: its own, else that of its output.
std::string layer_name(const Graph& graph, NodeId id);
/// Refuses names that no layer has. Errors: invalid_argument.
void check_names(const Graph& graph, std::span<const std::string> names);

/// Weights of one layer before and after, scales included.
struct LayerBytes {
  DType dtype = DType::f32;
  std::uint64_t before = 0, after = 0;
};

/// How a graph becomes quantised; the same `widths` give the same values to see and the same graph.
struct Quantizer {
  const Graph& graph;             ///< prepared()
  std::span<const Width> widths;  ///< by NodeId; real for all that are no layers
  bool per_channel = true;
  std::int64_t block = 32;

  /// Values whose ranges have to be known.
  std::vector<ValueId> to_see() const;
  /// ranges: by ValueId. layers: filled in, in the order of layers(graph).
  Graph quantized(std::span<const Range> ranges, std::vector<LayerBytes>& layers) const;
};

}  // namespace skerry::passes::quant
