#include "kernels/tensor/product.hpp"

#include <algorithm>

#include "base/lines.hpp"
#include "base/threads.hpp"
#include "kernels/tensor/scratch_slots.hpp"

namespace skerry::kernels {
namespace {

// Left rows that are packed at a time: their scratch stays small however tall the matrix is.
constexpr std::size_t kSlabRows = 1024;
// With fewer left rows than this, packing the right side costs more than reading it as it stands.
constexpr std::size_t kUnpackedRows = 12;
// From here on a stack's matrices are shared out whole, instead of each one's blocks.
constexpr std::size_t kStack = 4;

Shape stack_of(const Shape& shape) {
  return Shape(shape.dims().first(static_cast<std::size_t>(std::max(shape.rank() - 2, 0))));
}

Shape broadcast_stacks(const Shape& a, const Shape& b) {
  const Shape& longer = a.rank() >= b.rank() ? a : b;
  const Shape& shorter = a.rank() >= b.rank() ? b : a;
  std::array<std::int64_t, Shape::kMaxRank> dims{};
  const int lead = longer.rank() - shorter.rank();
  for (int axis = 0; axis < longer.rank(); ++axis) {
    const std::int64_t other = axis < lead ? 1 : shorter[axis - lead];
    dims[static_cast<std::size_t>(axis)] = longer[axis] == 1 ? other : longer[axis];
  }
  return Shape(std::span<const std::int64_t>(dims).first(static_cast<std::size_t>(longer.rank())));
}

}  // namespace

ProductShape ProductShape::matmul(const Shape& a, const Shape& b) {
  ProductShape out;
  const auto extent = [](std::int64_t value) { return static_cast<std::size_t>(value); };
  out.rows = a.rank() == 1 ? 1 : extent(a[a.rank() - 2]);
  out.depth = extent(a[a.rank() - 1]);
  out.columns = b.rank() == 1 ? 1 : extent(b[b.rank() - 1]);
  out.left_row = out.depth;
  out.right_row = out.columns;
  const Shape left = stack_of(a), right = stack_of(b), all = broadcast_stacks(left, right);
  out.batch = extent(all.elements());
  out.shared_right = right.elements() == 1;
  if (out.shared_right && left == all) {
    // One matrix on the right: the stack on the left is one tall matrix.
    out.rows *= out.batch;
    out.batch = 1;
    return out;
  }
  out.stack = BroadcastLoops<2>(all, {left, right});
  return out;
}

std::array<std::size_t, 2> ProductShape::matrices(std::size_t index) const {
  std::array<std::size_t, 2> out{};
  const auto i = static_cast<std::int64_t>(index);
  stack.for_each_run(i, i + 1, [&out](std::int64_t, const auto& offsets, std::int64_t) {
    out = {static_cast<std::size_t>(offsets[0]), static_cast<std::size_t>(offsets[1])};
  });
  return out;
}

ProductF32::ProductF32(const ProductShape& shape, std::span<const float> right) : shape_(shape) {
  if (!right.empty() && shape_.shared_right) pack({right.data(), shape_.right_row, shape_.right_column});
  set_scratch();
}

ProductF32::ProductF32(const ProductShape& shape, std::span<const float> packed, std::size_t width)
    : shape_(shape), packed_(packed) {
  if (width != gemm_tile().columns) {
    // a tensor: its memory leaves the process with it
    Tensor dense(DType::f32, Shape{static_cast<std::int64_t>(shape.depth * shape.columns)});
    unpack_right(packed.data(), shape.depth, shape.columns, width, dense.mutable_view().as<float>().data());
    pack({dense.as<float>().data(), shape.columns, 1});
  }
  set_scratch();
}

void ProductF32::pack(const MatrixView& right) {
  const std::size_t floats = packed_right_floats(shape_.depth, shape_.columns);
  own_ = base::Buffer::allocate_for<float>(floats, base::MemoryBudget(), "packed weights");
  pack_right(right, shape_.depth, shape_.columns, own_.as<float>().data());
  packed_ = own_.as<float>();
}

void ProductF32::set_scratch() {
  const auto& s = shape_;
  const bool packs_left = !dense_left() || (packed_.empty() && s.rows < kUnpackedRows && s.right_column == 1);
  const std::uint64_t left_bytes =
      packs_left ? base::whole_lines(packed_left_floats(std::min(s.rows, kSlabRows), s.depth) * sizeof(float)) : 0;
  const std::uint64_t right_bytes =
      packed_.empty() ? base::whole_lines(packed_right_floats(s.depth, s.columns) * sizeof(float)) : 0;
  if (s.batch >= kStack) {
    const auto threads = static_cast<std::size_t>(base::thread_budget());
    slots_ = std::min({threads, s.batch, ScratchSlots::kMost});
  }
  scratch_bytes_ = slots_ * (left_bytes + right_bytes);
}

void ProductF32::run_one(std::size_t index, const float* left, const float* right, GemmStart start, const float* bias,
                         float* y, float* scratch, const BlockEnd& end) const {
  const auto& s = shape_;
  const auto [a, b] = s.matrices(index);
  const std::size_t first = index * s.rows * s.columns;
  BlockEnd own = end;
  if (own.residual != nullptr) own.residual += first;
  run_shared(left + a * s.rows * s.depth, right + b * s.columns * s.depth, start, bias, y + first, scratch, own);
}

void ProductF32::run_shared(const float* left, const float* right, GemmStart start, const float* bias, float* y,
                            float* scratch, const BlockEnd& end) const {
  const auto& s = shape_;
  if (packed_.empty() && s.rows < kUnpackedRows && s.right_column == 1) {
    float* edge = scratch + base::whole_lines(packed_left_floats(s.rows, s.depth) * sizeof(float)) / sizeof(float);
    pack_left({left, s.left_row, s.left_column}, s.rows, s.depth, static_cast<float>(s.alpha), scratch);
    gemm_unpacked(s.rows, s.columns, s.depth, scratch, right, s.right_row, start, bias, y, edge);
    if (end.any()) finish_tensor(y, s.rows * s.columns, end);
    return;
  }
  const float* packed = packed_.data();
  float* slab = scratch;
  if (packed_.empty()) {
    const std::uint64_t floats =
        base::whole_lines(packed_right_floats(s.depth, s.columns) * sizeof(float)) / sizeof(float);
    pack_right({right, s.right_row, s.right_column}, s.depth, s.columns, scratch);
    packed = scratch;
    slab = scratch + floats;
  }
  if (dense_left()) return gemm_packed(s.rows, s.columns, s.depth, left, s.left_row, packed, start, bias, y, end);
  for (std::size_t row = 0; row < s.rows; row += kSlabRows) {
    const std::size_t rows = std::min(kSlabRows, s.rows - row);
    pack_left({left + row * s.left_row, s.left_row, s.left_column}, rows, s.depth, static_cast<float>(s.alpha), slab);
    BlockEnd own = end;
    if (own.residual != nullptr) own.residual += row * s.columns;
    gemm_packed(rows, s.columns, s.depth, slab, 0, packed, start, bias, y + row * s.columns, own);
  }
}

void ProductF32::run_stack(const float* left, const float* right, GemmStart start, const float* bias, float* y,
                           std::span<std::byte> scratch, const BlockEnd& end) const {
  ScratchSlots slots(scratch, slots_);
  const double flops = 2.0 * static_cast<double>(shape_.rows * shape_.columns) * static_cast<double>(shape_.depth);
  base::parallel_for(0, shape_.batch, product_grain(flops), [&](std::size_t begin, std::size_t last) {
    const ScratchSlots::Slot slot(slots);
    for (std::size_t i = begin; i < last; ++i)
      run_one(i, left, right, start, bias, y, reinterpret_cast<float*>(slot.data()), end);
  });
}

void ProductF32::run(const float* left, const float* right, GemmStart start, const float* bias, float* y,
                     std::span<std::byte> scratch, const BlockEnd& end) const {
  if (shape_.batch == 1) return run_shared(left, right, start, bias, y, reinterpret_cast<float*>(scratch.data()), end);
  if (shape_.batch >= kStack) return run_stack(left, right, start, bias, y, scratch, end);
  for (std::size_t i = 0; i < shape_.batch; ++i)
    run_one(i, left, right, start, bias, y, reinterpret_cast<float*>(scratch.data()), end);
}

}  // namespace skerry::kernels
