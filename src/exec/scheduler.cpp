#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <ranges>
#include <skerry/batching.hpp>
#include <skerry/error.hpp>
#include <string>
#include <utility>

namespace skerry {
namespace {

constexpr double kCaution = 1.2;      // on predicted times
constexpr double kForgetTimes = 0.9;  // weight of the past in the mean time of a batch
constexpr double kMostSlower = 4.0;   // than the mean: what one batch may count at most

[[noreturn]] void refuse_batching(const std::string& what, const std::string& where, const std::string& hint) {
  throw Error(ErrorCode::invalid_argument, what, where, hint);
}

BatchingOptions checked(BatchingOptions options) {
  if (options.ragged_axis < 0 || options.ragged_axis >= Shape::kMaxRank)
    refuse_batching("axis " + std::to_string(options.ragged_axis) + " cannot be ragged", "ragged_axis",
                    "give an axis from 1, or 0 for none");
  if (options.max_delay.count() < 0) refuse_batching("the delay is negative", "max_delay", "give 0 or more");
  if (options.max_queue == 0) refuse_batching("nobody may wait", "max_queue", "give at least 1");
  if (options.slo && !(options.slo->count() > 0 && options.slo->count() < 1e9))
    refuse_batching("an answer within " + std::to_string(options.slo->count()) + " s is none", "slo",
                    "give a positive number of seconds");
  return options;
}

}  // namespace

BatchOptimizer::BatchOptimizer(std::vector<std::uint32_t> sizes, double max_waste)
    : sizes_(std::move(sizes)), max_waste_(max_waste) {
  if (sizes_.empty() || sizes_[0] == 0 || std::ranges::adjacent_find(sizes_, std::greater_equal<>()) != sizes_.end())
    refuse_batching("the sizes of batches do not ascend", "sizes",
                    "give at least one, each larger than the one before");
  if (!(max_waste_ >= 0.0 && max_waste_ < 1.0))
    refuse_batching("a waste of " + std::to_string(max_waste_), "max_waste", "give at least 0 and less than 1");
}

std::vector<std::uint64_t> BatchOptimizer::choose(std::span<const BatchTicket> waiting, std::size_t first,
                                                  std::uint32_t most_rows) const {
  std::vector<std::size_t> fitting;  // nearest in length first; the order of the queue among equals
  bool is_ragged = false;
  for (std::size_t i = 0; i < waiting.size(); ++i) {
    if (i == first || waiting[i].kind != waiting[first].kind) continue;
    fitting.push_back(i);
    is_ragged = is_ragged || waiting[i].length != waiting[first].length;
  }
  if (fitting.empty()) return {first};
  const auto distance = [&](std::size_t i) { return std::abs(waiting[i].length - waiting[first].length); };
  if (is_ragged) std::ranges::stable_sort(fitting, {}, distance);

  std::vector<std::uint64_t> chosen{first};
  std::uint64_t rows = waiting[first].rows;
  std::int64_t longest = waiting[first].length;
  auto sent = static_cast<double>(rows) * static_cast<double>(longest);  // elements that are not padding
  std::size_t best = 1;
  for (const std::size_t i : fitting) {
    const BatchTicket& ticket = waiting[i];
    if (rows >= most_rows) break;
    if (rows + ticket.rows > most_rows) continue;
    const std::int64_t length = std::max(longest, ticket.length);
    const double with = sent + static_cast<double>(ticket.rows) * static_cast<double>(ticket.length);
    const double all = static_cast<double>(rows + ticket.rows) * static_cast<double>(length);
    if (all > 0.0 && with < (1.0 - max_waste_) * all) continue;
    rows += ticket.rows;
    longest = length;
    sent = with;
    chosen.push_back(i);
    if (std::ranges::binary_search(sizes_, rows)) best = chosen.size();
  }
  chosen.resize(best);
  std::ranges::sort(chosen);
  return chosen;
}

std::uint32_t BatchOptimizer::size_within(std::uint64_t rows) const noexcept {
  const auto above = std::ranges::upper_bound(sizes_, rows);
  return above == sizes_.begin() ? 1 : *(above - 1);
}

BatchSizer::BatchSizer(std::uint32_t most_rows, std::optional<std::chrono::duration<double>> slo)
    : most_(most_rows), slo_(slo), rows_(slo ? 1.0 : most_rows), slow_(most_rows + 1.0) {}

std::uint32_t BatchSizer::rows() const noexcept {
  return static_cast<std::uint32_t>(rows_);
}

void BatchSizer::ran(std::uint32_t rows, std::chrono::duration<double> time, bool full) noexcept {
  constexpr std::uint32_t kLongest = 1 << 14;
  if (!slo_) return;
  if (time > *slo_ / 2) {
    slow_ = std::max(2.0, std::min<double>(slow_, rows));
    rows_ = std::max(1.0, std::min(0.9 * rows_, slow_ - 1.0));
    patience_ = std::min(2 * patience_, kLongest);
    batches_ = 0;
    return;
  }
  if (++batches_ >= patience_) slow_ = most_ + 1.0;
  if (full) rows_ = std::min({static_cast<double>(most_), rows_ + 1.0, slow_ - 1.0});
}

BatchScheduler::BatchScheduler(const BatchingOptions& options)
    : options_(checked(options)),
      optimizer_(options.sizes, options.max_waste),
      sizer_(optimizer_.largest(), options.slo) {}

void BatchScheduler::push(const BatchTicket& ticket, BatchClock::time_point now) {
  if (waiting_.size() >= options_.max_queue) {
    throw Error(ErrorCode::unavailable, "the queue is full, " + std::to_string(waiting_.size()) + " requests wait",
                "queue", "try again later");
  }
  BatchTicket taken = ticket;
  if (options_.slo) {
    const auto in_time = taken.arrived + std::chrono::duration_cast<BatchClock::duration>(*options_.slo);
    taken.deadline = std::min(taken.deadline, in_time);
  }
  if (taken.deadline != BatchClock::time_point::max()) require_time(taken, now);
  const auto place = std::ranges::upper_bound(waiting_, taken.priority, {}, &BatchTicket::priority);
  waiting_.insert(place, taken);
}

// Errors: deadline_exceeded.
void BatchScheduler::require_time(const BatchTicket& ticket, BatchClock::time_point now) const {
  std::uint64_t before = 0;
  for (const BatchTicket& other : waiting_)
    if (other.priority <= ticket.priority) before += other.rows;
  // What is left of the batch that runs, those before its own, its own; and an estimate that is a little short makes
  // all that is let in end just too late. Where nobody is before it, it is tried: a mean that only refuses would never
  // be corrected.
  if (before + running_rows_ == 0) return;
  double running = 0.0;
  if (running_rows_ != 0) {
    const std::chrono::duration<double> since = now - running_since_;
    running = std::max(0.0, kCaution * seconds_of_batch(running_rows_) - since.count());
  }
  const double needed = running + kCaution * seconds_for(before + ticket.rows);
  if (needed < std::chrono::duration<double>(ticket.deadline - now).count()) return;
  throw Error(ErrorCode::deadline_exceeded,
              "with " + std::to_string(before + running_rows_) + " rows before this request its time would be over",
              "queue", "try again later or allow more time");
}

std::vector<std::uint64_t> BatchScheduler::take_if(const std::function<bool(const BatchTicket&)>& is_taken) {
  std::vector<std::uint64_t> taken;
  std::erase_if(waiting_, [&](const BatchTicket& ticket) {
    if (!is_taken(ticket)) return false;
    taken.push_back(ticket.id);
    return true;
  });
  return taken;
}

std::vector<std::uint64_t> BatchScheduler::take_late(BatchClock::time_point now) {
  const auto is_late = [now](const BatchTicket& ticket) { return ticket.deadline <= now; };
  return std::ranges::any_of(waiting_, is_late) ? take_if(is_late) : std::vector<std::uint64_t>();
}

std::vector<std::uint64_t> BatchScheduler::next(BatchClock::time_point now, bool all) {
  if (waiting_.empty()) return {};
  auto anchor = std::ranges::find_if(
      waiting_, [&](const BatchTicket& ticket) { return all || ticket.arrived + options_.max_delay <= now; });
  if (anchor == waiting_.end()) {
    std::map<std::uint64_t, std::uint64_t> rows;
    const auto fills = [&](const BatchTicket& ticket) { return (rows[ticket.kind] += ticket.rows) >= sizer_.rows(); };
    const auto full = std::ranges::find_if(waiting_, fills);
    if (full == waiting_.end()) return {};
    anchor = std::ranges::find(waiting_, full->kind, &BatchTicket::kind);
  }
  const auto first = static_cast<std::size_t>(anchor - waiting_.begin());
  std::vector<std::uint64_t> ids = optimizer_.choose(waiting_, first, sizer_.rows());
  for (std::uint64_t& id : ids | std::views::reverse) {  // places, the last first, so that the others stay
    const auto place = waiting_.begin() + static_cast<std::ptrdiff_t>(id);
    id = place->id;
    began(place->rows, now);
    waiting_.erase(place);
  }
  return ids;
}

void BatchScheduler::began(std::uint32_t rows, BatchClock::time_point now) noexcept {
  running_since_ = now;
  running_rows_ += rows;
}

BatchClock::time_point BatchScheduler::wake_time() const {
  auto wake = BatchClock::time_point::max();
  for (const BatchTicket& ticket : waiting_)
    wake = std::min({wake, ticket.arrived + options_.max_delay, ticket.deadline});
  return wake;
}

void BatchScheduler::ran(std::uint32_t rows, std::chrono::duration<double> time) {
  running_rows_ -= std::min(rows, running_rows_);
  if (rows == 0) return;
  double& cost = batch_costs_[static_cast<std::size_t>(std::bit_width(rows))];
  if (cost == 0.0) {
    cost = time.count() / cost_seconds_;
  } else {
    // A machine that became slower is so for batches of all sizes, also for those that do not run now; but a run in
    // whose middle the processor was given to somebody else says nothing of the next one.
    const double told = std::min(time.count() / cost, kMostSlower * cost_seconds_);
    cost_seconds_ = kForgetTimes * cost_seconds_ + (1.0 - kForgetTimes) * told;
  }
  sizer_.ran(rows, time, rows >= optimizer_.size_within(sizer_.rows()));
}

void BatchScheduler::never_together() noexcept {
  options_.max_delay = {};
  sizer_ = BatchSizer(1, std::nullopt);
}

// As long as no batch of that size has run, it is taken to cost no more than a smaller one, or as much as a larger one:
// who is let in too often corrects that, who is refused never does.
double BatchScheduler::seconds_of_batch(std::uint64_t rows) const noexcept {
  const auto digits = static_cast<std::size_t>(std::bit_width(rows));
  for (std::size_t i = digits; i > 0; --i)
    if (batch_costs_[i] > 0.0) return cost_seconds_ * batch_costs_[i];
  for (std::size_t i = digits + 1; i < batch_costs_.size(); ++i)
    if (batch_costs_[i] > 0.0) return cost_seconds_ * batch_costs_[i];
  return 0.0;
}

std::chrono::duration<double> BatchScheduler::at_most(std::uint32_t rows) const noexcept {
  for (auto digits = static_cast<std::size_t>(std::bit_width(rows)); digits > 0; --digits)
    if (batch_costs_[digits] > 0.0)
      return std::chrono::duration<double>(cost_seconds_ * batch_costs_[digits] *
                                           std::ldexp(rows, 1 - static_cast<int>(digits)));
  return std::chrono::duration<double>(seconds_of_batch(rows));
}

// Batches of the sizes, the largest that may be first.
double BatchScheduler::seconds_for(std::uint64_t rows) const noexcept {
  double seconds = 0.0;
  for (std::uint64_t most = sizer_.rows(); rows > 0;) {
    const std::uint64_t size = optimizer_.size_within(std::min(most, rows));
    const std::uint64_t batches = rows / size;
    seconds += seconds_of_batch(size) * static_cast<double>(batches);
    rows %= size;
    most = size;
  }
  return seconds;
}

}  // namespace skerry
