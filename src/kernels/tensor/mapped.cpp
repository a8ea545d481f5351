#include "kernels/tensor/mapped.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <skerry/error.hpp>
#include <string>

#include "base/threads.hpp"
#include "kernels/tensor/broadcast.hpp"

namespace skerry::kernels {
namespace {

struct Wide {
  std::uint64_t words[2];
};

// Shorter runs are not worth a call.
constexpr std::int64_t kLeastRun = 4;

}  // namespace

MappedCopy::MappedCopy(const Shape& x, const Shape& y,
                       const std::function<std::int64_t(std::size_t, std::int64_t)>& source) {
  if (y.rank() == 0) {
    add({Part::Way::run, 1, 0});
    return;
  }
  const auto last = static_cast<std::size_t>(y.rank() - 1);
  std::int64_t step = x[y.rank() - 1];
  outer_.resize(last);
  for (std::size_t axis = last; axis-- > 0;) {
    const auto extent = y[static_cast<int>(axis)];
    for (std::int64_t i = 0; i < extent; ++i) {
      const std::int64_t from = source(axis, i);
      outer_[axis].push_back(from < 0 ? -1 : from * step);
    }
    step *= x[static_cast<int>(axis)];
  }
  // Piece by piece: a row may be most of the tensor, and its parts few.
  constexpr std::int64_t kPiece = 4096;
  width_ = static_cast<std::size_t>(y[y.rank() - 1]);
  std::vector<std::int64_t> piece;
  for (std::int64_t begin = 0; begin < y[y.rank() - 1]; begin += kPiece) {
    piece.clear();
    for (std::int64_t i = begin; i < std::min(begin + kPiece, y[y.rank() - 1]); ++i) piece.push_back(source(last, i));
    add_parts(piece);
  }
}

void MappedCopy::add_parts(std::span<const std::int64_t> from) {
  using Way = Part::Way;
  while (!from.empty()) {
    std::size_t fills = 0, run = 0, pairs = 0;
    const auto is = [&](std::size_t i, std::size_t steps) {
      return i < from.size() && from[i] == from[0] + static_cast<std::int64_t>(steps);
    };
    while (fills < from.size() && from[fills] < 0) ++fills;
    while (fills == 0 && is(run, run)) ++run;
    while (fills == 0 && is(2 * pairs, pairs) && is(2 * pairs + 1, pairs)) ++pairs;
    Part part{Way::table, 1, static_cast<std::int64_t>(table_.size())};
    if (fills > 0) {
      part = {Way::fill, static_cast<std::int64_t>(fills), 0};
    } else if (2 * pairs >= kLeastRun && 2 * pairs > run) {
      part = {Way::twice, static_cast<std::int64_t>(2 * pairs), from[0]};
    } else if (run >= kLeastRun) {
      part = {Way::run, static_cast<std::int64_t>(run), from[0]};
    } else {
      table_.push_back(from[0]);
    }
    add(part);
    from = from.subspan(static_cast<std::size_t>(part.count));
  }
}

void MappedCopy::add(Part part) {
  if (!parts_.empty() && parts_.back().way == part.way) {
    Part& before = parts_.back();
    const std::int64_t read = part.way == Part::Way::twice ? before.count / 2 : before.count;
    if (part.way == Part::Way::fill || part.from == before.from + read) {
      before.count += part.count;
      return;
    }
  }
  parts_.push_back(part);
}

std::uint64_t MappedCopy::bytes() const noexcept {
  std::uint64_t total = table_.size() * sizeof(std::int64_t) + parts_.size() * sizeof(Part);
  for (const auto& table : outer_) total += table.size() * sizeof(std::int64_t);
  return total;
}

template <class T>
void MappedCopy::row(const T* x, T fill, T* y) const {
  for (const Part& part : parts_) {
    const T* const first = x + part.from;
    switch (part.way) {
      case Part::Way::fill:
        std::fill_n(y, part.count, fill);
        break;
      case Part::Way::run:
        std::memcpy(y, first, static_cast<std::size_t>(part.count) * sizeof(T));
        break;
      case Part::Way::twice:
        for (std::int64_t i = 0; i < part.count / 2; ++i) y[2 * i] = y[2 * i + 1] = first[i];
        break;
      case Part::Way::table:
        for (std::int64_t i = 0; i < part.count; ++i) y[i] = x[table_[static_cast<std::size_t>(part.from + i)]];
        break;
    }
    y += part.count;
  }
}

template <class T>
void MappedCopy::run_as(const std::byte* x, const std::byte* fill, std::byte* y) const {
  const T* const in = reinterpret_cast<const T*>(x);
  T* const out = reinterpret_cast<T*>(y);
  T value;
  std::memcpy(&value, fill, sizeof(T));
  const std::size_t width = width_, rank = outer_.size();
  std::size_t rows = 1;
  for (const auto& table : outer_) rows *= table.size();
  if (width == 0) return;
  base::parallel_for(0, rows, std::max<std::size_t>(1, kElementGrain / width), [&](std::size_t begin, std::size_t end) {
    std::array<std::size_t, Shape::kMaxRank> at{};
    for (std::size_t axis = rank, rest = begin; axis-- > 0;) {
      at[axis] = rest % outer_[axis].size();
      rest /= outer_[axis].size();
    }
    std::int64_t before = -2;  // where the row above came from
    for (std::size_t r = begin; r < end; ++r) {
      std::int64_t base = 0;
      for (std::size_t axis = 0; axis < rank && base >= 0; ++axis) {
        const std::int64_t offset = outer_[axis][at[axis]];
        base = offset < 0 ? -1 : base + offset;
      }
      T* const to = out + r * width;
      if (base < 0) {
        std::fill_n(to, width, value);
      } else if (base == before) {
        std::memcpy(to, to - width, width * sizeof(T));
      } else {
        row(in + base, value, to);
      }
      before = base < 0 ? -2 : base;
      for (std::size_t axis = rank; axis-- > 0;) {
        if (++at[axis] < outer_[axis].size()) break;
        at[axis] = 0;
      }
    }
  });
}

void MappedCopy::run(TensorView x, const std::byte* fill, MutableTensorView y) const {
  switch (dtype_bits(x.dtype())) {
    case 8:
      return run_as<std::uint8_t>(x.data(), fill, y.data());
    case 16:
      return run_as<std::uint16_t>(x.data(), fill, y.data());
    case 32:
      return run_as<std::uint32_t>(x.data(), fill, y.data());
    case 64:
      return run_as<std::uint64_t>(x.data(), fill, y.data());
    case 128:
      return run_as<Wide>(x.data(), fill, y.data());
    default:
      throw Error(ErrorCode::internal, std::string(dtype_name(x.dtype())) + " cannot be moved");
  }
}

}  // namespace skerry::kernels
