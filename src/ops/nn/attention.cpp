#include "kernels/tensor/attention.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/threads.hpp"
#include "kernels/tensor/gemm.hpp"
#include "kernels/tensor/scratch_slots.hpp"
#include "ops/nn/kernel_rows.hpp"
#include "ops/nn/reference.hpp"
#include "ops/nn/widened.hpp"

namespace skerry::ops {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Heads {
  bool packed;
  std::int64_t batch, rows, columns, q_heads, kv_heads, size, v_size, past;

  Heads(const Node& node, const Shape& q, const Shape& k, const Shape& v, std::int64_t past_length)
      : packed(q.rank() == 3), batch(q[0]), past(past_length) {
    if ((q.rank() != 3 && q.rank() != 4) || k.rank() != q.rank() || v.rank() != q.rank())
      refuse(node, "Q, K and V have 3 or 4 axes");
    q_heads = packed ? node.integer("q_num_heads", 0) : q[1];
    kv_heads = packed ? node.integer("kv_num_heads", 0) : k[1];
    if (q_heads < 1 || kv_heads < 1 || q_heads % kv_heads != 0)
      refuse(node, std::to_string(q_heads) + " heads of queries cannot share " + std::to_string(kv_heads) + " of keys");
    rows = packed ? q[1] : q[2];
    columns = packed ? k[1] : k[2];
    size = packed ? q[2] / q_heads : q[3];
    v_size = packed ? v[2] / kv_heads : v[3];
    const bool fits = k[0] == batch && v[0] == batch && (packed ? k[2] / kv_heads : k[3]) == size &&
                      (packed ? v[1] : v[2]) == columns && (packed || v[1] == kv_heads);
    if (!fits) refuse(node, "Q " + q.text() + ", K " + k.text() + " and V " + v.text() + " do not fit together");
  }
};

// [B, L, heads, size] as [B, heads, L, size].
Doubles unpacked(Doubles x, bool packed, std::int64_t batch, std::int64_t length, std::int64_t heads,
                 std::int64_t size) {
  if (!packed) return x;
  Doubles out(x.size());
  for (std::int64_t i = 0; i < batch * length * heads; ++i) {
    const std::int64_t b = i / heads / length, t = i / heads % length, h = i % heads;
    std::copy_n(x.begin() + i * size, size, out.begin() + ((b * heads + h) * length + t) * size);
  }
  return out;
}

// Past and present, head by head.
Doubles joined(const Doubles& past, const Doubles& now, std::int64_t heads, std::int64_t past_run, std::int64_t run) {
  if (past.empty()) return now;
  if (static_cast<std::int64_t>(past.size()) != heads * past_run) outside("past keys or values do not fit");
  Doubles out;
  for (std::int64_t h = 0; h < heads; ++h) {
    out.insert(out.end(), past.begin() + h * past_run, past.begin() + (h + 1) * past_run);
    out.insert(out.end(), now.begin() + h * run, now.begin() + (h + 1) * run);
  }
  return out;
}

// What `Where` put in place of a score, before softmax was recognised behind it: Skerry's own attributes masked_score
// and mask_hides, the truth value that hides. Without them what a mask does not show is not seen.
struct Fill {
  bool given, hides;
  double score;

  explicit Fill(const Node& node)
      : given(node.find("masked_score") != nullptr),
        hides(node.integer("mask_hides", 0) != 0),
        score(node.real("masked_score", -kInfinity)) {}
};

// What is added to a score: 0, the mask's number, or minus infinity.
class Mask {
 public:
  Mask(const Node& node, const KernelArguments& a, const Heads& h)
      : values_(doubles(in_view(a, 3))),
        lengths_(longs(in_view(a, 6))),
        h_(h),
        fill_(node),
        causal_(node.integer("is_causal", 0) != 0),
        left_(node.integer("left_window_size", -1)),
        right_(node.integer("right_window_size", -1)) {
    const TensorView mask = in_view(a, 3);
    truth_ = mask.dtype() == DType::boolean;
    if (mask.empty()) return;
    width_ = mask.shape().rank() == 0 ? 1 : mask.shape()[mask.shape().rank() - 1];
    std::int64_t step = 1;
    for (int back = 0; back < mask.shape().rank() && back < 4; ++back) {
      const std::int64_t extent = mask.shape()[mask.shape().rank() - 1 - back];
      steps_[static_cast<std::size_t>(3 - back)] = extent == 1 ? 0 : step;
      step *= extent;
    }
  }

