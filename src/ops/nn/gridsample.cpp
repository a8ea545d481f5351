#include <algorithm>
#include <array>
#include <cmath>

#include "base/threads.hpp"
#include "kernels/tensor/scratch_slots.hpp"
#include "kernels/tensor/weighted.hpp"
#include "ops/nn/reference.hpp"
#include "ops/nn/widened.hpp"

namespace skerry::ops {
namespace {

// The elements that a point of the grid is made of.
class Sampler {
 public:
  Sampler(const Node& node, const Shape& x) : corners_(node.integer("align_corners", 0) != 0) {
    const std::string mode = node.text("mode", "linear"), padding = node.text("padding_mode", "zeros");
    reach_ = mode == "nearest" ? 1 : mode == "linear" || mode == "bilinear" ? 2 : 4;
    padding_ = padding == "border" ? Padding::border : padding == "reflection" ? Padding::reflection : Padding::zeros;
    for (int i = 2; i < x.rank(); ++i) extents_.push_back(x[i]);
  }

  /// The most that one point takes.
  std::size_t taps() const {
    std::size_t out = 1;
    for (std::size_t i = 0; i < extents_.size(); ++i) out *= reach_;
    return out;
  }

  /// Calls use(element of the plane, weight). Axis by axis from the outermost: the grid names the innermost first.
  template <class T, class Use>
  void at(const T* point, Use&& use, std::size_t axis = 0, std::int64_t offset = 0, double weight = 1.0) const {
    if (axis == extents_.size()) return use(offset, weight);
    const auto extent = static_cast<double>(extents_[axis]);
    const auto where = static_cast<double>(point[extents_.size() - 1 - axis]);
    double x = corners_ ? (where + 1.0) / 2.0 * (extent - 1.0) : ((where + 1.0) * extent - 1.0) / 2.0;
    if (reach_ < 4) x = placed(x, extent);
    const double low = reach_ == 1 ? std::nearbyint(x) : std::floor(x), f = x - low;
    std::array<double, 4> weights = {1.0};
    if (reach_ == 2) weights = {1.0 - f, f};
    constexpr double c = -0.75;
    const auto near = [](double t) { return ((c + 2.0) * t - (c + 3.0)) * t * t + 1.0; };
    const auto far = [](double t) { return ((c * t - 5.0 * c) * t + 8.0 * c) * t - 4.0 * c; };
    if (reach_ == 4) weights = {far(1.0 + f), near(f), near(1.0 - f), far(2.0 - f)};
    const std::int64_t first = place_of(low) - (reach_ == 4 ? 1 : 0);
    for (std::size_t i = 0; i < reach_; ++i) {
      std::int64_t k = first + static_cast<std::int64_t>(i);
      if (padding_ != Padding::zeros)
        k = std::clamp<std::int64_t>(place_of(placed(static_cast<double>(k), extent)), 0, extents_[axis] - 1);
      if (weights[i] != 0.0 && k >= 0 && k < extents_[axis])
        at(point, use, axis + 1, offset * extents_[axis] + k, weight * weights[i]);
    }
  }

 private:
  enum class Padding : std::uint8_t { zeros, border, reflection };

  double placed(double x, double extent) const {
    if (padding_ == Padding::border) return std::clamp(x, 0.0, extent - 1.0);
    if (padding_ == Padding::zeros) return x;
    const double low = corners_ ? 0.0 : -0.5, high = corners_ ? extent - 1.0 : extent - 0.5, span = high - low;
    if (span <= 0.0) return 0.0;
    double away = std::fmod(std::abs(x - low), 2.0 * span);
    if (away > span) away = 2.0 * span - away;
    return std::clamp(low + away, 0.0, extent - 1.0 + (corners_ ? 0.0 : 0.5));
  }

