/// \file
/// NumPy broadcasting as loops over contiguous runs: equal axes are merged, so that most calls are one run.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <skerry/tensor.hpp>

namespace skerry::kernels {

/// Loops of an element-wise operation with N inputs, outermost first. A stride of 0 repeats an element; the last axis's
/// strides are 0 or 1.
template <std::size_t N>
struct BroadcastLoops {
  int rank = 1;
  std::array<std::int64_t, Shape::kMaxRank> dims{1};
  std::array<std::array<std::int64_t, Shape::kMaxRank>, N> strides{};

  /// inputs: shapes that broadcast to `out`.
  BroadcastLoops(const Shape& out, const std::array<Shape, N>& inputs) {
    rank = 0;
    std::array<std::array<std::int64_t, Shape::kMaxRank>, N> full{};
    for (std::size_t n = 0; n < N; ++n) full[n] = broadcast_strides(out, inputs[n]);
    for (int axis = 0; axis < out.rank(); ++axis) {
      if (out[axis] == 1) continue;
      bool merges = rank > 0;
      for (std::size_t n = 0; n < N && merges; ++n) {
        merges = strides[n][last()] == full[n][static_cast<std::size_t>(axis)] * out[axis];
      }
      if (!merges) ++rank;
      dims[last()] = merges ? dims[last()] * out[axis] : out[axis];
      for (std::size_t n = 0; n < N; ++n) strides[n][last()] = full[n][static_cast<std::size_t>(axis)];
    }
    if (rank == 0) {
      rank = 1;
      dims[0] = 1;
    }
  }

  /// Calls run(out_offset, input_offsets, count) for the output elements [begin, end).
  template <class F>
  void for_each_run(std::int64_t begin, std::int64_t end, F&& run) const {
    const std::int64_t inner = dims[last()];
    while (begin < end) {
      std::array<std::int64_t, N> offsets{};
      std::int64_t rest = begin;
      for (int axis = rank - 1; axis >= 0; --axis) {
        const auto a = static_cast<std::size_t>(axis);
        const std::int64_t index = rest % dims[a];
        rest /= dims[a];
        for (std::size_t n = 0; n < N; ++n) offsets[n] += index * strides[n][a];
      }
      const std::int64_t count = std::min(end - begin, inner - begin % inner);
      run(begin, offsets, count);
      begin += count;
    }
  }

  /// Whether input n advances along a run.
  std::int64_t inner_stride(std::size_t n) const noexcept { return strides[n][last()]; }

 private:
  std::size_t last() const noexcept { return static_cast<std::size_t>(rank - 1); }

  static std::array<std::int64_t, Shape::kMaxRank> broadcast_strides(const Shape& out, const Shape& in) {
    std::array<std::int64_t, Shape::kMaxRank> strides{};
    std::int64_t step = 1;
    for (int axis = in.rank() - 1; axis >= 0; --axis) {
      strides[static_cast<std::size_t>(axis + out.rank() - in.rank())] = in[axis] == 1 ? 0 : step;
      step *= in[axis];
    }
    return strides;
  }
};

/// Elements of one piece of a parallel element-wise loop: some microseconds of work.
inline constexpr std::size_t kElementGrain = 16'384;

}  // namespace skerry::kernels
