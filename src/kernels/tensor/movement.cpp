#include "kernels/tensor/movement.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <skerry/error.hpp>
#include <string>

#include "base/threads.hpp"
#include "kernels/tensor/broadcast.hpp"

namespace skerry::kernels {
namespace {

constexpr std::size_t kMaxLoops = std::size_t{2} * Shape::kMaxRank;
using Extents = std::array<std::int64_t, kMaxLoops>;

std::size_t width_of(DType dtype) {
  return static_cast<std::size_t>(dtype_bits(dtype)) / 8;
}

Extents row_major(const Shape& shape) {
  Extents strides{};
  std::int64_t step = 1;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    strides[static_cast<std::size_t>(axis)] = step;
    step *= shape[axis];
  }
  return strides;
}

// The loop nest with axes of one element left out and axes merged that lie one after the other on both sides.
struct Loops {
  std::size_t rank = 0;
  Extents dims{}, in{}, out{};

  Loops(std::span<const std::int64_t> extents, std::span<const std::int64_t> ins, std::span<const std::int64_t> outs) {
    for (std::size_t axis = 0; axis < extents.size(); ++axis) {
      if (extents[axis] == 1) continue;
      const bool merges =
          rank > 0 && in[rank - 1] == ins[axis] * extents[axis] && out[rank - 1] == outs[axis] * extents[axis];
      if (!merges) dims[rank++] = 1;
      dims[rank - 1] *= extents[axis];
      in[rank - 1] = ins[axis];
      out[rank - 1] = outs[axis];
    }
    if (rank == 0) {
      rank = 1;
      dims[0] = in[0] = out[0] = 1;
    }
  }
};

struct Wide {
  std::uint64_t words[2];
};

// What is filled is copied behind itself, twice as much each time up to what the first cache holds.
template <class T>
void fill(T* out, std::int64_t count, T value) {
  constexpr std::int64_t kFew = 16, kMost = 2048;
  std::int64_t done = std::min(count, kFew);
  for (std::int64_t i = 0; i < done; ++i) out[i] = value;
  while (done < count) {
    const std::int64_t more = std::min({done, count - done, kMost});
    std::memcpy(out + done, out, static_cast<std::size_t>(more) * sizeof(T));
    done += more;
  }
}

template <class T>
void copy_run(const T* in, std::int64_t in_step, T* out, std::int64_t out_step, std::int64_t count) {
  if (in_step == 1 && out_step == 1) {
    std::memcpy(out, in, static_cast<std::size_t>(count) * sizeof(T));
  } else if (in_step == 0 && out_step == 1) {
    fill(out, count, *in);
  } else {
    for (std::int64_t i = 0; i < count; ++i) out[i * out_step] = in[i * in_step];
  }
}

// Offsets of the index-th turn of the first `rank` loops.
struct Offsets {
  std::int64_t in = 0, out = 0;
  Offsets(const Loops& loops, std::size_t rank, std::int64_t index) {
    for (std::size_t axis = rank; axis-- > 0;) {
      const std::int64_t i = index % loops.dims[axis];
      index /= loops.dims[axis];
      in += i * loops.in[axis];
      out += i * loops.out[axis];
    }
  }
};

std::int64_t turns(const Loops& loops, std::size_t rank) {
  std::int64_t product = 1;
  for (std::size_t axis = 0; axis < rank; ++axis) product *= loops.dims[axis];
  return product;
}

std::size_t grain_of(std::int64_t elements) {
  return std::max<std::size_t>(1, kElementGrain / static_cast<std::size_t>(std::max<std::int64_t>(elements, 1)));
}

constexpr std::int64_t kSide = 16;

// One strip of the two innermost loops, in squares. A transposition that read whole columns would miss the cache at
// every element; in a strip of 16 rows of the input each row is read from end to end, each line of the output is
// written at once.
template <class T>
void copy_strip(const T* in, T* out, const Loops& loops, std::int64_t strip) {
  const std::size_t b = loops.rank - 1;
  const std::size_t a = b - 1;
  const std::int64_t j0 = strip * kSide;
  const std::int64_t count = std::min(kSide, loops.dims[b] - j0);
  in += j0 * loops.in[b];
  out += j0 * loops.out[b];
  for (std::int64_t i = 0; i < loops.dims[a]; ++i)
    copy_run(in + i * loops.in[a], loops.in[b], out + i * loops.out[a], loops.out[b], count);
}

template <class T>
void copy_strips(const T* in, T* out, const Loops& loops) {
  const std::size_t outer_rank = loops.rank - 2;
  const std::int64_t strips = (loops.dims[loops.rank - 1] + kSide - 1) / kSide;
  const auto pieces = static_cast<std::size_t>(turns(loops, outer_rank) * strips);
  base::parallel_for(0, pieces, grain_of(kSide * loops.dims[loops.rank - 2]), [&](std::size_t begin, std::size_t end) {
    for (std::size_t piece = begin; piece < end; ++piece) {
      const auto index = static_cast<std::int64_t>(piece);
      const Offsets at(loops, outer_rank, index / strips);
      copy_strip(in + at.in, out + at.out, loops, index % strips);
    }
  });
}

template <class T>
void copy_rows(const T* in, T* out, const Loops& loops) {
  const std::size_t last = loops.rank - 1;
  base::parallel_for(0, static_cast<std::size_t>(turns(loops, last)), grain_of(loops.dims[last]),
                     [&](std::size_t begin, std::size_t end) {
                       // Row after row along the innermost of the other loops.
                       const std::int64_t along = loops.dims[last - 1], stop = static_cast<std::int64_t>(end);
                       for (auto row = static_cast<std::int64_t>(begin); row < stop;) {
                         Offsets at(loops, last, row);
                         const std::int64_t rows = std::min(stop - row, along - row % along);
                         row += rows;
                         for (std::int64_t i = 0; i < rows; ++i) {
                           copy_run(in + at.in, loops.in[last], out + at.out, loops.out[last], loops.dims[last]);
                           at.in += loops.in[last - 1];
                           at.out += loops.out[last - 1];
                         }
                       }
                     });
}

template <class T>
void copy_as(const std::byte* from, std::byte* to, const Loops& loops) {
  const T* in = reinterpret_cast<const T*>(from);
  T* out = reinterpret_cast<T*>(to);
  const std::size_t last = loops.rank - 1;
  if (last == 0) {
    const auto count = static_cast<std::size_t>(loops.dims[0]);
    base::parallel_for(0, count, kElementGrain * 4, [&](std::size_t begin, std::size_t end) {
      const auto at = static_cast<std::int64_t>(begin);
      copy_run(in + at * loops.in[0], loops.in[0], out + at * loops.out[0], loops.out[0],
               static_cast<std::int64_t>(end - begin));
    });
  } else if (loops.in[last] != 1 && loops.in[last] != 0) {
    copy_strips(in, out, loops);
  } else {
    copy_rows(in, out, loops);
  }
}

}  // namespace

