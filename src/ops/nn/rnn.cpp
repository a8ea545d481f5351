#include "ops/nn/recurrent.hpp"

namespace skerry::ops {
namespace {

constexpr auto kKind = RecurrentKind::rnn;

constexpr KernelRow kKernels[] = {
    {"rnn_rows", [](const Node& node, const NodeTypes& types) { return can_recurrent(kKind, node, types); },
     [](const Node& node, const NodeTypes& types) { return prepare_recurrent(kKind, node, types); }},
};

}  // namespace

extern const OpRecord rnn_record;
const OpRecord rnn_record = {
    .name = "RNN",
    .since_opset = 22,
    .help =
        "h = f(x W^T + h R^T + b) over input 0, [steps, batch, inputs] (layout 1: [batch, steps, inputs]). Weights "
        "[directions, hidden, inputs], recurrence [directions, hidden, hidden]; optional bias [directions, 2 hidden], "
        "lengths i32 [batch], initial h [directions, batch, hidden]. Past a row's length the output is 0.",
    .infer = [](TypeContext& context) { infer_recurrent(kKind, context); },
    .kernels = kKernels,
    .first_output_optional = true,
};

}  // namespace skerry::ops
