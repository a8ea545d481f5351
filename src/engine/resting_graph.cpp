#include "engine/resting_graph.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <skerry/error.hpp>
#include <utility>

#include "base/file.hpp"
#include "base/mapped.hpp"
#include "package/compress.hpp"
#include "package/unpack.hpp"

namespace skerry {
namespace {

constexpr std::uint64_t kWorthIt = 16 << 10;  // below, a tensor costs less than the bookkeeping of a frame
constexpr int kZstdLevel = 1;                 // whoever asks for memory waits for it

}  // namespace

RestingGraph::RestingGraph(Graph graph) : graph_(std::move(graph)) {
  std::uint64_t held = 0;
  for (ValueId id = 0; id < graph_.values().size(); ++id) {
    Value& value = graph_.value(id);
    if (!value.constant) continue;
    const TensorView view = value.constant->view();
    const std::span<const std::byte> bytes(view.data(), static_cast<std::size_t>(view.bytes()));
    if (base::is_mapped(bytes)) {
      base::release_mapped(bytes);
      continue;
    }
    if (bytes.size() < kWorthIt) continue;
    const auto width = static_cast<std::size_t>(std::max(8, dtype_bits(view.dtype())) / 8);
    const std::array pieces = {package::Piece{bytes, width}};
    Packed packed{id, view.shape(), package::compress(pieces, kZstdLevel), package::plane_regions(pieces)};
    if (packed.bytes.size() >= bytes.size()) continue;
    packed.bytes.shrink_to_fit();
    held += packed.bytes.size();
    packed_.push_back(std::move(packed));
    value.constant.reset();
  }
  try {
    held_ = base::Reservation(base::MemoryBudget(), held, "compressed weights");
  } catch (const Error&) {
    // Another thread took what became free meanwhile. The weights are not lost for that: they are held uncounted.
  }
}

std::uint64_t RestingGraph::compressed_bytes() const noexcept {
  std::uint64_t bytes = 0;
  for (const Packed& packed : packed_) bytes += packed.bytes.size();
  return bytes;
}

Graph RestingGraph::restored() const {
  Graph graph = graph_;
  for (const Packed& packed : packed_) {
    Value& value = graph.value(packed.id);
    const auto bytes = tensor_bytes(value.type.dtype, packed.shape);
    auto buffer = std::make_shared<base::Buffer>(package::unpack(packed.bytes, bytes, packed.regions));
    const TensorView view(value.type.dtype, packed.shape, buffer->data());
    value.constant = Tensor(view, std::move(buffer));
  }
  return graph;
}

}  // namespace skerry