void copy_strided(const std::byte* in, std::span<const std::int64_t> in_strides, std::byte* out,
                  std::span<const std::int64_t> out_strides, std::span<const std::int64_t> dims, std::size_t width) {
  if (std::ranges::find(dims, 0) != dims.end()) return;
  const Loops loops(dims, in_strides, out_strides);
  switch (width) {
    case 1:
      return copy_as<std::uint8_t>(in, out, loops);
    case 2:
      return copy_as<std::uint16_t>(in, out, loops);
    case 4:
      return copy_as<std::uint32_t>(in, out, loops);
    case 8:
      return copy_as<std::uint64_t>(in, out, loops);
    case 16:
      return copy_as<Wide>(in, out, loops);
    default:
      throw Error(ErrorCode::internal, "elements of " + std::to_string(width) + " bytes cannot be copied");
  }
}

void transpose(TensorView x, std::span<const std::int64_t> perm, MutableTensorView y) {
  const Extents from = row_major(x.shape());
  const Extents to = row_major(y.shape());
  Extents in{};
  for (std::size_t axis = 0; axis < perm.size(); ++axis) in[axis] = from[static_cast<std::size_t>(perm[axis])];
  copy_strided(x.data(), std::span(in).first(perm.size()), y.data(), std::span(to).first(perm.size()), y.shape().dims(),
               width_of(x.dtype()));
}

void slice(TensorView x, std::span<const std::int64_t> starts, std::span<const std::int64_t> steps,
           MutableTensorView y) {
  const Extents from = row_major(x.shape());
  const Extents to = row_major(y.shape());
  Extents in{};
  std::int64_t offset = 0;
  if (y.elements() == 0) return;
  for (std::size_t axis = 0; axis < starts.size(); ++axis) {
    in[axis] = from[axis] * steps[axis];
    offset += from[axis] * starts[axis];
  }
  const std::size_t width = width_of(x.dtype());
  copy_strided(x.data() + offset * static_cast<std::int64_t>(width), std::span(in).first(starts.size()), y.data(),
               std::span(to).first(starts.size()), y.shape().dims(), width);
}

