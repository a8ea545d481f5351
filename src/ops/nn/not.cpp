#include "kernels/tensor/unary.hpp"
#include "ops/nn/kernel_rows.hpp"
#include "ops/nn/typing.hpp"

namespace skerry::ops {
namespace {

using Bool = kernels::Types<bool>;

constexpr KernelRow kKernels[] = {
    {"not", can_stream<Bool>,
     [](const Node&, const NodeTypes&) {
       return Prepared{[](const KernelArguments& a) { kernels::logical_not(a.inputs[0], a.outputs[0]); }};
     }},
};

}  // namespace

extern const OpRecord not_record;
const OpRecord not_record = {.name = "Not",
                             .since_opset = 1,
                             .help = "y = not x, element by element. bool.",
                             .infer =
                                 [](TypeContext& context) {
                                   require(context, 0, Bool{});
                                   same_as_input(context);
                                 },
                             .kernels = kKernels,
                             .in_place_input = 0};

}  // namespace skerry::ops
