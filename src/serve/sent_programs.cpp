#include "serve/sent_programs.hpp"

#include <algorithm>
#include <skerry/error.hpp>

#include "package/digest.hpp"

namespace skerry::serve {
namespace {

// What a program of no bytes takes: names, places, the map.
constexpr std::uint64_t kAround = 512;

std::uint64_t cost(const std::string& bytes) noexcept {
  return bytes.size() + kAround;
}

}  // namespace

void SentPrograms::complete(const std::string& owner, wire::CircuitRequest& request) {
  if (request.program_digest.empty()) return;
  if (!request.program.empty()) {
    keep(owner, request);
  } else {
    std::shared_ptr<const std::string> found;
    {
      const std::lock_guard lock(mutex_);
      const auto place = places_.find({owner, request.program_digest});
      ++(place == places_.end() ? counters_.unknown : counters_.known);
      if (place != places_.end()) {
        by_use_.splice(by_use_.begin(), by_use_, place->second);
        found = place->second->bytes;
      }
    }
    if (!found) {
      throw Error(ErrorCode::not_found, "there is no program with this sha256 that you have sent, or not any more",
                  "program", "send its bytes with it");
    }
    request.program = *found;
  }
  request.program_digest.clear();
}

void SentPrograms::keep(const std::string& owner, const wire::CircuitRequest& request) {
  if (package::hex(package::sha256(std::as_bytes(std::span(request.program)))) != request.program_digest) {
    throw Error(ErrorCode::corrupt, "its bytes are not those of its sha256", "program",
                "they were damaged on the way, or the digest is of something else");
  }
  if (cost(request.program) > max_bytes_) return;
  const auto bytes = std::make_shared<const std::string>(request.program);
  const std::lock_guard lock(mutex_);
  const Name name(owner, request.program_digest);
  if (const auto place = places_.find(name); place != places_.end()) {
    by_use_.splice(by_use_.begin(), by_use_, place->second);
    return;
  }
  by_use_.push_front({owner, request.program_digest, bytes});
  places_[name] = by_use_.begin();
  bytes_of_[owner] += cost(*bytes);
  counters_.bytes += cost(*bytes);
  ++counters_.programs;
  ++counters_.kept;
  while (counters_.bytes > max_bytes_) drop_one();
}

void SentPrograms::drop_one() {
  const auto most = std::ranges::max_element(bytes_of_, {}, [](const auto& one) { return one.second; });
  const auto oldest =
      std::find_if(by_use_.rbegin(), by_use_.rend(), [&](const Kept& one) { return one.owner == most->first; });
  const std::uint64_t bytes = cost(*oldest->bytes);
  if ((most->second -= bytes) == 0) bytes_of_.erase(most);
  counters_.bytes -= bytes;
  --counters_.programs;
  ++counters_.dropped;
  places_.erase({oldest->owner, oldest->digest});
  by_use_.erase(std::prev(oldest.base()));
}

SentCounters SentPrograms::counters() const {
  const std::lock_guard lock(mutex_);
  return counters_;
}

}  // namespace skerry::serve
