#include <algorithm>
#include <complex>

#include "kernels/tensor/fourier.hpp"
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

// What is transformed is not longer: half of a spectrum stands for all of it.
std::int64_t longest(const Shape& x, const Shape& y, std::size_t axis) {
  const auto at = static_cast<int>(axis);
  return std::max<std::int64_t>({x[at], 2 * y[at], 1});
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
  if (length < 1 || length > longest(xs, ys, axis) || to.length > length)
    outside("a transform of length " + std::to_string(length) + " does not fit " + ys.text());
  kernels::Fourier fourier(static_cast<std::size_t>(length), inverse);
  std::vector<std::complex<double>> numbers(static_cast<std::size_t>(length));
  const double scale = inverse ? 1.0 / static_cast<double>(length) : 1.0;
  for (std::int64_t line = 0; line < from.outer * inner; ++line) {
    base::check_stop();
    const std::int64_t outer = line / inner, i = line % inner;
    for (std::int64_t n = 0; n < length; ++n) {
      // The other half of a one-sided spectrum is its mirrored conjugate.
      const bool mirrored = inverse && onesided && n > length / 2;
      const std::int64_t m = mirrored ? length - n : n;
      const double* v = x.data() + ((outer * had + m) * inner + i) * parts;
      const double imaginary = m < had && complex ? (mirrored ? -v[1] : v[1]) : 0.0;
      numbers[static_cast<std::size_t>(n)] = {m < had ? v[0] : 0.0, imaginary};
    }
    fourier.transform(numbers);
    for (std::int64_t k = 0; k < to.length; ++k) {
      double* w = y.data() + ((outer * to.length + k) * inner + i) * out_parts;
      w[0] = numbers[static_cast<std::size_t>(k)].real() * scale;
      if (out_parts == 2) w[1] = numbers[static_cast<std::size_t>(k)].imag() * scale;
    }
  }
  store(y, a.outputs[0]);
}

// Scalar steps that one product of complex numbers takes.
constexpr double kStepsOfAProduct = 2.0;

// Of all axes where it is not known which one is meant.
std::int64_t longest(const Node& node, const NodeTypes& types) {
  const Shape x = *types.inputs[0].static_shape(), y = *types.outputs[0].static_shape();
  const auto rank = static_cast<std::size_t>(x.rank());
  if (types.inputs.size() < 3 || !types.present[2])
    return longest(x, y, normal_axis(node, node.integer("axis", -2), rank));
  if (types.constants[2] != nullptr && types.constants[2]->shape().elements() == 1)
    return longest(x, y, normal_axis(node, integers_of(node, *types.constants[2])[0], rank));
  std::int64_t most = 1;
  for (std::size_t axis = 0; axis + 1 < rank; ++axis) most = std::max(most, longest(x, y, axis));
  return most;
}

Cost can(const Node& node, const NodeTypes& types) {
  if (auto takes = can_reference(node, types); !takes) return takes;
  const std::int64_t length = longest(node, types);
  const double lines = static_cast<double>(elements(types.outputs[0])) / static_cast<double>(length);
  return serial_steps(types, kStepsOfAProduct * lines * kernels::Fourier::products(static_cast<std::size_t>(length)));
}

Prepared prepare(const Node& node, const NodeTypes& types) {
  const auto length = static_cast<std::size_t>(longest(node, types));
  Prepared prepared = kReference<run>[0].prepare(node, types);
  prepared.scratch_bytes += kernels::Fourier::bytes(length) + length * sizeof(std::complex<double>);
  return prepared;
}

constexpr KernelRow kKernels[] = {{"reference", can, prepare}};

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
    .kernels = kKernels,
};

}  // namespace skerry::ops
