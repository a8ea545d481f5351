#include <cstring>

#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  require(context, 0, kernels::Reals{});
  const auto x = known_shape(context, 0);
  if (has_input(context.node, 2) && context.constants[2] == nullptr)
    return set_output(context, 0, input(context, 0).dtype,
                      x ? std::optional<Dims>(Dims(static_cast<std::size_t>(x->rank()))) : std::nullopt);
  if (const auto wanted = constant_integers(context, 2)) {
    Dims out;
    for (const std::int64_t extent : *wanted) out.emplace_back(extent);
    return set_output(context, 0, input(context, 0).dtype, std::move(out));
  }
  if (!x || x->rank() < 3) return set_output(context, 0, input(context, 0).dtype, std::nullopt);
  const auto axes = static_cast<std::size_t>(x->rank() - 2);
  const Longs kernel = context.node.integers("kernel_shape"),
              strides = context.node.integers("strides", Longs(axes, 1)),
              pads = context.node.integers("pads", Longs(2 * axes, 0));
  if (kernel.size() != axes || strides.size() != axes || pads.size() != 2 * axes)
    refuse(context.node, "attributes do not fit " + input(context, 0).text());
  Dims out = {(*x)[0], (*x)[1]};
  for (std::size_t i = 0; i < axes; ++i)
    out.emplace_back(((*x)[static_cast<int>(i) + 2] - 1) * strides[i] + kernel[i] - pads[i] - pads[axes + i]);
  set_output(context, 0, input(context, 0).dtype, std::move(out));
}

void run(const Node& node, const KernelArguments& a) {
  const TensorView x = a.inputs[0];
  const auto indices = longs(a.inputs[1]);
  const Shape xs = a.inputs[0].shape(), ys = a.outputs[0].shape();
  // Indices count through the tensor that the attributes imply, which output_shape may enlarge.
  const auto axes = static_cast<std::size_t>(xs.rank() - 2);
  const Longs kernel = node.integers("kernel_shape"), strides = node.integers("strides", Longs(axes, 1)),
              pads = node.integers("pads", Longs(2 * axes, 0));
  std::vector<std::int64_t> dims = {xs[0], xs[1]};
  for (std::size_t i = 0; i < axes; ++i)
    dims.push_back((xs[static_cast<int>(i) + 2] - 1) * strides.at(i) + kernel.at(i) - pads.at(i) - pads.at(axes + i));
  const Shape from(dims);
  const Longs to = strides_of(ys), of = strides_of(from);
  if (a.outputs[0].bytes() > 0) std::memset(a.outputs[0].data(), 0, a.outputs[0].bytes());
  const std::int64_t room = from.elements(), count = x.elements(), last = ys.elements();
  if (std::ssize(indices) < count) outside("indices for fewer elements");
  const bool same = from == ys;
  const auto put = [&]<class T>(T) {
    Pace pace;
    const T* const values = reinterpret_cast<const T*>(x.data());
    T* const out = reinterpret_cast<T*>(a.outputs[0].data());
    for (std::int64_t i = 0; i < count; ++i) {
      pace();
      const std::int64_t index = within(indices.data()[i], room);
      std::int64_t at = same ? index : 0;
      for (std::size_t k = 0; !same && k < of.size(); ++k) at += index / of[k] % from[static_cast<int>(k)] * to[k];
      if (at >= last) outside("an index points past the output");
      out[at] = values[i];
    }
  };
  const std::size_t width = width_of(x.dtype());
  width == 2 ? put(std::uint16_t()) : width == 4 ? put(std::uint32_t()) : put(std::uint64_t());
}

Cost can(const Node& node, const NodeTypes& types) {
  if (auto movable = can_move(node, types); !movable) return movable;
  constexpr double kOfAnElement = 6.0;
  return serial_steps(types, kOfAnElement * static_cast<double>(elements(types.inputs[0])));
}

}  // namespace

extern const OpRecord maxunpool_record;
const OpRecord maxunpool_record = {
    .name = "MaxUnpool",
    .since_opset = 22,
    .help =
        "Elements put back where `indices` of a MaxPool say, zeros elsewhere; the shape is output_shape or what the "
        "pool's attributes imply. Reals.",
    .inputs = 2,
    .infer = infer,
    .kernels = kReference<run, can, bytes_of_places>,
};

}  // namespace skerry::ops
