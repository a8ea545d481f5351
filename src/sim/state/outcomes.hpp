/// \file
/// Collects the outcomes of shots and turns them into counts and memory, in as little room as the question allows.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <mutex>
#include <skerry/progress.hpp>
#include <skerry/result.hpp>
#include <skerry/state.hpp>
#include <span>
#include <vector>

#include "base/memory.hpp"
#include "base/threads.hpp"
#include "kernels/statevec/draws.hpp"
#include "kernels/statevec/reduce.hpp"

namespace skerry::sim {

/// How many outcomes of which width, and whether each shot's is kept.
struct OutcomeShape {
  std::uint32_t bits = 0;
  std::uint64_t shots = 0;
  bool keep_memory = false;

  std::size_t words() const noexcept { return (std::size_t{bits} + 63) / 64; }
  /// A table with a counter per possible outcome; otherwise all outcomes are kept and sorted.
  bool has_table() const noexcept;
  /// Bytes while outcomes come in.
  std::uint64_t store_bytes() const noexcept;
  /// Bytes of the counts, at most, with the store still there.
  std::uint64_t counts_bytes() const noexcept;
};

/// Basis states of some shots: shot s takes the uniform number at draw `position` of stream (seed, s).
template <class T>
void draw_batch(const kernels::Sampler<T>& sampler, std::uint64_t seed, std::span<const std::uint64_t> shots,
                std::uint64_t position, std::span<std::uint64_t> out) {
  constexpr std::size_t room = 256;
  std::array<double, room> uniforms;
  for (std::size_t at = 0; at < shots.size(); at += room) {
    const std::size_t count = std::min(room, shots.size() - at);
    kernels::shot_uniforms(seed, shots.subspan(at, count), position, std::span(uniforms).first(count));
    sampler.draw(std::span<const double>(uniforms).first(count), out.subspan(at, count));
  }
}

/// A tensor of one axis that keeps its buffer, and with it the charge, for as long as the result lives.
Tensor owning_tensor(base::Buffer buffer, DType dtype);
/// Values of the circuit's output variables after the last shot.
void give_outputs(const Circuit& circuit, std::span<const Scalar> variables, CircuitResult& result);

/// The outcomes of one run.
class Outcomes {
 public:
  /// Errors: budget_exceeded.
  Outcomes(OutcomeShape shape, base::MemoryBudget budget);

  /// Takes the outcomes of shots first .. first + count - 1; id(i) is the place of shot i in memory. draw(ids, out)
  /// draws a basis state for each of some shots; write(basis, out) makes an outcome of one, out being words() zeroed
  /// words. Both are called by several threads. states: how many basis states there are, 0 for too many to say; where
  /// nobody asks for each shot's outcome, those of few states are written once for each state.
  template <class Id, class Draw, class Write>
  void record(std::uint64_t first, std::uint64_t count, const RunControl& control, Id id, Draw draw, Write write,
              std::uint64_t states = 0);
  /// The same for a method that makes each shot's outcome by itself: write(id, out).
  template <class Id, class Write>
  void record(std::uint64_t first, std::uint64_t count, const RunControl& control, Id id, Write write) {
    const auto draw = [](std::span<const std::uint64_t> ids, std::span<std::uint64_t> out) {
      std::ranges::copy(ids, out.begin());
    };
    record(first, count, control, id, draw, write);
  }

  const OutcomeShape& shape() const noexcept { return shape_; }
  /// The counts. Errors: budget_exceeded.
  Counts counts();
  /// The counts, and each shot's where the shape says so; nothing is left here. Errors: budget_exceeded.
  void give(CircuitResult& result);

 private:
  static constexpr std::uint64_t kChunk = std::uint64_t{1} << 16;
  static constexpr std::size_t kGrain = 4096, kBatch = 256;
  static constexpr std::uint64_t kFewStates = 4096;  // whose counters stay in a first-level cache
  friend struct OutcomeShape;

  struct Times {
    std::uint64_t outcome = 0, times = 0;
  };