  bool corners_;
  std::size_t reach_ = 2;
  Padding padding_ = Padding::zeros;
  std::vector<std::int64_t> extents_;
};

void infer(TypeContext& context) {
  require(context, 0, kernels::Reals{});
  const TensorType &x = input(context, 0), &grid = input(context, 1);
  if (!x.shape || !grid.shape || x.shape->size() < 3 || grid.shape->size() != x.shape->size())
    return set_output(context, 0, x.dtype, std::nullopt);
  Dims out = {(*x.shape)[0], (*x.shape)[1]};
  out.insert(out.end(), grid.shape->begin() + 1, grid.shape->end() - 1);
  set_output(context, 0, x.dtype, std::move(out));
}

void run(const Node& node, const KernelArguments& a) {
  const auto x = doubles(a.inputs[0]), grid = doubles(a.inputs[1]);
  const Shape xs = a.inputs[0].shape(), ys = a.outputs[0].shape();
  const auto axes = static_cast<std::size_t>(xs.rank() - 2);
  const Shape gs = a.inputs[1].shape();
  if (gs[gs.rank() - 1] != static_cast<std::int64_t>(axes) || gs[0] != xs[0] || xs.elements() == 0)
    outside("a grid " + gs.text() + " for an input " + xs.text());
  const Sampler sampler(node, xs);
  const std::int64_t points = ys.elements() / std::max<std::int64_t>(ys[0] * ys[1], 1),
                     plane = xs.elements() / std::max<std::int64_t>(xs[0] * xs[1], 1);
  Doubles y;
  Pace pace;
  for (std::int64_t p = 0; p < ys[0] * ys[1]; ++p) {
    for (std::int64_t i = 0; i < points; ++i) {
      pace(static_cast<std::int64_t>(sampler.taps()));
      double sum = 0.0;
      sampler.at(grid.data() + (p / ys[1] * points + i) * static_cast<std::int64_t>(axes),
                 [&](std::int64_t from, double weight) { sum += weight * x.data()[p * plane + from]; });
      y.push_back(sum);
    }
  }
  store(y, a.outputs[0]);
}

bool fits(const NodeTypes& types) {
  const Shape x = *types.inputs[0].static_shape(), grid = *types.inputs[1].static_shape();
  return x.rank() >= 3 && x.rank() <= 5 && grid.rank() == x.rank() && grid[grid.rank() - 1] == x.rank() - 2 &&
         grid[0] == x[0] && x.elements() > 0 && grid.elements() > 0 &&
         x.elements() / (x[0] * x[1]) < (std::int64_t{1} << 31);
}

// A point's place is worked out once, what stands there is fetched for each channel.
Cost can_f32(const Node& node, const NodeTypes& types) {
  if (!is_f32(types) || !is_f32(types, 1)) return no_kernel(types.inputs[is_f32(types) ? 1 : 0].dtype);
  if (!fits(types)) return Unexpected{"x and grid do not fit"};
  const Shape x = *types.inputs[0].static_shape();
  const auto points = static_cast<double>(elements(types.inputs[1])) / static_cast<double>(x.rank() - 2);
  const auto taps = static_cast<double>(Sampler(node, x).taps());
  constexpr double kOfAPlace = 15.0, kOfATap = 0.5;
  return scalar_steps(types, points * taps * (kOfAPlace + kOfATap * static_cast<double>(x[1])));
}

Prepared prepare_f32(const Node& node, const NodeTypes& types) {
  const Shape xs = *types.inputs[0].static_shape();
  const Sampler sampler(node, xs);
  const std::size_t taps = sampler.taps(), axes = static_cast<std::size_t>(xs.rank() - 2);
  constexpr std::size_t kBlock = 256;
  const auto images = static_cast<std::size_t>(xs[0]), channels = static_cast<std::size_t>(xs[1]);
  const std::size_t plane = static_cast<std::size_t>(xs.elements()) / (images * channels);
  const std::size_t points = static_cast<std::size_t>(elements(types.inputs[1])) / (images * axes);
  const std::size_t blocks = (points + kBlock - 1) / kBlock;
  const std::size_t slot_bytes = taps * kBlock * (sizeof(std::int32_t) + sizeof(float));
  const std::size_t count = std::clamp<std::size_t>(
      images * blocks, 1,
      std::min<std::size_t>(static_cast<std::size_t>(base::thread_budget()), kernels::ScratchSlots::kMost));
  return {[=](const KernelArguments& a) {
            const float* const x = a.inputs[0].as<float>().data();
            const float* const grid = a.inputs[1].as<float>().data();
            float* const y = a.outputs[0].as<float>().data();
            kernels::ScratchSlots slots(a.scratch.first(count * slot_bytes), count);
            base::parallel_for(0, images * blocks, 1, [&](std::size_t begin, std::size_t end) {
              const kernels::ScratchSlots::Slot slot(slots);
              auto* const index = reinterpret_cast<std::int32_t*>(slot.data());
              auto* const weight = reinterpret_cast<float*>(index + taps * kBlock);
              for (std::size_t piece = begin; piece < end; ++piece) {
                const std::size_t image = piece / blocks, first = piece % blocks * kBlock;
                const std::size_t here = std::min(kBlock, points - first);
                std::fill_n(index, taps * kBlock, 0);
                std::fill_n(weight, taps * kBlock, 0.0F);
                for (std::size_t i = 0; i < here; ++i) {
                  std::size_t at = i;
                  sampler.at(grid + (image * points + first + i) * axes, [&](std::int64_t from, double share) {
                    index[at] = static_cast<std::int32_t>(from);
                    weight[at] = static_cast<float>(share);
                    at += kBlock;
                  });
                }
                for (std::size_t c = image * channels; c < (image + 1) * channels; ++c)
                  kernels::weighted_sums_f32(x + c * plane, {index, weight, taps, here, kBlock}, false,
                                             y + c * points + first);
              }
            });
          },
          count * slot_bytes};
}

Cost can_ref(const Node& node, const NodeTypes& types) {
  constexpr double kOfAnElement = 10.0, kOfATap = 20.0;
  if (auto takes = can_reference(node, types); !takes) return takes;
  const auto taps = static_cast<double>(Sampler(node, *types.inputs[0].static_shape()).taps());
  return serial_steps(types, (kOfAnElement + kOfATap * taps) * static_cast<double>(elements(types.outputs[0])));
}

constexpr KernelRow kKernels[] = {{"grid_sample_f32", can_f32, prepare_f32}, kThroughF32, kReference<run, can_ref>[0]};

}  // namespace

extern const OpRecord gridsample_record;
const OpRecord gridsample_record = {
    .name = "GridSample",
    .since_opset = 22,
    .help =
        "X [N, C, space] read at the points of grid [N, out space, axes] in [-1, 1]: mode nearest, linear or cubic; "
        "padding_mode zeros, border or reflection. Reals.",
    .inputs = 2,
    .infer = infer,
    .kernels = kKernels,
};

}  // namespace skerry::ops
