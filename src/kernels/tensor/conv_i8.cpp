#include "kernels/tensor/conv_i8.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "base/lines.hpp"
#include "base/threads.hpp"
#include "kernels/tensor/patches.hpp"
#include "kernels/tensor/quantized.hpp"
#include "kernels/tensor/scratch_slots.hpp"

namespace skerry::kernels {
namespace {

// Patches of one block of pixels stay in the second-level cache beside a panel of weights.
constexpr std::size_t kPatchBytes = std::size_t{256} << 10;
constexpr std::size_t kMostColumns = 8 * kColumnsI8;
constexpr std::size_t kPiecesPerThread = 3;
constexpr std::size_t kRowBlock = 4 * kRowsI8;

std::size_t blocks(std::size_t extent, std::size_t width) {
  return (extent + width - 1) / width;
}

std::vector<std::int32_t> flipped_zeros(std::span<const std::int32_t> zeros, std::size_t count, std::int32_t shift) {
  std::vector<std::int32_t> out(count);
  for (std::size_t i = 0; i < count; ++i) out[i] = zeros[zeros.size() == 1 ? 0 : i] + shift;
  if (std::ranges::all_of(out, [](std::int32_t zero) { return zero == 0; })) out.clear();
  return out;
}

std::int32_t wrapped(std::int64_t value) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(static_cast<std::uint64_t>(value)));
}

}  // namespace

struct ConvI8::Run {
  ElementsI8 x;
  std::uint8_t padding;
  EndI8 end;
  std::byte* y;
};

/// One block of rows (outputs) and columns (pixels) of one group of one image.
struct ConvI8::Piece {
  std::size_t image, group, row, rows, column, columns;
};

ConvI8::ConvI8(const ConvShape& shape, ElementsI8 weights, std::span<const std::int32_t> w_zero)
    : shape_(shape), taps_(patch_taps(shape.window)) {
  const auto outputs = static_cast<std::size_t>(shape.group_outputs()), depth = static_cast<std::size_t>(shape.depth());
  const auto groups = static_cast<std::size_t>(shape.groups), pixels = static_cast<std::size_t>(shape.window.outputs());
  const std::size_t packed_depth = groups_i8(depth) * kGroupI8;
  columns_ = std::clamp(kPatchBytes / std::max<std::size_t>(packed_depth, 1) / kColumnsI8 * kColumnsI8, kColumnsI8,
                        kMostColumns);
  columns_ = std::min(columns_, std::max<std::size_t>(blocks(pixels, kColumnsI8), 1) * kColumnsI8);
  column_blocks_ = blocks(pixels, columns_);
  const std::size_t pieces = column_blocks_ * groups * static_cast<std::size_t>(shape.batch);
  const auto threads = static_cast<std::size_t>(base::thread_budget());
  const std::size_t wanted = pieces == 0 || threads == 1 ? 1 : blocks(threads * kPiecesPerThread, pieces);
  rows_ = std::max(kRowBlock, blocks(blocks(outputs, wanted), kRowsI8) * kRowsI8);
  row_blocks_ = blocks(outputs, rows_);
  slots_ = std::clamp<std::size_t>(pieces * row_blocks_, 1, std::min(threads, ScratchSlots::kMost));

  const std::uint8_t flip = weights.flip_to(true);
  w_zero_ = flipped_zeros(w_zero, outputs * groups, weights.shift_to(true));
  row_sums_.resize(outputs * groups);
  group_bytes_ = packed_left_i8_bytes(outputs, depth);
  packed_ = base::Buffer::allocate(group_bytes_ * groups, base::MemoryBudget(), "packed weights");
  for (std::size_t g = 0; g < groups; ++g) {
    pack_left_i8(weights.data + g * outputs * depth, depth, 1, outputs, depth, flip, SignsI8::left_signed,
                 packed_.as<std::uint8_t>().data() + g * group_bytes_, row_sums_.data() + g * outputs);
  }
  slot_bytes_ = base::whole_lines(packed_depth * columns_) + base::whole_lines(kGroupI8 * columns_) +
                base::whole_lines(4 * columns_);
  scratch_bytes_ = slots_ * slot_bytes_ + 2 * base::whole_lines(outputs * groups * sizeof(std::int32_t));
}

