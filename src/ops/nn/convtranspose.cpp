#include <algorithm>

#include "ops/nn/reference.hpp"

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
    .kernels = kReference<run>,
};

}  // namespace skerry::ops
