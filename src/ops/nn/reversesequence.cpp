#include <algorithm>

#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  require(context, 1, kernels::Types<std::int64_t>{});
  require_rank(context, 0, 2, Shape::kMaxRank);
  same_as_input(context);
}

void run(const Node& node, const KernelArguments& a) {
  const TensorView x = a.inputs[0];
  const auto rank = static_cast<std::size_t>(x.shape().rank());
  const auto time = normal_axis(node, node.integer("time_axis", 0), rank),
             batch = normal_axis(node, node.integer("batch_axis", 1), rank);
  const auto lengths = longs(a.inputs[1]);
  const Longs strides = strides_of(x.shape());
  // What lies behind both axes is moved together.
  const auto outer = std::max(time, batch) + 1;
  const Shape places(x.shape().dims().first(outer));
  const std::int64_t run_length = strides[outer - 1];
  Position at(places);
  for (std::int64_t i = 0; i < x.elements(); i += run_length, at.next()) {
    const std::int64_t length = lengths.at(static_cast<std::size_t>(at[batch])), t = at[time];
    if (length < 0 || length > x.shape()[static_cast<int>(time)])
      outside("a sequence of " + std::to_string(length) + " elements");
    copy_elements(x, t < length ? i + (length - 1 - 2 * t) * strides[time] : i, a.outputs[0], i, run_length);
  }
}

// A copy for each place of the two axes.
Cost can(const Node& node, const NodeTypes& types) {
  if (auto movable = can_move(node, types); !movable) return movable;
  const Shape x = *types.inputs[0].static_shape();
  const auto rank = static_cast<std::size_t>(x.rank());
  const auto last = std::max(normal_axis(node, node.integer("time_axis", 0), rank),
                             normal_axis(node, node.integer("batch_axis", 1), rank));
  double copies = 1.0;
  for (std::size_t i = 0; i <= last; ++i) copies *= static_cast<double>(x[static_cast<int>(i)]);
  constexpr double kOfACopy = 40.0;
  return serial_steps(types, kOfACopy * copies);
}

}  // namespace

extern const OpRecord reversesequence_record;
const OpRecord reversesequence_record = {
    .name = "ReverseSequence",
    .since_opset = 28,
    .help =
        "The first sequence_lens[b] elements along time_axis of each batch entry in reverse. Any dtype of whole bytes.",
    .inputs = 2,
    .infer = infer,
    .kernels = kReference<run, can, bytes_of_places>,
};

}  // namespace skerry::ops
