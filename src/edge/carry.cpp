#include "edge/carry.hpp"

#include <algorithm>
#include <skerry/runtime.hpp>

#include "base/machine.hpp"
#include "edge/remote/cloud.hpp"
#include "package/checkpoint.hpp"
#include "plan/budget.hpp"

namespace skerry::edge {
namespace {

using planning::bytes_text;
using planning::seconds_text;

/// A stretch may take so much longer than those before it, what the most delayed of them took beside, and so much of
/// the limit where stretches are short: others want the processors as well.
constexpr double kMargin = 1.3, kLeastShare = 0.05;
/// Memory that packing and everybody else shall still find.
constexpr std::uint64_t kReserveBytes = std::uint64_t{32} << 20;
/// Amplitudes made byte planes and packed by zstd on one processor: 2.0e8 on an AMD EPYC of 2024, half that elsewhere.
constexpr double kPackedPerSecond = 1e8;
/// A checkpoint, the message it is a part of, and that message's copy.
constexpr std::uint64_t kCopies = 3;

}  // namespace

CarryDecision decide(const CarryQuestion& question) {
  const Standing& at = question.standing;
  if (!(at.done > 0.0)) return {};
  const double whole = question.elapsed / at.done;
  const double next_end =
      question.elapsed + std::max(kMargin * whole * (at.next - at.done) + question.delay, kLeastShare * question.limit);
  const bool is_late = whole > question.limit && next_end > question.limit;
  const bool lacks_memory = question.available_bytes < at.state_bytes + kReserveBytes;
  if (!is_late && !lacks_memory) return {};
  const std::string why = lacks_memory ? "only " + bytes_text(question.available_bytes) + " of memory are free"
                                       : seconds_text(question.elapsed) + " of max_execution_time " +
                                             seconds_text(question.limit) + " are over";
  const auto bytes = static_cast<double>(at.state_bytes);
  const auto stay = [&](const std::string& reason) { return CarryDecision{false, why + "; " + reason, lacks_memory}; };
  if (!question.endpoint_seems_up) return stay("the endpoint is down");
  if (at.state_bytes > 2 * kMostCarriedBytes)
    return stay("a state of " + bytes_text(at.state_bytes) + " is too large to be carried");
  if (kCopies * at.state_bytes > question.most_bytes)
    return stay("packing a state of " + bytes_text(at.state_bytes) + " would pass max_memory_mb");
  const double carrying =
      bytes / kPackedPerSecond + (question.bytes_per_second ? bytes / *question.bytes_per_second : 0.0);
  const double rest = whole * (1.0 - at.done);
  const std::string prices = "carrying " + bytes_text(at.state_bytes) + " takes " + seconds_text(carrying) +
                             (question.bytes_per_second ? "" : " and the link") + ", the rest " + seconds_text(rest) +
                             ", all anew " + seconds_text(whole);
  if (carrying + rest >= whole) return stay(prices);
  return {true, why + "; " + prices, lacks_memory};
}

bool Carrier::leave(const Standing& standing) {
  const double now_elapsed = elapsed();
  if (last_done_ > 0.0) {
    const double share = last_elapsed_ / last_done_ * (standing.done - last_done_);
    delay_ = std::max(delay_, now_elapsed - last_elapsed_ - share);
  }
  last_done_ = standing.done;
  last_elapsed_ = now_elapsed;
  CarryDecision now = decide({.elapsed = now_elapsed,
                              .limit = limit_,
                              .delay = delay_,
                              .standing = standing,
                              .available_bytes = base::available_memory_bytes(),
                              .most_bytes = most_bytes_,
                              .endpoint_seems_up = endpoint_.seems_up(),
                              .bytes_per_second = endpoint_.bytes_per_second()});
  if (!now.reason.empty()) decision_ = std::move(now);
  return decision_.leave;
}

double Carrier::elapsed() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

std::optional<wire::CircuitRequest> request_of(const Carried& carried, const RunOptions& options) {
  RunOptions rest = options;
  rest.initial_state.reset();  // it is behind the state
  wire::CircuitRequest request = remote::request_of(carried.circuit, rest, remote::new_token());
  const std::string way =
      package::way_of(request.program, parameter_values(carried.circuit, options), request.observables);
  request.checkpoint = package::encode(carried.checkpoint, way);
  if (request.checkpoint.size() > kMostCarriedBytes) return std::nullopt;
  return request;
}

}  // namespace skerry::edge
