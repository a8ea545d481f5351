#include <algorithm>
#include <complex>

#include "kernels/tensor/fourier.hpp"
#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

// Frame length: input 3, else that of the window.
std::optional<std::int64_t> frame_length(const TypeContext& context) {
  if (const auto given = constant_integers(context, 3)) return given->at(0);
  if (has_input(context.node, 3) || !has_input(context.node, 2)) return std::nullopt;
  const auto window = known_shape(context, 2);
  return window ? std::optional(window->elements()) : std::nullopt;
}

void infer(TypeContext& context) {
  require(context, 0, kernels::Reals{});
  require_same(context, 0, 2);
  const TensorType& x = input(context, 0);
  if (!has_input(context.node, 2) && !has_input(context.node, 3))
    refuse(context.node, "neither window nor frame_length");
  Dims out(4);
  out[3] = Dim(2);
  const auto length = frame_length(context);
  const auto step = constant_integers(context, 1);
  if (x.shape) {
    if (x.shape->size() < 2 || x.shape->size() > 3) refuse(context.node, "the signal is " + x.text());
    out[0] = (*x.shape)[0];
  }
  if (length) {
    if (*length < 1) refuse(context.node, "frames of " + std::to_string(*length));
    out[2] = Dim(context.node.integer("onesided", 1) != 0 ? *length / 2 + 1 : *length);
  }
  if (x.shape && (*x.shape)[1].is_known() && length && step) {
    const std::int64_t signal = (*x.shape)[1].value;
    if (step->at(0) < 1 || signal < *length)
      refuse(context.node, "frames of " + std::to_string(*length) + " every " + std::to_string(step->at(0)));
    out[1] = Dim(1 + (signal - *length) / step->at(0));
  }
  set_output(context, 0, x.dtype, std::move(out));
}

void run(const Node&, const KernelArguments& a) {
  const Doubles x = doubles(a.inputs[0]), window = doubles(in_view(a, 2));
  const Shape xs = a.inputs[0].shape(), ys = a.outputs[0].shape();
  const Longs given = longs(in_view(a, 3));
  const std::int64_t step = longs(a.inputs[1])[0],
                     length = given.empty() ? static_cast<std::int64_t>(window.size()) : given[0];
  const std::int64_t parts = xs.rank() == 3 ? xs[2] : 1;
  Doubles y(static_cast<std::size_t>(ys.elements()), 0.0);
  std::size_t to = 0;
  if (length < 1 || ys[2] > length) outside("frames of " + std::to_string(length) + " do not fit " + ys.text());
  kernels::Fourier fourier(static_cast<std::size_t>(length), false);
  std::vector<std::complex<double>> numbers(static_cast<std::size_t>(length));
  for (std::int64_t i = 0; i < ys[0] * ys[1]; ++i) {
    base::check_stop();
    const std::int64_t b = i / ys[1], frame = i % ys[1];
    for (std::int64_t n = 0; n < length; ++n) {
      const auto at = static_cast<std::size_t>((b * xs[1] + frame * step + n) * parts);
      const double w = window.empty() ? 1.0 : window[static_cast<std::size_t>(n)];
      numbers[static_cast<std::size_t>(n)] = {w * x[at], parts == 2 ? w * x[at + 1] : 0.0};
    }
    fourier.transform(numbers);
    for (std::int64_t k = 0; k < ys[2]; ++k) {
      y[to++] = numbers[static_cast<std::size_t>(k)].real();
      y[to++] = numbers[static_cast<std::size_t>(k)].imag();
    }
  }
  store(y, a.outputs[0]);
}

// A frame is no longer than the signal.
std::size_t longest(const NodeTypes& types) {
  const std::int64_t bins = (*types.outputs[0].static_shape())[2], signal = (*types.inputs[0].static_shape())[1];
  return static_cast<std::size_t>(std::max<std::int64_t>(std::min(2 * bins, signal), 1));
}

Cost can(const Node& node, const NodeTypes& types) {
  if (auto takes = can_reference(node, types); !takes) return takes;
  constexpr double kStepsOfAProduct = 0.7;
  const Shape y = *types.outputs[0].static_shape();
  return serial_steps(types,
                      kStepsOfAProduct * static_cast<double>(y[0] * y[1]) * kernels::Fourier::products(longest(types)));
}

Prepared prepare(const Node& node, const NodeTypes& types) {
  Prepared prepared = kReference<run>[0].prepare(node, types);
  prepared.scratch_bytes += kernels::Fourier::bytes(longest(types)) + longest(types) * sizeof(std::complex<double>);
  return prepared;
}

constexpr KernelRow kKernels[] = {{"reference", can, prepare}};

}  // namespace

extern const OpRecord stft_record;
const OpRecord stft_record = {
    .name = "STFT",
    .since_opset = 17,
    .help =
        "The spectra of frames of a signal [batch, length, 1 or 2], a frame every frame_step (input 1), each of "
        "frame_length (input 3, else the window's) and multiplied by a window (input 2): [batch, frames, bins, 2]; "
        "half of the bins and one more if onesided, as by default.",
    .inputs = 2,
    .infer = infer,
    .kernels = kKernels,
};

}  // namespace skerry::ops
