// How a plane is spread, for one axis with 7 elements, padding 1 on both sides, kernel 3, stride 2:
//
//     padded    .  0  1  2  3  4  5  6  .        taps of output 0: positions 0, 1, 2
//     phase 0   .     1     3     5     .        tap 0 at index 0, tap 2 at index 1
//     phase 1      0     2     4     6           tap 1 at index 0
//
// Output o finds tap k at (k dilation mod stride)'s phase, index o + k dilation / stride: outputs that are neighbours
// see neighbours. With the same done to all axes, whole planes are one long row; what is computed where one row runs
// into the next is thrown away.

#include "kernels/tensor/slide.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

#include "base/lines.hpp"
#include "base/threads.hpp"
#include "kernels/tensor/broadcast.hpp"
#include "kernels/tensor/pool.hpp"
#include "kernels/tensor/scratch_slots.hpp"
#include "kernels/tensor/slide_loops.hpp"

namespace skerry::kernels {
namespace {

// Rows shorter than this are not worth the way to a vector function.
constexpr std::int64_t kVectorRow = 32;

// Rows of planes are short: a call of memcpy would cost more than it moves.
inline void copy_short(const float* from, std::int64_t count, float* to) {
  if (count >= 64) {
    std::memcpy(to, from, static_cast<std::size_t>(count) * sizeof(float));
    return;
  }
  for (std::int64_t i = 0; i < count; ++i) to[i] = from[i];
}

}  // namespace

SlideF32::SlideF32(const Window& window, std::int64_t outputs) : window_(window), outputs_(outputs) {
  std::vector<std::int64_t> phase_of[3];
  for (std::size_t axis = 0; axis < 3; ++axis) {
    Axis& a = axes_[axis];
    a.length = window.output[axis] + (window.kernel[axis] - 1) * window.dilation[axis] / window.stride[axis];
    for (std::int64_t k = 0; k < window.kernel[axis]; ++k) {
      const std::int64_t remainder = k * window.dilation[axis] % window.stride[axis];
      const auto found = std::ranges::find(a.phases, remainder, &Phase::remainder);
      phase_of[axis].push_back(found - a.phases.begin());
      if (found == a.phases.end()) a.phases.push_back(make_phase(axis, remainder, a.length));
    }
  }
  const std::int64_t row = axes_[2].length, plane = axes_[1].length * row, volume = axes_[0].length * plane;
  const auto columns = static_cast<std::int64_t>(axes_[2].phases.size()),
             rows = static_cast<std::int64_t>(axes_[1].phases.size());
  const auto index = [&window](std::size_t axis, std::int64_t k) {
    return k * window.dilation[axis] / window.stride[axis];
  };
  for (std::int64_t kz = 0; kz < window.kernel[0]; ++kz) {
    for (std::int64_t ky = 0; ky < window.kernel[1]; ++ky) {
      for (std::int64_t kx = 0; kx < window.kernel[2]; ++kx) {
        const auto at = [](const std::vector<std::int64_t>& list, std::int64_t k) {
          return list[static_cast<std::size_t>(k)];
        };
        const std::int64_t phase = (at(phase_of[0], kz) * rows + at(phase_of[1], ky)) * columns + at(phase_of[2], kx);
        taps_.push_back(
            static_cast<std::size_t>(phase * volume + index(0, kz) * plane + index(1, ky) * row + index(2, kx)));
      }
    }
  }
  const auto phases = static_cast<std::int64_t>(axes_[0].phases.size()) * rows * columns;
  spread_floats_ = static_cast<std::size_t>(phases * volume) + kSlideSlack;
  if (window.outputs() > 0) {
    length_ =
        static_cast<std::size_t>((window.output[0] - 1) * plane + (window.output[1] - 1) * row + window.output[2]);
  }
  slot_bytes_ =
      base::whole_lines(spread_floats_ * sizeof(float)) + base::whole_lines((length_ + kSlideSlack) * sizeof(float));
  slots_ = std::clamp<std::size_t>(static_cast<std::size_t>(outputs), 1,
                                   std::min(static_cast<std::size_t>(base::thread_budget()), ScratchSlots::kMost));
}

SlideF32::Phase SlideF32::make_phase(std::size_t axis, std::int64_t remainder, std::int64_t length) const {
  const std::int64_t stride = window_.stride[axis], shift = remainder - window_.pad_begin[axis];
  const std::int64_t first = std::min(length, shift >= 0 ? 0 : (-shift + stride - 1) / stride);
  const std::int64_t past = window_.input[axis] - shift;
  return {remainder, shift, first, past <= 0 ? first : std::clamp((past + stride - 1) / stride, first, length)};
}

void SlideF32::spread_row(const float* row, const Phase& phase, float padding, float* to) const {
  const std::int64_t stride = window_.stride[2], count = phase.last - phase.first;
  for (std::int64_t i = 0; i < phase.first; ++i) to[i] = padding;
  const float* from = row + phase.shift + phase.first * stride;
  to += phase.first;
  if (stride == 1) {
    copy_short(from, count, to);
  } else if (stride == 2 && count >= kVectorRow) {
    take_every_other(from, static_cast<std::size_t>(count), to);
  } else {
    for (std::int64_t i = 0; i < count; ++i) to[i] = from[i * stride];
  }
  for (std::int64_t i = 0; i < axes_[2].length - phase.last; ++i) to[count + i] = padding;
}

void SlideF32::spread(const float* plane, float padding, float* to) const {
  const Window& s = window_;
  const std::int64_t length = axes_[2].length;
  for (const Phase& phase_z : axes_[0].phases) {
    for (const Phase& phase_y : axes_[1].phases) {
      for (const Phase& phase_x : axes_[2].phases) {
        for (std::int64_t i = 0; i < axes_[0].length; ++i) {
          const bool z_inside = i >= phase_z.first && i < phase_z.last;
          const std::int64_t first_row = (phase_z.shift + i * s.stride[0]) * s.input[1] + phase_y.shift;
          for (std::int64_t j = 0; j < axes_[1].length; ++j, to += length) {
            if (z_inside && j >= phase_y.first && j < phase_y.last) {
              spread_row(plane + (first_row + j * s.stride[1]) * s.input[2], phase_x, padding, to);
            } else {
              for (std::int64_t k = 0; k < length; ++k) to[k] = padding;
            }
          }
        }
      }
    }
  }
}

void SlideF32::collect(const float* from, float* y) const {
  const std::int64_t width = window_.output[2], row = axes_[2].length, plane = axes_[1].length * row;
  for (std::int64_t oz = 0; oz < window_.output[0]; ++oz) {
    for (std::int64_t oy = 0; oy < window_.output[1]; ++oy, y += width)
      copy_short(from + oz * plane + oy * row, width, y);
  }
}

template <class F>
void SlideF32::for_each_plane(std::span<std::byte> scratch, F&& f) const {
  if (window_.outputs() == 0) return;
  const std::size_t work = spread_floats_ + length_ * (taps_.size() + 2);
  const std::size_t grain = std::max<std::size_t>(1, 8 * kElementGrain / work);
  ScratchSlots slots(scratch.first(slots_ * slot_bytes_), slots_);
  base::parallel_for(0, static_cast<std::size_t>(outputs_), grain, [&](std::size_t begin, std::size_t end) {
    const ScratchSlots::Slot slot(slots);
    auto* plane = reinterpret_cast<float*>(slot.data());
    auto* out = reinterpret_cast<float*>(slot.data() + base::whole_lines(spread_floats_ * sizeof(float)));
    std::fill_n(plane + spread_floats_ - kSlideSlack, kSlideSlack, 0.0F);
    for (auto i = static_cast<std::int64_t>(begin); i < static_cast<std::int64_t>(end); ++i) f(i, plane, out);
  });
}

void SlideF32::convolve(std::int64_t channels, std::int64_t multiplier, const float* x, const float* w,
                        const float* bias, float* y, std::span<std::byte> scratch, const BlockEnd& end) const {
  for_each_plane(scratch, [&](std::int64_t i, float* plane, float* out) {
    const std::int64_t channel = i % channels;
    spread(x + i / multiplier * window_.inputs(), 0.0F, plane);
    slide_convolve({plane, taps_, w + channel * window_.taps(), bias == nullptr ? 0.0F : bias[channel], length_, out});
    float* to = y + i * window_.outputs();
    collect(out, to);
    if (!end.any()) return;
    finish_block(to, end.residual == nullptr ? nullptr : end.residual + (to - y), 1,
                 static_cast<std::size_t>(window_.outputs()), 0, end.low, end.high);
  });
}

void SlideF32::max(const float* x, float* y, std::span<std::byte> scratch) const {
  constexpr float kLowest = -std::numeric_limits<float>::infinity();
  for_each_plane(scratch, [&](std::int64_t i, float* plane, float* out) {
    spread(x + i * window_.inputs(), kLowest, plane);
    slide_max({plane, taps_, nullptr, kLowest, length_, out});
    collect(out, y + i * window_.outputs());
  });
}

void SlideF32::average(bool count_padding, const float* x, float* y, std::span<std::byte> scratch) const {
  for_each_plane(scratch, [&](std::int64_t i, float* plane, float* out) {
    spread(x + i * window_.inputs(), 0.0F, plane);
    slide_sum({plane, taps_, nullptr, 0.0F, length_, out});
    float* to = y + i * window_.outputs();
    collect(out, to);
    divide(count_padding, to);
  });
}

void SlideF32::divide(bool count_padding, float* y) const {
  const Window& s = window_;
  const auto [begin, end] = s.inside(2);
  for (std::int64_t row = 0; row < s.output[0] * s.output[1]; ++row) {
    const std::int64_t count =
        counted_taps(s, 0, row / s.output[1], count_padding) * counted_taps(s, 1, row % s.output[1], count_padding);
    float* to = y + row * s.output[2];
    const auto divide_one = [&](std::int64_t ox) {
      to[ox] /= static_cast<float>(count * counted_taps(s, 2, ox, count_padding));
    };
    for (std::int64_t ox = 0; ox < begin; ++ox) divide_one(ox);
    for (std::int64_t ox = end; ox < s.output[2]; ++ox) divide_one(ox);
    const auto all = static_cast<float>(count * s.kernel[2]);
    for (std::int64_t ox = begin; ox < end; ++ox) to[ox] /= all;
  }
}

}  // namespace skerry::kernels
