#include <algorithm>
#include <limits>
#include <skerry/error.hpp>
#include <string>

#include "passes/native/route.hpp"

namespace skerry::passes::native {

Coupling::Coupling(const Target& target) : size_(target.qubits), neighbours_(target.qubits) {
  constexpr std::uint32_t kMost = 4096;
  if (size_ > kMost) {
    throw Error(ErrorCode::limit_exceeded, "a coupling map of " + std::to_string(size_) + " wires", target.name,
                "distances are kept for up to " + std::to_string(kMost));
  }
  for (const auto& [a, b] : target.coupling) {
    if (std::ranges::find(neighbours_[a], b) != neighbours_[a].end()) continue;
    neighbours_[a].push_back(b);
    neighbours_[b].push_back(a);
  }
  for (auto& list : neighbours_) std::ranges::sort(list);
  constexpr auto kFar = std::numeric_limits<std::uint16_t>::max();
  distance_.assign(std::size_t{size_} * size_, kFar);
  std::vector<Wire> queue;
  for (Wire from = 0; from < size_; ++from) {
    std::uint16_t* const row = distance_.data() + std::size_t{from} * size_;
    queue.assign(1, from);
    row[from] = 0;
    for (std::size_t i = 0; i < queue.size(); ++i) {
      for (const Wire next : neighbours_[queue[i]]) {
        if (row[next] != kFar) continue;
        row[next] = static_cast<std::uint16_t>(row[queue[i]] + 1);
        queue.push_back(next);
      }
    }
    if (queue.size() != size_) {
      throw Error(ErrorCode::invalid_argument,
                  "the coupling map is in parts: from wire " + std::to_string(from) + " only " +
                      std::to_string(queue.size()) + " of " + std::to_string(size_) + " wires are reached",
                  target.name, "leave out the wires that are cut off");
    }
  }
}

}  // namespace skerry::passes::native
