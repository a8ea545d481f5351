#include <algorithm>
#include <cmath>
#include <vector>

#include "base/threads.hpp"
#include "kernels/tensor/broadcast.hpp"
#include "kernels/tensor/reduce.hpp"

namespace skerry::kernels {
namespace {

// Neighbouring axes of one kind are one.
struct Axis {
  std::int64_t extent;
  bool reduced;
};

std::vector<Axis> merged(const Shape& shape, std::span<const std::uint8_t> reduced) {
  std::vector<Axis> axes;
  for (int i = 0; i < shape.rank(); ++i) {
    if (shape[i] == 1) continue;
    const bool goes = reduced[static_cast<std::size_t>(i)] != 0;
    if (axes.empty() || axes.back().reduced != goes) {
      axes.push_back({shape[i], goes});
    } else {
      axes.back().extent *= shape[i];
    }
  }
  return axes;
}

// What the first of several steps does, what those behind it do, and what is left to be done then.
Reduction begun(Reduction f) {
  if (f == Reduction::mean || f == Reduction::log_sum) return Reduction::sum;
  return f == Reduction::l2 ? Reduction::sum_square : f;
}
Reduction continued(Reduction f) {
  return f == Reduction::max || f == Reduction::min || f == Reduction::log_sum_exp ? f : Reduction::sum;
}
void finish(Reduction f, std::int64_t length, std::span<float> y) {
  if (f != Reduction::mean && f != Reduction::log_sum && f != Reduction::l2) return;
  base::parallel_for(0, y.size(), kElementGrain, [&](std::size_t begin, std::size_t end) {
    for (float& v : y.subspan(begin, end - begin))
      v = f == Reduction::mean ? v / static_cast<float>(length) : f == Reduction::l2 ? std::sqrt(v) : std::log(v);
  });
}

}  // namespace

ReduceF32::ReduceF32(Reduction f, const Shape& shape, std::span<const std::uint8_t> reduced) : f_(f) {
  std::vector<Axis> axes = merged(shape, reduced);
  while (true) {
    const auto from_behind = std::find_if(axes.rbegin(), axes.rend(), [](const Axis& axis) { return axis.reduced; });
    if (from_behind == axes.rend()) break;
    const auto at = static_cast<std::size_t>(axes.rend() - from_behind) - 1;
    Step step{.length = axes[at].extent};
    for (std::size_t i = 0; i < axes.size(); ++i)
      if (i != at) (i < at ? step.outer : step.inner) *= axes[i].extent;
    steps_.push_back(step);
    axes.erase(axes.begin() + static_cast<std::ptrdiff_t>(at));
  }
  // Where nothing goes away, every element is its own result.
  if (steps_.empty()) steps_.push_back({.outer = shape.elements()});
  for (std::size_t i = 0; i + 1 < steps_.size(); ++i) scratch_floats_ += static_cast<std::size_t>(steps_[i].results());
}

void ReduceF32::run(const float* x, float* y, std::span<std::byte> scratch) const {
  if (steps_.size() == 1) return reduce_f32(f_, x, steps_[0].outer, steps_[0].length, steps_[0].inner, y);
  auto* between = reinterpret_cast<float*>(scratch.data());
  std::int64_t length = 1;
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    const Step& step = steps_[i];
    float* const to = i + 1 == steps_.size() ? y : between;
    reduce_f32(i == 0 ? begun(f_) : continued(f_), x, step.outer, step.length, step.inner, to);
    between += step.results();
    length *= step.length;
    x = to;
  }
  finish(f_, length, {y, static_cast<std::size_t>(steps_.back().results())});
}

}  // namespace skerry::kernels