void expand(TensorView x, MutableTensorView y) {
  const Extents from = row_major(x.shape());
  const Extents to = row_major(y.shape());
  Extents in{};
  const auto lead = static_cast<std::size_t>(y.shape().rank() - x.shape().rank());
  for (int axis = 0; axis < x.shape().rank(); ++axis) {
    if (x.shape()[axis] != 1) in[static_cast<std::size_t>(axis) + lead] = from[static_cast<std::size_t>(axis)];
  }
  const auto rank = static_cast<std::size_t>(y.shape().rank());
  copy_strided(x.data(), std::span(in).first(rank), y.data(), std::span(to).first(rank), y.shape().dims(),
               width_of(x.dtype()));
}

// Each axis becomes two loops: over the repetitions, which stand still in x, and over the extent.
void tile(TensorView x, MutableTensorView y) {
  const Extents from = row_major(x.shape());
  const Extents to = row_major(y.shape());
  Extents in{}, out{}, dims{};
  const auto rank = static_cast<std::size_t>(x.shape().rank());
  if (x.elements() == 0) return;
  for (std::size_t axis = 0; axis < rank; ++axis) {
    const std::int64_t extent = x.shape()[static_cast<int>(axis)];
    dims[2 * axis] = y.shape()[static_cast<int>(axis)] / extent;
    dims[2 * axis + 1] = extent;
    in[2 * axis + 1] = from[axis];
    out[2 * axis] = to[axis] * extent;
    out[2 * axis + 1] = to[axis];
  }
  copy_strided(x.data(), std::span(in).first(2 * rank), y.data(), std::span(out).first(2 * rank),
               std::span(dims).first(2 * rank), width_of(x.dtype()));
}

void place(TensorView x, int axis, std::int64_t at, MutableTensorView y) {
  const Extents from = row_major(x.shape());
  const Extents to = row_major(y.shape());
  const auto rank = static_cast<std::size_t>(x.shape().rank());
  const std::size_t width = width_of(x.dtype());
  std::byte* start = y.data() + at * to[static_cast<std::size_t>(axis)] * static_cast<std::int64_t>(width);
  copy_strided(x.data(), std::span(from).first(rank), start, std::span(to).first(rank), x.shape().dims(), width);
}

void extract(TensorView x, int axis, std::int64_t at, MutableTensorView y) {
  const Extents from = row_major(x.shape());
  const Extents to = row_major(y.shape());
  const auto rank = static_cast<std::size_t>(x.shape().rank());
  const std::size_t width = width_of(x.dtype());
  const std::byte* start = x.data() + at * from[static_cast<std::size_t>(axis)] * static_cast<std::int64_t>(width);
  copy_strided(start, std::span(from).first(rank), y.data(), std::span(to).first(rank), y.shape().dims(), width);
}

namespace {

// Index `i` as a place on an axis.
std::int64_t place_at(const TensorView& indices, std::int64_t i, std::int64_t extent) {
  const std::int64_t index = indices.dtype() == DType::i32 ? reinterpret_cast<const std::int32_t*>(indices.data())[i]
                                                           : reinterpret_cast<const std::int64_t*>(indices.data())[i];
  if (index < -extent || index >= extent) {
    throw Error(ErrorCode::out_of_range,
                "index " + std::to_string(index) + " is outside an axis of " + std::to_string(extent) + " elements");
  }
  return index < 0 ? index + extent : index;
}

template <class T>
void gather_elements_as(const TensorView& x, int axis, const TensorView& indices, std::byte* y) {
  const ElementPlaces places(x.shape(), axis, indices);
  const T* const in = reinterpret_cast<const T*>(x.data());
  T* const out = reinterpret_cast<T*>(y);
  const std::int64_t width = places.width();
  base::parallel_for(0, static_cast<std::size_t>(places.rows()), grain_of(width),
                     [&](std::size_t begin, std::size_t end) {
                       std::array<std::int64_t, ElementPlaces::kMost> at;
                       for (auto row = static_cast<std::int64_t>(begin); row < static_cast<std::int64_t>(end); ++row) {
                         for (std::int64_t first = 0; first < width; first += ElementPlaces::kMost) {
                           const std::int64_t last = std::min(first + ElementPlaces::kMost, width);
                           places.of(row, first, last, at.data());
                           T* const to = out + row * width + first;
                           for (std::int64_t j = 0; j < last - first; ++j) to[j] = in[at[static_cast<std::size_t>(j)]];
                         }
                       }
                     });
}

}  // namespace

