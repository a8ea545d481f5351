// Many connections that ask an HTTP server for inferences and check every answer; a program of bench/serving.py.
//
//   serving_client PORT CONNECTIONS REQUESTS MESSAGES [SECONDS]
//
// MESSAGES: 32-bit count, then for each message 32-bit length and bytes of a whole request, and 32-bit number and
// values of the float32 with which the body of its answer must end. Each connection has one request under way (closed
// loop); request number k sends message k modulo their count. Prints one line of JSON. One thread, so that on two cores
// the other one is the server's; no allocation and no formatting while the clock runs.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

struct Message {
  std::string request;
  std::vector<float> expected;
};

struct Client {
  int socket = -1;
  std::size_t kind = 0, filled = 0;
  Clock::time_point begin;
  std::vector<char> buffer = std::vector<char>(1 << 16);
};

struct Seen {
  std::vector<std::uint32_t> nanoseconds;  // of each answer; 4 s at most
  std::uint64_t wrong = 0, refused = 0, lost = 0;
};

std::vector<Message> read_messages(const char* path) {
  std::ifstream file(path, std::ios::binary);
  const std::string all((std::istreambuf_iterator<char>(file)), {});
  std::size_t at = 0;
  const auto number = [&] {
    std::uint32_t value = 0;
    std::memcpy(&value, all.data() + at, sizeof value);
    at += sizeof value;
    return value;
  };
  std::vector<Message> messages(number());
  for (Message& message : messages) {
    const std::uint32_t length = number();
    message.request = all.substr(at, length);
    at += length;
    message.expected.resize(number());
    std::memcpy(message.expected.data(), all.data() + at, 4 * message.expected.size());
    at += 4 * message.expected.size();
  }
  return messages;
}

int connected(std::uint16_t port) {
  const int made = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(made, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
    std::perror("connect");
    std::exit(1);
  }
  const int on = 1;
  setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return made;
}

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

bool is_right(std::string_view body, const std::vector<float>& expected) {
  if (body.size() < 4 * expected.size()) return false;
  const char* at = body.data() + body.size() - 4 * expected.size();
  return std::all_of(expected.begin(), expected.end(), [&](float wanted) {
    float value = 0.0F;
    std::memcpy(&value, at, sizeof value);
    at += sizeof value;
    return std::abs(value - wanted) <= 1e-4F + 1e-3F * std::abs(wanted);
  });
}

double cpu_seconds(const rusage& use) {
  return static_cast<double>(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
         1e-6 * static_cast<double>(use.ru_utime.tv_usec + use.ru_stime.tv_usec);
}

}  // namespace

int main(int count, char** words) {
  if (count < 5) return 2;
  const auto port = static_cast<std::uint16_t>(std::atoi(words[1]));
  const std::uint64_t requests = std::strtoull(words[3], nullptr, 10);
  const std::vector<Message> messages = read_messages(words[4]);
  const double limit = count > 5 ? std::atof(words[5]) : 1e9;
  std::vector<Client> clients(static_cast<std::size_t>(std::atoi(words[2])));
  const int poll = epoll_create1(0);
  for (std::size_t i = 0; i < clients.size(); ++i) {
    clients[i].socket = connected(port);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = i;
    epoll_ctl(poll, EPOLL_CTL_ADD, clients[i].socket, &event);
  }
  Seen seen;
  seen.nanoseconds.reserve(requests);
  std::uint64_t sent = 0, under_way = 0;
  const auto begin = Clock::now();
  const auto ask = [&](Client& client) {
    client.kind = sent++ % messages.size();
    client.filled = 0;
    const std::string& request = messages[client.kind].request;
    client.begin = Clock::now();
    ++under_way;  // small requests: a socket without another one takes them whole
    if (send(client.socket, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size()))
      shutdown(client.socket, SHUT_RDWR);
  };
  for (Client& client : clients) {
    if (sent < requests) ask(client);
  }
  std::vector<epoll_event> events(clients.size());
  while (under_way > 0) {
    const int ready = epoll_wait(poll, events.data(), static_cast<int>(events.size()), 10'000);
    if (ready <= 0) break;  // nothing for ten seconds: what is under way is lost
    for (int i = 0; i < ready; ++i) {
      Client& client = clients[events[static_cast<std::size_t>(i)].data.u64];
      if (client.socket < 0) continue;
      const ssize_t got =
          recv(client.socket, client.buffer.data() + client.filled, client.buffer.size() - client.filled, MSG_DONTWAIT);
      if (got < 0 && errno == EAGAIN) continue;
      if (got <= 0) {
        ++seen.lost;
        --under_way;
        close(client.socket);
        client.socket = -1;
        continue;
      }
      client.filled += static_cast<std::size_t>(got);
      std::string_view body;
      if (answer_length({client.buffer.data(), client.filled}, body) == 0) continue;
      const auto now = Clock::now();
      --under_way;
      const auto took = std::chrono::duration_cast<std::chrono::nanoseconds>(now - client.begin).count();
      seen.nanoseconds.push_back(static_cast<std::uint32_t>(std::min<std::int64_t>(took, UINT32_MAX)));
      if (std::memcmp(client.buffer.data() + 9, "200", 3) != 0) {
        ++seen.refused;
      } else if (!is_right(body, messages[client.kind].expected)) {
        ++seen.wrong;
      }
      if (sent < requests && std::chrono::duration<double>(now - begin).count() < limit) ask(client);
    }
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  rusage use{};
  getrusage(RUSAGE_SELF, &use);
  std::sort(seen.nanoseconds.begin(), seen.nanoseconds.end());
  const auto quantile = [&](double share) {
    if (seen.nanoseconds.empty()) return 0.0;
    return seen.nanoseconds[static_cast<std::size_t>(share * static_cast<double>(seen.nanoseconds.size() - 1))] * 1e-3;
  };
  std::printf(
      "{\"seconds\": %.6f, \"asked\": %llu, \"answered\": %zu, \"wrong\": %llu, \"refused\": %llu, \"lost\": %llu, "
      "\"p50_us\": %.1f, \"p90_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f, \"client_cpu_seconds\": %.3f}\n",
      seconds, static_cast<unsigned long long>(sent), seen.nanoseconds.size(),
      static_cast<unsigned long long>(seen.wrong), static_cast<unsigned long long>(seen.refused),
      static_cast<unsigned long long>(seen.lost + under_way), quantile(0.5), quantile(0.9), quantile(0.99),
      quantile(0.999), cpu_seconds(use));
  return 0;
}
