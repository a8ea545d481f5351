#include <algorithm>
#include <array>
#include <bit>
#include <numeric>
#include <skerry/error.hpp>
#include <skerry/state.hpp>

#include "base/threads.hpp"
#include "kernels/statevec/reduce.hpp"
#include "sim/state/masks.hpp"
#include "sim/state/outcomes.hpp"

namespace skerry {
namespace {

/// Calls fn with a view of the amplitudes in their own precision.
template <class Function>
auto visit(const State& state, Function fn) {
  const Tensor& a = state.amplitudes();
  const int wires = static_cast<int>(state.num_wires());
  if (a.dtype() == DType::c64) return fn(kernels::ConstStateView<float>(a.as<std::complex<float>>().data(), wires));
  return fn(kernels::ConstStateView<double>(a.as<std::complex<double>>().data(), wires));
}

std::vector<int> checked_wires(std::span<const std::uint32_t> wires, std::uint32_t num_wires) {
  std::vector<int> out;
  std::vector<bool> seen(num_wires);
  for (const std::uint32_t wire : wires) {
    if (wire >= num_wires) {
      throw Error(ErrorCode::out_of_range,
                  "wire " + std::to_string(wire) + " of a state of " + std::to_string(num_wires) + " wires");
    }
    if (seen[wire]) throw Error(ErrorCode::invalid_argument, "wire " + std::to_string(wire) + " is listed twice");
    seen[wire] = true;
    out.push_back(static_cast<int>(wire));
  }
  return out;
}

}  // namespace

State::State(Tensor amplitudes) : amplitudes_(std::move(amplitudes)) {
  const auto size = static_cast<std::uint64_t>(amplitudes_.shape().elements());
  const bool complex = amplitudes_.dtype() == DType::c64 || amplitudes_.dtype() == DType::c128;
  if (!complex || amplitudes_.shape().rank() != 1 || !std::has_single_bit(size)) {
    throw Error(ErrorCode::invalid_argument, "a state has 2^n amplitudes of c64 or c128, not " +
                                                 std::string(dtype_name(amplitudes_.dtype())) +
                                                 amplitudes_.shape().text());
  }
  num_wires_ = static_cast<std::uint32_t>(std::countr_zero(size));
}

Precision State::precision() const noexcept {
  return amplitudes_.dtype() == DType::c64 ? Precision::single_precision : Precision::double_precision;
}

std::complex<double> State::amplitude(std::uint64_t basis_state) const {
  if (basis_state >> num_wires_ != 0) {
    throw Error(ErrorCode::out_of_range, "basis state " + std::to_string(basis_state) + " of a state of " +
                                             std::to_string(num_wires_) + " wires");
  }
  return visit(*this, [&](auto view) { return std::complex<double>(view.amplitudes[basis_state]); });
}

Tensor State::probabilities(std::span<const std::uint32_t> wires) const {
  std::vector<int> chosen = checked_wires(wires, num_wires_);
  if (chosen.empty()) {
    chosen.resize(num_wires_);
    std::iota(chosen.begin(), chosen.end(), 0);
  }
  Tensor out(DType::f64, {std::int64_t{1} << chosen.size()});
  visit(*this, [&](auto view) {
    kernels::add_probabilities(view, chosen, 1.0, out.mutable_view().as<double>(), RunControl{});
  });
  return out;
}

double State::expectation(const Observable& observable) const {
  if (observable.num_wires() != num_wires_) {
    throw Error(ErrorCode::invalid_argument, "an observable on " + std::to_string(observable.num_wires()) +
                                                 " wires was asked of a state of " + std::to_string(num_wires_));
  }
  std::vector<std::uint32_t> positions(num_wires_);
  std::iota(positions.begin(), positions.end(), 0U);
  const sim::MaskedObservable masked = sim::mask(observable, positions);
  return visit(*this, [&](auto view) { return sim::expectation(masked, view, RunControl{}); });
}

Counts State::sample(std::uint64_t shots, std::uint64_t seed) const {
  base::MemoryBudget budget;
  return visit(*this, [&]<class T>(kernels::ConstStateView<T> view) {
    const kernels::Sampler<T> sampler(view, budget, RunControl{});
    sim::Outcomes outcomes({num_wires_, shots, false}, budget);
    outcomes.record(
        0, shots, RunControl{}, [](std::uint64_t shot) { return shot; },
        [&](std::span<const std::uint64_t> ids, std::span<std::uint64_t> out) {
          sim::draw_batch(sampler, seed, ids, 0, out);
        },
        [](std::uint64_t basis, std::span<std::uint64_t> out) {
          if (!out.empty()) out[0] = basis;
        });
    return outcomes.counts();
  });
}

Tensor State::draw(std::uint64_t shots, std::uint64_t seed) const {
  Tensor out(DType::u64, {static_cast<std::int64_t>(shots)});
  const auto drawn = out.mutable_view().as<std::uint64_t>();
  visit(*this, [&]<class T>(kernels::ConstStateView<T> view) {
    const kernels::Sampler<T> sampler(view, base::MemoryBudget{}, RunControl{});
    constexpr std::size_t batch = 256, grain = 16 * batch;
    base::parallel_for(0, drawn.size(), grain, [&](std::size_t begin, std::size_t end) {
      std::array<std::uint64_t, batch> ids;
      for (std::size_t at = begin; at < end; at += batch) {
        const std::size_t count = std::min(batch, end - at);
        std::iota(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(count), at);
        sim::draw_batch(sampler, seed, std::span<const std::uint64_t>(ids).first(count), 0, drawn.subspan(at, count));
      }
    });
  });
  return out;
}

}  // namespace skerry
