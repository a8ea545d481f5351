/// \file
/// LSTM and GRU of f32 with the usual activations (sigmoid and tanh), weights packed once: the inputs of many steps
/// meet their weights in one product, a step is one product of the state and one pass over the gates.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/memory.hpp"
#include "kernels/tensor/recurrent.hpp"

namespace skerry::kernels {

/// Whether RecurrentF32 computes such a layer: neither clip nor coupled gates nor other activations. Peepholes and
/// lengths are not its business either.
bool recurrent_f32_takes(const RecurrentShape& shape) noexcept;

/// One direction of a layer, made ready. Immutable.
class RecurrentF32 {
 public:
  /// weights [gates * hidden, inputs] and recurrence [gates * hidden, hidden] as ONNX has them; shape.gates 4 is an
  /// LSTM, 3 a GRU.
  RecurrentF32(const RecurrentShape& shape, const float* weights, const float* recurrence);

  std::uint64_t packed_bytes() const noexcept;
  /// Bytes of scratch of a run.
  std::uint64_t scratch_bytes() const noexcept;
  /// data as lstm() and gru() take it; weights, recurrence, peepholes and lengths are ignored. x is dense, steps or
  /// batch outermost. scratch: scratch_bytes(). Results do not depend on the number of threads.
  void run(const RecurrentData<float>& data, std::span<std::byte> scratch) const;

 private:
  struct Room;
  bool by_row() const noexcept;
  void start_linear(const float* bias, float* linear) const;
  void row_step(const RecurrentData<float>& data, std::size_t t, float* gates, const float* h, float* next_h,
                const Room& room) const;
  void fold_bias(const float* bias, float* out) const;
  void project(const RecurrentData<float>& data, std::size_t first, std::size_t steps, const float* bias,
               float* gates) const;
  void step(const RecurrentData<float>& data, std::size_t t, float* gates, std::size_t row, const Room& room) const;

  RecurrentShape shape_;
  base::Buffer weights_, recurrence_, candidate_;  ///< candidate_: the GRU's third gate, which waits for r
};

}  // namespace skerry::kernels
