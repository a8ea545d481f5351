// A convolution as a product: weights [outputs, depth] times patches [depth, pixels], of which a block of pixels is
// packed at a time, so that patches never exist as a whole:
//
//     patches of pixels p0 .. p1, row (i, kz, ky, kx):  x[i, p * stride - pad + k * dilation]   (0 outside)

#include <algorithm>
#include <cstring>

#include "base/lines.hpp"
#include "base/threads.hpp"
#include "kernels/tensor/conv.hpp"
#include "kernels/tensor/gemm.hpp"
#include "kernels/tensor/patches.hpp"
#include "kernels/tensor/scratch_slots.hpp"

namespace skerry::kernels {
namespace {

// 240 pixels of 256 patch rows with AVX-512: 240 KiB, in the second-level cache beside the weights.
constexpr std::size_t kColumnPanels = 5;
// With fewer pieces than this for each of several threads, one of them ends late: then the outputs are shared out too,
// and patches are packed more than once. How the work is cut changes no result, only who computes it.
constexpr std::size_t kPiecesPerThread = 3;
// Rows below which packing patches again costs more than it brings.
constexpr std::size_t kRowBlock = 64;

std::size_t blocks(std::size_t extent, std::size_t width) {
  return (extent + width - 1) / width;
}

// Patch rows [k, k + depth) of the pixels [begin, begin + count), packed as a right side of gemm_block.
void pack_patches(const Window& s, std::span<const PatchTap> taps, const float* x, std::size_t k, std::size_t depth,
                  std::size_t begin, std::size_t count, std::size_t width, float* line, float* packed) {
  std::fill(line + count, line + blocks(count, width) * width, 0.0F);
  const Pixel at = pixel_at(s, static_cast<std::int64_t>(begin));
  std::size_t tap = k % taps.size();
  const float* plane = x + static_cast<std::int64_t>(k / taps.size()) * s.inputs();
  for (std::size_t row = 0; row < depth; ++row) {
    // A single panel's row is written where it belongs.
    float* to = count <= width ? packed + row * width : line;
    patch_row(s, plane, taps[tap], at, static_cast<std::int64_t>(count), 0.0F, to);
    if (to == line) {
      for (std::size_t panel = 0; panel * width < count; ++panel)
        std::memcpy(packed + (panel * depth + row) * width, line + panel * width, width * sizeof(float));
    } else {
      for (std::size_t i = count; i < width; ++i) to[i] = 0.0F;
    }
    if (++tap == taps.size()) tap = 0, plane += s.inputs();
  }
}

}  // namespace

/// One block of rows (outputs) and columns (pixels) of one group of one image.
struct ConvF32::Piece {
  std::size_t image, group, row, rows, column, columns;
};

ConvF32::ConvF32(const ConvShape& shape, std::span<const float> weights) : shape_(shape) {
  taps_ = patch_taps(shape.window);
  const GemmTile tile = gemm_tile();
  const auto outputs = static_cast<std::size_t>(shape.group_outputs()), depth = static_cast<std::size_t>(shape.depth());
  const auto groups = static_cast<std::size_t>(shape.groups), pixels = static_cast<std::size_t>(shape.window.outputs());
  group_floats_ = packed_left_floats(outputs, depth);
  columns_ = std::min(kColumnPanels, blocks(pixels, tile.columns)) * tile.columns;
  column_blocks_ = columns_ == 0 ? 0 : blocks(pixels, columns_);
  const std::size_t pieces = column_blocks_ * groups * static_cast<std::size_t>(shape.batch);
  const auto threads = static_cast<std::size_t>(base::thread_budget());
  const std::size_t wanted = pieces == 0 || threads == 1 ? 1 : blocks(threads * kPiecesPerThread, pieces);
  rows_ = std::max(kRowBlock, blocks(blocks(outputs, wanted), tile.rows) * tile.rows);
  row_blocks_ = blocks(outputs, rows_);

  const std::size_t packed_bytes = group_floats_ * groups * sizeof(float);
  slot_bytes_ = base::whole_lines((std::min(depth, kGemmDepth) + 1) * columns_ * sizeof(float));
  slots_ = std::clamp<std::size_t>(pieces * row_blocks_, 1, std::min(threads, ScratchSlots::kMost));
  scratch_bytes_ = slots_ * slot_bytes_;
  if (weights.empty()) {
    scratch_bytes_ += base::whole_lines(packed_bytes);
    return;
  }
  packed_ = base::Buffer::allocate(packed_bytes, base::MemoryBudget(), "packed weights");
  for (std::size_t g = 0; g < groups; ++g) {
    pack_left({weights.data() + g * outputs * depth, depth, 1}, outputs, depth, 1.0F,
              packed_.as<float>().data() + g * group_floats_);
  }
}

void ConvF32::run_piece(const Piece& piece, const float* x, const float* weights, const float* bias, float* y,
                        float* patches, const BlockEnd& end) const {
  const GemmTile tile = gemm_tile();
  const auto depth = static_cast<std::size_t>(shape_.depth());
  const auto pixels = static_cast<std::size_t>(shape_.window.outputs());
  const auto outputs = static_cast<std::size_t>(shape_.group_outputs());
  const auto channel = static_cast<std::int64_t>(piece.group) * shape_.group_channels();
  const float* planes =
      x + (static_cast<std::int64_t>(piece.image) * shape_.channels + channel) * shape_.window.inputs();
  const std::size_t output = piece.group * outputs + piece.row;
  float* to = y + (piece.image * static_cast<std::size_t>(shape_.outputs) + output) * pixels + piece.column;
  weights += piece.group * group_floats_;
  const std::size_t left_width = depth == 0 ? 0 : group_floats_ / depth;
  float* line = patches + std::min(depth, kGemmDepth) * columns_;
  std::size_t k = 0;
  do {
    const std::size_t count = std::min(kGemmDepth, depth - k);
    pack_patches(shape_.window, taps_, planes, k, count, piece.column, piece.columns, tile.columns, line, patches);
    const GemmStart first = bias == nullptr ? GemmStart::zero : GemmStart::row_bias;
    gemm_block({piece.row, piece.rows, 0, piece.columns, count, weights + k * left_width, left_width, patches, columns_,
                true, to, pixels, k == 0 ? first : GemmStart::accumulate, bias == nullptr ? nullptr : bias + output});
    k += count;
  } while (k < depth);
  if (end.any())
    finish_block(to, end.residual == nullptr ? nullptr : end.residual + (to - y), piece.rows, piece.columns, pixels,
                 end.low, end.high);
}

void ConvF32::run(const float* x, const float* w, const float* bias, float* y, std::span<std::byte> scratch,
                  const BlockEnd& end) const {
  const auto groups = static_cast<std::size_t>(shape_.groups), batch = static_cast<std::size_t>(shape_.batch);
  const auto outputs = static_cast<std::size_t>(shape_.group_outputs()),
             depth = static_cast<std::size_t>(shape_.depth());
  const auto pixels = static_cast<std::size_t>(shape_.window.outputs());
  const float* weights = packed_.as<float>().data();
  if (packed_.data() == nullptr) {
    const std::uint64_t bytes = base::whole_lines(group_floats_ * groups * sizeof(float));
    auto* packed = reinterpret_cast<float*>(scratch.data());
    for (std::size_t g = 0; g < groups; ++g)
      pack_left({w + g * outputs * depth, depth, 1}, outputs, depth, 1.0F, packed + g * group_floats_);
    weights = packed;
    scratch = scratch.subspan(bytes);
  }
  ScratchSlots slots(scratch.first(slots_ * slot_bytes_), slots_);
  // Neighbouring pieces share their outputs: the weights stay in the cache.
  base::parallel_for(0, batch * groups * row_blocks_ * column_blocks_, 1, [&](std::size_t begin, std::size_t last) {
    const ScratchSlots::Slot slot(slots);
    for (std::size_t i = begin; i < last; ++i) {
      const std::size_t column = i % column_blocks_ * columns_, row = i / column_blocks_ % row_blocks_ * rows_;
      const std::size_t plane = i / column_blocks_ / row_blocks_;
      run_piece({plane / groups, plane % groups, row, std::min(rows_, outputs - row), column,
                 std::min(columns_, pixels - column)},
                x, weights, bias, y, reinterpret_cast<float*>(slot.data()), end);
    }
  });
}

}  // namespace skerry::kernels