void ConvI8::pack(const Run& run, const Piece& piece, std::uint8_t* patches, std::uint8_t* lines) const {
  const auto depth = static_cast<std::size_t>(shape_.depth());
  const std::size_t groups = groups_i8(depth), taps = taps_.size();
  const auto channel = static_cast<std::int64_t>(piece.group) * shape_.group_channels();
  const std::int64_t plane_size = shape_.window.inputs();
  const std::uint8_t* planes =
      run.x.data + (static_cast<std::int64_t>(piece.image) * shape_.channels + channel) * plane_size;
  const std::uint8_t flip = run.x.flip_to(false);
  const bool as_they_stand = taps == 1 && shape_.window.outputs() == plane_size && !shape_.window.has_padding() &&
                             shape_.window.stride == Window::kOnes;
  const Pixel first = pixel_at(shape_.window, static_cast<std::int64_t>(piece.column));
  for (std::size_t g = 0; g < groups; ++g) {
    const std::size_t depths = std::min(kGroupI8, depth - g * kGroupI8);
    std::array<const std::uint8_t*, kGroupI8> rows{};
    for (std::size_t d = 0; d < depths; ++d) {
      const std::size_t k = g * kGroupI8 + d;
      const std::uint8_t* plane = planes + static_cast<std::int64_t>(k / taps) * plane_size;
      rows[d] = as_they_stand ? plane + piece.column : lines + d * columns_;
      if (!as_they_stand)
        patch_row(shape_.window, plane, taps_[k % taps], first, static_cast<std::int64_t>(piece.columns), run.padding,
                  lines + d * columns_);
    }
    for (std::size_t c = 0; c < piece.columns; c += kColumnsI8) {
      pack_group_i8(rows.data(), depths, std::min(kColumnsI8, piece.columns - c), flip,
                    patches + (c * groups + g * kColumnsI8) * kGroupI8);
      for (auto& row : rows) row = row == nullptr ? nullptr : row + kColumnsI8;
    }
  }
}

void ConvI8::run_piece(const Run& run, const Piece& piece, std::byte* slot) const {
  const auto depth = static_cast<std::size_t>(shape_.depth());
  const auto outputs = static_cast<std::size_t>(shape_.group_outputs());
  const auto pixels = static_cast<std::size_t>(shape_.window.outputs());
  const std::size_t groups = groups_i8(depth);
  auto* patches = reinterpret_cast<std::uint8_t*>(slot);
  std::uint8_t* lines = patches + base::whole_lines(groups * kGroupI8 * columns_);
  pack(run, piece, patches, lines);
  EndI8 end = run.end;
  const std::size_t first_output = piece.group * outputs;
  end.row_add += first_output;
  if (end.row_scale != nullptr) end.row_scale += first_output;
  if (end.row_mul != nullptr) {
    auto* sums = reinterpret_cast<std::int32_t*>(lines + base::whole_lines(kGroupI8 * columns_));
    sum_columns_i8(patches, groups, piece.columns, SignsI8::left_signed, sums);
    end.row_mul += first_output;
    end.column_mul = sums;
  }
  const std::size_t element = end.to == EndI8::To::i32 || end.to == EndI8::To::f32 ? 4 : 1;
  const std::size_t at =
      (piece.image * static_cast<std::size_t>(shape_.outputs) + first_output + piece.row) * pixels + piece.column;
  gemm_block_i8(
      {piece.row, piece.rows, 0, piece.columns, groups, packed_.as<std::uint8_t>().data() + piece.group * group_bytes_,
       patches, SignsI8::left_signed, run.y + at * element, pixels},
      end);
}

void ConvI8::run(ElementsI8 x, std::int32_t x_zero, const std::int32_t* bias, EndI8 end, void* y,
                 std::span<std::byte> scratch) const {
  const auto all = static_cast<std::size_t>(shape_.outputs), outputs = static_cast<std::size_t>(shape_.group_outputs());
  const auto groups = static_cast<std::size_t>(shape_.groups);
  const auto pixels = static_cast<std::size_t>(shape_.window.outputs());
  const std::int64_t zero = x_zero + x.shift_to(false);
  const std::uint64_t vector_bytes = base::whole_lines(all * sizeof(std::int32_t));
  auto* row_add = reinterpret_cast<std::int32_t*>(scratch.data());
  auto* row_mul = reinterpret_cast<std::int32_t*>(scratch.data() + vector_bytes);
  for (std::size_t o = 0; o < all; ++o) {
    std::int64_t add = (bias == nullptr ? 0 : bias[o]) - zero * row_sums_[o];
    if (!w_zero_.empty()) add += shape_.depth() * zero * w_zero_[o], row_mul[o] = -w_zero_[o];
    row_add[o] = wrapped(add);
  }
  end.row_add = row_add;
  if (!w_zero_.empty()) end.row_mul = row_mul;
  const Run run{x, static_cast<std::uint8_t>(x_zero), end, static_cast<std::byte*>(y)};
  ScratchSlots slots(scratch.subspan(2 * vector_bytes, slots_ * slot_bytes_), slots_);
  const std::size_t pieces = static_cast<std::size_t>(shape_.batch) * groups * row_blocks_ * column_blocks_;
  base::parallel_for(0, pieces, 1, [&](std::size_t begin, std::size_t last) {
    const ScratchSlots::Slot slot(slots);
    for (std::size_t i = begin; i < last; ++i) {
      const std::size_t row = i % row_blocks_ * rows_, column = i / row_blocks_ % column_blocks_ * columns_;
      const std::size_t plane = i / row_blocks_ / column_blocks_;
      run_piece(run,
                {plane / groups, plane % groups, row, std::min(rows_, outputs - row), column,
                 std::min(columns_, pixels - column)},
                slot.data());
    }
  });
}

