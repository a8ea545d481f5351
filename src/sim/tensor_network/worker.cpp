#include "sim/tensor_network/worker.hpp"

#include <algorithm>

namespace skerry::sim {
namespace {

template <class T>
struct Stores {
  T* leaves;
  T* fixed;
  T* varying;
};

template <class T>
kernels::Planes<T> planes(const TensorPlace& place, const Stores<T>& stores, std::uint64_t shift) {
  T* const base = place.store == TensorPlace::Store::leaves  ? stores.leaves
                  : place.store == TensorPlace::Store::fixed ? stores.fixed
                                                             : stores.varying;
  return {base + 2 * place.offset + shift, place.size};
}

template <class T>
void run_step(const Schedule& schedule, const ContractionStep& step, const Stores<T>& stores,
              std::span<const std::uint64_t> shift, const RunControl& control) {
  const auto operand = [&](NodeId node) {
    const auto at = planes(schedule.places[node], stores, node < shift.size() ? shift[node] : 0);
    return kernels::Planes<const T>{at.re, at.plane};
  };
  kernels::contract<T>(step.axes, operand(step.a), operand(step.b), planes(schedule.places[step.out], stores, 0).re,
                       control);
}

template <class T>
base::Buffer room(std::uint64_t numbers, const base::MemoryBudget& budget, const char* what) {
  return base::Buffer::allocate_for<std::complex<T>>(numbers, budget, what);
}

}  // namespace

template <class T>
FixedPart<T>::FixedPart(const Schedule& schedule, const base::MemoryBudget& budget)
    : schedule_(schedule),
      leaves_(room<T>(schedule.leaf_numbers, budget, "tensors of the gates")),
      numbers_(room<T>(schedule.fixed_numbers, budget, "contracted tensors")) {}

template <class T>
void FixedPart<T>::fill(std::span<const std::vector<std::complex<double>>> leaves, const RunControl& control) {
  const Stores<T> stores{leaves_.as<T>().data(), numbers_.as<T>().data(), nullptr};
  for (std::size_t leaf = 0; leaf < leaves.size(); ++leaf) {
    const auto [re, plane] = planes(schedule_.places[leaf], stores, 0);
    for (std::size_t i = 0; i < leaves[leaf].size(); ++i) {
      re[i] = static_cast<T>(leaves[leaf][i].real());
      re[plane + i] = static_cast<T>(leaves[leaf][i].imag());
    }
  }
  for (std::size_t i = 0; i < schedule_.fixed_steps; ++i)
    run_step<T>(schedule_, schedule_.steps[i], stores, {}, control);
}

template <class T>
Worker<T>::Worker(const Schedule& schedule, const base::MemoryBudget& budget)
    : schedule_(schedule), numbers_(room<T>(schedule.varying_numbers, budget, "contracted tensors of a slice")) {}

template <class T>
std::complex<double> Worker<T>::slice(FixedPart<T>& fixed, std::uint64_t number, const RunControl& control) {
  const Stores<T> stores{fixed.leaves_.template as<T>().data(), fixed.numbers_.template as<T>().data(),
                         numbers_.as<T>().data()};
  if (schedule_.sliced != 0) {
    shift_.assign(schedule_.sliced_axes.back().leaf + 1, 0);
    for (const SlicedAxis& axis : schedule_.sliced_axes) shift_[axis.leaf] |= (number >> axis.slice & 1) << axis.place;
  }
  for (std::size_t i = schedule_.fixed_steps; i < schedule_.steps.size(); ++i)
    run_step<T>(schedule_, schedule_.steps[i], stores, shift_, control);
  const auto [re, plane] = planes(schedule_.places[schedule_.root], stores, 0);
  return {re[0], re[plane]};
}

template class FixedPart<float>;
template class FixedPart<double>;
template class Worker<float>;
template class Worker<double>;

}  // namespace skerry::sim
