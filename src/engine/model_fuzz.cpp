// A model as a stranger may send it: imported, planned and run on small inputs within small limits.
#include <chrono>
#include <memory>
#include <optional>
#include <skerry/error.hpp>
#include <skerry/session.hpp>

#include "frontend/frontend.hpp"
#include "kernels/tensor/numeric.hpp"

namespace skerry {
namespace {

constexpr std::int64_t kUnknownExtent = 3, kMostElements = 4096;

// Small numbers around 0; nothing for what is no small tensor of numbers.
std::optional<Tensor> example_of(const TensorType& type) {
  if (!type.is_tensor() || !type.shape || !kernels::NumbersAndBool::contains(type.dtype)) return std::nullopt;
  std::vector<std::int64_t> extents;
  for (const Dim& dim : *type.shape) extents.push_back(dim.is_known() ? dim.value : kUnknownExtent);
  const Shape shape(extents);
  if (shape.elements() > kMostElements) return std::nullopt;
  Tensor tensor(type.dtype, shape);
  kernels::visit(kernels::NumbersAndBool{}, type.dtype, [&]<class T>() {
    int number = 0;
    for (T& value : tensor.mutable_view().as<T>()) value = kernels::convert<T>(static_cast<double>(number++ % 5 - 1));
  });
  return tensor;
}

void run(const frontend::Source& source) {
  const auto imported = frontend::import(source);
  const auto* graph = std::get_if<Graph>(&imported);
  if (graph == nullptr) return;
  NamedTensors inputs;
  for (const ValueId id : graph->inputs()) {
    auto example = example_of(graph->value(id).type);
    if (!example) return;
    inputs.emplace_back(graph->value(id).name, std::move(*example));
  }
  Limits limits;
  limits.threads = 1;
  limits.max_memory_bytes = std::uint64_t{32} << 20;
  limits.control.deadline = std::chrono::steady_clock::now() + std::chrono::seconds(1);
  Session(std::make_shared<const Graph>(*graph), limits).run(inputs);
}

}  // namespace
}  // namespace skerry

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer looks for this name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    skerry::run({.bytes = std::as_bytes(std::span(data, size)), .name = "fuzz", .folder = {}, .owner = {}});
  } catch (const skerry::Error& error) {
    if (error.code() == skerry::ErrorCode::internal) throw;
  }
  return 0;
}
