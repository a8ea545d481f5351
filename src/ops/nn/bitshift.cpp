#include "kernels/tensor/broadcast.hpp"
#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

// The value's own width; a signed one keeps its sign to the right.
std::int64_t shifted(std::int64_t value, std::int64_t by, std::int64_t width, bool left) {
  if (by < 0 || by >= width) return left || value >= 0 ? 0 : -1;
  if (left) return static_cast<std::int64_t>(static_cast<std::uint64_t>(value) << by);
  return value >> by;
}

void infer(TypeContext& context) {
  require(context, 0, kernels::Integers{});
  require_same(context, 0, 1);
  set_output(context, 0, input(context, 0).dtype,
             broadcast(context.node, input(context, 0).shape, input(context, 1).shape));
}

void run(const Node& node, const KernelArguments& a) {
  const auto x = longs(a.inputs[0]), y = longs(a.inputs[1]);
  Longs out;
  const bool left = node.text("direction", "") == "LEFT";
  const std::int64_t width = dtype_bits(a.inputs[0].dtype());
  kernels::BroadcastLoops<2> loops(a.outputs[0].shape(), {a.inputs[0].shape(), a.inputs[1].shape()});
  loops.for_each_run(0, a.outputs[0].elements(), [&](std::int64_t, const auto& from, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t l = x[static_cast<std::size_t>(from[0] + i * loops.inner_stride(0))];
      const std::int64_t r = y[static_cast<std::size_t>(from[1] + i * loops.inner_stride(1))];
      out.push_back(a.inputs[0].dtype() == DType::u64 && !left && r >= 0 && r < 64
                        ? static_cast<std::int64_t>(static_cast<std::uint64_t>(l) >> r)
                        : shifted(l, r, width, left));
    }
  });
  store(out, a.outputs[0]);
}

}  // namespace

extern const OpRecord bitshift_record;
const OpRecord bitshift_record = {
    .name = "BitShift",
    .since_opset = 28,
    .help =
        "a shifted by b bits under broadcasting: direction LEFT or RIGHT. By as many bits as there are, or more, "
        "everything is shifted out.",
    .inputs = 2,
    .infer = infer,
    .kernels = kReference<run>,
};

}  // namespace skerry::ops
