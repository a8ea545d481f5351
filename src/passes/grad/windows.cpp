// Rules of convolutions and pooling: what slides forward slides back as the transposed convolution.
#include <algorithm>
#include <numeric>

#include "passes/grad/rules.hpp"

namespace skerry::passes::grad {
namespace {

using Integers = std::vector<std::int64_t>;

Integers dims_of(const Shape& shape) {
  return {shape.dims().begin(), shape.dims().end()};
}

/// How a window slides over the spatial axes, which are all but the first two.
struct Window {
  Integers kernel, strides, dilations, begins, ends;  ///< ends: padding after the last element
};

/// long_side: extents that the window slides over; short_side: its positions.
Window window_of(const Rule& r, const Integers& kernel, const Integers& long_side, const Integers& short_side) {
  const std::size_t axes = kernel.size();
  Window w{kernel, r.node().integers("strides"), r.node().integers("dilations"), r.node().integers("pads"), {}};
  if (w.strides.empty()) w.strides.assign(axes, 1);
  if (w.dilations.empty()) w.dilations.assign(axes, 1);
  if (w.begins.empty()) w.begins.assign(2 * axes, 0);
  w.ends.assign(w.begins.begin() + static_cast<std::ptrdiff_t>(axes), w.begins.end());
  w.begins.resize(axes);
  const std::string automatic = r.node().text("auto_pad", "NOTSET");
  if (automatic == "NOTSET" || automatic.empty()) return w;
  for (std::size_t i = 0; i < axes; ++i) {
    const std::int64_t reach = w.strides[i] * (short_side[i] - 1) + w.dilations[i] * (kernel[i] - 1) + 1;
    const std::int64_t total = automatic == "VALID" ? 0 : std::max<std::int64_t>(reach - long_side[i], 0);
    w.begins[i] = automatic == "SAME_LOWER" ? total - total / 2 : total / 2;
    w.ends[i] = total - w.begins[i];
  }
  return w;
}

Integers joined(const Integers& begins, const Integers& ends) {
  Integers all = begins;
  all.insert(all.end(), ends.begin(), ends.end());
  return all;
}

/// spread() where windows move one place at a time: a convolution with the turned kernel, whose inputs and outputs have
/// changed places. Nothing where it would have to pad by less than nothing.
ValueId spread_by_places(Rule& r, ValueId from, ValueId kernel, const Window& w, const Integers& long_side,
                         const Integers& short_side, std::int64_t group) {
  const std::size_t axes = long_side.size();
  Integers begins(axes), ends(axes), last(axes, -1), before(axes), along(axes), back(axes, -1);
  for (std::size_t i = 0; i < axes; ++i) {
    const std::int64_t reach = w.dilations[i] * (w.kernel[i] - 1);
    begins[i] = reach - w.begins[i];
    ends[i] = long_side[i] - short_side[i] + reach - begins[i];
    if (w.strides[i] != 1 || begins[i] < 0 || ends[i] < 0) return kNoValue;
    before[i] = -w.kernel[i] - 1;
    along[i] = static_cast<std::int64_t>(i) + 2;
  }
  const Integers given = dims_of(r.shape(kernel));  // outputs, inputs of a group, places
  Integers split{group, given[0] / group, given[1]}, order{0, 2, 1}, packed{group * given[1], given[0] / group};
  for (std::size_t i = 0; i < axes; ++i) {
    split.push_back(w.kernel[i]);
    order.push_back(static_cast<std::int64_t>(i) + 3);
    packed.push_back(w.kernel[i]);
  }
  const ValueId turned =
      r.op("Slice", {kernel, r.integers(last), r.integers(before), r.integers(along), r.integers(back)});
  const ValueId exchanged = r.op("Transpose", {r.reshape(turned, shape_of(split))}, {{"perm", order}});
  return r.op("Conv", {from, r.reshape(exchanged, shape_of(packed))},
              {{"group", group},
               {"kernel_shape", w.kernel},
               {"strides", w.strides},
               {"dilations", w.dilations},
               {"pads", joined(begins, ends)}});
}

/// The transposed convolution of `from` that fills the extents of long_side exactly.
ValueId spread(Rule& r, ValueId from, ValueId kernel, const Window& w, const Integers& long_side,
               const Integers& short_side, std::int64_t group) {
  const ValueId by_places = spread_by_places(r, from, kernel, w, long_side, short_side, group);
  if (by_places != kNoValue) return by_places;
  Integers ends(long_side.size()), more(long_side.size());
  for (std::size_t i = 0; i < long_side.size(); ++i) {
    const std::int64_t reach = w.strides[i] * (short_side[i] - 1) + w.dilations[i] * (w.kernel[i] - 1) + 1;
    const std::int64_t beyond = reach - w.begins[i] - long_side[i];
    ends[i] = std::max<std::int64_t>(beyond, 0);
    more[i] = std::max<std::int64_t>(-beyond, 0);
  }
  return r.op("ConvTranspose", {from, kernel},
              {{"group", group},
               {"kernel_shape", w.kernel},
               {"strides", w.strides},
               {"dilations", w.dilations},
               {"pads", joined(w.begins, ends)},
               {"output_padding", more}});
}

/// sum over samples and places of short[n, m, o] long[n, c, o stride + k dilation - pad] as [m, c / group, k]: a
/// convolution in which samples are channels, and strides and dilations have changed places.
ValueId correlated(Rule& r, ValueId long_side, ValueId short_side, const Window& w, std::int64_t group) {
  const Integers x = dims_of(r.shape(long_side)), y = dims_of(r.shape(short_side));
  const std::int64_t channels = x[1] / group;
  Integers split{x[0], group, channels}, order{2, 1, 0}, packed{channels, group * x[0]}, swapped{1, 0};
  for (std::size_t axis = 2; axis < x.size(); ++axis) {
    split.push_back(x[axis]);
    order.push_back(static_cast<std::int64_t>(axis) + 1);
    packed.push_back(x[axis]);
    swapped.push_back(static_cast<std::int64_t>(axis));
  }
  const ValueId turned = r.op("Transpose", {r.reshape(long_side, shape_of(split))}, {{"perm", order}});
  const ValueId kernels = r.op("Transpose", {short_side}, {{"perm", swapped}});
  const Integers places(y.begin() + 2, y.end());
  const ValueId all = r.op("Conv", {r.reshape(turned, shape_of(packed)), kernels},
                           {{"group", group},
                            {"kernel_shape", places},
                            {"strides", w.dilations},
                            {"dilations", w.strides},
                            {"pads", joined(w.begins, w.ends)}});
  // Where the stride leaves a rest, there are more places than the kernel has.
  Integers begins(w.kernel.size(), 0), axes(w.kernel.size());
  std::iota(axes.begin(), axes.end(), 2);
  const ValueId kept = r.op("Slice", {all, r.integers(begins), r.integers(w.kernel), r.integers(axes)});
  return r.op("Transpose", {kept}, {{"perm", swapped}});
}

Integers spatial(const Shape& shape) {
  return {shape.dims().begin() + 2, shape.dims().end()};
}

/// Sums of the channels, for a bias.
ValueId by_channel(Rule& r, int rank) {
  Integers axes{0};
  for (int axis = 2; axis < rank; ++axis) axes.push_back(axis);
  return r.op("ReduceSum", {r.dy(), r.integers(axes)}, {{"keepdims", std::int64_t{0}}});
}

/// How many elements each window of an average has.
ValueId window_counts(Rule& r, const Window& w, const Integers& long_side, const Integers& short_side) {
  const bool counts_pads = r.node().integer("count_include_pad", 0) != 0;
  Integers dims{1, 1};
  dims.insert(dims.end(), short_side.begin(), short_side.end());
  Tensor counts(r.graph().value(r.y()).type.dtype, shape_of(dims));
  const std::int64_t size = counts.shape().elements();
  for (std::int64_t flat = 0; flat < size; ++flat) {
    std::int64_t rest = flat, count = 1;
    for (std::size_t axis = short_side.size(); axis-- > 0; rest /= short_side[axis]) {
      const std::int64_t begin = rest % short_side[axis] * w.strides[axis] - w.begins[axis];
      std::int64_t here = 0;
      for (std::int64_t k = 0; k < w.kernel[axis]; ++k) {
        const std::int64_t at = begin + k * w.dilations[axis];
        here += counts_pads ? (at < long_side[axis] + w.ends[axis] ? 1 : 0) : (at >= 0 && at < long_side[axis] ? 1 : 0);
      }
      count *= here;
    }
    const auto at = static_cast<std::size_t>(flat);
    if (counts.dtype() == DType::f32) {
      counts.mutable_view().as<float>()[at] = static_cast<float>(count);
    } else {
      counts.mutable_view().as<double>()[at] = static_cast<double>(count);
    }
  }
  return r.constant(std::move(counts));
}

}  // namespace

void conv_rule(Rule& r) {
  const Integers in = spatial(r.shape(r.x())), out = spatial(r.shape(r.y()));
  const std::int64_t group = r.node().integer("group", 1);
  const Window w = window_of(r, spatial(r.shape(r.x(1))), in, out);
  if (r.wants(0)) r.back(0, spread(r, r.dy(), r.x(1), w, in, out, group));
  if (r.wants(1)) r.back(1, correlated(r, r.x(), r.dy(), w, group));
  if (r.wants(2)) r.back(2, by_channel(r, r.shape(r.y()).rank()));
}

void conv_transpose_rule(Rule& r) {
  const Integers in = spatial(r.shape(r.x())), out = spatial(r.shape(r.y()));
  const std::int64_t group = r.node().integer("group", 1);
  if (r.node().text("auto_pad", "NOTSET") != "NOTSET" || !r.node().integers("output_shape").empty())
    r.refuse("with auto_pad or output_shape has no derivative");
  Window w = window_of(r, spatial(r.shape(r.x(1))), out, in);
  // What output_padding added at the end no window reaches: seen from the way back it is padding of less.
  for (std::size_t i = 0; i < out.size(); ++i)
    w.ends[i] = w.strides[i] * (in[i] - 1) + w.dilations[i] * (w.kernel[i] - 1) + 1 - w.begins[i] - out[i];
  ValueId dy = r.dy();
  Integers starts(out.size(), 0), ends = out, axes(out.size());
  std::iota(axes.begin(), axes.end(), 2);
  bool is_cut = false;
  for (std::size_t i = 0; i < out.size(); ++i)
    if (w.ends[i] < 0) {
      ends[i] += w.ends[i];
      w.ends[i] = 0;
      is_cut = true;
    }
  if (is_cut) {
    dy = r.op("Slice", {dy, r.integers(starts), r.integers(ends), r.integers(axes)});
    Integers cut = dims_of(r.shape(r.y()));
    std::copy(ends.begin(), ends.end(), cut.begin() + 2);
    dy = r.reshape(dy, shape_of(cut));
  }
  if (r.wants(0))
    r.back(0, r.op("Conv", {dy, r.x(1)},
                   {{"group", group},
                    {"kernel_shape", w.kernel},
                    {"strides", w.strides},
                    {"dilations", w.dilations},
                    {"pads", joined(w.begins, w.ends)}}));
  if (r.wants(1)) {
    if (is_cut) r.refuse("with output_padding beyond the last window has no derivative by its kernel");
    r.back(1, correlated(r, dy, r.x(), w, group));
  }
  if (r.wants(2)) r.back(2, by_channel(r, r.shape(r.y()).rank()));
}

void average_pool_rule(Rule& r) {
  const Integers in = spatial(r.shape(r.x())), out = spatial(r.shape(r.y()));
  const Window w = window_of(r, r.node().integers("kernel_shape"), in, out);
  const ValueId share = r.op("Div", {r.dy(), window_counts(r, w, in, out)});
  const std::int64_t channels = r.shape(r.x())[1];
  Integers dims{channels, 1};
  dims.insert(dims.end(), w.kernel.begin(), w.kernel.end());
  const ValueId ones = r.op("Expand", {r.number(1), r.integers(dims)});
  r.back(0, spread(r, share, ones, w, in, out, channels));
}

void max_pool_rule(Rule& r) {
  // Where each maximum stood, from the same operator; several windows may have had the same element.
  Rule::Attributes attributes;
  for (const auto& [name, value] : r.node().attributes)
    if (name != "storage_order") attributes.emplace_back(name, value);
  const ValueId places = r.second_output("MaxPool", {r.x()}, attributes);
  const Shape x = r.shape(r.x()), y = r.shape(r.y());
  const Shape all{x.elements()}, found{y.elements()};
  const ValueId zeros = r.op("Expand", {r.number(0), r.integers({x.elements()})});
  const ValueId sum = r.op("ScatterElements", {zeros, r.reshape(places, found), r.reshape(r.dy(), found)},
                           {{"axis", std::int64_t{0}}, {"reduction", std::string("add")}});
  r.back(0, r.reshape(sum, x));
}

void global_average_pool_rule(Rule& r) {
  const Shape x = r.shape(r.x()), y = r.shape(r.y());
  const double count = static_cast<double>(x.elements()) / static_cast<double>(std::max<std::int64_t>(y.elements(), 1));
  const ValueId share = r.op("Mul", {r.dy(), r.number(1 / count)});
  r.back(0, r.op("Expand", {share, r.integers(dims_of(x))}));
}

void global_max_pool_rule(Rule& r) {
  // Elements that are the maximum together share its cotangent.
  Integers axes;
  for (int axis = 2; axis < r.shape(r.x()).rank(); ++axis) axes.push_back(axis);
  const ValueId one = r.op("Where", {r.op("Equal", {r.x(), r.y()}), r.number(1), r.number(0)});
  const ValueId count = r.op("ReduceSum", {one, r.integers(axes)}, {{"keepdims", std::int64_t{1}}});
  r.back(0, r.op("Mul", {one, r.op("Div", {r.dy(), count})}));
}

}  // namespace skerry::passes::grad
