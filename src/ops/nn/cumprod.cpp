#include <functional>

#include "ops/nn/cumulated.hpp"

namespace skerry::ops {
namespace {

void run(const Node& node, const KernelArguments& arguments) {
  cumulate(node, arguments, 1, [](auto total, auto x) { return wrapping(total, x, std::multiplies<>()); });
}

}  // namespace

extern const OpRecord cumprod_record;
const OpRecord cumprod_record = {
    .name = "CumProd",
    .since_opset = 26,
    .help =
        "Running products along the axis that input 1 names; exclusive leaves the element itself out, reverse begins "
        "at "
        "the end. Numbers.",
    .inputs = 2,
    .infer = infer_cumulated,
    .kernels = kReference<run>,
};

}  // namespace skerry::ops
