#include <cstring>
#include <utility>

#include "base/file.hpp"
#include "base/weighing.hpp"
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

}  // namespace

Tensor aligned_copy(const Tensor& tensor) {
  if (!stands_askew(tensor)) return tensor;
  Tensor copy(tensor.dtype(), tensor.shape());
  if (!base::is_weighing || tensor.view().bytes() < base::kWeighedBytes)
    std::memcpy(copy.mutable_view().data(), tensor.view().data(), tensor.view().bytes());
  return copy;
}

void align_constants(Graph& graph, NodeId node) {
  const Node& row = graph.node(node);
  for (std::size_t i = 0; i < row.inputs.size(); ++i) {
    if (row.inputs[i] == kNoValue || !reads_elements(row, i)) continue;
    auto& constant = graph.value(row.inputs[i]).constant;
    if (!constant || !stands_askew(*constant)) continue;
    const Tensor askew = std::exchange(*constant, aligned_copy(*constant));
    base::release_mapped({askew.view().data(), askew.view().bytes()});
  }
}

}  // namespace skerry::ops
