/// \file
/// Integers bit by bit, in pairs under broadcasting.
#pragma once

#include "base/threads.hpp"
#include "kernels/tensor/broadcast.hpp"
#include "ops/nn/reference.hpp"

namespace skerry::ops {

void infer_bitwise(TypeContext& context);

/// Op: std::bit_and and its like.
template <class Op>
void bitwise(const Node&, const KernelArguments& a) {
  const kernels::BroadcastLoops<2> loops(a.outputs[0].shape(), {a.inputs[0].shape(), a.inputs[1].shape()});
  const auto run = [&]<class T>(T) {  // a sign changes nothing
    const auto of = [](const auto& view) { return reinterpret_cast<T*>(const_cast<std::byte*>(view.data())); };
    const T *const x = of(a.inputs[0]), *const y = of(a.inputs[1]);
    T* const out = of(a.outputs[0]);
    const std::int64_t sx = loops.inner_stride(0), sy = loops.inner_stride(1);
    base::parallel_for(0, static_cast<std::size_t>(a.outputs[0].elements()), kernels::kElementGrain,
                       [&](std::size_t begin, std::size_t end) {
                         loops.for_each_run(static_cast<std::int64_t>(begin), static_cast<std::int64_t>(end),
                                            [&](std::int64_t at, const auto& from, std::int64_t count) {
                                              for (std::int64_t i = 0; i < count; ++i)
                                                out[at + i] =
                                                    static_cast<T>(Op()(x[from[0] + i * sx], y[from[1] + i * sy]));
                                            });
                       });
  };
  switch (width_of(a.outputs[0].dtype())) {
    case 1:
      return run(std::uint8_t());
    case 2:
      return run(std::uint16_t());
    case 4:
      return run(std::uint32_t());
    default:
      return run(std::uint64_t());
  }
}

inline Cost can_bitwise(const Node&, const NodeTypes& types) {
  if (!kernels::Integers::contains(types.inputs[0].dtype)) return no_kernel(types.inputs[0].dtype);
  return element_steps(types, 1.0);
}
inline std::uint64_t bytes_of_nothing(const NodeTypes&) {
  return 0;
}

}  // namespace skerry::ops
