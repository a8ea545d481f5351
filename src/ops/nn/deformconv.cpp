#include <algorithm>
#include <array>
#include <cmath>

#include "base/threads.hpp"
#include "kernels/tensor/gemm.hpp"
#include "kernels/tensor/scratch_slots.hpp"
#include "kernels/tensor/weighted.hpp"
#include "ops/nn/reference.hpp"
#include "ops/nn/sliding.hpp"
#include "ops/nn/widened.hpp"

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
  const std::int64_t taps = w.elements() / std::max<std::int64_t>(w[0], 1);
  return serial_steps(types, kOfATap * static_cast<double>(elements(types.outputs[0])) * static_cast<double>(taps));
}

using kernels::ScratchSlots;

// A block of places of one image: where the elements of each tap stand and what they weigh, which the channels of an
// offset group share, and then [channel, tap][place], which the weights are multiplied with.
class DeformF32 {
 public:
  DeformF32(const Node& node, const NodeTypes& types)
      : x_(*types.inputs[kX].static_shape()),
        w_(*types.inputs[kWeights].static_shape()),
        y_(*types.outputs[0].static_shape()),
        groups_(node.integer("group", 1)),
        offset_groups_(node.integer("offset_group", 1)),
        taps_(w_[2] * w_[3]),
        places_(y_[2] * y_[3]),
        window_(Sliding(node, 2, {w_[2], w_[3]}).window(x_)),
        block_(block_of(x_[1] * taps_)),
        blocks_((places_ + block_ - 1) / block_),
        slots_(std::clamp<std::size_t>(
            static_cast<std::size_t>(x_[0] * blocks_), 1,
            std::min<std::size_t>(static_cast<std::size_t>(base::thread_budget()), ScratchSlots::kMost))) {}

  std::uint64_t scratch_bytes() const { return slots_ * slot_bytes(); }

  void run(const KernelArguments& a) const {
    ScratchSlots slots(a.scratch.first(scratch_bytes()), slots_);
    base::parallel_for(0, static_cast<std::size_t>(x_[0] * blocks_), 1, [&](std::size_t begin, std::size_t end) {
      const ScratchSlots::Slot slot(slots);
      for (auto i = static_cast<std::int64_t>(begin); i < static_cast<std::int64_t>(end); ++i)
        run_block(a, i / blocks_, i % blocks_ * block_, slot.data());
    });
  }

 private:
  // Whole panels of the product, of which 512 KiB stay in the cache.
  static std::int64_t block_of(std::int64_t depth) {
    const auto panel = static_cast<std::int64_t>(kernels::gemm_tile().columns);
    return std::clamp<std::int64_t>((std::int64_t{1} << 17) / std::max<std::int64_t>(depth * panel, 1), 1, 8) * panel;
  }
  std::size_t slot_bytes() const { return static_cast<std::size_t>(block_ * (8 + x_[1] * taps_)) * sizeof(float); }

  void run_block(const KernelArguments& a, std::int64_t n, std::int64_t first, std::byte* slot) const {
    auto* const index = reinterpret_cast<std::int32_t*>(slot);
    auto* const weight = reinterpret_cast<float*>(index + 4 * block_);
    float* const columns = weight + 4 * block_;
    const std::int64_t count = std::min(block_, places_ - first), each = x_[1] / offset_groups_, plane = x_[2] * x_[3];
    const float* const x = a.inputs[kX].as<float>().data() + n * x_[1] * plane;
    const kernels::WeightedTaps taps{index, weight, 4, static_cast<std::size_t>(block_),
                                     static_cast<std::size_t>(block_)};
    for (std::int64_t g = 0; g < offset_groups_; ++g) {
      for (std::int64_t tap = 0; tap < taps_; ++tap) {
        base::check_stop();
        find_elements(a, (n * offset_groups_ + g) * taps_ + tap, tap, first, count, index, weight);
        for (std::int64_t c = g * each; c < (g + 1) * each; ++c)
          kernels::weighted_sums_f32(x + c * plane, taps, false, columns + (c * taps_ + tap) * block_);
      }
    }
    const std::int64_t outputs = w_[0] / groups_, depth = w_[1] * taps_;
    const TensorView bias = in_view(a, kBias);
    for (std::int64_t g = 0; g < groups_; ++g) {
      kernels::gemm_block({.row = 0,
                           .rows = static_cast<std::size_t>(outputs),
                           .column = 0,
                           .columns = static_cast<std::size_t>(count),
                           .depth = static_cast<std::size_t>(depth),
                           .left = a.inputs[kWeights].as<float>().data() + g * outputs * depth,
                           .left_width = static_cast<std::size_t>(depth),
                           .right = columns + g * depth * block_,
                           .right_width = static_cast<std::size_t>(block_),
                           .right_packed = false,
                           .c = a.outputs[0].as<float>().data() + (n * w_[0] + g * outputs) * places_ + first,
                           .c_row = static_cast<std::size_t>(places_),
                           .start = bias.empty() ? kernels::GemmStart::zero : kernels::GemmStart::row_bias,
                           .bias = bias.empty() ? nullptr : bias.as<float>().data() + g * outputs,
                           .left_packed = false});
    }
  }

