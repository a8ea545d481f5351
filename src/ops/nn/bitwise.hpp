/// \file
/// Integers bit by bit, in pairs under broadcasting.
#pragma once

#include "kernels/tensor/broadcast.hpp"
#include "ops/nn/reference.hpp"

namespace skerry::ops {

void infer_bitwise(TypeContext& context);

/// Op: std::bit_and and its like.
template <class Op>
void bitwise(const Node&, const KernelArguments& a) {
  const auto x = longs(a.inputs[0]), y = longs(a.inputs[1]);
  Longs out;
  const kernels::BroadcastLoops<2> loops(a.outputs[0].shape(), {a.inputs[0].shape(), a.inputs[1].shape()});
  loops.for_each_run(0, a.outputs[0].elements(), [&](std::int64_t, const auto& from, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
      out.push_back(Op()(x[static_cast<std::size_t>(from[0] + i * loops.inner_stride(0))],
                         y[static_cast<std::size_t>(from[1] + i * loops.inner_stride(1))]));
    }
  });
  store(out, a.outputs[0]);
}

}  // namespace skerry::ops