  double operator()(std::int64_t b, std::int64_t head, std::int64_t row, std::int64_t column) const {
    const std::int64_t offset = lengths_.empty() ? h_.past : lengths_.at(static_cast<std::size_t>(b)) - h_.rows;
    if (causal_ && column > row + offset) return -kInfinity;
    if (left_ >= 0 && row + offset - column > left_) return -kInfinity;
    if (right_ >= 0 && column - row - offset > right_) return -kInfinity;
    if (!lengths_.empty() && column >= lengths_.at(static_cast<std::size_t>(b))) return -kInfinity;
    if (values_.empty()) return 0.0;
    if (column >= width_ && width_ != 1) return -kInfinity;
    if (width_ == 1 && column >= 1 && h_.past + h_.columns != 1) return -kInfinity;
    const double value =
        values_.at(static_cast<std::size_t>(b * steps_[0] + head * steps_[1] + row * steps_[2] + column * steps_[3]));
    if (truth_) return hides(value) ? -kInfinity : 0.0;
    return value;
  }

  // The score with the mask.
  double on(double score, double bias) const { return fill_.given && bias == -kInfinity ? fill_.score : score + bias; }
  // Whether a row of nothing but minus infinity is 0.
  bool forgives() const { return !fill_.given; }

 private:
  bool hides(double value) const { return (value != 0.0) == fill_.hides; }

