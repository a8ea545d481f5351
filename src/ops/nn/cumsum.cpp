#include <functional>

#include "ops/nn/cumulated.hpp"

namespace skerry::ops {
namespace {

void run(const Node& node, const KernelArguments& arguments) {
  cumulate(node, arguments, 0, [](auto total, auto x) { return wrapping(total, x, std::plus<>()); });
}

}  // namespace

extern const OpRecord cumsum_record;
const OpRecord cumsum_record = {
    .name = "CumSum",
    .since_opset = 14,
    .help =
        "Running sums along the axis that input 1 names; exclusive leaves the element itself out, reverse begins at "
        "the end. Numbers.",
    .inputs = 2,
    .infer = infer_cumulated,
    .kernels = kReference<run>,
};

}  // namespace skerry::ops
