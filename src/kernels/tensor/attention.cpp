#include "kernels/tensor/attention.hpp"

#include <algorithm>
#include <cstring>

#include "base/threads.hpp"
#include "kernels/tensor/gemm.hpp"
#include "kernels/tensor/scratch_slots.hpp"

namespace skerry::kernels {
namespace {

// Scores that are kept at a time.
constexpr std::size_t kScores = std::size_t{1} << 16;
constexpr std::size_t kMostRows = 128;
// With fewer heads than this the rows of a head are shared out as well, though each share packs the keys again.
constexpr std::size_t kFewHeads = 4;

std::size_t rounded(std::size_t count, std::size_t unit) {
  return (count + unit - 1) / unit * unit;
}

// The mask from so many elements on.
AttentionMask moved(AttentionMask mask, std::size_t by) {
  if (mask.added != nullptr) mask.added += by;
  if (mask.chosen != nullptr) mask.chosen += by;
  return mask;
}

// What one piece of work keeps: packed keys, packed values where they cannot be read in place, and scores.
struct Sizes {
  std::size_t width, block_rows, keys, values, scores;
  explicit Sizes(const AttentionShape& s) {
    const GemmTile tile = gemm_tile();
    width = rounded(std::max<std::size_t>(s.columns, 1), tile.columns);
    block_rows = std::clamp(kScores / width / 8 * 8, std::size_t{8}, kMostRows);
    block_rows = std::min(block_rows, rounded(s.rows, 8));
    keys = rounded(packed_right_floats(s.size, s.columns), 16);
    // A vector past the end of a row of values would be somebody else's memory.
    values = s.value_size % (tile.columns / kTileVectors) == 0
                 ? 0
                 : rounded(packed_right_floats(s.columns, s.value_size), 16);
    scores = block_rows * width;
  }
  std::size_t floats() const { return keys + values + scores; }
};

class Head {
 public:
  Head(const AttentionShape& shape, const Sizes& sizes, float* scratch)
      : s_(shape), sizes_(sizes), keys_(scratch), values_(scratch + sizes.keys), scores_(values_ + sizes.values) {}

  void run(const float* q, const float* k, const float* v, const AttentionMask& mask, float* y, std::size_t begin,
           std::size_t end) const {
    pack_right({k, 1, s_.k.row}, s_.size, s_.columns, keys_);
    if (sizes_.values != 0) pack_right({v, s_.v.row, 1}, s_.columns, s_.value_size, values_);
    for (std::size_t row = begin; row < end; row += sizes_.block_rows) {
      const std::size_t rows = std::min(sizes_.block_rows, end - row);
      block(q + row * s_.q.row, v, moved(mask, row * s_.mask_steps[2]), y + row * s_.y.row, row, rows);
    }
  }

 private:
  void block(const float* q, const float* v, const AttentionMask& mask, float* y, std::size_t first,
             std::size_t rows) const {
    const std::size_t width = sizes_.width, tile = gemm_tile().columns;
    const std::size_t columns = packed_right_width(s_.columns, tile);
    gemm_block({0, rows, 0, columns, s_.size, q, s_.q.row, keys_, columns, true, scores_, width, GemmStart::zero,
                nullptr, false});
    std::array<float, kMostRows> factors;
    if (mask.chosen != nullptr) choose(mask, rows);
    attend_rows_f32({scores_, width, rows, s_.columns, s_.past + first, mask.added, s_.mask_steps[2], s_.mask_steps[3],
                     mask.chosen == nullptr ? s_.scale : 1.0F, s_.causal},
                    factors.data());
    if (mask.chosen != nullptr) std::ranges::replace(std::span(factors).first(rows), 0.0F, mask.nothing);
    const bool packed = sizes_.values != 0;
    gemm_block({0, rows, 0, s_.value_size, s_.columns, scores_, width, packed ? values_ : v,
                packed ? packed_right_width(s_.value_size, tile) : s_.v.row, packed, y, s_.y.row, GemmStart::zero,
                nullptr, false});
    scale_rows_f32(y, s_.y.row, rows, s_.value_size, factors.data());
  }

  void choose(const AttentionMask& mask, std::size_t rows) const {
    const std::size_t step = s_.mask_steps[3];
    const float fill = mask.fill, scale = s_.scale;
    for (std::size_t r = 0; r < rows; ++r) {
      const std::uint8_t* chosen = mask.chosen + r * s_.mask_steps[2];
      float* row = scores_ + r * sizes_.width;
      if (step == 1) {
        for (std::size_t j = 0; j < s_.columns; ++j) row[j] = (chosen[j] != 0) == mask.hides ? fill : scale * row[j];
      } else {
        const bool hidden = (*chosen != 0) == mask.hides;
        for (std::size_t j = 0; j < s_.columns; ++j) row[j] = hidden ? fill : scale * row[j];
      }
    }
  }

  const AttentionShape& s_;
  const Sizes& sizes_;
  float *keys_, *values_, *scores_;
};

}  // namespace

std::uint64_t attention_scratch(const AttentionShape& shape, std::size_t slots) {
  return slots * Sizes(shape).floats() * sizeof(float);
}

void attention_f32(const AttentionShape& s, const float* q, const float* k, const float* v, const AttentionMask& mask,
                   float* y, std::span<std::byte> scratch, std::size_t slots) {
  if (s.rows == 0 || s.batch == 0) return;
  const Sizes sizes(s);
  ScratchSlots room(scratch, slots);
  const std::size_t heads = s.batch * s.heads, group = s.heads / s.kv_heads;
  const std::size_t blocks = (s.rows + sizes.block_rows - 1) / sizes.block_rows;
  const std::size_t shares = heads >= kFewHeads ? 1 : std::min(kFewHeads, blocks);
  const std::size_t share_rows = (blocks + shares - 1) / shares * sizes.block_rows;
  const double flops =
      2.0 * static_cast<double>(std::min(share_rows, s.rows) * s.columns) * static_cast<double>(s.size + s.value_size);
  base::parallel_for(0, heads * shares, product_grain(flops), [&](std::size_t begin, std::size_t end) {
    const ScratchSlots::Slot slot(room);
    for (std::size_t piece = begin; piece < end; ++piece) {
      const std::size_t b = piece / shares / s.heads, h = piece / shares % s.heads, kv = h / group;
      const std::size_t first = std::min(s.rows, piece % shares * share_rows);
      Head(s, sizes, reinterpret_cast<float*>(slot.data()))
          .run(q + b * s.q.batch + h * s.q.head, k + b * s.k.batch + kv * s.k.head, v + b * s.v.batch + kv * s.v.head,
               moved(mask, b * s.mask_steps[0] + h * s.mask_steps[1]), y + b * s.y.batch + h * s.y.head, first,
               std::min(s.rows, first + share_rows));
    }
  });
}

}  // namespace skerry::kernels
