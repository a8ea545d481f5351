#include "ops/nn/sliding.hpp"

#include <algorithm>
#include <utility>

#include "ops/nn/channels_last.hpp"
#include "ops/nn/typing.hpp"

namespace skerry::ops {
namespace {

// Keeps sums and products of attributes far from overflow.
constexpr std::int64_t kMostAttribute = std::int64_t{1} << 31;
// Elements of one window.
constexpr double kMostTaps = double{1 << 30};
// Past these a plane is not worth spreading: tables of taps and copies of planes would outgrow the tensors.
constexpr std::int64_t kMostVectorTaps = std::int64_t{1} << 14;
constexpr double kMostSpread = double{1 << 28};

std::int64_t divide_up(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

}  // namespace

std::vector<std::int64_t> Sliding::read(std::string_view attribute, std::size_t count, std::int64_t least,
                                        std::int64_t otherwise) const {
  std::vector<std::int64_t> values = node_.integers(attribute, {});
  if (values.empty()) values.assign(count, otherwise);
  const std::string name(attribute);
  if (values.size() != count)
    refuse(node_, name + " has " + std::to_string(values.size()) + " numbers instead of " + std::to_string(count));
  for (const std::int64_t value : values) {
    if (value < least || value > kMostAttribute)
      refuse(node_,
             name + " holds " + std::to_string(value) + ", which is below " + std::to_string(least) + " or above 2^31");
  }
  return values;
}

Sliding::Sliding(const Node& node, std::size_t axes, std::vector<std::int64_t> kernel) : node_(node), axes_(axes) {
  if (axes < 1 || axes > kMostAxes)
    refuse(node, node.op + " over " + std::to_string(axes) + " spatial axes is not supported",
           "there must be 1 to " + std::to_string(kMostAxes));
  if (node.find("kernel_shape") != nullptr) {
    kernel_ = read("kernel_shape", axes, 1, 1);
    if (!kernel.empty() && kernel_ != kernel) refuse(node, "kernel_shape differs from the extents of the weights");
  } else {
    if (kernel.empty()) refuse(node, "kernel_shape is missing");
    kernel_ = std::move(kernel);
  }
  double taps = 1.0;
  for (const std::int64_t extent : kernel_) {
    if (extent < 1)
      refuse(node, "a window of no elements has no meaning", "the weights' spatial extents must be 1 or more");
    taps *= static_cast<double>(extent);
  }
  if (taps > kMostTaps) refuse(node, "a window of more than 2^30 elements is not supported");
  strides_ = read("strides", axes, 1, 1);
  dilations_ = read("dilations", axes, 1, 1);
  pads_ = read("pads", 2 * axes, 0, 0);
  ceil_ = node.integer("ceil_mode", 0) != 0;
  const std::string padding = node.text("auto_pad", "NOTSET");
  if (padding == "SAME_UPPER") {
    padding_ = Padding::same_upper;
  } else if (padding == "SAME_LOWER") {
    padding_ = Padding::same_lower;
  } else if (padding == "VALID") {
    padding_ = Padding::valid;
  } else if (padding != "NOTSET" && !padding.empty()) {
    refuse(node, "auto_pad is '" + padding + "'", "use NOTSET, SAME_UPPER, SAME_LOWER or VALID");
  }
  if (padding_ != Padding::given) pads_.assign(2 * axes, 0);
}

Dim Sliding::output(std::size_t axis, const Dim& input) const {
  const bool same = padding_ == Padding::same_upper || padding_ == Padding::same_lower;
  const std::int64_t stride = strides_[axis], padding = pads_[axis] + pads_[axes_ + axis];
  if (!input.is_known()) {
    const bool keeps = same || padding == extent(axis) - 1;
    return stride == 1 && keeps ? input : Dim();
  }
  if (same) return divide_up(input.value, stride);
  const std::int64_t room = input.value + padding - extent(axis);
  if (room < 0) {
    refuse(node_, "a window of " + std::to_string(extent(axis)) + " does not fit into " +
                      std::to_string(input.value + padding) + " elements of spatial axis " + std::to_string(axis));
  }
  if (!ceil_ || padding_ != Padding::given) return room / stride + 1;
  // A last window must begin on the input or on the padding before it.
  std::int64_t count = divide_up(room, stride) + 1;
  if ((count - 1) * stride >= input.value + pads_[axis]) --count;
  return count;
}

kernels::Window Sliding::window(const Shape& x) const {
  kernels::Window out;
  for (std::size_t axis = 0; axis < axes_; ++axis) {
    const std::size_t to = axis + kMostAxes - axes_;
    out.input[to] = x[static_cast<int>(axis) + 2];
    out.kernel[to] = kernel_[axis];
    out.stride[to] = strides_[axis];
    out.dilation[to] = dilations_[axis];
    out.output[to] = output(axis, Dim(out.input[to])).value;
    out.pad_begin[to] = pads_[axis];
    out.pad_end[to] = pads_[axes_ + axis];
    if (padding_ == Padding::given || padding_ == Padding::valid) continue;
    const std::int64_t covered = (out.output[to] - 1) * strides_[axis] + extent(axis);
    const std::int64_t total = std::max<std::int64_t>(0, covered - out.input[to]);
    out.pad_begin[to] = padding_ == Padding::same_upper ? total / 2 : total - total / 2;
    out.pad_end[to] = total - out.pad_begin[to];
  }
  return out;
}

Expected<bool> slides_in_vectors(const kernels::Window& window) {
  if (window.taps() > kMostVectorTaps) return Unexpected{"the window has more than 2^14 elements"};
  double spread = 1.0;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const auto extent = static_cast<double>(window.input[axis] + window.pad_begin[axis] + window.pad_end[axis]);
    spread *= extent + static_cast<double>(window.stride[axis] * window.kernel[axis]);
  }
  if (spread > kMostSpread) return Unexpected{"a padded plane has more than 2^28 elements"};
  return true;
}

namespace {
void infer_plane_pool(TypeContext& context) {
  const TensorType& x = input(context, 0);
  std::optional<Dims> out;
  if (require_rank(context, 0, 3, 2 + Sliding::kMostAxes)) {
    const std::size_t axes = x.shape->size() - 2;
    const Sliding sliding(context.node, axes, {});
    out = Dims{(*x.shape)[0], (*x.shape)[1]};
    for (std::size_t axis = 0; axis < axes; ++axis) out->push_back(sliding.output(axis, (*x.shape)[axis + 2]));
  }
  set_output(context, 0, x.dtype, out);
}
}  // namespace

void infer_pool(TypeContext& context) {
  infer_either(context, infer_plane_pool);
}

kernels::Window pool_window(const Node& node, const NodeTypes& types) {
  const Shape x = planes_first(node, *types.inputs[0].static_shape());
  return Sliding(node, static_cast<std::size_t>(x.rank() - 2), {}).window(x);
}

std::int64_t pool_planes(const Node& node, const NodeTypes& types) {
  const Shape x = planes_first(node, *types.inputs[0].static_shape());
  return x[0] * x[1];
}

}  // namespace skerry::ops
