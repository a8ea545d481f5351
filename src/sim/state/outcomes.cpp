#include "sim/state/outcomes.hpp"

#include <algorithm>
#include <memory>
#include <numeric>

namespace skerry::sim {
namespace {

constexpr std::uint32_t kMaxTableBits = 26;
/// A table may have this many counters per shot before sorting the outcomes is cheaper.
constexpr std::uint64_t kCountersPerShot = 8;
constexpr std::uint64_t kWord = sizeof(std::uint64_t);

}  // namespace

bool OutcomeShape::has_table() const noexcept {
  return bits <= kMaxTableBits && (std::uint64_t{1} << bits) <= std::max<std::uint64_t>(kCountersPerShot * shots, 4096);
}

std::uint64_t OutcomeShape::store_bytes() const noexcept {
  const std::uint64_t kept = keep_memory || !has_table() ? shots : std::min(shots, Outcomes::kChunk);
  return kWord * (kept * words() + (has_table() ? std::uint64_t{1} << bits : 0));
}

std::uint64_t OutcomeShape::counts_bytes() const noexcept {
  const std::uint64_t distinct = bits >= 63 ? shots : std::min(shots, std::uint64_t{1} << bits);
  const std::uint64_t copy = keep_memory && !has_table() ? shots * words() : 0;
  const std::uint64_t order = !has_table() && words() > 1 ? shots : 0;
  return kWord * (distinct * (words() + 1) + copy + order);
}

Outcomes::Outcomes(OutcomeShape shape, base::MemoryBudget budget)
    : shape_(shape), budget_(std::move(budget)), charge_(budget_, shape.store_bytes(), "outcomes of the shots") {}

void Outcomes::tally_few() {
  table_.resize(std::size_t{1} << shape_.bits);
  for (const Times& few : few_) table_[few.outcome] += few.times;
  few_.clear();
}

void Outcomes::tally(std::uint64_t count) {
  table_.resize(std::size_t{1} << shape_.bits);
  // No bits at all: every shot has the one outcome there is.
  if (shape_.words() == 0) {
    table_[0] += count;
    return;
  }
  for (std::uint64_t i = 0; i < count; ++i) ++table_[store_[i]];
}

Counts Outcomes::counts() {
  counts_charge_ = base::Reservation(budget_, shape_.counts_bytes(), "counts");
  if (store_.empty() && table_.empty() && !few_.empty()) return few_counts();
  if (!shape_.has_table()) {
    if (shape_.keep_memory) return sorted_counts(store_);
    store_.reserve(shape_.shots * shape_.words());
    for (const Times& few : few_) store_.insert(store_.end(), few.times, few.outcome);
    return sorted_counts(std::move(store_));
  }
  tally_few();
  if (keeps_all() && shape_.shots != 0) tally(shape_.shots);
  return table_counts();
}

Counts Outcomes::few_counts() {
  std::ranges::sort(few_, {}, &Times::outcome);
  std::vector<std::uint64_t> outcomes, times;
  outcomes.reserve(few_.size());
  times.reserve(few_.size());
  for (const Times& few : few_) {
    if (outcomes.empty() || outcomes.back() != few.outcome) {
      outcomes.push_back(few.outcome);
      times.push_back(0);
    }
    times.back() += few.times;
  }
  return {shape_.bits, std::move(outcomes), std::move(times)};
}

Counts Outcomes::table_counts() {
  const auto distinct = static_cast<std::size_t>(std::ranges::count_if(table_, [](auto n) { return n != 0; }));
  std::vector<std::uint64_t> outcomes, times;
  outcomes.reserve(distinct * shape_.words());
  times.reserve(distinct);
  for (std::size_t outcome = 0; outcome < table_.size(); ++outcome) {
    if (table_[outcome] == 0) continue;
    if (shape_.words() != 0) outcomes.push_back(outcome);
    times.push_back(table_[outcome]);
  }
  return {shape_.bits, std::move(outcomes), std::move(times)};
}

Counts Outcomes::sorted_counts(std::vector<std::uint64_t> all) {
  const std::size_t words = shape_.words();
  std::vector<std::uint64_t> order;
  const auto record = [&](std::size_t i) {
    return std::span<const std::uint64_t>(all).subspan((order.empty() ? i : order[i]) * words, words);
  };
  if (words == 1) {
    std::ranges::sort(all);
  } else {
    order.resize(shape_.shots);
    std::iota(order.begin(), order.end(), std::uint64_t{0});
    std::ranges::sort(order, [&](std::uint64_t a, std::uint64_t b) {
      const auto x = std::span(all).subspan(a * words, words), y = std::span(all).subspan(b * words, words);
      return std::lexicographical_compare(x.rbegin(), x.rend(), y.rbegin(), y.rend());
    });
  }
  const auto is_new = [&](std::size_t i) { return i == 0 || !std::ranges::equal(record(i), record(i - 1)); };
  std::size_t distinct = 0;
  for (std::size_t i = 0; i < shape_.shots; ++i) distinct += is_new(i) ? 1U : 0U;
  std::vector<std::uint64_t> outcomes, times;
  outcomes.reserve(distinct * words);
  times.reserve(distinct);
  for (std::size_t i = 0; i < shape_.shots; ++i) {
    if (is_new(i)) {
      outcomes.insert(outcomes.end(), record(i).begin(), record(i).end());
      times.push_back(0);
    }
    ++times.back();
  }
  return {shape_.bits, std::move(outcomes), std::move(times)};
}

void Outcomes::give(CircuitResult& result) {
  result.counts = counts();
  if (shape_.keep_memory) result.memory = std::move(store_);
}

Tensor owning_tensor(base::Buffer buffer, DType dtype) {
  auto owner = std::make_shared<base::Buffer>(std::move(buffer));  // shared: the tensor keeps it
  const auto elements = static_cast<std::int64_t>(owner->bytes() * 8 / static_cast<unsigned>(dtype_bits(dtype)));
  return {TensorView(dtype, {elements}, owner->data()), owner};
}

void give_outputs(const Circuit& circuit, std::span<const Scalar> variables, CircuitResult& result) {
  for (std::size_t i = 0; i < variables.size(); ++i) {
    const Variable& variable = circuit.variables()[i];
    if (variable.is_output) result.outputs[variable.name] = variables[i].as_real();
  }
}

}  // namespace skerry::sim
