#include <algorithm>

#include "base/threads.hpp"
#include "kernels/tensor/broadcast.hpp"
#include "kernels/tensor/rotate.hpp"
#include "ops/nn/reference.hpp"
#include "ops/nn/widened.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  require(context, 0, kernels::Reals{});
  require_rank(context, 0, 3, 4);
  same_as_input(context);
}

// x as [batch, heads, length, size], or [batch, length, heads, size] where it has three axes.
struct Heads {
  bool split, interleaved;
  std::int64_t heads, batch, length, size, half;

  Heads(const Node& node, const Shape& shape)
      : split(shape.rank() == 4),
        interleaved(node.integer("interleaved", 0) != 0),
        heads(split ? shape[1] : node.integer("num_heads", 1)),
        batch(shape[0]),
        length(split ? shape[2] : shape[1]) {
    if (heads < 1) outside("num_heads is missing");
    size = split ? shape[3] : shape[2] / heads;
    std::int64_t turned = node.integer("rotary_embedding_dim", 0);
    if (turned <= 0 || turned > size) turned = size;
    half = turned / 2;
  }
  std::int64_t rows() const { return batch * heads * length; }
  /// Which place of which sequence row i is of, counted through all of them.
  std::int64_t place(std::int64_t i) const { return i / heads / length * length + i % length; }
  /// Where row i begins.
  std::int64_t base(std::int64_t i) const { return split ? i * size : (place(i) * heads + i / length % heads) * size; }
};

void run(const Node& node, const KernelArguments& a) {
  auto x = doubles(a.inputs[0]);
  const auto cosines = doubles(a.inputs[1]), sines = doubles(a.inputs[2]);
  const auto positions = longs(in_view(a, 3));
  const Heads heads(node, a.inputs[0].shape());
  const std::int64_t half = heads.half, width = a.inputs[1].shape()[a.inputs[1].shape().rank() - 1];
  const bool interleaved = heads.interleaved;
  Pace pace;
  for (std::int64_t i = 0; i < heads.rows(); ++i) {
    pace(half + 1);
    const std::int64_t base = heads.base(i), place = heads.place(i);
    const std::int64_t row =
        positions.empty() ? place : within(positions.at(static_cast<std::size_t>(place)), a.inputs[1].shape()[0]);
    for (std::int64_t k = 0; k < half; ++k) {
      const auto angle = static_cast<std::size_t>(row * width + k);
      double& first = x[static_cast<std::size_t>(base + (interleaved ? 2 * k : k))];
      double& second = x[static_cast<std::size_t>(base + (interleaved ? 2 * k + 1 : k + half))];
      const double real = cosines.at(angle) * first - sines.at(angle) * second;
      second = sines.at(angle) * first + cosines.at(angle) * second;
      first = real;
    }
  }
  store(x, a.outputs[0]);
}

// Caches of as many rows as there are places, or of any where positions choose among them.
Cost can_f32(const Node& node, const NodeTypes& types) {
  for (std::size_t i = 0; i < 3; ++i)
    if (!is_f32(types, i)) return no_kernel(types.inputs[i].dtype);
  const Shape x = *types.inputs[0].static_shape(), cache = *types.inputs[1].static_shape();
  if (x.rank() != 3 && x.rank() != 4) return Unexpected{"x has neither three nor four axes"};
  const Heads heads(node, x);
  const bool chosen = has_input(node, 3);
  const std::int64_t places = heads.batch * heads.length;
  if (x.elements() == 0 || heads.half == 0 || (!heads.split && x[2] != heads.heads * heads.size) ||
      *types.inputs[2].static_shape() != cache || cache.rank() < 2 || cache[cache.rank() - 1] != heads.half ||
      (chosen ? cache.rank() != 2 || types.inputs[3].dtype != DType::i64 || elements(types.inputs[3]) != places
              : cache.elements() != places * heads.half))
    return Unexpected{"x, the caches and the positions do not fit"};
  return element_steps(types, 0.4);
}

Prepared prepare_f32(const Node& node, const NodeTypes& types) {
  const Heads heads(node, *types.inputs[0].static_shape());
  return {[heads, rows = (*types.inputs[1].static_shape())[0]](const KernelArguments& a) {
    const float* const x = a.inputs[0].as<float>().data();
    const float *const cosines = a.inputs[1].as<float>().data(), *const sines = a.inputs[2].as<float>().data();
    const TensorView chosen = in_view(a, 3);
    float* const y = a.outputs[0].as<float>().data();
    const std::size_t grain =
        std::max<std::size_t>(1, kernels::kElementGrain / 2 / static_cast<std::size_t>(heads.size));
    base::parallel_for(0, static_cast<std::size_t>(heads.rows()), grain, [&](std::size_t begin, std::size_t end) {
      for (auto i = static_cast<std::int64_t>(begin); i < static_cast<std::int64_t>(end); ++i) {
        const std::int64_t base = heads.base(i), place = heads.place(i), half = heads.half;
        const std::int64_t row =
            chosen.empty() ? place : within(chosen.as<std::int64_t>()[static_cast<std::size_t>(place)], rows);
        kernels::rotate_pairs_f32(x + base, cosines + row * half, sines + row * half, static_cast<std::size_t>(half),
                                  heads.interleaved, y + base);
        std::copy(x + base + 2 * half, x + base + heads.size, y + base + 2 * half);
      }
    });
  }};
}

constexpr KernelRow kKernels[] = {
    {"rotate_pairs_f32", can_f32, prepare_f32}, kThroughF32, kReference<run, can_reference<7>>[0]};

}  // namespace

extern const OpRecord rotaryembedding_record;
const OpRecord rotaryembedding_record = {
    .name = "RotaryEmbedding",
    .since_opset = 23,
    .help =
        "Pairs of elements of each head turned by the angle whose cosine and sine the caches hold for its position (Su "
        "et al., arXiv:2104.09864); interleaved pairs neighbours, else halves. Reals.",
    .inputs = 3,
    .infer = infer,
    .kernels = kKernels,
};

}  // namespace skerry::ops
