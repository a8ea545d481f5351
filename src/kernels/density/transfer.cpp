#include "kernels/density/transfer.hpp"

#include <algorithm>
#include <cmath>

#include "base/threads.hpp"
#include "kernels/density/transfer_rows.hpp"

namespace skerry::kernels {
namespace {

/// Numbers of a piece that a thread takes at once.
constexpr std::size_t kPiece = std::size_t{1} << 15;
constexpr double kZero = 1e-15;

}  // namespace

template <class T>
Transfer<T>::Transfer(std::vector<int> on, std::span<const std::array<double, 16>> each_before,
                      std::span<const double> rows)
    : digits(std::move(on)) {
  for (const auto& matrix : each_before) {
    auto& mine = before.emplace_back();
    std::ranges::transform(matrix, mine.begin(), [](double v) { return static_cast<T>(v); });
  }
  if (rows.empty()) return;
  const std::size_t size = std::size_t{1} << (2 * digits.size());
  for (std::size_t r = 0; r < size; ++r) {
    row_begin.push_back(static_cast<std::uint32_t>(columns.size()));
    for (std::size_t c = 0; c < size; ++c) {
      if (std::abs(rows[r * size + c]) < kZero) continue;
      columns.push_back(static_cast<std::uint32_t>(c));
      values.push_back(static_cast<T>(rows[r * size + c]));
    }
  }
  row_begin.push_back(static_cast<std::uint32_t>(columns.size()));
}

Rows::Rows(std::span<const int> digits, std::size_t lanes) : places_(std::size_t{1} << (2 * digits.size())) {
  for (std::size_t r = 0; r < places_.size(); ++r) {
    for (std::size_t j = 0; j < digits.size(); ++j) places_[r] |= (r >> (2 * j) & 3U) << (2 * digits[j]);
    packed_.push_back(r * lanes);
  }
  for (const int digit : digits) low_bits_.push_back(2 * digit);
  std::ranges::sort(low_bits_);
  run_ = std::size_t{1} << low_bits_.front();
}

template <class T>
void apply(const Transfer<T>& map, std::span<T> state, int wires, const RunControl& control) {
  const Rows rows(map.digits, kLanes<T>);
  const std::size_t groups = std::size_t{1} << (2 * (static_cast<std::size_t>(wires) - map.digits.size()));
  const std::size_t grain = std::max(kPiece / rows.count(), kLanes<T>);
  base::parallel_for(0, groups, grain, [&](std::size_t begin, std::size_t end) {
    control.check("simulation");
    transfer_groups(map, rows, state.data(), begin, end);
  });
}

template struct Transfer<float>;
template struct Transfer<double>;
template void apply<float>(const Transfer<float>&, std::span<float>, int, const RunControl&);
template void apply<double>(const Transfer<double>&, std::span<double>, int, const RunControl&);

}  // namespace skerry::kernels
