/// \file
/// Where circuits went, and why: what a server decided of late, and how often.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <skerry/error.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "serve/circuits.hpp"

namespace skerry::serve {

/// One circuit that was to be run or priced.
struct Decision {
  std::chrono::system_clock::time_point when = std::chrono::system_clock::now();
  std::string who, trace_id;
  std::string_view what;   ///< `circuit`, `job` or `plan`; a literal
  std::string_view place;  ///< `local`, `worker` (a process of its own) or `refused`; a literal
  std::string method;      ///< of simulation; empty: none was chosen
  std::string reason;
  std::uint64_t need_bytes = 0, limit_bytes = 0;   ///< predicted and allowed; 0: not known
  double need_seconds = 0.0, limit_seconds = 0.0;  ///< likewise
  /// Where its sender's own side decided that it runs, and why, in his words; empty: he told nothing.
  std::string client, client_reason;
};

/// What a run's outcome tells of the decision before it: place and reason, with need and limit. Nothing for what was
/// wrong in itself and had to be placed nowhere. refusal: why it gave nothing, or null.
std::optional<Decision> decision_of(std::string_view what, const Submitter& who, bool has_workers,
                                    const CircuitNotes& notes, const Error* refusal);

struct DecisionCounters {
  std::map<std::pair<std::string, std::string>, std::uint64_t> places;  ///< by place and method (`none`: there is none)
  std::map<std::string, std::uint64_t> clients;                         ///< by `edge`, `hybrid`, `cloud`
};

/// Bounded: the last ones, their texts cut, and counters of a bounded number of names. From any thread.
class Decisions {
 public:
  static constexpr std::size_t kKept = 64, kMostText = 256, kMostNames = 32;

  void add(Decision decision);
  /// The newest first; of one caller alone where that is not null.
  std::vector<Decision> recent(const std::string* who) const;
  DecisionCounters counters() const;

 private:
  mutable std::mutex mutex_;
  std::deque<Decision> recent_;
  DecisionCounters counters_;
};

/// The answer to `GET /v2/placements`.
std::string decisions_json(const DecisionCounters& counters, const std::vector<Decision>& recent);

}  // namespace skerry::serve
