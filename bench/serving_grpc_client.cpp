// As serving_client, by gRPC: many connections that ask for inferences and check every answer.
//
//   serving_grpc_client PORT CONNECTIONS REQUESTS MESSAGES
//
// MESSAGES: as there, with a whole inference.ModelInferRequest in the place of a request of HTTP; the last bytes of its
// answer are the float32 that are expected. Each connection has one call under way, always (closed loop). It speaks
// just enough HTTP/2 (RFC 9113): headers that are written once, one frame of data, both windows, pings; a library of
// gRPC would take more of two cores than the server that is measured.
#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <string>
#include <utility>

#include "serving_load.hpp"

namespace {

using load::Clock;
using load::Message;

enum Kind : std::uint8_t { kData, kHeaders, kPriority, kReset, kSettings, kPush, kPing, kGoAway, kWindow };
constexpr std::uint8_t kEndStream = 1, kAck = 1, kEndHeaders = 4;
constexpr std::size_t kFrameHead = 9;

std::string number(std::uint32_t value) {
  return {static_cast<char>(value >> 24U), static_cast<char>(value >> 16U), static_cast<char>(value >> 8U),
          static_cast<char>(value)};
}

std::uint32_t number_at(const char* at) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(at);
  return std::uint32_t{bytes[0]} << 24U | std::uint32_t{bytes[1]} << 16U | std::uint32_t{bytes[2]} << 8U | bytes[3];
}

std::string frame(Kind kind, std::uint8_t flags, std::uint32_t stream, const std::string& payload) {
  return number(static_cast<std::uint32_t>(payload.size())).substr(1) + static_cast<char>(kind) +
         static_cast<char>(flags) + number(stream) + payload;
}

std::string text(const std::string& value) {
  return static_cast<char>(value.size()) + value;
}

// POST, http, path, authority, content type, te: indexed where RFC 7541, appendix A, has them, literal else.
std::string headers() {
  return "\x83\x86\x04" + text("/inference.GRPCInferenceService/ModelInfer") + "\x01" + text("a") + "\x0f\x10" +
         text("application/grpc") + std::string(1, '\0') + text("te") + text("trailers");
}

struct Client {
  int socket = -1;
  std::size_t kind = 0;
  std::uint32_t stream = 1;
  std::int64_t window = 65'535;                // that the server still takes
  bool is_asking = false, is_waiting = false;  // for an answer, for the window
  Clock::time_point begin;
  std::string in, answer;
};

