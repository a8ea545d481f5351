#include "ops/nn/recurrent.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "base/threads.hpp"
#include "kernels/tensor/recurrent.hpp"
#include "kernels/tensor/recurrent_f32.hpp"
#include "ops/nn/kernel_rows.hpp"
#include "ops/nn/refuse_numbers.hpp"
#include "ops/nn/typing.hpp"
#include "ops/nn/widened.hpp"

namespace skerry::ops {
namespace {

using kernels::RecurrentShape;

constexpr std::size_t kX = 0, kWeights = 1, kRecurrence = 2, kBias = 3, kLengths = 4, kInitialH = 5, kInitialC = 6,
                      kPeepholes = 7;

struct KindInfo {
  std::size_t gates, activations, states;
  std::array<std::string_view, 3> otherwise;  ///< activations when the attribute is absent
};
constexpr KindInfo kKinds[] = {
    {4, 3, 2, {"Sigmoid", "Tanh", "Tanh"}}, {3, 2, 1, {"Sigmoid", "Tanh", ""}}, {1, 1, 1, {"Tanh", "", ""}}};
const KindInfo& info(RecurrentKind kind) {
  return kKinds[static_cast<std::size_t>(kind)];
}

std::size_t directions(const Node& node) {
  const std::string direction = node.text("direction", "forward");
  if (direction == "forward" || direction == "reverse") return 1;
  if (direction == "bidirectional") return 2;
  refuse(node, "direction is '" + direction + "'", "use forward, reverse or bidirectional");
}

// Constants are handed out in order to those activations that take them.
std::vector<std::array<kernels::Activation, 3>> activations(RecurrentKind kind, const Node& node) {
  const KindInfo& k = info(kind);
  const std::size_t count = directions(node);
  std::vector<std::string> names;
  if (const Attribute* given = node.find("activations")) {
    const auto* texts = std::get_if<std::vector<std::string>>(given);
    if (texts == nullptr || texts->size() != count * k.activations) {
      refuse(node, "activations must be " + std::to_string(count * k.activations) + " names");
    }
    names = *texts;
  } else {
    for (std::size_t d = 0; d < count; ++d)
      names.insert(names.end(), k.otherwise.begin(), k.otherwise.begin() + static_cast<std::ptrdiff_t>(k.activations));
  }
  const auto constants = [&node](std::string_view name) {
    const Attribute* given = node.find(name);
    const auto* values = given == nullptr ? nullptr : std::get_if<std::vector<double>>(given);
    return values == nullptr ? std::vector<double>() : *values;
  };
  const std::vector<double> alphas = constants("activation_alpha"), betas = constants("activation_beta");
  std::size_t next_alpha = 0, next_beta = 0;
  std::vector<std::array<kernels::Activation, 3>> out(count);
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto found = kernels::find_activation(names[i]);
    if (!found) refuse(node, "unknown activation '" + names[i] + "'");
    kernels::Activation activation = *found;
    if (activation.takes_alpha && next_alpha < alphas.size()) activation.alpha = alphas[next_alpha++];
    if (activation.takes_beta && next_beta < betas.size()) activation.beta = betas[next_beta++];
    out[i / k.activations][i % k.activations] = activation;
  }
  return out;
}

struct Extents {
  std::size_t steps, batch, inputs, hidden, directions;
  bool batch_first;
};

Extents extents(const Node& node, const NodeTypes& types) {
  const auto extent = [&types](std::size_t input, std::size_t axis) {
    return static_cast<std::size_t>((*types.inputs[input].shape)[axis].value);
  };
  const bool batch_first = node.integer("layout", 0) != 0;
  return {extent(kX, batch_first ? 1 : 0),
          extent(kX, batch_first ? 0 : 1),
          extent(kX, 2),
          extent(kRecurrence, 2),
          directions(node),
          batch_first};
}

// An input that is left out, or of this dtype and these extents as far as they are known (>= 0). Errors: type_mismatch.
void check_input(const TypeContext& context, std::size_t index, DType dtype,
                 std::initializer_list<std::int64_t> wanted) {
  const TensorType* type = optional_input(context, index);
  if (type == nullptr) return;
  const auto input = static_cast<std::int64_t>(index);
  if (type->dtype != dtype) refuse_numbers(context.node, "input # is of another dtype than the layer's", {input});
  if (!type->shape) return;
  const Dims& found = *type->shape;
  if (found.size() != wanted.size())
    refuse_numbers(context.node, "input # has # axes, not #",
                   {input, static_cast<std::int64_t>(found.size()), static_cast<std::int64_t>(wanted.size())});
  for (std::size_t axis = 0; axis < wanted.size(); ++axis) {
    const std::int64_t extent = wanted.begin()[axis];
    if (found[axis].is_known() && extent >= 0 && found[axis].value != extent)
      refuse_numbers(context.node, "axis # of input # is #, not #",
                     {static_cast<std::int64_t>(axis), input, found[axis].value, extent});
  }
}

// A layer ready to run: shapes, and weights transposed once when they are constant.
template <class T>
class Layer {
 public:
  Layer(RecurrentKind kind, const Node& node, const NodeTypes& types) : kind_(kind), extents_(extents(node, types)) {
    const auto functions = activations(kind, node);
    const std::string direction = node.text("direction", "forward");
    for (std::size_t d = 0; d < extents_.directions; ++d) {
      RecurrentShape shape{extents_.steps, extents_.batch, extents_.inputs, extents_.hidden, info(kind).gates};
      shape.reverse = direction == "reverse" || d == 1;
      shape.activations = functions[d];
      if (node.find("clip") != nullptr) shape.clip = node.real("clip", 0.0);
      shape.couple_input_forget = node.integer("input_forget", 0) != 0;
      shape.linear_before_reset = node.integer("linear_before_reset", 0) != 0;
      shapes_.push_back(shape);
    }
    if (types.constants[kWeights] == nullptr || types.constants[kRecurrence] == nullptr) return;
    const TensorView weights = types.constants[kWeights]->view(), recurrence = types.constants[kRecurrence]->view();
    if constexpr (std::is_same_v<T, float>) {
      if (kind != RecurrentKind::rnn && kernels::recurrent_f32_takes(shapes_[0]) &&
          kernels::recurrent_f32_takes(shapes_.back()) && !has_input(node, kLengths) && !has_input(node, kPeepholes)) {
        for (std::size_t d = 0; d < extents_.directions; ++d)
          fast_.emplace_back(shapes_[d], weights.as<float>().data() + d * width() * extents_.inputs,
                             recurrence.as<float>().data() + d * width() * extents_.hidden);
        return;
      }
    }
    packed_.resize(extents_.directions * matrix_elements());
    pack(weights, recurrence, packed_);
  }

