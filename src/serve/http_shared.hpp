/// \file
/// What the connections of one server share, and the head of an answer; without sockets.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "serve/http.hpp"

namespace skerry::serve {

/// What all connections share.
struct Shared {
  HttpOptions options;
  HttpHandler handler;
  HttpGate gate;        // empty: all are let in
  HttpRefusal refusal;  // empty: refused without a word to anybody else
  std::atomic<std::uint64_t> open{0}, accepted{0}, refused{0}, malformed{0}, timed_out{0}, waiting_bytes{0};
  std::atomic<bool> draining{false};
  std::mutex mutex;
  std::condition_variable closed;
};

/// Bytes of a body that count against max_waiting_bytes for as long as this lives.
class Waiting {
 public:
  Waiting() = default;
  /// Errors: unavailable when there would be too many.
  Waiting(Shared& shared, std::uint64_t bytes);
  /// To so many, where they are more. Errors: as above; what was counted stays.
  void grow(std::uint64_t bytes);
  Waiting(Waiting&& other) noexcept { swap(other); }
  Waiting& operator=(Waiting&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Waiting() { reset(); }

 private:
  void swap(Waiting& other) noexcept {
    std::swap(shared_, other.shared_);
    std::swap(bytes_, other.bytes_);
  }
  void reset() noexcept {
    if (shared_ != nullptr) shared_->waiting_bytes.fetch_sub(bytes_);
    shared_ = nullptr;
  }
  Shared* shared_ = nullptr;
  std::uint64_t bytes_ = 0;
};

/// Status line and headers. length: of the body; none for a stream, which ends with its connection.
std::string head_of(const HttpResponse& response, bool keep_alive, std::optional<std::size_t> length);

}  // namespace skerry::serve
