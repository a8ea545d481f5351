#include "serve/sandbox/channel.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace skerry::serve {
namespace {

constexpr std::uint32_t kMagic = 0x57'6b'53'31;
constexpr std::uint32_t kMostHead = 64 << 10;
constexpr std::size_t kPiece = 256 << 10;

}  // namespace

Channel::Channel(base::Descriptor socket, std::uint64_t most_bytes)
    : socket_(std::move(socket)), most_bytes_(most_bytes) {
  const int flags = ::fcntl(socket_.get(), F_GETFL);
  ::fcntl(socket_.get(), F_SETFL, flags | O_NONBLOCK);
}

Channel::Outcome Channel::wait(short events, Time until, int wake) const {
  for (;;) {
    int milliseconds = -1;
    if (until != Time::max()) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
      if (left.count() <= 0) return Outcome::late;
      milliseconds = static_cast<int>(std::min<std::int64_t>(left.count(), 1'000'000));
    }
    std::array<pollfd, 2> sockets = {pollfd{socket_.get(), events, 0}, pollfd{wake, POLLIN, 0}};
    const int found = ::poll(sockets.data(), wake >= 0 ? 2 : 1, milliseconds);
    if (found < 0 && errno != EINTR) return Outcome::ended;
    if (found > 0 && sockets[0].revents != 0) return Outcome::done;
    if (found > 0 && sockets[1].revents != 0) return Outcome::woken;
  }
}

Channel::Outcome Channel::send(FrameKind kind, std::string_view head, std::string_view bytes, Time until) {
  const Header header{kMagic, static_cast<std::uint32_t>(kind), static_cast<std::uint32_t>(head.size()), 0,
                      bytes.size()};
  std::string front(sizeof header, '\0');
  std::memcpy(front.data(), &header, sizeof header);
  front += head;
  for (std::string_view part : {std::string_view(front), bytes}) {
    while (!part.empty()) {
      const ssize_t sent = ::write(socket_.get(), part.data(), part.size());
      if (sent >= 0) {
        part.remove_prefix(static_cast<std::size_t>(sent));
      } else if (errno == EAGAIN) {
        if (const Outcome outcome = wait(POLLOUT, until, -1); outcome != Outcome::done) return outcome;
      } else if (errno != EINTR) {
        return Outcome::ended;
      }
    }
  }
  return Outcome::done;
}

// Whether a whole message has come; broken: what has come begins none.
bool Channel::take(Frame& frame, bool& broken) {
  Header header{};
  if (in_.size() < sizeof header) return false;
  std::memcpy(&header, in_.data(), sizeof header);
  broken = header.magic != kMagic || header.head_bytes > kMostHead || header.bytes > most_bytes_;
  const std::uint64_t whole = sizeof header + header.head_bytes + header.bytes;
  if (broken || in_.size() < whole) return false;
  frame.kind = static_cast<FrameKind>(header.kind);
  frame.head = in_.substr(sizeof header, header.head_bytes);
  if (in_.size() == whole) {
    in_.erase(0, sizeof header + header.head_bytes);
    frame.bytes = std::move(in_);
    in_ = {};
  } else {
    frame.bytes = in_.substr(sizeof header + header.head_bytes, header.bytes);
    in_.erase(0, whole);
  }
  return true;
}

Channel::Outcome Channel::receive(Frame& frame, Time until, int wake) {
  for (;;) {
    bool broken = false;
    if (take(frame, broken)) return Outcome::done;
    if (broken) return Outcome::ended;
    if (const Outcome outcome = wait(POLLIN, until, wake); outcome != Outcome::done) return outcome;
    const std::size_t had = in_.size();
    in_.resize(had + kPiece);
    const ssize_t got = ::read(socket_.get(), in_.data() + had, kPiece);
    in_.resize(had + static_cast<std::size_t>(std::max<ssize_t>(0, got)));
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) return Outcome::ended;
  }
}

}  // namespace skerry::serve
