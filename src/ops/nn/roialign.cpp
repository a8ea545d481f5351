#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "base/threads.hpp"
#include "kernels/tensor/scratch_slots.hpp"
#include "kernels/tensor/weighted.hpp"
#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

// A pixel's share of a region; more is a region without a size.
constexpr double kMostSamples = 0x1p20;

// The four neighbours of a point and their weights; none of one that lies outside.
struct Corners {
  std::array<std::int64_t, 4> at{};
  std::array<double, 4> weight{};
};

Corners corners_of(std::int64_t height, std::int64_t width, double y, double x) {
  const bool inside = y >= -1.0 && y <= static_cast<double>(height) && x >= -1.0 && x <= static_cast<double>(width);
  if (!inside) return {};  // NaN too
  y = std::clamp(y, 0.0, static_cast<double>(height - 1));
  x = std::clamp(x, 0.0, static_cast<double>(width - 1));
  const auto y0 = static_cast<std::int64_t>(y), x0 = static_cast<std::int64_t>(x);
  const std::int64_t y1 = std::min(y0 + 1, height - 1), x1 = std::min(x0 + 1, width - 1);
  const double fy = y - static_cast<double>(y0), fx = x - static_cast<double>(x0);
  return {{y0 * width + x0, y0 * width + x1, y1 * width + x0, y1 * width + x1},
          {(1 - fy) * (1 - fx), (1 - fy) * fx, fy * (1 - fx), fy * fx}};
}

struct Settings {
  bool half;
  double scale;
  std::int64_t ratio;
  explicit Settings(const Node& node)
      : half(node.text("coordinate_transformation_mode", "half_pixel") == "half_pixel"),
        scale(node.real("spatial_scale", 1.0)),
        ratio(node.integer("sampling_ratio", 0)) {}
};

// A region cut into bins, each of them into samples.
struct Region {
  double x0, y0, bin_w, bin_h;
  std::int64_t across, down;

  template <class T>
  Region(const Settings& settings, const T* roi, const Shape& y, std::int64_t index) {
    const auto half = settings.half;
    const std::int64_t ratio = settings.ratio;
    const auto corner = [&](int i) {
      return static_cast<double>(roi[i]) * settings.scale - (settings.half ? 0.5 : 0.0);
    };
    x0 = corner(0);
    y0 = corner(1);
    double width = corner(2) - x0, height = corner(3) - y0;
    if (!half) width = std::max(width, 1.0), height = std::max(height, 1.0);
    bin_w = width / static_cast<double>(y[3]);
    bin_h = height / static_cast<double>(y[2]);
    across = place_of(ratio > 0 ? static_cast<double>(ratio) : std::ceil(bin_w));
    down = place_of(ratio > 0 ? static_cast<double>(ratio) : std::ceil(bin_h));
    if (!(static_cast<double>(across) * static_cast<double>(down) <= kMostSamples))
      outside("region " + std::to_string(index) + " has more than 2^20 samples a pixel");
  }
  std::int64_t samples() const { return std::max<std::int64_t>(across, 0) * std::max<std::int64_t>(down, 0); }
  Corners sample(const Shape& x, std::int64_t row, std::int64_t column, std::int64_t k) const {
    const auto share = [](std::int64_t i, std::int64_t of) {
      return (static_cast<double>(i) + 0.5) / static_cast<double>(of);
    };
    return corners_of(x[2], x[3], y0 + (static_cast<double>(row) + share(k / across, down)) * bin_h,
                      x0 + (static_cast<double>(column) + share(k % across, across)) * bin_w);
  }
};

void infer(TypeContext& context) {
  require(context, 0, kernels::Reals{});
  const TensorType &x = input(context, 0), &rois = input(context, 1);
  Dims out(4);
  if (rois.shape && !rois.shape->empty()) out[0] = rois.shape->front();
  if (x.shape && x.shape->size() == 4) out[1] = (*x.shape)[1];
  out[2] = Dim(context.node.integer("output_height", 1));
  out[3] = Dim(context.node.integer("output_width", 1));
  set_output(context, 0, x.dtype, std::move(out));
}