  Doubles values_;
  Longs lengths_;
  Heads h_;
  Fill fill_;
  bool causal_, truth_ = false;
  std::int64_t left_, right_, width_ = 0, steps_[4] = {0, 0, 0, 0};
};

void infer(TypeContext& context) {
  require(context, 0, kernels::Reals{});
  const Node& node = context.node;
  const auto q = known_shape(context, 0), k = known_shape(context, 1), v = known_shape(context, 2);
  const DType dtype = input(context, 0).dtype;
  const TensorType* past = optional_input(context, 4);
  if (!q || !k || !v || (past != nullptr && !past->static_shape())) {
    const auto rank =
        input(context, 0).shape ? std::optional<Dims>(Dims(input(context, 0).shape->size())) : std::nullopt;
    set_output(context, 0, dtype, rank);
    for (const std::size_t i : {std::size_t{1}, std::size_t{2}, std::size_t{3}}) set_output(context, i, dtype, Dims(4));
    return;
  }
  const Heads h(node, *q, *k, *v, past == nullptr ? 0 : (*past->static_shape())[2]);
  set_output(context, 0, dtype,
             h.packed ? Dims{h.batch, h.rows, h.q_heads * h.v_size} : Dims{h.batch, h.q_heads, h.rows, h.v_size});
  set_output(context, 1, input(context, 1).dtype, Dims{h.batch, h.kv_heads, h.past + h.columns, h.size});
  set_output(context, 2, input(context, 2).dtype, Dims{h.batch, h.kv_heads, h.past + h.columns, h.v_size});
  set_output(context, 3, dtype, Dims{h.batch, h.q_heads, h.rows, h.past + h.columns});
}

void run(const Node& node, const KernelArguments& a) {
  const TensorView past_view = in_view(a, 4);
  const Heads h(node, a.inputs[0].shape(), a.inputs[1].shape(), a.inputs[2].shape(),
                past_view.empty() ? 0 : past_view.shape()[2]);
  const auto q = unpacked(doubles(a.inputs[0]), h.packed, h.batch, h.rows, h.q_heads, h.size);
  const auto keys =
      joined(doubles(past_view), unpacked(doubles(a.inputs[1]), h.packed, h.batch, h.columns, h.kv_heads, h.size),
             h.batch * h.kv_heads, h.past * h.size, h.columns * h.size);
  const auto values =
      joined(doubles(in_view(a, 5)), unpacked(doubles(a.inputs[2]), h.packed, h.batch, h.columns, h.kv_heads, h.v_size),
             h.batch * h.kv_heads, h.past * h.v_size, h.columns * h.v_size);
  store(keys, out_view(a, 1));
  store(values, out_view(a, 2));
  const auto whole = [&](std::int64_t size) {
    return static_cast<std::size_t>(h.batch * h.kv_heads * (h.past + h.columns) * size);
  };
  if (keys.size() != whole(h.size) || values.size() != whole(h.v_size)) outside("past keys or values do not fit");
  const Mask mask(node, a, h);
  const std::int64_t total = h.past + h.columns, mode = node.integer("qk_matmul_output_mode", 0);
  const double scale =
      node.find("scale") != nullptr ? node.real("scale", 1.0) : 1.0 / std::sqrt(static_cast<double>(h.size));
  const double cap = node.real("softcap", 0.0);
  Doubles y(static_cast<std::size_t>(h.batch * h.rows * h.q_heads * h.v_size)),
      shown(static_cast<std::size_t>(out_view(a, 3).empty() ? 0 : h.batch * h.q_heads * h.rows * total));
  const auto show = [&](std::int64_t of_mode, std::int64_t at, double value) {
    if (mode == of_mode && !shown.empty()) shown[static_cast<std::size_t>(at)] = value;
  };
  Doubles scores(static_cast<std::size_t>(total)), bias(scores.size());
  for (std::int64_t line = 0; line < h.batch * h.q_heads * h.rows; ++line) {
    const std::int64_t b = line / h.rows / h.q_heads, head = line / h.rows % h.q_heads, row = line % h.rows;
    const std::int64_t group = b * h.kv_heads + head / (h.q_heads / h.kv_heads);
    base::check_stop();
    double most = -kInfinity, most_bias = -kInfinity, sum = 0.0;
    for (std::int64_t j = 0; j < total; ++j) {
      double score = 0.0;
      for (std::int64_t i = 0; i < h.size; ++i)
        score += q[static_cast<std::size_t>(line * h.size + i)] *
                 keys[static_cast<std::size_t>((group * total + j) * h.size + i)];
      score *= scale;
      const auto at = static_cast<std::size_t>(j);
      show(0, line * total + j, score);
      if (cap > 0.0) score = cap * std::tanh(score / cap);
      show(1, line * total + j, score);
      bias[at] = mask(b, head, row, j);
      scores[at] = mask.on(score, bias[at]);
      show(2, line * total + j, scores[at]);
      most = std::max(most, scores[at]);
      most_bias = std::max(most_bias, bias[at]);
    }
    const bool hidden = mask.forgives() && (most_bias == -kInfinity || most == -kInfinity);
    for (double& score : scores) sum += score = hidden ? 0.0 : std::exp(score - most);
    for (std::int64_t j = 0; j < total; ++j) {
      double& share = scores[static_cast<std::size_t>(j)];
      share = sum == 0.0 ? 0.0 : share / sum;
      show(3, line * total + j, share);
    }
    const std::int64_t to = h.packed ? ((b * h.rows + row) * h.q_heads + head) * h.v_size : line * h.v_size;
    for (std::int64_t i = 0; i < h.v_size; ++i) {
      double mixed = 0.0;
      for (std::int64_t j = 0; j < total; ++j)
        mixed +=
            scores[static_cast<std::size_t>(j)] * values[static_cast<std::size_t>((group * total + j) * h.v_size + i)];
      y[static_cast<std::size_t>(to + i)] = mixed;
    }
  }
  store(y, a.outputs[0]);
  store(shown, out_view(a, 3));
}

// Of a transcendental function's price: what scaling, masking and exp of one score take in vectors.
constexpr double kScorePrice = 0.15;
// Scalar steps' worth of a head that is begun and of a row of scores whatever its length.
constexpr double kStepsOfAHead = 300.0, kStepsOfARow = 40.0;

const TensorType* given(const NodeTypes& types, std::size_t i) {
  return i < types.inputs.size() && types.present[i] ? &types.inputs[i] : nullptr;
}

Heads heads_of(const Node& node, const NodeTypes& types) {
  const TensorType* past = given(types, 4);
  return {node, *types.inputs[0].static_shape(), *types.inputs[1].static_shape(), *types.inputs[2].static_shape(),
          past == nullptr ? 0 : (*past->static_shape())[2]};
}

bool wants(const Node& node, std::size_t output) {
  return node.outputs.size() > output && node.outputs[output] != kNoValue;
}

// Whether keys and values are put together, head by head: past ones come before, or they are outputs.
bool joins(const Node& node, const NodeTypes& types) {
  return given(types, 4) != nullptr || wants(node, 1) || wants(node, 2);
}

// Distances of a mask of up to four axes that broadcasts to [batch, heads, rows, columns]; none where it does not.
std::optional<std::array<std::size_t, 4>> mask_steps(const Shape& mask, const Heads& h) {
  const std::array<std::int64_t, 4> wanted = {h.batch, h.q_heads, h.rows, h.past + h.columns};
  std::array<std::size_t, 4> steps{};
  if (mask.rank() > 4) return std::nullopt;
  std::size_t step = 1;
  for (int back = 0; back < mask.rank(); ++back) {
    const std::int64_t extent = mask[mask.rank() - 1 - back];
    const auto axis = static_cast<std::size_t>(3 - back);
    if (extent != 1 && extent != wanted[axis]) return std::nullopt;
    steps[axis] = extent == 1 ? 0 : step;
    step *= static_cast<std::size_t>(extent);
  }
  return steps;
}

kernels::AttentionShape f32_shape(const Node& node, const NodeTypes& types) {
  const Heads h = heads_of(node, types);
  const auto size = [](std::int64_t extent) { return static_cast<std::size_t>(extent); };
  const bool joined = joins(node, types);
  const std::int64_t total = h.past + h.columns;
  const auto layout = [&](std::int64_t heads, std::int64_t length, std::int64_t width,
                          bool split) -> kernels::HeadLayout {
    const std::size_t all = size(heads * length * width);
    if (h.packed && !split) return {all, size(width), size(heads * width)};
    return {all, size(length * width), size(width)};
  };
  kernels::AttentionShape s;
  s.batch = size(h.batch);
  s.heads = size(h.q_heads);
  s.kv_heads = size(h.kv_heads);
  s.rows = size(h.rows);
  s.columns = size(total);
  s.past = size(h.past);
  s.size = size(h.size);
  s.value_size = size(h.v_size);
  s.q = layout(h.q_heads, h.rows, h.size, false);
  s.k = layout(h.kv_heads, total, h.size, joined);
  s.v = layout(h.kv_heads, total, h.v_size, joined);
  s.y = layout(h.q_heads, h.rows, h.v_size, false);
  s.scale = static_cast<float>(node.find("scale") != nullptr ? node.real("scale", 1.0)
                                                             : 1.0 / std::sqrt(static_cast<double>(h.size)));
  s.causal = node.integer("is_causal", 0) != 0;
  if (const TensorType* mask = given(types, 3)) s.mask_steps = *mask_steps(*mask->static_shape(), h);
  return s;
}

Cost can_f32(const Node& node, const NodeTypes& types) {
  if (!is_f32(types) || !is_f32(types, 1) || !is_f32(types, 2)) return no_kernel(types.inputs[0].dtype);
  if (given(types, 6) != nullptr) return Unexpected{"there are lengths"};
  if (wants(node, 3)) return Unexpected{"scores are wanted as outputs"};
  if (node.real("softcap", 0.0) != 0.0) return Unexpected{"scores are capped"};
  if (node.integer("left_window_size", -1) >= 0 || node.integer("right_window_size", -1) >= 0)
    return Unexpected{"a sliding window"};
  const Heads h = heads_of(node, types);
  if (h.columns == 0) return Unexpected{"there are no keys"};
  if ((given(types, 4) != nullptr) != (given(types, 5) != nullptr)) return Unexpected{"past keys without past values"};
  for (const auto& [i, width] : {std::pair(std::size_t{4}, h.size), {std::size_t{5}, h.v_size}}) {
    const TensorType* past = given(types, i);
    if (past == nullptr) continue;
    if (past->dtype != DType::f32) return no_kernel(past->dtype);
    if (*past->static_shape() != Shape{h.batch, h.kv_heads, h.past, width})
      return Unexpected{"past keys or values do not fit"};
  }
  if (const TensorType* mask = given(types, 3)) {
    if (mask->dtype != DType::f32 && mask->dtype != DType::boolean) return no_kernel(mask->dtype);
    if (!mask_steps(*mask->static_shape(), h)) return Unexpected{"the mask does not broadcast to the scores"};
  }
  const auto n = [](std::int64_t extent) { return static_cast<std::size_t>(extent); };
  const auto heads = static_cast<double>(h.batch * h.q_heads);
  const double scores = heads * static_cast<double>(h.rows * (h.past + h.columns));
  return std::vector<kernels::Work>{
      {kernels::Rate::gemm_f32, heads * (kernels::gemm_effective_flops(n(h.rows), n(h.past + h.columns), n(h.size)) +
                                         kernels::gemm_effective_flops(n(h.rows), n(h.v_size), n(h.past + h.columns)))},
      {kernels::Rate::transcendental, kScorePrice * scores},
      {kernels::Rate::scalar, heads * (kStepsOfAHead + kStepsOfARow * static_cast<double>(h.rows))},
      stream_all(types)[0]};
}

// Past rows of each head and the new ones behind them, [batch, heads, past + length, width]; new ones as [batch,
// length, heads, width] where they are packed.
void join(const Heads& h, std::int64_t width, TensorView past, TensorView now, float* to) {
  const float* const before = past.empty() ? nullptr : past.as<float>().data();
  const float* const from = now.as<float>().data();
  const auto heads = static_cast<std::size_t>(h.batch * h.kv_heads);
  base::parallel_for(0, heads, 1, [&](std::size_t begin, std::size_t end) {
    for (auto head = static_cast<std::int64_t>(begin); head < static_cast<std::int64_t>(end); ++head) {
      float* out = to + head * (h.past + h.columns) * width;
      if (before != nullptr) out = std::copy_n(before + head * h.past * width, h.past * width, out);
      const std::int64_t b = head / h.kv_heads, k = head % h.kv_heads;
      for (std::int64_t t = 0; t < h.columns; ++t) {
        const std::int64_t at = h.packed ? (b * h.columns + t) * h.kv_heads + k : head * h.columns + t;
        out = std::copy_n(from + at * width, width, out);
      }
    }
  });
}

// Where joined keys and values lie: outputs, or scratch where nobody wants them.
struct Joined {
  Heads h;
  bool any;
  std::uint64_t keys, values;  ///< bytes of scratch

