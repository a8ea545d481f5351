#include <algorithm>
#include <cmath>

#include "ops/nn/reference.hpp"

namespace skerry::ops {
namespace {

void infer(TypeContext& context) {
  require(context, 0, kernels::Reals{});
  const TensorType &q = input(context, 0), &k = input(context, 1), &v = input(context, 2);
  const std::int64_t q_heads = context.node.integer("q_num_heads", 1),
                     kv_heads = context.node.integer("kv_num_heads", 1);
  if (q_heads < 1 || kv_heads < 1) refuse(context.node, "heads are counted from 1");
  const auto qs = q.static_shape(), ks = k.static_shape(), vs = v.static_shape();
  if (!qs || !ks || !vs || qs->rank() != 3) {
    set_output(context, 0, q.dtype, Dims(3));
    return set_output(context, 1, q.dtype, Dims(4));
  }
  set_output(context, 0, q.dtype, Dims{(*qs)[0], (*qs)[1], (*vs)[2] / kv_heads * q_heads});
  set_output(context, 1, optional_input(context, 3) != nullptr ? input(context, 3).dtype : q.dtype,
             Dims{(*qs)[0], kv_heads, (*ks)[2] / kv_heads, (*vs)[2] / kv_heads});
}

void run(const Node& node, const KernelArguments& a) {
  const auto q = doubles(a.inputs[0]), k = doubles(a.inputs[1]), v = doubles(a.inputs[2]);
  const auto decay = doubles(in_view(a, 4)), beta = doubles(in_view(a, 5));
  const Shape shape = a.inputs[0].shape();
  const auto size = [](std::int64_t n) { return static_cast<std::size_t>(n); };
  const std::size_t heads = size(node.integer("q_num_heads", 1)), groups = size(node.integer("kv_num_heads", 1));
  const std::size_t batch = size(shape[0]), length = size(shape[1]), dk = size(shape[2]) / heads;
  const std::size_t dv = size(a.inputs[2].shape()[2]) / groups;
  const std::string rule = node.text("update_rule", "gated_delta");
  const bool gated = rule == "gated" || rule == "gated_delta", delta = rule == "delta" || rule == "gated_delta";
  double scale = node.real("scale", 0.0);
  if (scale == 0.0) scale = 1.0 / std::sqrt(static_cast<double>(dk));
  Doubles state = doubles(in_view(a, 3));
  if (state.empty()) state.assign(batch * groups * dk * dv, 0.0);
  if (k.size() != batch * length * groups * dk || v.size() != batch * length * groups * dv ||
      state.size() != batch * groups * dk * dv)
    outside("keys, values or state do not fit the queries");
  Doubles y(batch * length * heads * dv);
  // A decay (an update rate) is one number for a head, or one for each of its keys.
  const auto per_head = [&](const Doubles& values, std::size_t row, std::size_t g, std::size_t i) {
    const std::size_t width = values.size() / (batch * length), each = width / groups;
    return each == 0 ? values[row * width] : values[row * width + g * each + (each == 1 ? 0 : i)];
  };
  Pace pace;
  for (std::size_t b = 0; b < batch; ++b) {
    for (std::size_t t = 0; t < length; ++t) {
      const std::size_t row = b * length + t;
      for (std::size_t g = 0; g < groups; ++g) {
        pace(static_cast<std::int64_t>(dk * dv * (2 + heads / groups)));
        double* s = state.data() + (b * groups + g) * dk * dv;
        const double* key = k.data() + (row * groups + g) * dk;
        const double* value = v.data() + (row * groups + g) * dv;
        for (std::size_t i = 0; gated && i < dk; ++i) {
          const double kept = std::exp(per_head(decay, row, g, i));
          for (std::size_t j = 0; j < dv; ++j) s[i * dv + j] *= kept;
        }
        for (std::size_t j = 0; j < dv; ++j) {
          double seen = 0.0;
          for (std::size_t i = 0; delta && i < dk; ++i) seen += s[i * dv + j] * key[i];
          for (std::size_t i = 0; i < dk; ++i)
            s[i * dv + j] += (delta ? per_head(beta, row, g, i) : 1.0) * key[i] * (value[j] - seen);
        }
        for (std::size_t h = g * (heads / groups); h < (g + 1) * (heads / groups); ++h) {
          for (std::size_t j = 0; j < dv; ++j) {
            double sum = 0.0;
            for (std::size_t i = 0; i < dk; ++i) sum += q[(row * heads + h) * dk + i] * s[i * dv + j];
            y[(row * heads + h) * dv + j] = scale * sum;
          }
        }
      }
    }
  }
  store(y, a.outputs[0]);
  store(state, out_view(a, 1));
}

// A state of dk x dv numbers for each group, which each step of the sequence changes and each head reads.
Cost can(const Node& node, const NodeTypes& types) {
  if (auto takes = can_reference(node, types); !takes) return takes;
  const Shape q = *types.inputs[0].static_shape(), v = *types.inputs[2].static_shape();
  if (q.rank() != 3 || v.rank() != 3) return can_reference(node, types);
  const double heads = static_cast<double>(std::max<std::int64_t>(node.integer("q_num_heads", 1), 1)),
               groups = static_cast<double>(std::max<std::int64_t>(node.integer("kv_num_heads", 1), 1));
  const double state = static_cast<double>(q[2]) / heads * static_cast<double>(v[2]) / groups;
  constexpr double kOfAChange = 3.0, kOfALook = 1.5;
  return serial_steps(types, static_cast<double>(q[0] * q[1]) * state * (kOfAChange * groups + kOfALook * heads));
}

}  // namespace

extern const OpRecord linearattention_record;
const OpRecord linearattention_record = {
    .name = "LinearAttention",
    .since_opset = 27,
    .help =
        "Attention by a state that is carried from token to token: update_rule linear, gated, delta or gated_delta "
        "(default). Packed [B, T, heads * size]; the state is [B, kv heads, key size, value size]. Reals.",
    .inputs = 3,
    .infer = infer,
    .kernels = kReference<run, can>,
};

}  // namespace skerry::ops