ElementPlaces::ElementPlaces(const Shape& x, int axis, TensorView indices)
    : indices_(indices),
      shape_(indices.shape()),
      axis_(static_cast<std::size_t>(axis)),
      last_(static_cast<std::size_t>(indices.shape().rank() - 1)),
      width_(indices.shape()[indices.shape().rank() - 1]),
      extent_(x[axis]) {
  const Extents steps = row_major(x);
  std::copy_n(steps.begin(), steps_.size(), steps_.begin());
}

template <class T>
void ElementPlaces::of_as(std::int64_t row, std::int64_t begin, std::int64_t end, std::int64_t* places) const {
  std::int64_t base = 0;
  for (std::size_t d = last_, rest = static_cast<std::size_t>(row); d-- > 0;) {
    const auto count = static_cast<std::size_t>(shape_[static_cast<int>(d)]);
    if (d != axis_) base += static_cast<std::int64_t>(rest % count) * steps_[d];
    rest /= count;
  }
  const T* const from = reinterpret_cast<const T*>(indices_.data()) + row * width_;
  const std::int64_t along = axis_ == last_ ? 0 : 1, step = steps_[axis_], extent = extent_;
  bool outside = false;
  for (std::int64_t j = begin; j < end; ++j) {
    const auto index = static_cast<std::int64_t>(from[j]);
    const std::int64_t place = index + (index < 0 ? extent : 0);
    outside |= static_cast<std::uint64_t>(place) >= static_cast<std::uint64_t>(extent);
    places[j - begin] = base + j * along + place * step;
  }
  for (std::int64_t j = begin; outside && j < end; ++j) place_at(indices_, row * width_ + j, extent);
}

void ElementPlaces::of(std::int64_t row, std::int64_t begin, std::int64_t end, std::int64_t* places) const {
  indices_.dtype() == DType::i32 ? of_as<std::int32_t>(row, begin, end, places)
                                 : of_as<std::int64_t>(row, begin, end, places);
}

void gather(TensorView x, int axis, TensorView indices, MutableTensorView y) {
  const std::size_t width = width_of(x.dtype());
  const std::int64_t extent = x.shape()[axis];
  std::int64_t outer = 1, inner = 1;
  for (int i = 0; i < axis; ++i) outer *= x.shape()[i];
  for (int i = axis + 1; i < x.shape().rank(); ++i) inner *= x.shape()[i];
  const std::int64_t count = indices.elements();
  const std::size_t row_bytes = static_cast<std::size_t>(inner) * width;
  const auto index_at = [&](std::int64_t i) { return place_at(indices, i, extent); };
  const std::size_t grain = std::max<std::size_t>(1, 4 * kElementGrain / std::max<std::size_t>(row_bytes, 1));
  base::parallel_for(0, static_cast<std::size_t>(outer * count), grain, [&](std::size_t begin, std::size_t end) {
    for (std::size_t row = begin; row < end; ++row) {
      const auto o = static_cast<std::int64_t>(row) / count;
      const std::int64_t from = o * extent + index_at(static_cast<std::int64_t>(row) % count);
      std::memcpy(y.data() + row * row_bytes, x.data() + static_cast<std::size_t>(from) * row_bytes, row_bytes);
    }
  });
}

void gather_elements(TensorView x, int axis, TensorView indices, MutableTensorView y) {
  if (indices.elements() == 0) return;
  switch (width_of(x.dtype())) {
    case 1:
      return gather_elements_as<std::uint8_t>(x, axis, indices, y.data());
    case 2:
      return gather_elements_as<std::uint16_t>(x, axis, indices, y.data());
    case 4:
      return gather_elements_as<std::uint32_t>(x, axis, indices, y.data());
    case 8:
      return gather_elements_as<std::uint64_t>(x, axis, indices, y.data());
    default:
      return gather_elements_as<Wide>(x, axis, indices, y.data());
  }
}

}  // namespace skerry::kernels
