#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  require(context, 0, kernels::Reals{});
  require_rank(context, 0, 3, 4);
  same_as_input(context);
}

void run(const Node& node, const KernelArguments& a) {
  auto x = doubles(a.inputs[0]);
  const auto cosines = doubles(a.inputs[1]), sines = doubles(a.inputs[2]);
  const auto positions = longs(in_view(a, 3));
  const Shape shape = a.inputs[0].shape();
  const bool split = shape.rank() == 4;
  const std::int64_t heads = split ? shape[1] : node.integer("num_heads", 1), batch = shape[0];
  if (heads < 1) outside("num_heads is missing");
  const std::int64_t length = split ? shape[2] : shape[1], size = split ? shape[3] : shape[2] / heads;
  std::int64_t turned = node.integer("rotary_embedding_dim", 0);
  if (turned <= 0 || turned > size) turned = size;
  const std::int64_t half = turned / 2, width = a.inputs[1].shape()[a.inputs[1].shape().rank() - 1];
  const bool interleaved = node.integer("interleaved", 0) != 0;
  Pace pace;
  for (std::int64_t i = 0; i < batch * heads * length; ++i) {
    pace(half + 1);
    const std::int64_t b = i / heads / length, h = i / length % heads, t = i % length;
    const std::int64_t base = split ? i * size : ((b * length + t) * heads + h) * size;
    const std::int64_t row =
        positions.empty() ? b * length + t
                          : within(positions.at(static_cast<std::size_t>(b * length + t)), a.inputs[1].shape()[0]);
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
    .kernels = kReference<run, can_reference<7>>,
};

}  // namespace skerry::ops
