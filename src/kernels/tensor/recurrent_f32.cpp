#include "kernels/tensor/recurrent_f32.hpp"

#include <algorithm>
#include <utility>

#include "base/threads.hpp"
#include "kernels/tensor/gemm.hpp"
#include "kernels/tensor/recurrent_gates.hpp"

namespace skerry::kernels {
namespace {

// Steps whose inputs are multiplied at a time: enough for full tiles, few enough for the cache.
constexpr std::size_t kSteps = 64;

base::Buffer packed(const float* matrix, std::size_t rows, std::size_t depth) {
  auto out =
      base::Buffer::allocate_for<float>(packed_right_floats(depth, rows), base::MemoryBudget(), "packed weights");
  pack_right({matrix, 1, depth}, depth, rows, out.as<float>().data());
  return out;
}

}  // namespace

// Scratch of a run: the gates of some steps, the bias of the inputs, the GRU's other operand and its product.
struct RecurrentF32::Room {
  float *gates, *bias, *linear, *next_h;
  Room(const RecurrentShape& s, float* at)
      : gates(at),
        bias(gates + std::min(s.steps, kSteps) * s.batch * s.gates * s.hidden),
        linear(bias + s.gates * s.hidden),
        next_h(linear + s.batch * s.hidden) {}
  static std::size_t floats(const RecurrentShape& s) {
    return (std::min(s.steps, kSteps) * s.batch + 1) * s.gates * s.hidden + 2 * s.batch * s.hidden;
  }
};

bool recurrent_f32_takes(const RecurrentShape& s) noexcept {
  const auto is = [&s](std::size_t i, const char* name) { return s.activations[i].f == find_activation(name)->f; };
  return !s.clip && !s.couple_input_forget && is(0, "sigmoid") && is(1, "tanh") && (s.gates == 3 || is(2, "tanh"));
}

RecurrentF32::RecurrentF32(const RecurrentShape& shape, const float* weights, const float* recurrence) : shape_(shape) {
  const std::size_t together = shape.gates == 4 ? 4 * shape.hidden : 2 * shape.hidden;
  weights_ = packed(weights, shape.gates * shape.hidden, shape.inputs);
  if (by_row()) {
    recurrence_ = base::Buffer::allocate_for<float>(recurrent_row_floats(shape.gates, shape.hidden),
                                                    base::MemoryBudget(), "packed weights");
    pack_recurrent_row(recurrence, shape.gates, shape.hidden, recurrence_.as<float>().data());
    return;
  }
  recurrence_ = packed(recurrence, together, shape.hidden);
  if (shape.gates == 3) candidate_ = packed(recurrence + together * shape.hidden, shape.hidden, shape.hidden);
}

// One row, and no gate that waits for another one.
bool RecurrentF32::by_row() const noexcept {
  return shape_.batch == 1 && (shape_.gates == 4 || shape_.linear_before_reset);
}

std::uint64_t RecurrentF32::packed_bytes() const noexcept {
  return weights_.bytes() + recurrence_.bytes() + candidate_.bytes();
}
std::uint64_t RecurrentF32::scratch_bytes() const noexcept {
  return Room::floats(shape_) * sizeof(float);
}

// Both biases at once, but for a candidate whose own recurrent bias is multiplied by r.
void RecurrentF32::fold_bias(const float* bias, float* out) const {
  const std::size_t width = shape_.gates * shape_.hidden;
  const std::size_t both = shape_.gates == 3 && shape_.linear_before_reset ? 2 * shape_.hidden : width;
  for (std::size_t j = 0; j < width; ++j)
    out[j] = bias == nullptr ? 0.0F : bias[j] + (j < both ? bias[width + j] : 0.0F);
}

// gates [steps, batch, width] or [batch, steps, width], as x lies.
void RecurrentF32::project(const RecurrentData<float>& data, std::size_t first, std::size_t steps, const float* bias,
                           float* gates) const {
  const std::size_t width = shape_.gates * shape_.hidden;
  const bool steps_outside = data.x_batch == shape_.inputs || shape_.batch == 1;
  const std::size_t rows = steps_outside ? steps * shape_.batch : steps;
  for (std::size_t b = 0; b < (steps_outside ? 1 : shape_.batch); ++b) {
    gemm_packed(rows, width, shape_.inputs, data.x + first * data.x_step + b * data.x_batch, shape_.inputs,
                weights_.as<float>().data(), GemmStart::column_bias, bias, gates + b * steps * width);
  }
}

// gates: of row 0 of the batch at this step, the other rows `row` apart.
void RecurrentF32::step(const RecurrentData<float>& data, std::size_t t, float* gates, std::size_t row,
                        const Room& room) const {
  const std::size_t hidden = shape_.hidden, batch = shape_.batch;
  const auto add_product = [&](const float* left, std::size_t columns, const base::Buffer& right, float* c,
                               std::size_t c_row) {
    gemm_block({0, batch, 0, columns, hidden, left, hidden, right.as<float>().data(),
                packed_right_width(columns, gemm_tile().columns), true, c, c_row, GemmStart::accumulate, nullptr,
                false});
  };
  if (shape_.gates == 4) {
    add_product(data.h, 4 * hidden, recurrence_, gates, row);
    for (std::size_t b = 0; b < batch; ++b)
      lstm_gates(gates + b * row, data.c + b * hidden, data.h + b * hidden, hidden);
  } else {
    add_product(data.h, 2 * hidden, recurrence_, gates, row);
    for (std::size_t b = 0; b < batch; ++b) {
      float* linear = room.linear + b * hidden;
      if (!shape_.linear_before_reset) {
        gru_reset(gates + b * row + hidden, data.h + b * hidden, linear, hidden);
      } else {
        start_linear(data.bias, linear);
      }
    }
    if (shape_.linear_before_reset) {
      add_product(data.h, hidden, candidate_, room.linear, hidden);
    } else {
      add_product(room.linear, hidden, candidate_, gates + 2 * hidden, row);
    }
    for (std::size_t b = 0; b < batch; ++b)
      gru_gates(gates + b * row, shape_.linear_before_reset ? room.linear + b * hidden : nullptr, data.h + b * hidden,
                hidden);
  }
  if (data.y == nullptr) return;
  for (std::size_t b = 0; b < batch; ++b)
    std::copy_n(data.h + b * hidden, hidden, data.y + t * data.y_step + b * data.y_batch);
}

// What the GRU's candidate begins with before r multiplies it.
void RecurrentF32::start_linear(const float* bias, float* linear) const {
  if (bias == nullptr) {
    std::fill_n(linear, shape_.hidden, 0.0F);
  } else {
    std::copy_n(bias + 5 * shape_.hidden, shape_.hidden, linear);
  }
}

// From h to next_h. Every other step reads the weights from the back.
void RecurrentF32::row_step(const RecurrentData<float>& data, std::size_t t, float* gates, const float* h,
                            float* next_h, const Room& room) const {
  const RecurrentRow row{shape_.hidden, recurrence_.as<float>().data(), h, t % 2 == 1};
  if (shape_.gates == 4) {
    lstm_row(row, gates, data.c, next_h);
  } else {
    start_linear(data.bias, room.linear);
    gru_row(row, gates, room.linear, next_h);
  }
  if (data.y != nullptr) std::copy_n(next_h, shape_.hidden, data.y + t * data.y_step);
}

void RecurrentF32::run(const RecurrentData<float>& data, std::span<std::byte> scratch) const {
  const base::FlushSubnormals flush;
  const Room room(shape_, reinterpret_cast<float*>(scratch.data()));
  const std::size_t width = shape_.gates * shape_.hidden;
  const bool steps_outside = data.x_batch == shape_.inputs || shape_.batch == 1;
  fold_bias(data.bias, room.bias);
  float *h = data.h, *next_h = room.next_h;
  for (std::size_t done = 0; done < shape_.steps; done += kSteps) {
    const std::size_t steps = std::min(kSteps, shape_.steps - done);
    const std::size_t first = shape_.reverse ? shape_.steps - done - steps : done;
    project(data, first, steps, room.bias, room.gates);
    for (std::size_t i = 0; i < steps; ++i) {
      const std::size_t at = shape_.reverse ? steps - 1 - i : i;
      if (by_row()) {
        row_step(data, first + at, room.gates + at * width, h, next_h, room);
        std::swap(h, next_h);
        continue;
      }
      step(data, first + at, room.gates + at * (steps_outside ? shape_.batch : 1) * width,
           steps_outside ? width : steps * width, room);
    }
  }
  if (h != data.h) std::copy_n(h, shape_.hidden, data.h);
}

}  // namespace skerry::kernels
