#include <cstring>

#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

void check(const Node& node, const Shape& cache, const Shape& update) {
  const auto axis =
      static_cast<int>(normal_axis(node, node.integer("axis", -2), static_cast<std::size_t>(cache.rank())));
  bool fits = cache.rank() == update.rank() && axis > 0;
  for (int k = 0; fits && k < cache.rank(); ++k) fits = k == axis || cache[k] == update[k];
  if (!fits)
    refuse(node, "an update " + update.text() + " does not fit a cache " + cache.text() + " but for axis " +
                     std::to_string(axis));
}

void infer(TypeContext& context) {
  require_same(context, 0, 1);
  const auto cache = known_shape(context, 0), update = known_shape(context, 1);
  if (cache && update) check(context.node, *cache, *update);
  if (optional_input(context, 2) != nullptr) {
    require(context, 2, kernels::Types<std::int64_t>{});
    const auto starts = known_shape(context, 2);
    if (starts && cache && (starts->rank() != 1 || (*starts)[0] != (*cache)[0]))
      refuse(context.node, "write_indices " + starts->text() + " are not one for each of " + cache->text());
  }
  same_as_input(context);
}

void run(const Node& node, const KernelArguments& a) {
  const TensorView update = a.inputs[1];
  const MutableTensorView& y = a.outputs[0];
  check(node, y.shape(), update.shape());
  std::memcpy(y.data(), a.inputs[0].data(), a.inputs[0].bytes());
  const auto starts = longs(in_view(a, 2));
  const auto axis = normal_axis(node, node.integer("axis", -2), static_cast<std::size_t>(y.shape().rank()));
  const std::int64_t most = y.shape()[static_cast<int>(axis)];
  if (most < 1) return;
  const bool circular = node.text("mode", "linear") == "circular";
  const Longs strides = strides_of(y.shape());
  Position at(update.shape());
  for (std::int64_t i = 0; i < update.elements(); ++i, at.next()) {
    const std::int64_t start = starts.empty() ? 0 : starts[static_cast<std::size_t>(at[0])];
    const std::int64_t k = circular ? (within(start % most, most) + at[axis]) % most : within(start, most) + at[axis];
    copy_element(update, i, y, at.in(strides) + (within(k, most) - at[axis]) * strides[axis]);
  }
}

}  // namespace

extern const OpRecord tensorscatter_record;
const OpRecord tensorscatter_record = {
    .name = "TensorScatter",
    .since_opset = 24,
    .help =
        "past_cache with `update` put in along `axis` (default -2) from write_indices[batch] (default 0) on; mode "
        "circular wraps around. Any dtype of whole bytes.",
    .inputs = 2,
    .infer = infer,
    .kernels = kMover<run>,
};

}  // namespace skerry::ops
