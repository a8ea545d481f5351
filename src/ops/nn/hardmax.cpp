#include <algorithm>
#include <utility>

#include "base/threads.hpp"
#include "kernels/tensor/broadcast.hpp"
#include "kernels/tensor/reduce.hpp"
#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  require(context, 0, kernels::Reals{});
  same_as_input(context);
}

void run(const Node& node, const KernelArguments& a) {
  const auto x = doubles(a.inputs[0]);
  const Shape shape = a.inputs[0].shape();
  AxisLoops l(shape, normal_axis(node, node.integer("axis", -1), static_cast<std::size_t>(shape.rank())));
  if (node.integer("flatten", 0) != 0) l.length *= std::exchange(l.inner, 1);
  Doubles y(x.size(), 0.0);
  Pace pace;
  for (std::int64_t o = 0; o < l.outer * l.inner; ++o) {
    pace(l.length);
    const auto at = [&](std::int64_t k) {
      return static_cast<std::size_t>((o / l.inner * l.length + k) * l.inner + o % l.inner);
    };
    std::int64_t best = 0;
    for (std::int64_t k = 1; k < l.length; ++k) best = x[at(k)] > x[at(best)] ? k : best;
    if (l.length > 0) y[at(best)] = 1.0;
  }
  store(y, a.outputs[0]);
}

AxisLoops loops_of(const Node& node, const NodeTypes& types) {
  const Shape shape = *types.inputs[0].static_shape();
  AxisLoops l(shape, normal_axis(node, node.integer("axis", -1), static_cast<std::size_t>(shape.rank())));
  if (node.integer("flatten", 0) != 0) l.length *= std::exchange(l.inner, 1);
  return l;
}

Cost can_f32(const Node& node, const NodeTypes& types) {
  if (!is_f32(types)) return no_kernel(types.inputs[0].dtype);
  const AxisLoops l = loops_of(node, types);
  if (elements(types.inputs[0]) == 0 || l.length >= (std::int64_t{1} << 31)) return Unexpected{"no place on the axis"};
  constexpr double kOfAnElement = 0.7, kOfAResult = 16.0;
  return scalar_steps(types, kOfAnElement * static_cast<double>(elements(types.inputs[0])) +
                                 kOfAResult * static_cast<double>(l.outer * l.inner));
}

Prepared prepare_f32(const Node& node, const NodeTypes& types) {
  const AxisLoops l = loops_of(node, types);
  return {[l](const KernelArguments& a) {
            auto* const places = reinterpret_cast<std::int64_t*>(a.scratch.data());
            kernels::arg_extreme_f32(a.inputs[0].as<float>().data(), l.outer, l.length, l.inner, true, false, places);
            float* const y = a.outputs[0].as<float>().data();
            const auto row = static_cast<std::size_t>(l.length * l.inner);
            const std::size_t grain = std::max<std::size_t>(1, kernels::kElementGrain / row);
            base::parallel_for(0, static_cast<std::size_t>(l.outer), grain, [&](std::size_t begin, std::size_t end) {
              std::fill(y + begin * row, y + end * row, 0.0F);
              const auto last = static_cast<std::int64_t>(end) * l.inner;
              for (auto i = static_cast<std::int64_t>(begin) * l.inner; i < last; ++i)
                y[(i / l.inner * l.length + places[i]) * l.inner + i % l.inner] = 1.0F;
            });
          },
          static_cast<std::uint64_t>(l.outer * l.inner) * sizeof(std::int64_t)};
}

constexpr KernelRow kKernels[] = {{"hardmax_f32", can_f32, prepare_f32}, kReference<run, can_reference<7>>[0]};

}  // namespace

extern const OpRecord hardmax_record;
const OpRecord hardmax_record = {
    .name = "Hardmax",
    .since_opset = 13,
    .help = "1 at the first largest element along `axis` (default the last), 0 elsewhere. Reals.",
    .inputs = 1,
    .infer = infer,
    .upgrade =
        [](UpgradeContext& context) {
          if (context.from_opset >= 13) return;
          if (context.node.find("axis") == nullptr) context.node.set("axis", std::int64_t{1});
          context.node.set("flatten", std::int64_t{1});
        },
    .kernels = kKernels,
};

}  // namespace skerry::ops
