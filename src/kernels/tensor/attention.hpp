/// \file
/// softmax(scale Q K^T + mask) V head by head, without the matrix of all scores.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace skerry::kernels {

/// Where the rows of one operand stand, in floats: row t of head h of sample b begins at b * batch + h * head + t *
/// row.
struct HeadLayout {
  std::size_t batch = 0, head = 0, row = 0;
};

/// Extents: `rows` queries look at `columns` keys in each of `heads` heads, which share their keys and values in groups
/// of heads / kv_heads. Query i of a causal head sees keys 0 to past + i. mask: floats to add to the scores at the
/// distances given for sample, head, row and column (0: the same for all), or truth values at those distances.
struct AttentionShape {
  std::size_t batch = 1, heads = 1, kv_heads = 1, rows = 0, columns = 0, size = 0, value_size = 0;
  HeadLayout q, k, v, y;
  float scale = 1.0F;
  bool causal = false;
  std::size_t past = 0;
  std::array<std::size_t, 4> mask_steps{};
};

/// What is done to scores: `added` to them, or, where `chosen` is true (hides) or false, replaced by `fill` once they
/// are scaled. At most one of the two is there.
struct AttentionMask {
  const float* added = nullptr;
  const std::uint8_t* chosen = nullptr;
  bool hides = false;
  float fill = -std::numeric_limits<float>::infinity();
  float nothing = 0.0F;  ///< y of a row all of whose scores are minus infinity: 0 or not-a-number
  AttentionMask() = default;
  AttentionMask(const float* floats) : added(floats) {}  // NOLINT(google-explicit-constructor)
};

/// y = softmax(scale q k^T + mask) v, f32. A row that sees no key is 0, or what the mask says. Scores of some rows of
/// one head exist at a time (at most 256 KiB of them, or eight rows), so memory grows with the sequence, not with its
/// square. Heads are shared out; the result does not depend on the number of threads. Source: Vaswani et al. 2017, eq.
/// 1; order of the work: Rabe and Staats 2021.
void attention_f32(const AttentionShape& shape, const float* q, const float* k, const float* v,
                   const AttentionMask& mask, float* y, std::span<std::byte> scratch, std::size_t slots);
/// Bytes of scratch for `slots` heads at a time.
std::uint64_t attention_scratch(const AttentionShape& shape, std::size_t slots);

/// Rows of scores, `width` apart with room for a whole vector past the last column, and what is added to them: element
/// (r, c) of the mask stands at r * mask_row + c * mask_column, mask_column being 0 or 1. mask may be null. A causal
/// row r sees first + r + 1 columns.
struct AttendRows {
  float* scores;
  std::size_t width, rows, columns, first;
  const float* mask;
  std::size_t mask_row, mask_column;
  float scale;
  bool causal;
};
/// score = exp(scale * score + mask - the row's maximum); factors: 1 / the sum of each row, 0 where all are minus
/// infinity, not-a-number where one is.
void attend_rows_f32(const AttendRows& rows, float* factors);
/// y[r * row + i] *= factors[r], i < columns.
void scale_rows_f32(float* y, std::size_t row, std::size_t rows, std::size_t columns, const float* factors);

}  // namespace skerry::kernels
