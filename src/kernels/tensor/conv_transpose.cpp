#include "kernels/tensor/conv_transpose.hpp"

#include <algorithm>

#include "base/lines.hpp"
#include "base/threads.hpp"
#include "kernels/tensor/gemm.hpp"
#include "kernels/tensor/patches.hpp"
#include "kernels/tensor/scratch_slots.hpp"

namespace skerry::kernels {
namespace {

// Rows of columns that are computed together, and panels of pixels: 256 KiB with AVX-512.
constexpr std::size_t kRows = 64, kColumnPanels = 10;
// That a group's outputs are cut into, as far as there are so many.
constexpr std::size_t kLeastBlocks = 4;

std::size_t blocks(std::size_t extent, std::size_t width) {
  return (extent + width - 1) / width;
}

// Pixels [first, first + count) of one row of columns, added to the plane y.
void spread(const Window& w, const float* columns, std::size_t first, std::size_t count, const PatchTap& tap,
            float* y) {
  Pixel at = pixel_at(w, static_cast<std::int64_t>(first));
  auto left = static_cast<std::int64_t>(count);
  const std::int64_t step = w.stride[2];
  while (left > 0) {
    const std::int64_t run = std::min(left, w.output[2] - at.x), past = at.x + run;
    const std::int64_t plane = at.z * w.stride[0] + tap.z, row = at.y * w.stride[1] + tap.y;
    if (plane >= 0 && plane < w.input[0] && row >= 0 && row < w.input[1]) {
      const std::int64_t from = std::clamp(tap.first, at.x, past), until = std::clamp(tap.last, from, past);
      float* to = y + (plane * w.input[1] + row) * w.input[2] + tap.x + from * step;
      const float* values = columns + (from - at.x);
      if (step == 1) {
        for (std::int64_t i = 0; i < until - from; ++i) to[i] += values[i];
      } else {
        for (std::int64_t i = 0; i < until - from; ++i) to[i * step] += values[i];
      }
    }
    columns += run;
    left -= run;
    at.x = 0;
    if (++at.y == w.output[1]) at.y = 0, ++at.z;
  }
}

}  // namespace

ConvTransposeF32::ConvTransposeF32(const ConvShape& shape, std::span<const float> weights) : shape_(shape) {
  taps_ = patch_taps(shape.window);
  const auto channels = static_cast<std::size_t>(shape.group_channels()),
             outputs = static_cast<std::size_t>(shape.group_outputs()),
             pixels = static_cast<std::size_t>(shape.window.outputs()), groups = static_cast<std::size_t>(shape.groups);
  const auto threads = static_cast<std::size_t>(base::thread_budget());
  // Whatever the number of threads: the rows of a tile that is not full are summed in another order.
  block_outputs_ = std::clamp<std::size_t>(kRows / std::max<std::size_t>(taps_.size(), 1), 1,
                                           std::max<std::size_t>(blocks(outputs, kLeastBlocks), 1));
  blocks_ = blocks(outputs, block_outputs_);
  block_floats_ = packed_left_floats(block_outputs_ * taps_.size(), channels);
  const std::size_t panel = gemm_tile().columns;
  columns_ = std::max<std::size_t>(std::min(kColumnPanels, blocks(pixels, panel)), 1) * panel;
  slot_bytes_ = base::whole_lines(block_outputs_ * taps_.size() * columns_ * sizeof(float));
  slots_ = std::clamp<std::size_t>(groups * blocks_, 1, std::min(threads, ScratchSlots::kMost));
  right_floats_ = base::whole_lines(packed_right_floats(channels, pixels) * sizeof(float)) / sizeof(float);
  scratch_bytes_ = slots_ * slot_bytes_ + right_floats_ * groups * sizeof(float);
  const std::size_t packed_bytes = block_floats_ * blocks_ * groups * sizeof(float);
  if (weights.empty()) {
    scratch_bytes_ += base::whole_lines(packed_bytes);
    return;
  }
  packed_ = base::Buffer::allocate(packed_bytes, base::MemoryBudget(), "packed weights");
  pack(weights.data(), packed_.as<float>().data());
}

void ConvTransposeF32::pack(const float* w, float* packed) const {
  const auto channels = static_cast<std::size_t>(shape_.group_channels()),
             outputs = static_cast<std::size_t>(shape_.group_outputs());
  for (std::size_t i = 0; i < static_cast<std::size_t>(shape_.groups) * blocks_; ++i) {
    const std::size_t first = i % blocks_ * block_outputs_, count = std::min(block_outputs_, outputs - first);
    const float* from = w + (i / blocks_ * channels * outputs + first) * taps_.size();
    pack_left({from, 1, outputs * taps_.size()}, count * taps_.size(), channels, 1.0F, packed + i * block_floats_);
  }
}

void ConvTransposeF32::run_block(std::size_t group, std::size_t block, const float* weights, const float* right,
                                 const float* bias, float* y, float* columns) const {
  const Window& w = shape_.window;
  const auto outputs = static_cast<std::size_t>(shape_.group_outputs()),
             channels = static_cast<std::size_t>(shape_.group_channels()),
             pixels = static_cast<std::size_t>(w.outputs()), space = static_cast<std::size_t>(w.inputs());
  const std::size_t first = block * block_outputs_, count = std::min(block_outputs_, outputs - first);
  const std::size_t rows = count * taps_.size(), tile = gemm_tile().rows;
  const std::size_t right_width = packed_right_width(pixels, gemm_tile().columns);
  y += (group * outputs + first) * space;
  for (std::size_t o = 0; o < count; ++o)
    std::fill_n(y + o * space, space, bias == nullptr ? 0.0F : bias[group * outputs + first + o]);
  for (std::size_t at = 0; at < pixels; at += columns_) {
    const std::size_t across = std::min(columns_, pixels - at);
    gemm_block({0, rows, at, across, channels, weights, blocks(rows, tile) * tile, right, right_width, true, columns,
                across, GemmStart::zero, nullptr});
    for (std::size_t row = 0; row < rows; ++row)
      spread(w, columns + row * across, at, across, taps_[row % taps_.size()], y + row / taps_.size() * space);
  }
}

void ConvTransposeF32::run(const float* x, const float* w, const float* bias, float* y,
                           std::span<std::byte> scratch) const {
  const auto groups = static_cast<std::size_t>(shape_.groups),
             channels = static_cast<std::size_t>(shape_.group_channels()),
             pixels = static_cast<std::size_t>(shape_.window.outputs());
  const float* weights = packed_.as<float>().data();
  if (packed_.data() == nullptr) {
    auto* packed = reinterpret_cast<float*>(scratch.data());
    pack(w, packed);
    weights = packed;
    scratch = scratch.subspan(base::whole_lines(block_floats_ * blocks_ * groups * sizeof(float)));
  }
  auto* right = reinterpret_cast<float*>(scratch.data());
  ScratchSlots slots(scratch.subspan(right_floats_ * groups * sizeof(float), slots_ * slot_bytes_), slots_);
  for (std::int64_t n = 0; n < shape_.batch; ++n) {
    for (std::size_t g = 0; g < groups; ++g)
      pack_right({x + (static_cast<std::size_t>(n) * groups + g) * channels * pixels, pixels, 1}, channels, pixels,
                 right + g * right_floats_);
    float* image = y + n * shape_.outputs * shape_.window.inputs();
    base::parallel_for(0, groups * blocks_, 1, [&](std::size_t begin, std::size_t end) {
      const ScratchSlots::Slot slot(slots);
      for (std::size_t i = begin; i < end; ++i)
        run_block(i / blocks_, i % blocks_, weights + i * block_floats_, right + i / blocks_ * right_floats_, bias,
                  image, reinterpret_cast<float*>(slot.data()));
    });
  }
}

void add_columns(const Window& window, std::span<const PatchTap> taps, const float* columns, std::size_t rows,
                 float* y) {
  const auto places = static_cast<std::size_t>(window.outputs()), space = static_cast<std::size_t>(window.inputs());
  base::parallel_for(0, rows, 1, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      for (std::size_t tap = 0; tap < taps.size(); ++tap)
        spread(window, columns + (i * taps.size() + tap) * places, 0, places, taps[tap], y + i * space);
    }
  });
}

}  // namespace skerry::kernels
