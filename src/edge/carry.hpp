/// \file
/// A run here that comes to its limits: left between two gates, and carried to the endpoint when that is cheaper there
/// than beginning anew.
#pragma once

#include <chrono>
#include <optional>
#include <skerry/checkpoint.hpp>
#include <skerry/options.hpp>
#include <string>

#include "edge/remote/endpoint.hpp"
#include "wire/circuits.hpp"

namespace skerry::edge {

/// Most bytes of a checkpoint that is sent: a server takes no larger messages unless it is told to.
inline constexpr std::uint64_t kMostCarriedBytes = std::uint64_t{60} << 20;

/// What is known where a run could be left.
struct CarryQuestion {
  double elapsed = 0.0, limit = 0.0;  ///< seconds of this run
  double delay = 0.0;                 ///< seconds: the most that a stretch of it took beyond its share, yet
  Standing standing;
  std::uint64_t available_bytes = 0;  ///< of memory, now
  std::uint64_t most_bytes = 0;       ///< that packing and sending may take here
  bool endpoint_seems_up = false;
  std::optional<double> bytes_per_second;  ///< of the link, where it was measured
};

struct CarryDecision {
  bool leave = false;
  std::string reason;  ///< why it is left; why it is not, though it has to end; else empty
  bool lacks_memory = false;
};

/// Goes on as long as the next stretch ends in time and the memory suffices. Then leaves, if packing, the link and the
/// rest of the gates take less than all gates anew, wherever they are computed.
CarryDecision decide(const CarryQuestion& question);

/// Looks at one run from its start; its leave() is Limits::leave. It must outlive the run.
class Carrier {
 public:
  Carrier(const remote::Endpoint& endpoint, double limit_seconds, std::uint64_t most_bytes)
      : endpoint_(endpoint), limit_(limit_seconds), most_bytes_(most_bytes) {}

  bool leave(const Standing& standing);
  double elapsed() const;
  const CarryDecision& decision() const noexcept { return decision_; }

 private:
  const remote::Endpoint& endpoint_;
  const double limit_;
  const std::uint64_t most_bytes_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  double delay_ = 0.0, last_done_ = 0.0, last_elapsed_ = 0.0;
  CarryDecision decision_;
};

/// A run under way, between here and the endpoint.
struct Carried {
  Circuit circuit;
  Checkpoint checkpoint;
  double elapsed = 0.0;  ///< seconds that were computed here
};

/// The message that asks to go on. Nothing when it is larger than kMostCarriedBytes.
std::optional<wire::CircuitRequest> request_of(const Carried& carried, const RunOptions& options);

}  // namespace skerry::edge
