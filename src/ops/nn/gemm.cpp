#include <memory>
#include <utility>

#include "kernels/tensor/product.hpp"
#include "ops/nn/dense.hpp"
#include "ops/nn/typing.hpp"
#include "ops/nn/widened.hpp"

namespace skerry::ops {
namespace {

using kernels::GemmStart;
using kernels::ProductShape;

// A pass puts it behind C, of the result's shape.
constexpr std::size_t kResidual = 3;

void infer(TypeContext& context) {
  using GemmTypes =
      kernels::Join<kernels::Reals, kernels::Types<std::int32_t, std::int64_t, std::uint32_t, std::uint64_t>>;
  const Node& node = context.node;
  require(context, 0, GemmTypes{});
  require(context, 1, GemmTypes{});
  require_same(context, 0, 1);
  require_same(context, 0, 2);
  const auto packed = packed_right(node);
  check_packed_right(context);
  const bool known = require_rank(context, 0, 2, 2) & (packed.has_value() || require_rank(context, 1, 2, 2));
  Dims out(2);
  if (known) {
    const Dims& a = *input(context, 0).shape;
    const Dims b = packed ? Dims{static_cast<std::int64_t>(packed->depth), static_cast<std::int64_t>(packed->columns)}
                          : *input(context, 1).shape;
    const bool trans_a = node.integer("transA", 0) != 0, trans_b = node.integer("transB", 0) != 0;
    const Dim &depth_a = a[trans_a ? 0 : 1], &depth_b = b[trans_b ? 1 : 0];
    if (depth_a.is_known() && depth_b.is_known() && depth_a.value != depth_b.value) {
      refuse(node,
             "depths " + std::to_string(depth_a.value) + " and " + std::to_string(depth_b.value) + " differ (" +
                 input(context, 0).text() + " times " + input(context, 1).text() + ")",
             "see transA and transB");
    }
    out = {a[trans_a ? 1 : 0], b[trans_b ? 0 : 1]};
  }
  if (const TensorType* c = optional_input(context, 2); c != nullptr && c->shape) {
    const auto together = broadcast(node, std::optional<Dims>(out), c->shape);
    const auto grows = [&](std::size_t axis) {
      return out[axis].is_known() && (*together)[axis].is_known() && (*together)[axis].value != out[axis].value;
    };
    if (together->size() > 2 || grows(0) || grows(1))
      refuse(node, "input 2, " + c->text() + ", does not broadcast to the product");
  }
  set_output(context, 0, input(context, 0).dtype, std::move(out));
  check_fused_end(context, kResidual);
}

ProductShape shape_of(const Node& node, const NodeTypes& types) {
  const auto packed = packed_right(node);
  const Shape a = *types.inputs[0].static_shape();
  const Shape b = packed ? Shape{static_cast<std::int64_t>(packed->depth), static_cast<std::int64_t>(packed->columns)}
                         : *types.inputs[1].static_shape();
  const bool trans_a = node.integer("transA", 0) != 0, trans_b = node.integer("transB", 0) != 0;
  const auto extent = [](const Shape& shape, int axis) { return static_cast<std::size_t>(shape[axis]); };
  ProductShape s;
  s.rows = extent(a, trans_a ? 1 : 0);
  s.depth = extent(a, trans_a ? 0 : 1);
  s.columns = extent(b, trans_b ? 0 : 1);
  s.left_row = trans_a ? 1 : s.depth;
  s.left_column = trans_a ? s.rows : 1;
  s.right_row = trans_b ? 1 : s.columns;
  s.right_column = trans_b ? s.depth : 1;
  s.alpha = node.real("alpha", 1.0);
  return s;
}

// How C enters: not at all, as a row of numbers added to every row, or spread over the output first.
struct Start {
  GemmStart kind = GemmStart::zero;
  double beta = 1.0;
};
Start start_of(const Node& node, const NodeTypes& types) {
  const double beta = node.real("beta", 1.0);
  if (!has_input(node, 2) || beta == 0.0) return {};
  const Shape c = *types.inputs[2].static_shape(), y = *types.outputs[0].static_shape();
  const bool row = c.rank() > 0 && c[c.rank() - 1] == y[1] && c.elements() == y[1];
  return {row && beta == 1.0 ? GemmStart::column_bias : GemmStart::accumulate, beta};
}

// Spreads beta C over the output if that is what the product is added to.
void begin_with(const Start& start, const KernelArguments& arguments) {
  if (start.kind == GemmStart::accumulate)
    kernels::scaled_broadcast(arguments.inputs[2], start.beta, arguments.outputs[0]);
}

Prepared prepare_packed(const Node& node, const NodeTypes& types) {
  const auto product = prepared_product(node, shape_of(node, types), types);
  return {[product, start = start_of(node, types), end = FusedEnd(node, kResidual)](const KernelArguments& arguments) {
            begin_with(start, arguments);
            const float* bias = start.kind == GemmStart::column_bias ? arguments.inputs[2].as<float>().data() : nullptr;
            product->run(arguments.inputs[0].as<float>().data(), arguments.inputs[1].as<float>().data(), start.kind,
                         bias, arguments.outputs[0].as<float>().data(), arguments.scratch, end.f32(arguments));
          },
          product->scratch_bytes(), product->packed_bytes()};
}

Prepared prepare_ref(const Node& node, const NodeTypes& types) {
  Start start = start_of(node, types);
  if (start.kind == GemmStart::column_bias) start.kind = GemmStart::accumulate;
  return {[shape = shape_of(node, types), start](const KernelArguments& arguments) {
    begin_with(start, arguments);
    kernels::product_ref(shape, arguments.inputs[0], arguments.inputs[1], start.kind == GemmStart::accumulate,
                         arguments.outputs[0]);
  }};
}

constexpr KernelRow kKernels[] = {
    {"gemm_f32_packed",
     [](const Node& node, const NodeTypes& types) { return can_product_packed(shape_of(node, types), types, 1); },
     prepare_packed},
    kThroughF32,
    {"gemm_ref",
     [](const Node& node, const NodeTypes& types) { return can_product_ref(node, shape_of(node, types), types); },
     [](const Node& node, const NodeTypes& types) { return finished(prepare_ref(node, types), node, kResidual); }},
};

// Opset 6 and older say by an attribute whether C broadcasts; now its shape says so.
void upgrade(UpgradeContext& context) {
  context.node.erase("broadcast");
}

}  // namespace

extern const OpRecord gemm_record;
const OpRecord gemm_record = {
    .name = "Gemm",
    .since_opset = 13,
    .help =
        "Y = alpha A' B' + beta C, where A' is A [M, K] or its transpose (transA), B' is B [K, N] or its transpose "
        "(transB), and C, optional, broadcasts to [M, N]. One dtype for all: f16, bf16, f32, f64, i32, i64, u32 or "
        "u64. Integers wrap. Where a pass put them in, input 3, of Y's shape, is added, Y is kept within least and "
        "most "
        "and goes through activation.",
    .infer = infer,
    .upgrade = upgrade,
    .kernels = kKernels,
};

}  // namespace skerry::ops
