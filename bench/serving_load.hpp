// What the load generators of these benches share: messages and the answers that are expected, times, one line of JSON.
#pragma once

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
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

namespace load {

using Clock = std::chrono::steady_clock;

struct Message {
  std::string request;
  std::vector<float> expected;
};

// Nanoseconds of answers, 4 s at most.
struct Times {
  std::vector<std::uint32_t> all;

  void add(Clock::duration took) {
    const auto count = std::chrono::duration_cast<std::chrono::nanoseconds>(took).count();
    all.push_back(static_cast<std::uint32_t>(std::min<std::int64_t>(count, UINT32_MAX)));
  }
  double quantile(double share) const {  // in microseconds, of sorted ones
    return all.empty() ? 0.0 : all[static_cast<std::size_t>(share * static_cast<double>(all.size() - 1))] * 1e-3;
  }
  std::size_t below(double microseconds) const {
    const auto bound = static_cast<std::uint32_t>(microseconds * 1e3);
    return static_cast<std::size_t>(std::lower_bound(all.begin(), all.end(), bound) - all.begin());
  }
};

inline std::vector<Message> read_messages(const char* path) {
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

inline int connected(std::uint16_t port) {
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

// Connected, and watched: what comes from it is event `number`.
inline int watched(std::uint16_t port, int poll, std::uint64_t number) {
  const int made = connected(port);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = number;
  epoll_ctl(poll, EPOLL_CTL_ADD, made, &event);
  return made;
}

inline bool is_right(std::string_view body, const std::vector<float>& expected) {
  if (body.size() < 4 * expected.size()) return false;
  const char* at = body.data() + body.size() - 4 * expected.size();
  return std::all_of(expected.begin(), expected.end(), [&](float wanted) {
    float value = 0.0F;
    std::memcpy(&value, at, sizeof value);
    at += sizeof value;
    return std::abs(value - wanted) <= 1e-4F + 1e-3F * std::abs(wanted);
  });
}

// What came of a round. Times are those of good answers and, apart, of refusals.
struct Outcome {
  double seconds = 0.0;
  std::uint64_t asked = 0, skipped = 0, lost = 0, wrong = 0;
  Times good, refused;
};

inline double cpu_seconds(const rusage& use) {
  return static_cast<double>(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
         1e-6 * static_cast<double>(use.ru_utime.tv_usec + use.ru_stime.tv_usec);
}

inline void print(Outcome of) {
  rusage use{};
  getrusage(RUSAGE_SELF, &use);
  for (Times* times : {&of.good, &of.refused}) std::sort(times->all.begin(), times->all.end());
  const auto count = [](auto number) { return static_cast<unsigned long long>(number); };
  std::printf(
      "{\"seconds\": %.6f, \"asked\": %llu, \"answered\": %llu, \"wrong\": %llu, \"lost\": %llu, "
      "\"not_asked\": %llu, \"client_cpu_seconds\": %.3f",
      of.seconds, count(of.asked - of.skipped), count(of.good.all.size() + of.refused.all.size()), count(of.wrong),
      count(of.lost), count(of.skipped), cpu_seconds(use));
  std::printf(", \"p50_us\": %.1f, \"p90_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f, \"within_100_ms\": %llu",
              of.good.quantile(0.5), of.good.quantile(0.9), of.good.quantile(0.99), of.good.quantile(0.999),
              count(of.good.below(1e5)));
  std::printf(
      ", \"refused\": %llu, \"refused_p50_us\": %.1f, \"refused_p99_us\": %.1f, \"refused_below_1_ms\": %llu}\n",
      count(of.refused.all.size()), of.refused.quantile(0.5), of.refused.quantile(0.99), count(of.refused.below(1e3)));
}

}  // namespace load
