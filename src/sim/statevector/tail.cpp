#include "sim/statevector/tail.hpp"

#include <algorithm>

namespace skerry::sim {

Tail::Tail(const Request& request, const ClassicalUnit& unit, const Classical& entry, std::uint32_t pc,
           const RunControl& control)
    : request_(request), unit_(unit), entry_(entry), pc_(pc), control_(control) {
  entry_words_.resize(request.outcome_shape().words());
  for (std::uint32_t bit = 0; bit < request.outcome_bits; ++bit)
    entry_words_[bit / 64] |= std::uint64_t{entry.bits[bit]} << (bit % 64);
  const auto& steps = request.code.steps;
  bits_are_wires_ = request.code.tail_is_measures && request.outcome_bits == steps.size() - pc &&
                    request.outcome_bits == static_cast<std::uint32_t>(request.code.wires) && request.outcome_bits != 0;
  for (std::size_t i = pc; i < steps.size(); ++i) {
    bits_are_wires_ = bits_are_wires_ && steps[i].a == i - pc && steps[i].b == i - pc;
    if (!request.code.tail_is_measures) continue;
    entry_words_[steps[i].b / 64] &= ~(std::uint64_t{1} << (steps[i].b % 64));
  }
}

void Tail::outcome(std::uint64_t basis, std::span<std::uint64_t> out) const {
  if (bits_are_wires_) {
    out[0] = basis;
    return;
  }
  if (!request_.code.tail_is_measures) {
    const Classical after = values(basis);
    for (std::uint32_t bit = 0; bit < request_.outcome_bits; ++bit)
      out[bit / 64] |= std::uint64_t{after.bits[bit]} << (bit % 64);
    return;
  }
  std::ranges::copy(entry_words_, out.begin());
  const auto& steps = request_.code.steps;
  for (std::size_t i = pc_; i < steps.size(); ++i) {
    const auto [kind, position, bit] = steps[i];
    const std::uint64_t mask = std::uint64_t{1} << (bit % 64);
    // A bit may be written twice; the last one counts.
    const std::uint64_t found = position == kIdle ? 0 : basis >> position & 1;
    out[bit / 64] = (out[bit / 64] & ~mask) | (found << (bit % 64));
  }
}

Classical Tail::values(std::uint64_t basis) const {
  Classical values = entry_;
  const auto& steps = request_.code.steps;
  for (std::uint32_t pc = pc_; pc < steps.size();) {
    if (steps[pc].kind != StepKind::measure) {
      pc = unit_.step(pc, values, control_);
      continue;
    }
    const std::uint32_t position = steps[pc].a;
    values.bits[steps[pc].b] = static_cast<std::uint8_t>(position == kIdle ? 0 : basis >> position & 1);
    ++pc;
  }
  return values;
}

}  // namespace skerry::sim
