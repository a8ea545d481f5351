// What a walk gathers at the end of each trajectory, and the result made of it.

#include <algorithm>
#include <array>
#include <memory>
#include <numeric>

#include "base/random.hpp"
#include "base/threads.hpp"
#include "sim/statevector/tail.hpp"
#include "sim/statevector/walk.hpp"

namespace skerry::sim {
namespace {

/// A tensor that keeps its file, and with it the charge, for as long as the result lives.
Tensor share(std::pair<base::ScratchFile, base::Reservation> file, DType dtype) {
  auto owner = std::make_shared<std::pair<base::ScratchFile, base::Reservation>>(std::move(file));
  const std::span<std::byte> bytes = owner->first.bytes();
  const auto elements = static_cast<std::int64_t>(bytes.size() * 8 / static_cast<unsigned>(dtype_bits(dtype)));
  return {TensorView(dtype, {elements}, bytes.data()), owner};
}

}  // namespace

template <class T>
void Walk<T>::leaf() {
  for (std::size_t i = 0; i < observables_.size(); ++i)
    expectations_[i] += part_.weight * expectation<T>(observables_[i], view(), control_);
  if (request_.distribution == Distribution::wires) add_wire_distribution();
  if (request_.distribution == Distribution::bits) add_bit_distribution();
  if (request_.samples()) return draw_shots();
  // Without shots the outputs are told where they are sure.
  if (request_.code.has_measure) return;
  last_variables_ = Tail(request_, unit_, frame_.classical, frame_.pc, control_).values(0).variables;
}

template <class T>
void Walk<T>::draw_shots() {
  const Tail tail(request_, unit_, frame_.classical, frame_.pc, control_);
  std::optional<kernels::Sampler<T>> sampler;
  if (!request_.tail_positions.empty()) sampler.emplace(view(), budget_, control_);
  const auto draw = [&](std::span<const std::uint64_t> shots, std::span<std::uint64_t> out) {
    if (!sampler) return static_cast<void>(std::ranges::fill(out, 0));
    const std::uint64_t position = 2 * std::uint64_t{frame_.measured};
    if (request_.first_shot == 0) return draw_batch(*sampler, request_.seed, shots, position, out);
    // Which shots of the whole stream they are; draw_batch reads a place before it writes it.
    std::ranges::transform(shots, out.begin(), [&](std::uint64_t shot) { return request_.first_shot + shot; });
    draw_batch(*sampler, request_.seed, out, position, out);
  };
  const auto record = [&](auto id) {
    outcomes_->record(
        part_.first, part_.count, control_, id, draw,
        [&](std::uint64_t basis, std::span<std::uint64_t> out) { tail.outcome(basis, out); },
        sampler ? std::uint64_t{1} << request_.code.wires : 1);
  };
  if (ids_.empty())
    record([](std::uint64_t i) { return i; });
  else
    record([this](std::uint64_t i) { return ids_[i]; });
  if (!part_.has_last_shot) return;
  const std::uint64_t last = request_.shots - 1;
  std::uint64_t basis = 0;
  draw(std::span(&last, 1), std::span(&basis, 1));
  last_variables_ = tail.values(basis).variables;
}

template <class T>
void Walk<T>::drawn(std::uint64_t first, std::span<std::uint64_t> out) const {
  const Tail tail(request_, unit_, frame_.classical, frame_.pc, control_);
  const std::size_t words = request_.outcome_shape().words();
  if (words == 0) return;
  constexpr std::size_t batch = 256, grain = 16 * batch;
  base::parallel_for(0, out.size() / words, grain, [&](std::size_t begin, std::size_t end) {
    control_.check("sampling");
    std::array<std::uint64_t, batch> ids, basis{};
    for (std::size_t at = begin; at < end; at += batch) {
      const std::size_t count = std::min(batch, end - at);
      std::iota(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(count), first + at);
      if (sampler_) {
        draw_batch(*sampler_, request_.seed, std::span<const std::uint64_t>(ids).first(count),
                   2 * std::uint64_t{frame_.measured}, std::span(basis).first(count));
      }
      for (std::size_t i = 0; i < count; ++i) {
        const std::span outcome = out.subspan((at + i) * words, words);
        std::ranges::fill(outcome, 0);
        tail.outcome(basis[i], outcome);
      }
    }
  });
}

template <class T>
void Walk<T>::add_wire_distribution() {
  // Idle wires are 0, so the outcomes that can occur are those of the other wires, spread over the wanted ones.
  std::vector<int> positions;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < request_.distribution_wires.size(); ++i) {
    const std::uint32_t position = request_.code.positions[request_.distribution_wires[i]];
    if (position == kIdle) continue;
    positions.push_back(static_cast<int>(position));
    places.push_back(i);
  }
  const auto out = distribution_.as<double>();
  if (positions.size() == request_.distribution_wires.size()) {
    kernels::add_probabilities<T>(view(), positions, part_.weight, out, control_);
    return;
  }
  auto table = base::Buffer::allocate(request_.table_bytes(), budget_, "probabilities");
  kernels::add_probabilities<T>(view(), positions, part_.weight, table.as<double>(), control_);
  for (std::size_t outcome = 0; outcome < table.as<double>().size(); ++outcome) {
    std::size_t spread = 0;
    for (std::size_t j = 0; j < places.size(); ++j) spread |= (outcome >> j & 1) << places[j];
    out[spread] += table.as<double>()[outcome];
  }
}