class Load {
 public:
  Load(const std::vector<Message>& messages, std::uint16_t port, std::size_t connections, std::uint64_t requests)
      : messages_(messages), clients_(connections), requests_(requests) {
    const std::string table = std::string("\0\1", 2) + number(0), push = std::string("\0\2", 2) + number(0);
    const std::string begin = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(kSettings, 0, 0, table + push) +
                              frame(kWindow, 0, 0, number((1U << 31U) - 1 - 65'535));
    for (std::size_t i = 0; i < clients_.size(); ++i) {
      clients_[i].socket = load::watched(port, poll_, i);
      put(clients_[i], begin);
    }
    for (const Message& message : messages_) {
      const std::string data = '\0' + number(static_cast<std::uint32_t>(message.request.size())) + message.request;
      requests_of_.push_back(frame(kHeaders, kEndHeaders, 0, headers()) + frame(kData, kEndStream, 0, data));
      data_bytes_.push_back(static_cast<std::int64_t>(data.size()));
    }
    outcome_.good.all.reserve(requests);
  }

  void run() {
    const auto begin = Clock::now();
    for (Client& client : clients_) ask(client);
    std::vector<epoll_event> events(clients_.size());
    while (under_way_ > 0) {
      const int ready = epoll_wait(poll_, events.data(), static_cast<int>(events.size()), 10'000);
      if (ready == 0) break;  // nothing for ten seconds: what is under way is lost
      for (int i = 0; i < ready; ++i) receive(clients_[events[static_cast<std::size_t>(i)].data.u64]);
    }
    outcome_.lost += under_way_;
    outcome_.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    load::print(std::move(outcome_));
  }

 private:
  // Small: a socket without another one takes it whole.
  static void put(const Client& client, const std::string& bytes) {
    if (send(client.socket, bytes.data(), bytes.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(bytes.size()))
      shutdown(client.socket, SHUT_RDWR);
  }

  void ask(Client& client) {
    if (outcome_.asked == requests_) return;
    client.kind = outcome_.asked++ % messages_.size();
    ++under_way_;
    client.is_asking = true;
    client.answer.clear();
    client.begin = Clock::now();
    client.is_waiting = true;
    send_if_taken(client);
  }

  void send_if_taken(Client& client) {
    if (!client.is_waiting || client.window < data_bytes_[client.kind]) return;
    client.is_waiting = false;
    client.window -= data_bytes_[client.kind];
    std::string& bytes = requests_of_[client.kind];
    const std::string stream = number(client.stream);
    constexpr std::size_t kStreamAt = 5;
    const std::size_t second = kFrameHead + headers_.size();
    bytes.replace(kStreamAt, 4, stream);
    bytes.replace(second + kStreamAt, 4, stream);
    put(client, bytes);
  }

  void lose(Client& client) {
    outcome_.lost += client.is_asking ? 1 : 0;
    under_way_ -= client.is_asking ? 1 : 0;
    close(client.socket);
    client.socket = -1;
  }

  void receive(Client& client) {
    if (client.socket < 0) return;
    const ssize_t got = recv(client.socket, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) return lose(client);
    client.in.append(buffer_.data(), static_cast<std::size_t>(got));
    std::size_t at = 0;
    while (client.in.size() - at >= kFrameHead) {
      const char* head = client.in.data() + at;
      const std::size_t length = number_at(head) >> 8U;
      if (client.in.size() - at < kFrameHead + length) break;
      at += kFrameHead + length;
      if (!take(client, static_cast<Kind>(head[3]), static_cast<std::uint8_t>(head[4]), number_at(head + 5),
                {head + kFrameHead, length}))
        return lose(client);
    }
    client.in.erase(0, at);
  }

  // False: the connection is of no use any more.
  bool take(Client& client, Kind kind, std::uint8_t flags, std::uint32_t stream, std::string_view payload) {
    if (kind == kGoAway) return false;
    if (kind == kSettings && (flags & kAck) == 0) put(client, frame(kSettings, kAck, 0, {}));
    if (kind == kPing && (flags & kAck) == 0) put(client, frame(kPing, kAck, 0, std::string(payload)));
    if (kind == kWindow && stream == 0) {
      client.window += number_at(payload.data()) & 0x7fffffffU;
      send_if_taken(client);
    }
    if (stream != client.stream) return true;
    if (kind == kData) client.answer.append(payload);
    if (kind == kReset || ((kind == kHeaders || kind == kData) && (flags & kEndStream) != 0)) finish(client);
    return true;
  }

  // A call that fails has no data.
  void finish(Client& client) {
    (client.answer.empty() ? outcome_.refused : outcome_.good).add(Clock::now() - client.begin);
    if (!client.answer.empty() && !load::is_right(client.answer, messages_[client.kind].expected)) ++outcome_.wrong;
    --under_way_;
    client.is_asking = false;
    client.stream += 2;
    ask(client);
  }

  const std::vector<Message>& messages_;
  std::vector<Client> clients_;
  const std::uint64_t requests_;
  const std::string headers_ = headers();
  std::vector<std::string> requests_of_;  // two frames each
  std::vector<std::int64_t> data_bytes_;
  std::vector<char> buffer_ = std::vector<char>(1 << 16);
  const int poll_ = epoll_create1(0);
  std::uint64_t under_way_ = 0;
  load::Outcome outcome_;
};

}  // namespace

int main(int count, char** words) {
  if (count < 5) return 2;
  const std::vector<Message> messages = load::read_messages(words[4]);
  Load clients(messages, static_cast<std::uint16_t>(std::atoi(words[1])), std::strtoull(words[2], nullptr, 10),
               std::strtoull(words[3], nullptr, 10));
  clients.run();
  return 0;
}
