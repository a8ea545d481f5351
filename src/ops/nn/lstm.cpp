#include "ops/nn/recurrent.hpp"

namespace skerry::ops {
namespace {

constexpr auto kKind = RecurrentKind::lstm;

constexpr KernelRow kKernels[] = {
    {"lstm_rows", [](const Node& node, const NodeTypes& types) { return can_recurrent(kKind, node, types); },
     [](const Node& node, const NodeTypes& types) { return prepare_recurrent(kKind, node, types); }},
};

}  // namespace

extern const OpRecord lstm_record;
const OpRecord lstm_record = {
    .name = "LSTM",
    .since_opset = 22,
    .help =
        "Long short-term memory over input 0, [steps, batch, inputs] (layout 1: [batch, steps, inputs]). Weights "
        "[directions, 4 hidden, inputs], recurrence [directions, 4 hidden, hidden], gates i, o, f, c; optional bias "
        "[directions, 8 hidden], lengths i32 [batch], initial h and c [directions, batch, hidden], peepholes "
        "[directions, 3 hidden]. Past a row's length the output is 0 and the state stays.",
    .infer = [](TypeContext& context) { infer_recurrent(kKind, context); },
    .kernels = kKernels,
    .first_output_optional = true,
};

}  // namespace skerry::ops
