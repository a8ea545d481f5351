/// \file
/// Programs that were sent, kept for whoever sent them: asked for again by their SHA-256, they need not travel twice.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "wire/circuits.hpp"

namespace skerry::serve {

struct SentCounters {
  std::uint64_t programs = 0, bytes = 0;                        ///< now
  std::uint64_t known = 0, unknown = 0, kept = 0, dropped = 0;  ///< questions by their answer; what came and went
};

/// Bounded in bytes. Of what is too much the program of whoever keeps most goes that he has not asked for the longest:
/// nobody pushes out another's who keeps less. To others than its owner a program is not there. From any thread.
class SentPrograms {
 public:
  explicit SentPrograms(std::uint64_t max_bytes) : max_bytes_(max_bytes) {}

  /// Puts in the program of a request that has a digest alone, keeps that of one with both; others are left alone.
  /// Errors: not_found at `program` for one that is not kept (any more); corrupt for bytes that are not the digest's.
  void complete(const std::string& owner, wire::CircuitRequest& request);
  SentCounters counters() const;

 private:
  struct Kept {
    std::string owner, digest;
    std::shared_ptr<const std::string> bytes;  // shared: dropped while somebody copies them
  };
  using Place = std::list<Kept>::iterator;
  using Name = std::pair<std::string, std::string>;  // owner, digest

  void keep(const std::string& owner, const wire::CircuitRequest& request);
  void drop_one();  // with the lock held

  const std::uint64_t max_bytes_;
  mutable std::mutex mutex_;
  std::list<Kept> by_use_;  // the latest first
  std::map<Name, Place> places_;
  std::map<std::string, std::uint64_t> bytes_of_;  // by owner; none keeps nothing
  SentCounters counters_;
};

}  // namespace skerry::serve