namespace {

// One plane of sums that are integers, as `end` says.
void finish_plane(const float* sums, std::size_t count, std::int32_t add, float scale, const EndI8& end, std::byte* y) {
  if (end.to == EndI8::To::u8 || end.to == EndI8::To::i8)
    return requantize_run(sums, static_cast<std::int64_t>(count), add, scale, end, reinterpret_cast<std::uint8_t*>(y));
  for (std::size_t i = 0; i < count; ++i) {
    const std::int32_t v = wrapped(static_cast<std::int64_t>(sums[i]) + add);
    if (end.to == EndI8::To::i32) reinterpret_cast<std::int32_t*>(y)[i] = v;
    if (end.to == EndI8::To::f32) reinterpret_cast<float*>(y)[i] = static_cast<float>(v) * scale;
  }
}

}  // namespace

DepthwiseI8::DepthwiseI8(const ConvShape& shape, ElementsI8 weights, std::span<const std::int32_t> w_zero)
    : shape_(shape), slide_(shape.window, 1) {
  const auto taps = static_cast<std::size_t>(shape.window.taps()), outputs = static_cast<std::size_t>(shape.outputs);
  for (std::size_t o = 0; o < outputs; ++o) {
    for (std::size_t k = 0; k < taps; ++k) {
      const std::uint8_t bits = weights.data[o * taps + k];
      const std::int32_t value = weights.is_signed ? static_cast<std::int8_t>(bits) : static_cast<std::int32_t>(bits);
      weights_.push_back(static_cast<float>(value - w_zero[w_zero.size() == 1 ? 0 : o]));
    }
  }
  slots_ = std::clamp<std::size_t>(outputs * static_cast<std::size_t>(shape.batch), 1,
                                   std::min(static_cast<std::size_t>(base::thread_budget()), ScratchSlots::kMost));
  slot_bytes_ = base::whole_lines(static_cast<std::uint64_t>(shape.window.inputs()) * sizeof(float)) +
                base::whole_lines(static_cast<std::uint64_t>(shape.window.outputs()) * sizeof(float)) +
                base::whole_lines(slide_.scratch_bytes());
}

void DepthwiseI8::run(ElementsI8 x, std::int32_t x_zero, const std::int32_t* bias, const EndI8& end, void* y,
                      std::span<std::byte> scratch) const {
  const auto inputs = static_cast<std::size_t>(shape_.window.inputs());
  const auto pixels = static_cast<std::size_t>(shape_.window.outputs());
  const auto outputs = static_cast<std::size_t>(shape_.outputs), channels = static_cast<std::size_t>(shape_.channels);
  const auto taps = static_cast<std::size_t>(shape_.window.taps());
  const std::size_t multiplier = outputs / channels;
  const std::size_t element = end.to == EndI8::To::i32 || end.to == EndI8::To::f32 ? 4 : 1;
  ScratchSlots slots(scratch.first(slots_ * slot_bytes_), slots_);
  base::parallel_for(0, outputs * static_cast<std::size_t>(shape_.batch), 1, [&](std::size_t begin, std::size_t last) {
    const base::ThreadLimit alone(1);
    const ScratchSlots::Slot slot(slots);
    auto* in = reinterpret_cast<float*>(slot.data());
    auto* out = in + base::whole_lines(inputs * sizeof(float)) / sizeof(float);
    auto* work = reinterpret_cast<std::byte*>(out) + base::whole_lines(pixels * sizeof(float));
    for (std::size_t i = begin; i < last; ++i) {
      const std::size_t o = i % outputs, image = i / outputs;
      const std::uint8_t* plane = x.data + (image * channels + o / multiplier) * inputs;
      dequantize_run({plane, x.is_signed}, static_cast<std::int64_t>(inputs), {1.0F, x_zero}, in);
      slide_.convolve(1, 1, in, weights_.data() + o * taps, nullptr, out,
                      {work, static_cast<std::size_t>(slide_.scratch_bytes())});
      finish_plane(out, pixels, bias == nullptr ? 0 : bias[o], end.row_scale == nullptr ? end.scale : end.row_scale[o],
                   end, static_cast<std::byte*>(y) + i * pixels * element);
    }
  });
}

