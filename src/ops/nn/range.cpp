#include <cmath>

#include "kernels/tensor/convert.hpp"
#include "ops/nn/kernel_rows.hpp"
#include "ops/nn/typing.hpp"

namespace skerry::ops {
namespace {

constexpr std::int64_t kMostElements = std::int64_t{1} << 40;

using Taken =
    kernels::Types<float, double, kernels::Float16, kernels::BFloat16, std::int16_t, std::int32_t, std::int64_t>;

// max(0, ceil((limit - start) / delta))
template <class T>
std::int64_t count_of(const Node& node, T start, T limit, T delta) {
  if (kernels::convert<double>(delta) == 0.0) refuse(node, "delta is 0");
  double count = 0.0;
  if constexpr (kernels::is_half<T>) {
    return count_of(node, static_cast<float>(start), static_cast<float>(limit), static_cast<float>(delta));
  } else if constexpr (std::is_integral_v<T>) {
    if ((delta > 0) != (limit > start)) return 0;
    const std::uint64_t way =
        delta > 0 ? std::uint64_t(limit) - std::uint64_t(start) : std::uint64_t(start) - std::uint64_t(limit);
    const std::uint64_t step = delta > 0 ? std::uint64_t(delta) : std::uint64_t(0) - std::uint64_t(delta);
    const std::uint64_t whole = way / step + (way % step != 0 ? 1 : 0);
    if (whole <= static_cast<std::uint64_t>(kMostElements)) return static_cast<std::int64_t>(whole);
    count = static_cast<double>(whole);
  } else {
    count = std::ceil((static_cast<double>(limit) - static_cast<double>(start)) / static_cast<double>(delta));
  }
  if (!(count <= static_cast<double>(kMostElements))) refuse(node, "a range of " + std::to_string(count) + " elements");
  return count > 0 ? static_cast<std::int64_t>(count) : 0;
}

// Of constants; of shapes that flow as data if the range is 0, 1, ... n - 1.
Dim extent_of(const TypeContext& context) {
  Dim out;
  const auto& c = context.constants;
  if (c[0] != nullptr && c[1] != nullptr && c[2] != nullptr) {
    kernels::visit(Taken{}, c[0]->dtype(), [&]<class T>() {
      out = count_of(context.node, c[0]->as<T>()[0], c[1]->as<T>()[0], c[2]->as<T>()[0]);
    });
    return out;
  }
  const auto is = [&](std::size_t i, std::int64_t value) {
    const Dims* dims = known_dims(context, i);
    return dims != nullptr && dims->size() == 1 && dims->front() == Dim(value);
  };
  const Dims* limit = known_dims(context, 1);
  if (limit != nullptr && limit->size() == 1 && is(0, 0) && is(2, 1)) return limit->front();
  return out;
}

void infer(TypeContext& context) {
  require(context, 0, Taken{});
  for (std::size_t i = 0; i < 3; ++i) {
    const TensorType& type = input(context, i);
    require_same(context, 0, i);
    if (!type.shape) continue;
    const Dim count = product(*type.shape, 0, type.shape->size());
    if (count.is_known() && count.value != 1) refuse(context.node, "Range needs single numbers, not " + type.text());
  }
  set_output(context, 0, input(context, 0).dtype, Dims{extent_of(context)});
}

Cost can(const Node&, const NodeTypes& types) {
  if (!Taken::contains(types.outputs[0].dtype)) return no_kernel(types.outputs[0].dtype);
  return element_steps(types, 1.0);
}

constexpr KernelRow kKernels[] = {
    {"range", can,
     [](const Node&, const NodeTypes&) {
       return Prepared{[](const KernelArguments& a) { kernels::range(a.inputs[0], a.inputs[2], a.outputs[0]); }};
     }},
};

}  // namespace

extern const OpRecord range_record;
const OpRecord range_record = {
    .name = "Range",
    .since_opset = 27,
    .help =
        "start, start + delta, ... up to, without, limit: max(0, ceil((limit - start) / delta)) numbers. Three "
        "scalars of one dtype: f16, bf16, f32, f64, i16, i32 or i64; delta is not 0.",
    .infer = infer,
    .kernels = kKernels};

}  // namespace skerry::ops