void run(const Node& node, const KernelArguments& a) {
  const auto x = doubles(a.inputs[0]), rois = doubles(a.inputs[1]);
  const auto images = longs(a.inputs[2]);
  const Shape xs = a.inputs[0].shape(), ys = a.outputs[0].shape();
  if (xs.rank() != 4 || a.inputs[1].shape().rank() != 2 || a.inputs[1].shape()[1] != 4 ||
      ys.elements() / std::max<std::int64_t>(ys[1] * ys[2] * ys[3], 1) > a.inputs[1].shape()[0] || ys[1] != xs[1] ||
      xs[2] < 1 || xs[3] < 1)
    outside("rois are [count, 4] for an input of 4 axes");
  const Settings settings(node);
  const bool mean = node.text("mode", "avg") == "avg";
  Doubles y;
  Pace pace;
  for (std::int64_t i = 0; i < ys.elements(); ++i) {
    const std::int64_t px = i % ys[3], py = i / ys[3] % ys[2], c = i / ys[3] / ys[2] % ys[1],
                       r = i / ys[3] / ys[2] / ys[1];
    const Region region(settings, rois.data() + 4 * r, ys, r);
    const double* plane =
        x.data() + (within(images.at(static_cast<std::size_t>(r)), xs[0]) * xs[1] + c) * xs[2] * xs[3];
    double sum = 0.0, most = -std::numeric_limits<double>::infinity();
    for (std::int64_t k = 0; k < region.samples(); ++k) {
      pace(4);
      const Corners corners = region.sample(xs, py, px, k);
      for (std::size_t n = 0; n < 4; ++n) {
        const double part = corners.weight[n] == 0.0 ? 0.0 : corners.weight[n] * plane[corners.at[n]];
        sum += part;
        most = std::max(most, part);
      }
    }
    y.push_back(!mean ? most : region.samples() > 0 ? sum / static_cast<double>(region.samples()) : 0.0);
  }
  store(y, a.outputs[0]);
}

// Samples of a bin that are not known before the regions are.
constexpr double kGuessedSamples = 4.0;

double samples_of(const Node& node) {
  const auto ratio = static_cast<double>(node.integer("sampling_ratio", 0));
  return ratio > 0.0 ? std::min(ratio * ratio, kMostSamples) : kGuessedSamples;
}

Cost can_ref(const Node& node, const NodeTypes& types) {
  if (auto takes = can_reference(node, types); !takes) return takes;
  constexpr double kOfABin = 40.0, kOfASample = 12.0;
  return serial_steps(types,
                      (kOfABin + kOfASample * samples_of(node)) * static_cast<double>(elements(types.outputs[0])));
}

constexpr std::size_t kBins = 64, kSamples = 8, kTaps = 4 * kSamples;  // that are fetched together

Cost can_f32(const Node& node, const NodeTypes& types) {
  if (!is_f32(types) || !is_f32(types, 1)) return no_kernel(types.inputs[is_f32(types) ? 1 : 0].dtype);
  if (node.text("mode", "avg") != "avg") return Unexpected{"not the mean of the samples"};
  const Shape x = *types.inputs[0].static_shape(), rois = *types.inputs[1].static_shape(),
              y = *types.outputs[0].static_shape();
  if (types.inputs[2].dtype != DType::i64 || x.rank() != 4 || rois.rank() != 2 || rois[1] != 4 || y[0] != rois[0] ||
      elements(types.inputs[2]) < y[0] || y[1] != x[1] || x.elements() == 0 || y.elements() == 0 ||
      x[2] * x[3] >= (std::int64_t{1} << 31))
    return Unexpected{"x, rois and their images do not fit"};
  constexpr double kOfASample = 25.0, kOfATap = 0.5;
  const auto bins = static_cast<double>(y.elements() / y[1]);
  return scalar_steps(types, bins * samples_of(node) * (kOfASample + 4.0 * kOfATap * static_cast<double>(y[1])));
}

