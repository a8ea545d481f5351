#include "ops/nn/kernel_rows.hpp"
#include "ops/nn/typing.hpp"
#include "ops/nn/unary.hpp"

namespace skerry::ops {
namespace {

using kernels::Unary;

Unary function_of(const Node& node) {
  const std::string approximate = node.text("approximate", "none");
  if (approximate == "none") return Unary::gelu;
  if (approximate == "tanh") return Unary::gelu_tanh;
  refuse(node, "approximate is '" + approximate + "'", "use none or tanh");
}

constexpr KernelRow kKernels[] = {
    {"unary_f32", [](const Node& node, const NodeTypes& types) { return can_unary_f32(function_of(node), types); },
     [](const Node& node, const NodeTypes&) { return prepare_unary_f32(function_of(node), {}); }},
    {"unary_ref", [](const Node& node, const NodeTypes& types) { return can_unary_ref(function_of(node), types); },
     [](const Node& node, const NodeTypes&) { return prepare_unary_ref(function_of(node), {}); }},
};

}  // namespace

extern const OpRecord gelu_record;
const OpRecord gelu_record = {.name = "Gelu",
                              .since_opset = 20,
                              .help =
                                  "y = x/2 (1 + erf(x / sqrt 2)), element by element, or with approximate = tanh "
                                  "x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))). Reals.",
                              .infer = [](TypeContext& context) { infer_unary(function_of(context.node), context); },
                              .kernels = kKernels,
                              .in_place_input = 0};

}  // namespace skerry::ops