  std::uint64_t packed_bytes() const {
    std::uint64_t bytes = packed_.size() * sizeof(T);
    for (const kernels::RecurrentF32& direction : fast_) bytes += direction.packed_bytes();
    return bytes;
  }
  std::uint64_t scratch_bytes() const {
    if (!fast_.empty()) return fast_.size() * fast_bytes();
    const std::size_t matrices = packed_.empty() ? extents_.directions * matrix_elements() : 0;
    return (matrices + kernels::recurrent_scratch(shapes_[0]) + 2 * state_elements()) * sizeof(T);
  }

  void run(const KernelArguments& arguments) const {
    std::span<T> scratch(reinterpret_cast<T*>(arguments.scratch.data()), scratch_bytes() / sizeof(T));
    std::span<const T> matrices = packed_;
    if (!fast_.empty()) {
      // Directions know nothing of each other.
      const std::size_t each = scratch.size() / fast_.size();
      return base::parallel_for(0, fast_.size(), 1, [&](std::size_t begin, std::size_t end) {
        for (std::size_t d = begin; d < end; ++d) run_direction(d, arguments, {}, scratch.subspan(d * each, each));
      });
    }
    if (packed_.empty()) {
      const auto transposed = scratch.first(extents_.directions * matrix_elements());
      pack(arguments.inputs[kWeights], arguments.inputs[kRecurrence], transposed);
      matrices = transposed;
      scratch = scratch.subspan(transposed.size());
    }
    for (std::size_t d = 0; d < extents_.directions; ++d) run_direction(d, arguments, matrices, scratch);
  }

 private:
  std::size_t width() const { return info(kind_).gates * extents_.hidden; }
  std::size_t matrix_elements() const { return (extents_.inputs + extents_.hidden) * width(); }
  std::size_t state_elements() const { return extents_.batch * extents_.hidden; }
  std::uint64_t fast_bytes() const { return fast_[0].scratch_bytes() + 2 * state_elements() * sizeof(T); }