// Where the samples of up to kBins bins of a region lie, a few at a time, and then what stands there in each channel.
void pool_bins(const Region& region, const Shape& xs, const Shape& ys, std::int64_t first, std::int64_t count,
               const float* image, std::byte* slot, float* y) {
  auto* const index = reinterpret_cast<std::int32_t*>(slot);
  auto* const weight = reinterpret_cast<float*>(index + kTaps * kBins);
  const std::int64_t samples = region.samples(), plane = xs[2] * xs[3], bins = ys[2] * ys[3];
  for (std::int64_t k = 0; k < std::max<std::int64_t>(samples, 1); k += kSamples) {
    base::check_stop();
    const std::int64_t now = std::min<std::int64_t>(kSamples, samples - k);
    for (std::int64_t s = 0; s < now; ++s) {
      for (std::int64_t b = 0; b < count; ++b) {
        const Corners corners = region.sample(xs, (first + b) / ys[3], (first + b) % ys[3], k + s);
        for (std::size_t n = 0; n < 4; ++n) {
          const std::size_t at = (static_cast<std::size_t>(s) * 4 + n) * kBins + static_cast<std::size_t>(b);
          index[at] = static_cast<std::int32_t>(corners.at[n]);
          weight[at] = static_cast<float>(corners.weight[n] / static_cast<double>(samples));
        }
      }
    }
    const kernels::WeightedTaps taps{index, weight, 4 * static_cast<std::size_t>(now), static_cast<std::size_t>(count),
                                     kBins};
    for (std::int64_t c = 0; c < ys[1]; ++c)
      kernels::weighted_sums_f32(image + c * plane, taps, k > 0, y + c * bins + first);
  }
}

Prepared prepare_f32(const Node& node, const NodeTypes& types) {
  const Shape xs = *types.inputs[0].static_shape(), ys = *types.outputs[0].static_shape();
  const std::int64_t bins = ys[2] * ys[3], blocks = (bins + kBins - 1) / static_cast<std::int64_t>(kBins);
  constexpr std::size_t kSlotBytes = kTaps * kBins * (sizeof(std::int32_t) + sizeof(float));
  const Settings settings(node);
  const std::size_t slot_count = std::clamp<std::size_t>(
      static_cast<std::size_t>(ys[0] * blocks), 1,
      std::min<std::size_t>(static_cast<std::size_t>(base::thread_budget()), kernels::ScratchSlots::kMost));
  return {[=](const KernelArguments& a) {
            const float* const x = a.inputs[0].as<float>().data();
            const float* const rois = a.inputs[1].as<float>().data();
            const auto images = a.inputs[2].as<std::int64_t>();
            float* const y = a.outputs[0].as<float>().data();
            kernels::ScratchSlots slots(a.scratch.first(slot_count * kSlotBytes), slot_count);
            base::parallel_for(0, static_cast<std::size_t>(ys[0] * blocks), 1, [&](std::size_t begin, std::size_t end) {
              const kernels::ScratchSlots::Slot slot(slots);
              for (auto piece = static_cast<std::int64_t>(begin); piece < static_cast<std::int64_t>(end); ++piece) {
                const std::int64_t r = piece / blocks, first = piece % blocks * static_cast<std::int64_t>(kBins);
                const std::int64_t image = within(images[static_cast<std::size_t>(r)], xs[0]);
                pool_bins(Region(settings, rois + 4 * r, ys, r), xs, ys, first,
                          std::min<std::int64_t>(static_cast<std::int64_t>(kBins), bins - first),
                          x + image * xs[1] * xs[2] * xs[3], slot.data(), y + r * ys[1] * bins);
              }
            });
          },
          slot_count * kSlotBytes};
}

constexpr KernelRow kKernels[] = {{"roi_align_f32", can_f32, prepare_f32}, kReference<run, can_ref>[0]};

}  // namespace

extern const OpRecord roialign_record;
const OpRecord roialign_record = {
    .name = "RoiAlign",
    .since_opset = 22,
    .help =
        "Crops of X [N, C, H, W] by rois [count, 4], each pooled to output_height x output_width by bilinear samples; "
        "mode avg or max. Reals.",
    .inputs = 3,
    .infer = infer,
    .kernels = kKernels,
};

}  // namespace skerry::ops
