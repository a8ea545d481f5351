#include <algorithm>

#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  const auto image = constant_integers(context, 1), block = constant_integers(context, 2);
  const TensorType& x = input(context, 0);
  if (!image || !block || !x.shape || x.shape->size() != 3) return set_output(context, 0, x.dtype, std::nullopt);
  std::int64_t taps = 1;
  for (const std::int64_t b : *block) taps *= std::max<std::int64_t>(b, 1);
  Dims out = {(*x.shape)[0], (*x.shape)[1].is_known() ? Dim((*x.shape)[1].value / taps) : Dim()};
  for (const std::int64_t extent : *image) out.emplace_back(extent);
  set_output(context, 0, x.dtype, std::move(out));
}

void run(const Node& node, const KernelArguments& a) {
  const auto x = doubles(a.inputs[0]);
  const Longs image = longs(a.inputs[1]), block = longs(a.inputs[2]);
  const std::size_t axes = image.size();
  const Longs strides = node.integers("strides", Longs(axes, 1)),
              dilations = node.integers("dilations", Longs(axes, 1)), pads = node.integers("pads", Longs(2 * axes, 0));
  for (std::size_t i = 0; i < axes; ++i) {
    if (strides[i] < 1 || dilations[i] < 1 || block[i] < 1)
      outside("strides, dilations and block extents are at least 1");
  }
  Longs steps;
  for (std::size_t i = 0; i < axes; ++i)
    steps.push_back(
        (image[i] + pads.at(i) + pads.at(axes + i) - dilations.at(i) * (block.at(i) - 1) - 1) / strides.at(i) + 1);
  const Shape taps(block), places(steps), space(image);
  const Longs to_strides = strides_of(space);
  if (places.elements() != a.inputs[0].shape()[2]) outside("the columns are not as many as the blocks");
  Doubles y(static_cast<std::size_t>(a.outputs[0].elements()), 0.0);
  for (std::int64_t plane = 0; plane < a.outputs[0].shape()[0] * a.outputs[0].shape()[1]; ++plane) {
    Position tap(taps);
    for (std::int64_t k = 0; k < taps.elements(); ++k, tap.next()) {
      Position at(places);
      for (std::int64_t l = 0; l < places.elements(); ++l, at.next()) {
        std::int64_t to = 0;
        bool inside = true;
        for (std::size_t d = 0; d < axes; ++d) {
          const std::int64_t q = at[d] * strides[d] + tap[d] * dilations[d] - pads[d];
          inside = inside && q >= 0 && q < image[d];
          to += q * to_strides[d];
        }
        if (inside)
          y[static_cast<std::size_t>(plane * space.elements() + to)] +=
              x[static_cast<std::size_t>((plane * taps.elements() + k) * places.elements() + l)];
      }
    }
  }
  store(y, a.outputs[0]);
}

}  // namespace

extern const OpRecord col2im_record;
const OpRecord col2im_record = {
    .name = "Col2Im",
    .since_opset = 18,
    .help = "Columns of blocks put together again, overlaps added: [N, C * taps, L] to [N, C, image_shape]. Reals.",
    .inputs = 3,
    .infer = infer,
    .kernels = kReference<run>,
};

}  // namespace skerry::ops
