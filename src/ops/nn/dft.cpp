#include <cmath>
#include <numbers>

#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  require(context, 0, kernels::Reals{});
  const TensorType& x = input(context, 0);
  std::optional<Dims> out = x.shape;
  if (out && out->size() > 1) {
    const bool onesided = context.node.integer("onesided", 0) != 0, inverse = context.node.integer("inverse", 0) != 0;
    const auto given = constant_integers(context, 2);
    if (has_input(context.node, 2) && !given) return set_output(context, 0, x.dtype, Dims(out->size()));
    const auto axis = normal_axis(context.node, given ? given->at(0) : context.node.integer("axis", -2), out->size());
    const auto wanted = constant_integers(context, 1);
    Dim length = (*out)[axis];
    if (has_input(context.node, 1)) length = wanted && wanted->at(0) >= 0 ? Dim(wanted->at(0)) : Dim();
    if (out->back().is_known() && out->back().value != 1 && out->back().value != 2)
      refuse(context.node, "the last axis holds 1 or 2 parts of a number");
    if (axis + 1 == out->size()) refuse(context.node, "the last axis is that of the parts");
    const bool to_real = inverse && onesided;
    if (to_real && !has_input(context.node, 1)) length = length.is_known() ? Dim(2 * (length.value - 1)) : Dim();
    if (onesided && !inverse) length = length.is_known() ? Dim(length.value / 2 + 1) : Dim();
    (*out)[axis] = length;
    out->back() = to_real ? Dim(1) : Dim(2);
  }
  set_output(context, 0, x.dtype, std::move(out));
}

void run(const Node& node, const KernelArguments& a) {
  const auto x = doubles(a.inputs[0]);
  const Shape xs = a.inputs[0].shape(), ys = a.outputs[0].shape();
  const auto given = longs(in_view(a, 2));
  const auto axis =
      normal_axis(node, given.empty() ? node.integer("axis", -2) : given[0], static_cast<std::size_t>(xs.rank()));
  const bool inverse = node.integer("inverse", 0) != 0, onesided = node.integer("onesided", 0) != 0,
             complex = xs[xs.rank() - 1] == 2;
  if (axis + 1 == static_cast<std::size_t>(xs.rank())) outside("the last axis is that of the parts");
  const AxisLoops from(xs, axis), to(ys, axis);
  const auto wanted = longs(in_view(a, 1));
  const std::int64_t had = from.length, parts = complex ? 2 : 1, inner = from.inner / parts;
  const std::int64_t length = !wanted.empty() ? wanted[0] : inverse && onesided ? to.length : had;
  Doubles y(static_cast<std::size_t>(ys.elements()), 0.0);
  const std::int64_t out_parts = ys[ys.rank() - 1];
  for (std::int64_t line = 0; line < from.outer * inner; ++line) {
    const std::int64_t outer = line / inner, i = line % inner;
    for (std::int64_t k = 0; k < to.length; ++k) {
      double re = 0.0, im = 0.0;
      for (std::int64_t n = 0; n < length; ++n) {
        // The other half of a one-sided spectrum is its mirrored conjugate.
        const bool mirrored = inverse && onesided && n > length / 2;
        const std::int64_t m = mirrored ? length - n : n;
        if (m >= had) continue;
        const double* v = x.data() + ((outer * had + m) * inner + i) * parts;
        const double vr = v[0], vi = complex ? (mirrored ? -v[1] : v[1]) : 0.0;
        const double angle = (inverse ? 2.0 : -2.0) * std::numbers::pi * static_cast<double>(k * n % length) /
                             static_cast<double>(length);
        re += vr * std::cos(angle) - vi * std::sin(angle);
        im += vr * std::sin(angle) + vi * std::cos(angle);
      }
      const double scale = inverse ? 1.0 / static_cast<double>(length) : 1.0;
      double* w = y.data() + ((outer * to.length + k) * inner + i) * out_parts;
      w[0] = re * scale;
      if (out_parts == 2) w[1] = im * scale;
    }
  }
  store(y, a.outputs[0]);
}

}  // namespace

extern const OpRecord dft_record;
const OpRecord dft_record = {
    .name = "DFT",
    .since_opset = 20,
    .help =
        "The discrete Fourier transform along an axis (input 2, default -2) of [..., 1 or 2] real or complex numbers; "
        "dft_length cuts or fills; inverse and onesided as attributes. Reals.",
    .inputs = 1,
    .infer = infer,
    .kernels = kReference<run>,
};

}  // namespace skerry::ops