  bool keeps_all() const noexcept { return shape_.keep_memory || !shape_.has_table(); }
  Counts sorted_counts(std::vector<std::uint64_t> all);
  Counts table_counts();
  Counts few_counts();
  void tally(std::uint64_t count);
  void tally_few();
  template <class Id, class Draw>
  std::vector<std::uint64_t> tally_states(std::uint64_t first, std::uint64_t count, const RunControl& control, Id id,
                                          Draw draw, std::uint64_t states);

  OutcomeShape shape_;
  base::MemoryBudget budget_;
  base::Reservation charge_, counts_charge_;
  std::vector<std::uint64_t> store_;  // all outcomes by shot, or one chunk of them
  std::vector<std::uint64_t> table_;  // made when first counted into
  std::vector<Times> few_;            // outcomes of few states, not yet in the table, perhaps several of the same
};

template <class Id, class Draw>
std::vector<std::uint64_t> Outcomes::tally_states(std::uint64_t first, std::uint64_t count, const RunControl& control,
                                                  Id id, Draw draw, std::uint64_t states) {
  std::vector<std::uint64_t> times(states);
  std::mutex joining;
  // Counters of its own for each piece, so pieces are few.
  const std::size_t grain = std::max<std::size_t>(kGrain, count / 64);
  base::parallel_for(0, count, grain, [&](std::size_t begin, std::size_t end) {
    std::vector<std::uint64_t> own(states);
    std::array<std::uint64_t, kBatch> ids, drawn;
    for (std::size_t at = begin; at < end; at += kBatch) {
      if ((at - begin) % kGrain == 0) control.check("sampling");
      const std::size_t batch = std::min(kBatch, end - at);
      for (std::size_t i = 0; i < batch; ++i) ids[i] = id(first + at + i);
      draw(std::span<const std::uint64_t>(ids).first(batch), std::span(drawn).first(batch));
      for (std::size_t i = 0; i < batch; ++i) ++own[drawn[i]];
    }
    const std::lock_guard lock(joining);
    for (std::size_t state = 0; state < states; ++state) times[state] += own[state];
  });
  return times;
}

template <class Id, class Draw, class Write>
void Outcomes::record(std::uint64_t first, std::uint64_t count, const RunControl& control, Id id, Draw draw,
                      Write write, std::uint64_t states) {
  const std::size_t words = shape_.words();
  if (!shape_.keep_memory && words == 1 && states != 0 && states <= std::min(kFewStates, count / 2)) {
    const std::vector<std::uint64_t> times = tally_states(first, count, control, id, draw, states);
    for (std::uint64_t state = 0; state < states; ++state) {
      if (times[state] == 0) continue;
      few_.push_back({0, times[state]});
      write(state, std::span(&few_.back().outcome, 1));
    }
    if (shape_.has_table() && few_.size() > kFewStates) tally_few();
    return;
  }
  // Not before it is needed: few states need none. Without memory and without a table they stand as they come.
  const bool by_place = shape_.keep_memory, keeps = keeps_all();
  const std::size_t base = by_place || !keeps ? 0 : store_.size() / std::max<std::size_t>(words, 1);
  if (keeps) store_.reserve(shape_.shots * words);
  store_.resize((by_place ? shape_.shots : keeps ? base + count : std::min(shape_.shots, kChunk)) * words);
  for (std::uint64_t done = 0; done < count; done += kChunk) {
    const std::uint64_t chunk = std::min(kChunk, count - done);
    base::parallel_for(0, chunk, kGrain, [&](std::size_t begin, std::size_t end) {
      control.check("sampling");
      std::array<std::uint64_t, kBatch> ids, drawn;
      for (std::size_t at = begin; at < end; at += kBatch) {
        const std::size_t batch = std::min(kBatch, end - at);
        for (std::size_t i = 0; i < batch; ++i) ids[i] = id(first + done + at + i);
        draw(std::span<const std::uint64_t>(ids).first(batch), std::span(drawn).first(batch));
        for (std::size_t i = 0; i < batch; ++i) {
          const std::uint64_t place = by_place ? ids[i] : (keeps ? base + done : 0) + at + i;
          const std::span out = std::span(store_).subspan(place * words, words);
          std::ranges::fill(out, 0);
          write(drawn[i], out);
        }
      }
    });
    if (!keeps) tally(chunk);
  }
}

}  // namespace skerry::sim