ProductI8::ProductI8(const Shape& shape, ElementsI8 right) : shape_(shape) {
  left_bytes_ = base::whole_lines(packed_left_i8_bytes(shape.rows, shape.depth));
  right_bytes_ = base::whole_lines(packed_right_i8_bytes(shape.depth, shape.columns));
  scratch_bytes_ = left_bytes_ + base::whole_lines(4 * shape.rows) + 3 * base::whole_lines(4 * shape.columns);
  if (right.data == nullptr) {
    scratch_bytes_ += right_bytes_;
    return;
  }
  column_sums_.resize(shape.columns);
  packed_ = base::Buffer::allocate(right_bytes_, base::MemoryBudget(), "packed weights");
  pack_right_i8(right.data, shape.right_row, shape.right_column, shape.depth, shape.columns, right.flip_to(true),
                SignsI8::left_unsigned, packed_.as<std::uint8_t>().data(), column_sums_.data());
}

void ProductI8::run(ElementsI8 a, std::int32_t a_zero, ElementsI8 b, std::span<const std::int32_t> b_zero,
                    const std::int32_t* bias, EndI8 end, void* y, std::span<std::byte> scratch) const {
  std::byte* at = scratch.data();
  const auto take = [&at](std::uint64_t bytes) {
    std::byte* piece = at;
    at += base::whole_lines(bytes);
    return piece;
  };
  auto* left = reinterpret_cast<std::uint8_t*>(take(left_bytes_));
  auto* row_mul = reinterpret_cast<std::int32_t*>(take(4 * shape_.rows));
  auto* column_add = reinterpret_cast<std::int32_t*>(take(4 * shape_.columns));
  auto* column_mul = reinterpret_cast<std::int32_t*>(take(4 * shape_.columns));
  auto* sums = reinterpret_cast<std::int32_t*>(take(4 * shape_.columns));
  const std::uint8_t* right = packed_.as<std::uint8_t>().data();
  const std::int32_t* column_sums = column_sums_.data();
  if (packed_.data() == nullptr) {
    auto* packed = reinterpret_cast<std::uint8_t*>(take(right_bytes_));
    pack_right_i8(b.data, shape_.right_row, shape_.right_column, shape_.depth, shape_.columns, b.flip_to(true),
                  SignsI8::left_unsigned, packed, sums);
    right = packed;
    column_sums = sums;
  }
  const std::int64_t zero = a_zero + a.shift_to(false);
  bool any_zero = false;
  for (std::size_t j = 0; j < shape_.columns; ++j) {
    column_mul[j] = (b_zero.empty() ? 0 : b_zero[b_zero.size() == 1 ? 0 : j]) + b.shift_to(true);
    any_zero = any_zero || column_mul[j] != 0;
    column_add[j] = wrapped((bias == nullptr ? 0 : bias[j]) - zero * column_sums[j] +
                            static_cast<std::int64_t>(shape_.depth) * zero * column_mul[j]);
  }
  pack_left_i8(a.data, shape_.depth, 1, shape_.rows, shape_.depth, a.flip_to(false), SignsI8::left_unsigned, left,
               any_zero ? row_mul : nullptr);
  end.column_add = column_add;
  if (any_zero) {
    for (std::size_t i = 0; i < shape_.rows; ++i) row_mul[i] = -row_mul[i];
    end.row_mul = row_mul;
    end.column_mul = column_mul;
  }
  const std::size_t element = end.to == EndI8::To::i32 || end.to == EndI8::To::f32 ? 4 : 1;
  const std::size_t groups = groups_i8(shape_.depth), panels = blocks(shape_.columns, kColumnsI8);
  // A panel of columns is read once by all rows.
  base::parallel_for(0, panels, shape_.rows * shape_.depth >= 4096 ? 1 : 8, [&](std::size_t begin, std::size_t last) {
    for (std::size_t p = begin; p < last; ++p) {
      const std::size_t column = p * kColumnsI8;
      gemm_block_i8({0, shape_.rows, column, std::min(kColumnsI8, shape_.columns - column), groups, left, right,
                     SignsI8::left_unsigned, static_cast<std::byte*>(y) + column * element, shape_.columns},
                    end);
    }
  });
}

}  // namespace skerry::kernels
