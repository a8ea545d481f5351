#include "kernels/network/contract.hpp"

#include <algorithm>
#include <array>

#include "base/threads.hpp"
#include "kernels/network/contract_task.hpp"

namespace skerry::kernels {
namespace {

/// Multiplications that are worth a piece of their own: some tens of microseconds.
constexpr std::size_t kPiece = std::size_t{1} << 17;

}  // namespace

Spread::Spread(std::span<const std::uint8_t> places) : bits_(places.size()), parts_((bits_ + kBits - 1) / kBits) {
  for (std::size_t i = 0; i < bits_ && places[i] == i; ++i) run_ *= 2;
  for (std::size_t part = 0; part < parts_; ++part) {
    const std::size_t bits = std::min(kBits, bits_ - part * kBits);
    begin_[part] = table_.size();
    table_.push_back(0);
    for (std::size_t i = 0; i < bits; ++i) {
      const std::size_t half = std::size_t{1} << i;
      for (std::size_t k = 0; k < half; ++k)
        table_.push_back(table_[begin_[part] + k] + (std::uint32_t{1} << places[part * kBits + i]));
    }
  }
}

template <class T>
void contract(const ContractionAxes& axes, Planes<const T> a, Planes<const T> b, T* c, const RunControl& control) {
  const Spread a_batch(axes.a_batch), a_rows(axes.a_rows), a_inner(axes.a_inner);
  const Spread b_batch(axes.b_batch), b_inner(axes.b_inner), b_columns(axes.b_columns);
  const std::size_t rows = a_rows.size(), columns = b_columns.size(), batch = a_batch.size(), inner = a_inner.size();
  const std::size_t row_block = std::min(rows, kRowBlock), column_block = std::min(columns, kColumnBlock);
  const std::size_t by_row = rows / row_block, by_column = columns / column_block, tasks = batch * by_row * by_column;
  const std::size_t grain = std::max<std::size_t>(1, kPiece / (row_block * column_block * inner));
  base::parallel_for(0, tasks, grain, [&](std::size_t begin, std::size_t end) {
    std::array<std::size_t, kRowBlock> row_offset;
    std::array<std::size_t, kColumnBlock> column_offset;
    control.check("contraction");
    for (std::size_t task = begin; task < end; ++task) {
      const std::size_t at = task / (by_row * by_column), row = task / by_column % by_row * row_block,
                        column = task % by_column * column_block;
      for (std::size_t i = 0; i < row_block; ++i) row_offset[i] = a_rows(row + i);
      for (std::size_t i = 0; i < column_block; ++i) column_offset[i] = b_columns(column + i);
      run_contraction(ContractionTask<T>{.a = a.re + a_batch(at),
                                         .b = b.re + b_batch(at),
                                         .c = c + (at * rows + row) * columns + column,
                                         .a_plane = a.plane,
                                         .b_plane = b.plane,
                                         .c_plane = batch * rows * columns,
                                         .c_stride = columns,
                                         .rows = row_block,
                                         .columns = column_block,
                                         .inner = inner,
                                         .column_run = b_columns.run(),
                                         .row_offset = row_offset.data(),
                                         .column_offset = column_offset.data(),
                                         .a_inner = &a_inner,
                                         .b_inner = &b_inner});
    }
  });
}

template void contract(const ContractionAxes&, Planes<const float>, Planes<const float>, float*, const RunControl&);
template void contract(const ContractionAxes&, Planes<const double>, Planes<const double>, double*, const RunControl&);

}  // namespace skerry::kernels
