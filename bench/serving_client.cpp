// Many connections that ask an HTTP server for inferences and check every answer; a program of the benches beside it.
//
//   serving_client PORT CONNECTIONS REQUESTS MESSAGES [RATE]
//
// MESSAGES: 32-bit count, then for each message 32-bit length and bytes of a whole request, and 32-bit number and
// values of the float32 with which the body of its answer must end. Request number k sends message k modulo their
// count. Without RATE each connection has one request under way, always (closed loop); with it requests arrive at
// random (Poisson), so many a second, whether others were answered or not (open loop), as long as a connection is free:
// what finds none is not asked. Prints one line of JSON; times are those of answers with status 200 and, apart, of
// refusals. One thread, so that on two cores the other one is the server's; nothing is allocated or formatted while the
// clock runs.
#include <sys/epoll.h>
#include <unistd.h>

#include <charconv>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "serving_load.hpp"

namespace {

using load::Clock;
using load::Message;
using load::Times;

struct Client {
  int socket = -1;
  std::size_t kind = 0, filled = 0;
  Clock::time_point begin;
  std::vector<char> buffer = std::vector<char>(1 << 16);
};

// Bytes of the answer at the front, 0 while some are missing. Any spelling of the header's name.
std::size_t answer_length(std::string_view bytes, std::string_view& body) {
  const std::size_t end = bytes.find("\r\n\r\n");
  if (end == std::string_view::npos) return 0;
  std::size_t length = 0;
  constexpr std::string_view kName = "\ncontent-length:";
  for (std::size_t at = bytes.find('\n'); at < end; at = bytes.find('\n', at + 1)) {
    if (strncasecmp(bytes.data() + at, kName.data(), kName.size()) != 0) continue;
    const char* from = bytes.data() + at + kName.size();
    while (*from == ' ') ++from;
    std::from_chars(from, bytes.data() + end, length);
  }
  if (bytes.size() < end + 4 + length) return 0;
  body = bytes.substr(end + 4, length);
  return end + 4 + length;
}

class Load {
 public:
  Load(const std::vector<Message>& messages, std::uint16_t port, std::size_t connections, std::uint64_t requests,
       double rate)
      : messages_(messages), clients_(connections), requests_(requests), rate_(rate) {
    for (std::size_t i = 0; i < clients_.size(); ++i) {
      clients_[i].socket = load::watched(port, poll_, i);
      idle_.push_back(i);
    }
    good_.all.reserve(requests);
    refused_.all.reserve(requests);
  }

  void run() {
    begin_ = Clock::now();
    auto next = begin_;
    std::exponential_distribution<double> pause(rate_ > 0.0 ? rate_ : 1.0);
    std::vector<epoll_event> events(clients_.size());
    while (asked_ < requests_ || under_way_ > 0) {
      auto now = Clock::now();
      while (asked_ < requests_ && (rate_ > 0.0 ? next <= now : !idle_.empty())) {
        ask();
        if (rate_ > 0.0) next += std::chrono::nanoseconds(static_cast<std::int64_t>(1e9 * pause(random_)));
      }
      const bool has_more = rate_ > 0.0 && asked_ < requests_;
      if (!has_more && under_way_ == 0 && idle_.empty()) break;  // every connection was lost
      const auto wait = has_more ? std::max(Clock::duration::zero(), next - Clock::now()) : std::chrono::seconds(10);
      const auto nanos = std::chrono::duration_cast<std::chrono::nanoseconds>(wait).count();
      const timespec most{nanos / 1'000'000'000, nanos % 1'000'000'000};
      const int ready = epoll_pwait2(poll_, events.data(), static_cast<int>(events.size()), &most, nullptr);
      if (ready == 0 && !has_more) break;  // nothing for ten seconds: what is under way is lost
      for (int i = 0; i < ready; ++i) receive(events[static_cast<std::size_t>(i)].data.u64);
    }
    const std::chrono::duration<double> took = Clock::now() - begin_;
    load::print({took.count(), asked_, skipped_, lost_ + under_way_, wrong_, std::move(good_), std::move(refused_)});
  }

 private:
  void ask() {
    const std::size_t kind = asked_++ % messages_.size();
    if (idle_.empty()) {
      ++skipped_;
      return;
    }
    Client& client = clients_[idle_.back()];
    idle_.pop_back();
    client.kind = kind;
    client.filled = 0;
    const std::string& request = messages_[kind].request;
    client.begin = Clock::now();
    ++under_way_;  // small requests: a socket without another one takes them whole
    if (send(client.socket, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size()))
      shutdown(client.socket, SHUT_RDWR);
  }

  void receive(std::size_t which) {
    Client& client = clients_[which];
    if (client.socket < 0) return;
    const ssize_t got =
        recv(client.socket, client.buffer.data() + client.filled, client.buffer.size() - client.filled, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
      ++lost_;
      --under_way_;
      close(client.socket);
      client.socket = -1;
      return;
    }
    client.filled += static_cast<std::size_t>(got);
    std::string_view body;
    if (answer_length({client.buffer.data(), client.filled}, body) == 0) return;
    const auto took = Clock::now() - client.begin;
    --under_way_;
    idle_.push_back(which);
    const bool is_good = std::memcmp(client.buffer.data() + 9, "200", 3) == 0;
    (is_good ? good_ : refused_).add(took);
    if (is_good && !load::is_right(body, messages_[client.kind].expected)) ++wrong_;
  }

  const std::vector<Message>& messages_;
  std::vector<Client> clients_;
  const std::uint64_t requests_;
  const double rate_;
  const int poll_ = epoll_create1(0);
  std::vector<std::size_t> idle_;
  std::mt19937_64 random_{7};
  Clock::time_point begin_;
  std::uint64_t asked_ = 0, skipped_ = 0, under_way_ = 0, wrong_ = 0, lost_ = 0;
  Times good_, refused_;
};

}  // namespace

int main(int count, char** words) {
  if (count < 5) return 2;
  const std::vector<Message> messages = load::read_messages(words[4]);
  Load clients(messages, static_cast<std::uint16_t>(std::atoi(words[1])), std::strtoull(words[2], nullptr, 10),
               std::strtoull(words[3], nullptr, 10), count > 5 ? std::atof(words[5]) : 0.0);
  clients.run();
  return 0;
}
