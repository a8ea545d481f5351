#include "ops/nn/softmax.hpp"

namespace skerry::ops {
extern const OpRecord logsoftmax_record;
const OpRecord logsoftmax_record = {
    .name = "LogSoftmax",
    .since_opset = 13,
    .help =
        "The logarithm of Softmax, computed as x - log sum exp(x) along `axis` (default the last). x: reals. Before "
        "opset "
        "13 all axes from `axis` (default 1) on counted as one.",
    .infer = infer_softmax,
    .upgrade = upgrade_softmax,
    .kernels = kSoftmaxKernels<true>,
    .in_place_input = 0,
};

}  // namespace skerry::ops