  Joined(const Node& node, const NodeTypes& types) : h(heads_of(node, types)), any(joins(node, types)) {
    const auto bytes = [&](std::size_t output, std::int64_t width) {
      const std::int64_t floats = h.batch * h.kv_heads * (h.past + h.columns) * width;
      return any && !wants(node, output) ? (static_cast<std::uint64_t>(floats) * sizeof(float) + 63) / 64 * 64 : 0;
    };
    keys = bytes(1, h.size);
    values = bytes(2, h.v_size);
  }
  std::pair<const float*, const float*> run(const KernelArguments& a, std::byte* scratch) const {
    if (!any) return {a.inputs[1].as<float>().data(), a.inputs[2].as<float>().data()};
    const auto room = [&](std::uint64_t own, std::byte* at, std::size_t output) {
      return own > 0 ? reinterpret_cast<float*>(at) : a.outputs[output].as<float>().data();
    };
    float *const k = room(keys, scratch, 1), *const v = room(values, scratch + keys, 2);
    join(h, h.size, in_view(a, 4), a.inputs[1], k);
    join(h, h.v_size, in_view(a, 5), a.inputs[2], v);
    return {k, v};
  }
};

Prepared prepare_f32(const Node& node, const NodeTypes& types) {
  const auto s = f32_shape(node, types);
  const Joined joined(node, types);
  const auto threads = static_cast<std::size_t>(base::thread_budget());
  const std::size_t slots = std::min({threads, s.batch * s.heads * 4 + 1, kernels::ScratchSlots::kMost});
  const Fill fill(node);
  const std::uint64_t need = kernels::attention_scratch(s, slots), own = (need + 63) / 64 * 64;
  return {[s, slots, fill, joined, need, own](const KernelArguments& a) {
            const auto floats = [&a](std::size_t i) { return a.inputs[i].as<float>().data(); };
            kernels::AttentionMask mask;
            if (const TensorView given = in_view(a, 3); given.dtype() == DType::boolean && !given.empty()) {
              mask.chosen = reinterpret_cast<const std::uint8_t*>(given.data());
              mask.hides = fill.hides;
              mask.fill = static_cast<float>(fill.score);
              if (fill.given) mask.nothing = std::numeric_limits<float>::quiet_NaN();
            } else if (!given.empty()) {
              mask.added = floats(3);
            }
            const auto [k, v] = joined.run(a, a.scratch.data() + own);
            kernels::attention_f32(s, floats(0), k, v, mask, a.outputs[0].as<float>().data(), a.scratch.first(need),
                                   slots);
          },
          own + joined.keys + joined.values};
}

Cost can_plain(const Node& node, const NodeTypes& types) {
  const Heads h = heads_of(node, types);
  return scalar_steps(types, static_cast<double>(h.batch * h.q_heads * h.rows * (h.past + h.columns)) *
                                 static_cast<double>(h.size + h.v_size + 2));
}

constexpr KernelRow kKernels[] = {{"attention_f32", can_f32, prepare_f32}, kThroughF32, kReference<run, can_plain>[0]};

}  // namespace

extern const OpRecord attention_record;
const OpRecord attention_record = {
    .name = "Attention",
    .since_opset = 25,
    .help =
        "softmax(scale Q K^T + mask) V for heads that may share keys (grouped queries): Q, K, V [B, heads, L, size] or "
        "packed [B, L, heads size]; mask, past keys and values, causal and sliding windows, softcap. Reals.",
    .inputs = 3,
    .infer = infer,
    .kernels = kKernels,
};

}  // namespace skerry::ops
