#include <cstring>
#include <vector>

#include "ops/nn/op_record.hpp"

namespace skerry::ops {
namespace {

bool stands_askew(const Tensor& constant) {
  const int bits = dtype_bits(constant.dtype());
  // A complex number is aligned as its parts are.
  const bool complex = constant.dtype() == DType::c64 || constant.dtype() == DType::c128;
  const auto width = static_cast<std::uintptr_t>(complex ? bits / 16 : bits / 8);
  return width > 1 && reinterpret_cast<std::uintptr_t>(constant.view().data()) % width != 0;
}

// Rows are gathered as bytes, so that a table which is only looked up stays where it is mapped.
bool reads_elements(const Node& node, std::size_t input) {
  return node.op != "Gather" || input != 0;
}

// One flag per value.
std::vector<std::uint8_t> askew_values(const Graph& graph) {
  std::vector<std::uint8_t> askew(graph.values().size(), 0);
  for (const Node& node : graph.nodes()) {
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const ValueId id = node.inputs[i];
      if (id == kNoValue || !graph.value(id).constant || !reads_elements(node, i)) continue;
      askew[id] = stands_askew(*graph.value(id).constant) ? 1 : 0;
    }
  }
  return askew;
}

}  // namespace

Tensor aligned_copy(const Tensor& tensor) {
  if (!stands_askew(tensor)) return tensor;
  Tensor copy(tensor.dtype(), tensor.shape());
  std::memcpy(copy.mutable_view().data(), tensor.view().data(), tensor.view().bytes());
  return copy;
}

std::uint64_t misaligned_bytes(const Graph& graph) {
  const auto askew = askew_values(graph);
  std::uint64_t total = 0;
  for (ValueId id = 0; id < askew.size(); ++id) total += askew[id] != 0 ? graph.value(id).constant->view().bytes() : 0;
  return total;
}

void align_constants(Graph& graph) {
  const auto askew = askew_values(graph);
  for (ValueId id = 0; id < askew.size(); ++id) {
    if (askew[id] != 0) graph.value(id).constant = aligned_copy(*graph.value(id).constant);
  }
}

}  // namespace skerry::ops
