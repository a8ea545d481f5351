/// \file
/// Buffers of tensors that are used again.
#pragma once

#include <cstddef>
#include <memory>
#include <skerry/tensor.hpp>
#include <span>

namespace skerry {

/// Keeps buffers by shape and dtype. Those that wait are at most max_buffers in all; when one more comes, the one that
/// waited longest goes, so shapes of the past leave. A handle: copies are the same pool. From any thread.
class TensorPool {
 public:
  static constexpr std::size_t kMaxBuffers = 100, kMostOfAShape = 10;

  struct Statistics {
    std::size_t waiting = 0, lent = 0;
    std::uint64_t waiting_bytes = 0;
    std::uint64_t hits = 0, misses = 0;
  };

  explicit TensorPool(std::size_t max_buffers = kMaxBuffers);

  /// Makes min(kMostOfAShape, max_buffers / shapes) buffers of each shape. Errors: budget_exceeded.
  void preallocate_buffers(std::span<const Shape> shapes, DType dtype = DType::f32);

  /// A buffer of zeros, from the pool or new, to be given to return_buffer(); one that is dropped instead is gone.
  /// Errors: budget_exceeded.
  Tensor get_buffer(const Shape& shape, DType dtype = DType::f32);
  /// Clears the buffer and keeps it. Whoever still has it must not use it. Errors: invalid_argument for a buffer that
  /// is not lent: returned before, or of somebody else.
  void return_buffer(const std::byte* data);
  void return_buffer(const Tensor& buffer) { return_buffer(buffer.view().data()); }

  /// A buffer with any content that comes back by itself when its last copy is gone. Errors: budget_exceeded.
  Tensor lend(const Shape& shape, DType dtype = DType::f32);

  /// Drops what waits.
  void clear() noexcept;
  Statistics statistics() const;

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared: a lent tensor that outlives the pool finds out by it
};

}  // namespace skerry