  // The four neighbours of each place's point, none of what lies outside; of places past the last one too.
  void find_elements(const KernelArguments& a, std::int64_t shift, std::int64_t tap, std::int64_t first,
                     std::int64_t count, std::int32_t* index, float* weight) const {
    const float* const rows = a.inputs[kOffset].as<float>().data() + shift * 2 * places_ + first;
    const TensorView mask = in_view(a, kMask);
    const float* const shown = mask.empty() ? nullptr : mask.as<float>().data() + shift * places_ + first;
    std::fill_n(index, 4 * block_, 0);
    std::fill_n(weight, 4 * block_, 0.0F);
    const auto height = static_cast<double>(x_[2]), width = static_cast<double>(x_[3]);
    for (std::int64_t i = 0; i < count; ++i) {
      const double row = static_cast<double>(window_.position(1, (first + i) / y_[3], tap / w_[3])) + rows[i];
      const double column =
          static_cast<double>(window_.position(2, (first + i) % y_[3], tap % w_[3])) + rows[places_ + i];
      if (!(row > -1.0 && row < height && column > -1.0 && column < width)) continue;
      // Towards 0 is downwards once it is positive.
      const auto top = static_cast<std::int64_t>(row + 1.0) - 1, left = static_cast<std::int64_t>(column + 1.0) - 1;
      const double down = row - static_cast<double>(top), right = column - static_cast<double>(left);
      const double all = shown == nullptr ? 1.0 : static_cast<double>(shown[i]);
      const auto put = [&](std::int64_t k, std::int64_t r, std::int64_t c, double share) {
        if (r < 0 || c < 0 || r >= x_[2] || c >= x_[3]) return;
        index[k * block_ + i] = static_cast<std::int32_t>(r * x_[3] + c);
        weight[k * block_ + i] = static_cast<float>(all * share);
      };
      put(0, top, left, (1.0 - down) * (1.0 - right));
      put(1, top, left + 1, (1.0 - down) * right);
      put(2, top + 1, left, down * (1.0 - right));
      put(3, top + 1, left + 1, down * right);
    }
  }

  Shape x_, w_, y_;
  std::int64_t groups_, offset_groups_, taps_, places_;
  kernels::Window window_;
  std::int64_t block_, blocks_;
  std::size_t slots_;
};

Cost can_f32(const Node& node, const NodeTypes& types) {
  for (const std::size_t i : {kX, kWeights, kOffset, kBias, kMask}) {
    if (has_input(node, i) && !is_f32(types, i)) return no_kernel(types.inputs[i].dtype);
  }
  const Shape x = *types.inputs[kX].static_shape(), w = *types.inputs[kWeights].static_shape(),
              offset = *types.inputs[kOffset].static_shape(), y = *types.outputs[0].static_shape();
  const std::int64_t groups = node.integer("group", 1), offset_groups = node.integer("offset_group", 1);
  if (x.rank() != 4 || w.rank() != 4 || offset.rank() != 4 || x.elements() == 0 || w.elements() == 0 ||
      y.elements() == 0 || groups < 1 || offset_groups < 1 || x[1] != w[1] * groups || w[0] % groups != 0 ||
      x[1] % offset_groups != 0 || x[2] * x[3] >= (std::int64_t{1} << 31))
    return Unexpected{"the inputs do not fit together"};
  const kernels::Window window = Sliding(node, 2, {w[2], w[3]}).window(x);
  const std::int64_t taps = w[2] * w[3], places = window.output[1] * window.output[2];
  if (offset != Shape{x[0], 2 * taps * offset_groups, window.output[1], window.output[2]} ||
      (has_input(node, kBias) && elements(types.inputs[kBias]) != w[0]) ||
      (has_input(node, kMask) && elements(types.inputs[kMask]) != x[0] * taps * offset_groups * places))
    return Unexpected{"offsets, mask or bias are of another output"};
  // A place is found once for each offset group; its elements are fetched for every channel.
  constexpr double kOfAPlace = 16.0, kOfAnElement = 4.0;
  const auto samples = static_cast<double>(x[0] * taps * places);
  auto work = scalar_steps(
      types, samples * (kOfAPlace * static_cast<double>(offset_groups) + kOfAnElement * static_cast<double>(x[1])));
  work.push_back({kernels::Rate::gemm_f32, static_cast<double>(x[0] * groups) *
                                               kernels::gemm_effective_flops(static_cast<std::size_t>(w[0] / groups),
                                                                             static_cast<std::size_t>(places),
                                                                             static_cast<std::size_t>(w[1] * taps))});
  return work;
}

Prepared prepare_f32(const Node& node, const NodeTypes& types) {
  const DeformF32 kernel(node, types);
  return {[kernel](const KernelArguments& a) { kernel.run(a); }, kernel.scratch_bytes()};
}

constexpr KernelRow kKernels[] = {{"deform_conv_f32", can_f32, prepare_f32}, kThroughF32, kReference<run, can>[0]};

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
    .kernels = kKernels,
};

}  // namespace skerry::ops