  void pack(const TensorView& weights, const TensorView& recurrence, std::span<T> out) const {
    for (std::size_t d = 0; d < extents_.directions; ++d) {
      T* to = out.data() + d * matrix_elements();
      kernels::transpose(weights.as<T>().data() + d * width() * extents_.inputs, width(), extents_.inputs, to);
      kernels::transpose(recurrence.as<T>().data() + d * width() * extents_.hidden, width(), extents_.hidden,
                         to + extents_.inputs * width());
    }
  }

  // A state tensor is [directions, batch, hidden], or [batch, directions, hidden] with layout 1.
  std::size_t state_offset(std::size_t d, std::size_t b) const {
    return (extents_.batch_first ? b * extents_.directions + d : d * extents_.batch + b) * extents_.hidden;
  }
  void read_state(const TensorView& from, std::size_t d, T* to) const {
    for (std::size_t b = 0; b < extents_.batch; ++b) {
      T* row = to + b * extents_.hidden;
      if (from.empty()) {
        std::fill_n(row, extents_.hidden, T(0));
      } else {
        std::copy_n(from.as<T>().data() + state_offset(d, b), extents_.hidden, row);
      }
    }
  }
  void write_state(const T* from, std::size_t d, const MutableTensorView& to) const {
    if (to.empty()) return;
    for (std::size_t b = 0; b < extents_.batch; ++b) {
      std::copy_n(from + b * extents_.hidden, extents_.hidden, to.as<T>().data() + state_offset(d, b));
    }
  }

  void run_direction(std::size_t d, const KernelArguments& arguments, std::span<const T> matrices,
                     std::span<T> scratch) const {
    const auto input = [&arguments](std::size_t i) {
      return i < arguments.inputs.size() ? arguments.inputs[i] : TensorView();
    };
    const auto output = [&arguments](std::size_t i) {
      return i < arguments.outputs.size() ? arguments.outputs[i] : MutableTensorView();
    };
    const auto& [steps, batch, inputs, hidden, dirs, batch_first] = extents_;
    kernels::RecurrentData<T> data;
    data.x = input(kX).template as<T>().data();
    data.x_step = batch_first ? inputs : batch * inputs;
    data.x_batch = batch_first ? steps * inputs : inputs;
    if (fast_.empty()) {
      data.weights = matrices.data() + d * matrix_elements();
      data.recurrence = data.weights + inputs * width();
    }
    if (!input(kBias).empty()) data.bias = input(kBias).template as<T>().data() + d * 2 * width();
    if (!input(kPeepholes).empty()) data.peepholes = input(kPeepholes).template as<T>().data() + d * 3 * hidden;
    if (!input(kLengths).empty()) data.lengths = input(kLengths).template as<std::int32_t>();
    if (!output(0).empty()) {
      data.y = output(0).template as<T>().data() + (batch_first ? d * hidden : d * batch * hidden);
      data.y_step = dirs * hidden * (batch_first ? 1 : batch);
      data.y_batch = batch_first ? steps * dirs * hidden : hidden;
    }
    data.scratch =
        scratch.first(fast_.empty() ? kernels::recurrent_scratch(shapes_[d]) : fast_[d].scratch_bytes() / sizeof(T));
    data.h = scratch.data() + data.scratch.size();
    data.c = data.h + state_elements();
    read_state(input(kInitialH), d, data.h);
    read_state(input(kInitialC), d, data.c);
    if constexpr (std::is_same_v<T, float>) {
      if (!fast_.empty()) {
        fast_[d].run(data, std::as_writable_bytes(data.scratch));
        if (kind_ == RecurrentKind::lstm) write_state(data.c, d, output(2));
        return write_state(data.h, d, output(1));
      }
    }
    switch (kind_) {
      case RecurrentKind::lstm:
        kernels::lstm(shapes_[d], data);
        write_state(data.c, d, output(2));
        break;
      case RecurrentKind::gru:
        kernels::gru(shapes_[d], data);
        break;
      case RecurrentKind::rnn:
        kernels::rnn(shapes_[d], data);
        break;
    }
    write_state(data.h, d, output(1));
  }

