#include <algorithm>
#include <memory>

#include "kernels/tensor/conv_transpose.hpp"
#include "ops/nn/dense.hpp"
#include "ops/nn/reference.hpp"
#include "ops/nn/widened.hpp"

namespace skerry::ops {
namespace {

// Attributes as numbers per spatial axis.
struct Spread {
  std::int64_t groups;
  Longs strides, dilations, pads, output;

  Spread(const Node& node, const Shape& x, const Shape& w) : groups(node.integer("group", 1)) {
    const auto axes = static_cast<std::size_t>(x.rank() - 2);
    strides = node.integers("strides", Longs(axes, 1));
    dilations = node.integers("dilations", Longs(axes, 1));
    const Longs given = node.integers("pads", Longs(2 * axes, 0)),
                extra = node.integers("output_padding", Longs(axes, 0));
    const Longs wanted = node.integers("output_shape");
    const std::string automatic = node.text("auto_pad", "NOTSET");
    if (w.rank() != x.rank() || groups < 1 || x[1] != w[0] || x[1] % groups != 0 || strides.size() != axes ||
        dilations.size() != axes || given.size() != 2 * axes || extra.size() != axes ||
        (!wanted.empty() && wanted.size() < axes))
      refuse(node, "weights " + w.text() + " and attributes do not fit an input " + x.text());
    for (std::size_t i = 0; i < axes; ++i) {
      const int axis = static_cast<int>(i) + 2;
      const std::int64_t reach = (w[axis] - 1) * dilations[i] + 1,
                         whole = (x[axis] - 1) * strides[i] + reach + extra[i];
      const bool same = automatic == "SAME_UPPER" || automatic == "SAME_LOWER";
      if (!wanted.empty() || same) {
        const std::int64_t extent = wanted.empty() ? x[axis] * strides[i] : wanted[wanted.size() - axes + i];
        const std::int64_t total = std::max<std::int64_t>(whole - extent, 0);
        pads.push_back(automatic == "SAME_UPPER" || (!same && automatic != "SAME_UPPER") ? total / 2
                                                                                         : total - total / 2);
        output.push_back(extent);
      } else {
        pads.push_back(automatic == "VALID" ? 0 : given[i]);
        output.push_back(whole - (automatic == "VALID" ? 0 : given[i] + given[axes + i]));
      }
      if (output.back() < 0 || output.back() > (std::int64_t{1} << 40)) refuse(node, "the result has no extent");
    }
  }
};

void infer(TypeContext& context) {
  require(context, 0, kernels::Reals{});
  require_same(context, 0, 1);
  const auto x = known_shape(context, 0), w = known_shape(context, 1);
  if (!x || !w || x->rank() < 3)
    return set_output(context, 0, input(context, 0).dtype,
                      x ? std::optional<Dims>(Dims(static_cast<std::size_t>(x->rank()))) : std::nullopt);
  const Spread spread(context.node, *x, *w);
  Dims out = {(*x)[0], (*w)[1] * spread.groups};
  for (const std::int64_t extent : spread.output) out.emplace_back(extent);
  set_output(context, 0, input(context, 0).dtype, std::move(out));
}

void run(const Node& node, const KernelArguments& a) {
  const Shape xs = a.inputs[0].shape(), ws = a.inputs[1].shape(), ys = a.outputs[0].shape();
  const Spread s(node, xs, ws);
  const auto x = doubles(a.inputs[0]), w = doubles(a.inputs[1]), bias = doubles(in_view(a, 2));
  std::vector<std::int64_t> in(xs.dims().begin() + 2, xs.dims().end()), kernel(ws.dims().begin() + 2, ws.dims().end());
  const Shape space(in), taps(kernel), out_space(s.output);
  const Longs strides = strides_of(out_space);
  Doubles y(static_cast<std::size_t>(ys.elements()), 0.0);
  const std::int64_t per_group = xs[1] / s.groups, outputs = ws[1];
  for (std::int64_t o = 0; o < ys[0] * ys[1]; ++o) {
    for (std::int64_t p = 0; !bias.empty() && p < out_space.elements(); ++p)
      y[static_cast<std::size_t>(o * out_space.elements() + p)] = bias.at(static_cast<std::size_t>(o % ys[1]));
    const std::int64_t image = o / ys[1], group = o % ys[1] / outputs, m = o % ys[1] % outputs;
    for (std::int64_t c = group * per_group; c < (group + 1) * per_group; ++c) {
      Position at(space);
      for (std::int64_t i = 0; i < space.elements(); ++i, at.next()) {
        const double value = x[static_cast<std::size_t>((image * xs[1] + c) * space.elements() + i)];
        Position tap(taps);
        for (std::int64_t k = 0; k < taps.elements(); ++k, tap.next()) {
          std::int64_t to = 0;
          bool inside = true;
          for (std::size_t d = 0; d < strides.size(); ++d) {
            const std::int64_t q = at[d] * s.strides[d] + tap[d] * s.dilations[d] - s.pads[d];
            inside = inside && q >= 0 && q < s.output[d];
            to += q * strides[d];
          }
          if (inside)
            y[static_cast<std::size_t>(o * out_space.elements() + to)] +=
                value * w[static_cast<std::size_t>((c * outputs + m) * taps.elements() + k)];
        }
      }
    }
  }
  store(y, a.outputs[0]);
}

// The convolution whose transpose it is: from the result's space to that of x.
kernels::ConvShape shape_of(const Node& node, const NodeTypes& types) {
  const Shape x = *types.inputs[0].static_shape(), w = *types.inputs[1].static_shape();
  const Spread s(node, x, w);
  kernels::ConvShape shape{x[0], x[1], w[1] * s.groups, s.groups, {}};
  const std::size_t axes = s.output.size();
  for (std::size_t i = 0; i < axes; ++i) {
    const std::size_t to = 3 - axes + i;
    const int axis = static_cast<int>(i) + 2;
    shape.window.input[to] = s.output[i];
    shape.window.output[to] = x[axis];
    shape.window.kernel[to] = w[axis];
    shape.window.stride[to] = s.strides[i];
    shape.window.dilation[to] = s.dilations[i];
    shape.window.pad_begin[to] = s.pads[i];
  }
  return shape;
}

// Keeps sums and products of extents and attributes far from overflow.
constexpr std::int64_t kMost = std::int64_t{1} << 31;

Cost can_packed(const Node& node, const NodeTypes& types) {
  if (!is_f32(types)) return no_kernel(types.inputs[0].dtype);
  const Shape x = *types.inputs[0].static_shape(), y = *types.outputs[0].static_shape();
  if (x.rank() < 3 || x.rank() > 5) return Unexpected{"not one to three spatial axes"};
  if (elements(types.inputs[1]) == 0 || x.elements() == 0 || y.elements() == 0) return Unexpected{"no elements"};
  for (const char* attribute : {"strides", "dilations", "pads"}) {
    for (const std::int64_t n : node.integers(attribute)) {
      if (n < (attribute[0] == 'p' ? -kMost : 1) || n > kMost)
        return Unexpected{std::string(attribute) + " are out of range"};
    }
  }
  if (has_input(node, 2) && (!is_f32(types, 2) || elements(types.inputs[2]) != y[1]))
    return Unexpected{"the bias is not one f32 for each output"};
  const kernels::ConvShape s = shape_of(node, types);
  const auto pixels = static_cast<std::size_t>(s.window.outputs());
  const std::int64_t rows = s.group_outputs() * s.window.taps();
  const double runs = static_cast<double>(s.batch * s.groups), spread = static_cast<double>(rows * s.window.outputs());
  // An element of the columns costs most where neighbours do not stay neighbours; and each row of them a little.
  const double per_element = s.window.stride[2] == 1 ? 0.3 : 1.0;
  constexpr double kOfARow = 8.0;
  const double rows_of_x = spread / static_cast<double>(std::max<std::int64_t>(s.window.output[2], 1));
  auto work = scalar_steps(types, runs * (per_element * spread + kOfARow * rows_of_x));
  work.push_back(
      {kernels::Rate::gemm_f32, runs * kernels::gemm_effective_flops(static_cast<std::size_t>(rows), pixels,
                                                                     static_cast<std::size_t>(s.group_channels()))});
  return work;
}

Prepared prepare_packed(const Node& node, const NodeTypes& types) {
  // shared: std::function copies its target
  const auto conv = std::make_shared<const kernels::ConvTransposeF32>(shape_of(node, types), constant_floats(types, 1));
  return {[conv](const KernelArguments& a) {
            const TensorView bias = in_view(a, 2);
            conv->run(a.inputs[0].as<float>().data(), a.inputs[1].as<float>().data(),
                      bias.empty() ? nullptr : bias.as<float>().data(), a.outputs[0].as<float>().data(), a.scratch);
          },
          conv->scratch_bytes(), conv->packed_bytes()};
}

// Each input element is multiplied with each tap of each output of its group.
Cost can_ref(const Node& node, const NodeTypes& types) {
  if (auto takes = can_reference(node, types); !takes) return takes;
  const Shape w = *types.inputs[1].static_shape();
  constexpr double kOfAProduct = 10.0;
  const auto outputs_and_taps = static_cast<double>(w.elements() / std::max<std::int64_t>(w[0], 1));
  return serial_steps(types, kOfAProduct * static_cast<double>(elements(types.inputs[0])) * outputs_and_taps);
}

constexpr KernelRow kKernels[] = {
    {"conv_transpose_f32", can_packed, prepare_packed}, kThroughF32, kReference<run, can_ref>[0]};

}  // namespace

extern const OpRecord convtranspose_record;
const OpRecord convtranspose_record = {
    .name = "ConvTranspose",
    .since_opset = 22,
    .help =
        "The transpose of Conv: each input element spreads W [C, M / group, kernel] over the output, strides apart; "
        "pads cut off. 1 to 3 spatial axes. Reals.",
    .inputs = 2,
    .infer = infer,
    .kernels = kKernels,
};

}  // namespace skerry::ops
