#include "ops/nn/channels_last.hpp"
#include "ops/nn/global_pool.hpp"
#include "ops/nn/widened.hpp"

namespace skerry::ops {
namespace {

constexpr auto kReduction = kernels::Reduction::mean;

constexpr KernelRow kKernels[] = {
    {"global_average_pool_f32_pixels", can_pixel_mean, prepare_pixel_mean},
    {"global_average_pool_f32", planes_only<can_global_pool_f32>,
     [](const Node&, const NodeTypes& types) { return prepare_global_pool_f32(kReduction, types); }},
    kThroughF32,
    {"global_average_pool_ref", planes_only<can_global_pool_ref>,
     [](const Node&, const NodeTypes& types) { return prepare_global_pool_ref(kReduction, types); }},
};

}  // namespace

extern const OpRecord globalaveragepool_record;
const OpRecord globalaveragepool_record = {
    .name = "GlobalAveragePool",
    .since_opset = 22,
    .help = "Mean over all of space: X [N, C, space] to [N, C, 1, ...] of the same rank; f16, bf16, f32 or f64.",
    .infer = [](TypeContext& context) { infer_either(context, infer_global_pool); },
    .kernels = kKernels,
};

}  // namespace skerry::ops