  RecurrentKind kind_;
  Extents extents_;
  std::vector<RecurrentShape> shapes_;
  std::vector<T> packed_;
  std::vector<kernels::RecurrentF32> fast_;  ///< one for each direction where it takes the layer
};

template <class T>
Prepared prepare(RecurrentKind kind, const Node& node, const NodeTypes& types) {
  auto layer = std::make_shared<const Layer<T>>(kind, node, types);  // shared: std::function copies its target
  Prepared made{[layer](const KernelArguments& arguments) { layer->run(arguments); }, layer->scratch_bytes(),
                layer->packed_bytes()};
  if (layer->packed_bytes() > 0) made.packed_inputs = {kWeights, kRecurrence};
  return made;
}

}  // namespace

void infer_recurrent(RecurrentKind kind, TypeContext& context) {
  const Node& node = context.node;
  const auto count = static_cast<std::int64_t>(directions(node));
  activations(kind, node);
  require_same(context, kX, kWeights);
  require_same(context, kX, kRecurrence);
  const DType dtype = input(context, kX).dtype;
  require(context, kX, kernels::Reals{});
  const bool known = require_rank(context, kX, 3, 3) & require_rank(context, kWeights, 3, 3) &
                     require_rank(context, kRecurrence, 3, 3);
  std::optional<Dims> y, state;
  if (known) {
    const Dims& x = *input(context, kX).shape;
    const TensorType& recurrence = input(context, kRecurrence);
    const Dim hidden = (*recurrence.shape)[2];
    const bool batch_first = node.integer("layout", 0) != 0;
    const Dim steps = x[batch_first ? 1 : 0], batch = x[batch_first ? 0 : 1];
    const auto times = [&hidden](std::size_t factor) -> std::int64_t {
      std::int64_t extent = -1;
      const bool fits =
          hidden.is_known() && !__builtin_mul_overflow(hidden.value, static_cast<std::int64_t>(factor), &extent);
      return fits ? extent : -1;
    };
    const std::int64_t gates = times(info(kind).gates), rows = batch.value, ways = count;
    check_input(context, kWeights, dtype, {ways, gates, x[2].value});
    check_input(context, kRecurrence, dtype, {ways, gates, hidden.value});
    check_input(context, kBias, dtype, {ways, times(2 * info(kind).gates)});
    check_input(context, kLengths, DType::i32, {rows});
    for (std::size_t i = 0; i < info(kind).states; ++i)
      check_input(context, kInitialH + i, dtype, {batch_first ? rows : ways, batch_first ? ways : rows, hidden.value});
    if (kind == RecurrentKind::lstm) check_input(context, kPeepholes, dtype, {ways, times(3)});
    y = batch_first ? Dims{batch, steps, Dim(count), hidden} : Dims{steps, Dim(count), batch, hidden};
    state = batch_first ? Dims{batch, Dim(count), hidden} : Dims{Dim(count), batch, hidden};
  }
  set_output(context, 0, dtype, y);
  for (std::size_t i = 1; i <= info(kind).states; ++i) set_output(context, i, dtype, state);
}

Expected<std::vector<kernels::Work>> can_recurrent(RecurrentKind kind, const Node& node, const NodeTypes& types) {
  const DType dtype = types.inputs[kX].dtype;
  if (!kernels::Reals::contains(dtype)) return no_kernel(dtype);
  const auto [steps, batch, inputs, hidden, dirs, batch_first] = extents(node, types);
  const double elements = static_cast<double>(steps * batch * dirs * hidden);
  const auto gates = static_cast<double>(info(kind).gates);
  const double converted = half_steps(dtype) * (elements + static_cast<double>(steps * batch * inputs));
  // Row times matrix: each weight is read for one multiplication and one addition, from the cache.
  const double weight_bytes = elements * gates * static_cast<double>(inputs + hidden) * 4;
  return std::vector<kernels::Work>{{kernels::Rate::stream_cached, weight_bytes},
                                    {kernels::Rate::transcendental, elements * (gates + 1)},
                                    // What is read and written is converted.
                                    {kernels::Rate::scalar, converted},
                                    // Each step calls its kernels anew.
                                    {kernels::Rate::step, 2.0 * static_cast<double>(steps * batch * dirs)}};
}

Prepared prepare_recurrent(RecurrentKind kind, const Node& node, const NodeTypes& types) {
  const DType dtype = types.inputs[kX].dtype;
  if (dtype == DType::f32) return prepare<float>(kind, node, types);
  if (dtype == DType::f64) return prepare<double>(kind, node, types);
  return prepare_widened(types, [&](const NodeTypes& wide) { return prepare<float>(kind, node, wide); });
}

}  // namespace skerry::ops
