#include "kernels/statevec/gate.hpp"

#include <algorithm>

#include "base/threads.hpp"

namespace skerry::kernels {
namespace {

/// Amplitudes in one piece of work: 128 or 256 KiB, tens of microseconds, and half of a usual second-level cache.
constexpr std::size_t kPiece = std::size_t{1} << 14;

/// Column of the only entry of each row that is not zero; empty when a row has another number of them.
std::vector<std::uint32_t> single_columns(std::span<const std::complex<double>> matrix, std::size_t rows) {
  std::vector<std::uint32_t> columns(rows);
  std::vector<bool> taken(rows);
  for (std::size_t r = 0; r < rows; ++r) {
    const auto row = matrix.subspan(r * rows, rows);
    const auto filled = [](const std::complex<double>& z) { return z != 0.0; };
    if (std::ranges::count_if(row, filled) != 1) return {};
    const auto column = static_cast<std::size_t>(std::ranges::find_if(row, filled) - row.begin());
    if (taken[column]) return {};
    taken[column] = true;
    columns[r] = static_cast<std::uint32_t>(column);
  }
  return columns;
}

bool is_diagonal(std::span<const std::complex<double>> matrix, std::size_t rows) {
  for (std::size_t i = 0; i < matrix.size(); ++i)
    if (i / rows != i % rows && matrix[i] != 0.0) return false;
  return true;
}

}  // namespace

template <class T>
Gate<T>::Gate(int wires, std::uint64_t controls, std::span<const int> targets,
              std::span<const std::complex<double>> matrix)
    : groups_(wires, controls, targets) {
  classify(matrix);
}

template <class T>
void Gate<T>::classify(std::span<const std::complex<double>> matrix) {
  const std::size_t rows = groups_.offsets().size();
  if (is_diagonal(matrix, rows)) {
    for (std::size_t r = 0; r < rows; ++r) values_.emplace_back(matrix[r * rows + r]);
    const bool identity = std::ranges::all_of(values_, [](std::complex<T> z) { return z == std::complex<T>(1); });
    action_ = identity ? Action::none : Action::diagonal;
    return;
  }
  sources_ = single_columns(matrix, rows);
  if (!sources_.empty()) {
    for (std::size_t r = 0; r < rows; ++r) values_.emplace_back(matrix[r * rows + sources_[r]]);
    action_ = Action::permute;
    return;
  }
  for (const auto& z : matrix) values_.emplace_back(z);
  action_ = Action::dense;
}

template <class T>
void Gate<T>::apply(StateView<T> state, const RunControl& control) const {
  if (action_ == Action::none) return;
  const Kernels<T>& set = kernels<T>();
  const std::size_t grain = std::max(kPiece / groups_.offsets().size(), kGroupAlignment);
  base::parallel_for(0, groups_.count(), grain, [&](std::size_t begin, std::size_t end) {
    control.check("simulation");
    switch (action_) {
      case Action::none:
        break;
      case Action::diagonal:
        set.diagonal(state, groups_, values_, begin, end);
        break;
      case Action::permute:
        set.permute(state, groups_, sources_, values_, begin, end);
        break;
      case Action::dense:
        set.dense(state, groups_, values_, begin, end);
        break;
    }
  });
}

template class Gate<float>;
template class Gate<double>;

}  // namespace skerry::kernels