template <class T>
void Walk<T>::add_bit_distribution() {
  std::vector<int> positions(request_.tail_positions.begin(), request_.tail_positions.end());
  auto table = base::Buffer::allocate(request_.table_bytes(), budget_, "probabilities of the last measurements");
  const auto probabilities = table.as<double>();
  kernels::add_probabilities<T>(view(), positions, part_.weight, probabilities, control_);
  const Tail tail(request_, unit_, frame_.classical, frame_.pc, control_);
  const auto out = distribution_.as<double>();
  for (std::size_t outcome = 0; outcome < probabilities.size(); ++outcome) {
    if (probabilities[outcome] == 0.0) continue;
    if (outcome % 4096 == 0) control_.check("probabilities");
    std::uint64_t basis = 0;
    for (std::size_t j = 0; j < positions.size(); ++j) basis |= std::uint64_t{outcome >> j & 1} << positions[j];
    std::uint64_t bits = 0;
    tail.outcome(basis, std::span(&bits, request_.outcome_shape().words()));
    out[bits] += probabilities[outcome];
  }
}

template <class T>
CircuitResult Walk<T>::finish() {
  // Given back before the results are made: the peak is the larger of the two, not their sum.
  waiting_.clear();
  slots_.clear();
  scratch_ = {};
  bound_.clear();
  ids_.clear();
  ids_.shrink_to_fit();
  ids_charge_.reset();
  CircuitResult result;
  result.expectations = expectations_;
  if (request_.distribution != Distribution::none)
    result.probabilities = owning_tensor(std::move(distribution_), DType::f64);
  if (disk_) disk_->forget();
  if (request_.want_state && disk_)
    result.state = State(share(std::pair(disk_->release(), std::move(disk_charge_)), dtype_of<Amplitude>()));
  else if (request_.want_state)
    result.state = State(owning_tensor(std::move(state_), dtype_of<Amplitude>()));
  else
    state_ = {};
  if (outcomes_) outcomes_->give(result);
  give_outputs(circuit_, last_variables_, result);
  return result;
}

template void Walk<float>::leaf();
template void Walk<double>::leaf();
template void Walk<float>::drawn(std::uint64_t, std::span<std::uint64_t>) const;
template void Walk<double>::drawn(std::uint64_t, std::span<std::uint64_t>) const;
template CircuitResult Walk<float>::finish();
template CircuitResult Walk<double>::finish();

}  // namespace skerry::sim
