#include <algorithm>
#include <array>
#include <cmath>

#include "ops/nn/reference.hpp"
#include "ops/nn/sliding.hpp"

namespace skerry::ops {
namespace {

constexpr std::size_t kX = 0, kWeights = 1, kOffset = 2, kBias = 3, kMask = 4;

void infer(TypeContext& context) {
  require(context, kX, kernels::Reals{});
  for (const std::size_t i : {kWeights, kOffset, kBias, kMask})
    if (has_input(context.node, i)) require_same(context, kX, i);
  const auto &x = input(context, kX).shape, &w = input(context, kWeights).shape,
             &offset = input(context, kOffset).shape;
  if (require_rank(context, kX, 4, 4) & require_rank(context, kWeights, 4, 4) & require_rank(context, kOffset, 4, 4)) {
    return set_output(context, 0, input(context, kX).dtype, Dims{(*x)[0], (*w)[0], (*offset)[2], (*offset)[3]});
  }
  set_output(context, 0, input(context, kX).dtype, std::nullopt);
}

// Bilinear; what lies outside counts as 0.
double sample(const Doubles& x, std::size_t plane, std::int64_t height, std::int64_t width, double row, double column) {
  const double top = std::floor(row), left = std::floor(column);
  double sum = 0.0;
  for (int corner = 0; corner < 4; ++corner) {
    const double r = corner < 2 ? top : top + 1.0, c = corner % 2 == 0 ? left : left + 1.0;
    if (r < 0 || c < 0 || r >= static_cast<double>(height) || c >= static_cast<double>(width)) continue;
    const double weight = (1.0 - std::abs(row - r)) * (1.0 - std::abs(column - c));
    sum += weight * x[plane + static_cast<std::size_t>(place_of(r) * width + place_of(c))];
  }
  return sum;
}

void run(const Node& node, const KernelArguments& a) {
  const Shape xs = a.inputs[kX].shape(), ws = a.inputs[kWeights].shape(), os = a.inputs[kOffset].shape();
  const Doubles x = doubles(a.inputs[kX]), w = doubles(a.inputs[kWeights]), offset = doubles(a.inputs[kOffset]),
                bias = doubles(in_view(a, kBias)), mask = doubles(in_view(a, kMask));
  const std::int64_t groups = node.integer("group", 1), offset_groups = node.integer("offset_group", 1);
  const std::int64_t taps = ws[2] * ws[3], places = os[2] * os[3];
  if (groups < 1 || offset_groups < 1 || xs[1] != ws[1] * groups || ws[0] % groups != 0 || xs[1] % offset_groups != 0 ||
      os[1] != 2 * taps * offset_groups || os[0] != xs[0])
    refuse(node, "X " + xs.text() + ", W " + ws.text() + " and offset " + os.text() + " do not fit together");
  const kernels::Window window = Sliding(node, 2, {ws[2], ws[3]}).window(xs);
  if (window.output[1] != os[2] || window.output[2] != os[3]) refuse(node, "the offsets are of another output");
  const auto at = [](std::int64_t index) { return static_cast<std::size_t>(index); };
  Doubles y(at(xs[0] * ws[0] * places), 0.0);
  Pace pace;
  for (std::int64_t n = 0; n < xs[0]; ++n) {
    for (std::int64_t o = 0; o < ws[0]; ++o) {
      const std::int64_t first = o / (ws[0] / groups) * ws[1];
      for (std::int64_t place = 0; place < places; ++place) {
        double sum = bias.empty() ? 0.0 : bias[at(o)];
        for (std::int64_t c = 0; c < ws[1]; ++c) {
          const std::int64_t channel = first + c, g = n * offset_groups + channel / (xs[1] / offset_groups);
          const std::size_t plane = at((n * xs[1] + channel) * xs[2] * xs[3]);
          pace(taps * 8);
          for (std::int64_t tap = 0; tap < taps; ++tap) {
            const std::size_t shift = at((g * taps + tap) * 2 * places + place);
            const double row = static_cast<double>(window.position(1, place / os[3], tap / ws[3])) + offset[shift];
            const double column =
                static_cast<double>(window.position(2, place % os[3], tap % ws[3])) + offset[shift + at(places)];
            const double shown = mask.empty() ? 1.0 : mask[at((g * taps + tap) * places + place)];
            sum += shown * w[at((o * ws[1] + c) * taps + tap)] * sample(x, plane, xs[2], xs[3], row, column);
          }
        }
        y[at((n * ws[0] + o) * places + place)] = sum;
      }
    }
  }
  store(y, a.outputs[0]);
}

// Each tap of each channel of a group is four elements and their weights.
Cost can(const Node& node, const NodeTypes& types) {
  if (auto takes = can_reference(node, types); !takes) return takes;
  const Shape w = *types.inputs[kWeights].static_shape();
  constexpr double kOfATap = 45.0;
  return serial_steps(types, kOfATap * static_cast<double>(elements(types.outputs[0])) *
                                 static_cast<double>(w.elements() / std::max<std::int64_t>(w[0], 1)));
}

}  // namespace

extern const OpRecord deformconv_record;
const OpRecord deformconv_record = {
    .name = "DeformConv",
    .since_opset = 22,
    .help =
        "A convolution over X [N, C, H, W] whose every tap looks at a place that is shifted by its offset [N, "
        "offset_group "
        "2 kH kW, oH, oW] (row, then column), between elements bilinearly, weighed by mask. Source: Dai and others "
        "2017.",
    .inputs = 3,
    .infer = infer,
    .kernels = kReference<run, can>,
};

}  // namespace skerry::ops
