#include "serve/http.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <thread>

#include "base/descriptor.hpp"

namespace skerry::serve {
namespace {

using namespace std::chrono_literals;

base::Descriptor connected(const HttpServer& server) {
  base::Descriptor client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(server.port());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  return client;
}

bool sent(const base::Descriptor& client, std::string_view bytes) {
  return ::send(client.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
}

// What comes until the other end closes or nothing came for so long.
std::string received(const base::Descriptor& client, std::chrono::milliseconds patience) {
  std::string got;
  std::array<char, 4096> buffer{};
  for (;;) {
    pollfd ready{client.get(), POLLIN, 0};
    if (::poll(&ready, 1, static_cast<int>(patience.count())) != 1) return got + "(nothing more)";
    const ssize_t count = ::recv(client.get(), buffer.data(), buffer.size(), 0);
    if (count <= 0) return got;
    got.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

std::string post(std::size_t length) {
  return "POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: " + std::to_string(length) + "\r\n\r\n";
}

void answer(const ExchangePtr& exchange) {
  exchange->respond({.body = std::to_string(exchange->request.body.size())});
}

TEST(Http, EndsAConnectionWhoseBodyComesByteByByteLongBeforeAllOfItCouldHaveCome) {
  HttpServer server({.port = 0, .threads = 1, .header_time = 200ms}, answer);
  server.start();
  const base::Descriptor slow = connected(server);
  ASSERT_TRUE(sent(slow, post(8 << 20)));  // at the least rate 512 seconds
  const auto limit = std::chrono::steady_clock::now() + 60s;
  while (server.counters().timed_out == 0) {
    ASSERT_LT(std::chrono::steady_clock::now(), limit);
    sent(slow, "a");
    std::this_thread::sleep_for(10ms);
  }
  EXPECT_EQ(received(slow, 10s), "");
}

TEST(Http, LetsABodyInThatComesFasterThanTheLeastRateHoweverLongItTakes) {
  HttpServer server({.port = 0, .threads = 1, .header_time = 2s, .least_body_rate = 100}, answer);
  server.start();
  const base::Descriptor steady = connected(server);
  constexpr std::size_t kPieces = 30;  // of 200 bytes, one of which is enough for two seconds
  ASSERT_TRUE(sent(steady, post(kPieces * 200)));
  for (std::size_t i = 0; i < kPieces; ++i) {
    ASSERT_TRUE(sent(steady, std::string(200, 'a')));
    std::this_thread::sleep_for(100ms);
  }
  EXPECT_TRUE(received(steady, 10s).ends_with("\r\n\r\n6000"));
  EXPECT_EQ(server.counters().timed_out, 0U);
}

TEST(Http, CountsWhatHasComeAndNotWhatWasAnnounced) {
  HttpServer server({.port = 0, .threads = 1, .max_body_bytes = 1 << 20, .max_waiting_bytes = 2 << 20}, answer);
  server.start();
  std::vector<base::Descriptor> announcers;
  for (int i = 0; i < 8; ++i) {
    ASSERT_TRUE(sent(announcers.emplace_back(connected(server)), post(1 << 20) + "a"));
  }
  const auto limit = std::chrono::steady_clock::now() + 10s;
  while (server.counters().waiting_bytes < 8) ASSERT_LT(std::chrono::steady_clock::now(), limit);
  EXPECT_EQ(server.counters().waiting_bytes, 8U);
  const base::Descriptor other = connected(server);
  ASSERT_TRUE(sent(other, post(1 << 20) + std::string(1 << 20, 'b')));
  EXPECT_TRUE(received(other, 10s).ends_with("\r\n\r\n1048576"));
}

TEST(Http, RefusesBeforeTheBodyWhomTheGateDoesNotLetIn) {
  const auto gate = [](const ExchangePtr& exchange, std::uint64_t length) {
    if (exchange->request.header("x-key") == "right") return true;
    exchange->respond({.status = 401, .body = std::to_string(length)});
    return false;
  };
  HttpServer server({.port = 0, .threads = 1}, answer, gate);
  server.start();
  const base::Descriptor stranger = connected(server);
  ASSERT_TRUE(sent(stranger, post(1000) + "a"));
  const std::string got = received(stranger, 1s);
  EXPECT_TRUE(got.starts_with("HTTP/1.1 401")) << got;
  EXPECT_TRUE(got.ends_with("\r\n\r\n1000")) << got;
  const base::Descriptor friendly = connected(server);
  ASSERT_TRUE(sent(friendly, "POST /x HTTP/1.1\r\nConnection: close\r\nX-Key: right\r\nContent-Length: 3\r\n\r\na"));
  ASSERT_TRUE(sent(friendly, "bc"));
  EXPECT_TRUE(received(friendly, 10s).ends_with("\r\n\r\n3"));
  EXPECT_EQ(server.counters().waiting_bytes, 0U);
}

TEST(Http, TellsWhoStillWaitsAtTheEndOfADrainThatThereWillBeNoAnswer) {
  ExchangePtr held;
  std::atomic<bool> has_come = false;
  HttpServer server({.port = 0, .threads = 1}, [&](const ExchangePtr& exchange) {
    held = exchange;
    has_come = true;
  });
  server.start();
  const base::Descriptor client = connected(server), half = connected(server);
  ASSERT_TRUE(sent(client, post(0)));
  ASSERT_TRUE(sent(half, "POST"));
  const auto limit = std::chrono::steady_clock::now() + 10s;
  while (!has_come) ASSERT_LT(std::chrono::steady_clock::now(), limit);
  std::string got;
  std::jthread reader([&] { got = received(client, 10s); });
  EXPECT_FALSE(server.drain(100ms, 5s));
  reader.join();
  EXPECT_TRUE(got.starts_with("HTTP/1.1 503 Service Unavailable\r\n")) << got;
  EXPECT_NE(got.find("\r\nRetry-After: "), std::string::npos) << got;
  EXPECT_TRUE(held->closed.stop_requested());
  held->respond({.body = "too late"});
  held.reset();
  EXPECT_EQ(received(half, 10s), "");
}

}  // namespace
}  // namespace skerry::serve
