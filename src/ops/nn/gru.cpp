#include "ops/nn/recurrent.hpp"

namespace skerry::ops {
namespace {

constexpr auto kKind = RecurrentKind::gru;

constexpr KernelRow kKernels[] = {
    {"gru_rows", [](const Node& node, const NodeTypes& types) { return can_recurrent(kKind, node, types); },
     [](const Node& node, const NodeTypes& types) { return prepare_recurrent(kKind, node, types); }},
};

}  // namespace

extern const OpRecord gru_record;
const OpRecord gru_record = {
    .name = "GRU",
    .since_opset = 22,
    .help =
        "Gated recurrent unit over input 0, [steps, batch, inputs] (layout 1: [batch, steps, inputs]). Weights "
        "[directions, 3 hidden, inputs], recurrence [directions, 3 hidden, hidden], gates z, r, h; optional bias "
        "[directions, 6 hidden], lengths i32 [batch], initial h [directions, batch, hidden]. Past a row's length the "
        "output is 0 and the state stays.",
    .infer = [](TypeContext& context) { infer_recurrent(kKind, context); },
    .kernels = kKernels,
    .first_output_optional = true,
};

}  // namespace skerry::ops
