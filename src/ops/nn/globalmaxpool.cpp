#include "ops/nn/global_pool.hpp"

namespace skerry::ops {
namespace {

constexpr auto kReduction = kernels::Reduction::max;

constexpr KernelRow kKernels[] = {
    {"global_max_pool_f32", can_global_pool_f32,
     [](const Node&, const NodeTypes& types) { return prepare_global_pool_f32(kReduction, types); }},
    {"global_max_pool_ref", can_global_pool_ref,
     [](const Node&, const NodeTypes& types) { return prepare_global_pool_ref(kReduction, types); }},
};

}  // namespace

extern const OpRecord globalmaxpool_record;
const OpRecord globalmaxpool_record = {
    .name = "GlobalMaxPool",
    .since_opset = 22,
    .help =
        "Largest element over all of space: X [N, C, space] to [N, C, 1, ...] of the same rank; f16, bf16, f32 or f64.",
    .infer = infer_global_pool,
    .kernels = kKernels,
};

}  // namespace skerry::ops
