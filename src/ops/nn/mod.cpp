#include "ops/nn/binary.hpp"
#include "ops/nn/kernel_rows.hpp"
#include "ops/nn/typing.hpp"

namespace skerry::ops {
namespace {

using kernels::Binary;

Binary function_of(const Node& node) {
  return node.integer("fmod", 0) != 0 ? Binary::truncated_mod : Binary::floor_mod;
}

constexpr KernelRow kKernels[] = {
    {"binary_ref", [](const Node& node, const NodeTypes& types) { return can_binary_ref(function_of(node), types); },
     [](const Node& node, const NodeTypes&) { return prepare_binary(kernels::binary, function_of(node), node); }},
};

}  // namespace

extern const OpRecord mod_record;
const OpRecord mod_record = {
    .name = "Mod",
    .since_opset = 28,
    .help =
        "The remainder of a / b under NumPy broadcasting: with the sign of b, or with fmod = 1 with the sign of a. "
        "One dtype of number; an integer's remainder by 0 is 0.",
    .infer = [](TypeContext& context) { infer_binary(function_of(context.node), context); },
    .kernels = kKernels,
    .in_place_input = 0};

}  // namespace skerry::ops
