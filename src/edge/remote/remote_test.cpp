#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <functional>
#include <mutex>
#include <skerry/edge.hpp>
#include <skerry/skerry.hpp>
#include <thread>

#include "base/descriptor.hpp"
#include "base/thrown_by.hpp"
#include "edge/remote/cloud.hpp"
#include "package/package.hpp"

namespace skerry::edge::remote {
namespace {

using base::Descriptor;
using namespace std::chrono_literals;

/// A listening socket on the loopback; what happens on its n-th connection is the test's business.
class Listener {
 public:
  using Behaviour = std::function<void(int socket, int number)>;

  explicit Listener(Behaviour behaviour)
      : behaviour_(std::move(behaviour)), socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(socket_.get(), 16), 0);
    socklen_t size = sizeof address;
    ::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::jthread([this] { accept(); });
  }
  ~Listener() {
    ::shutdown(socket_.get(), SHUT_RDWR);
    const std::scoped_lock lock(mutex_);
    for (const auto& connection : taken_) ::shutdown(connection->get(), SHUT_RDWR);
  }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  int connections() const { return count_; }

 private:
  void accept() {
    std::vector<std::jthread> talks;
    for (;;) {
      const int taken = ::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC);
      if (taken < 0) return;
      const auto connection = std::make_shared<Descriptor>(taken);
      {
        const std::scoped_lock lock(mutex_);
        taken_.push_back(connection);
      }
      talks.emplace_back([this, connection, number = count_++] {
        behaviour_(connection->get(), number);
        ::shutdown(connection->get(), SHUT_RDWR);
      });
    }
  }

  Behaviour behaviour_;
  Descriptor socket_;
  std::uint16_t port_ = 0;
  std::atomic<int> count_{0};
  std::mutex mutex_;
  std::vector<std::shared_ptr<Descriptor>> taken_;
  std::jthread acceptor_;
};

struct Received {
  std::string head, body;
  std::string target() const { return head.substr(head.find(' ') + 1, head.find(" HTTP") - head.find(' ') - 1); }
  std::size_t json_bytes() const {
    const std::size_t at = head.find("Inference-Header-Content-Length: ");
    return at == std::string::npos ? body.size() : std::stoul(head.substr(at + 33));
  }
};

std::optional<Received> receive(int socket) {
  std::string all;
  std::array<char, 4096> bytes{};
  for (;;) {
    const std::size_t end = all.find("\r\n\r\n");
    if (end != std::string::npos) {
      const std::size_t at = all.find("Content-Length: ");
      const std::size_t length = std::stoul(all.substr(at + 16));
      if (all.size() >= end + 4 + length) return Received{all.substr(0, end + 2), all.substr(end + 4, length)};
    }
    const ssize_t count = ::recv(socket, bytes.data(), bytes.size(), 0);
    if (count <= 0) return std::nullopt;
    all.append(bytes.data(), static_cast<std::size_t>(count));
  }
}

void send_text(int socket, const std::string& text) {
  ::send(socket, text.data(), text.size(), MSG_NOSIGNAL);
}

std::string answer_text(int status, const std::string& body, const std::string& more = "") {
  return "HTTP/1.1 " + std::to_string(status) + " X\r\n" + more + "Content-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

/// What a server computes for a request, by the protocol.
std::string computed(const Received& request) {
  const wire::CircuitRequest asked = wire::decode_circuit_request({request.body, request.json_bytes()});
  const auto bytes = std::make_shared<std::string>(asked.program);
  const auto loaded = package::read(std::as_bytes(std::span(*bytes)), bytes);
  RunOptions options;
  options.shots = asked.shots;
  options.seed = asked.seed;
  options.want_state = asked.state;
  const auto& circuit = std::get<Circuit>(loaded.contents.program);
  for (const auto& text : asked.observables)
    options.observables.push_back(Observable::parse(text, circuit.num_wires()));
  if (!asked.parameter_sets.empty()) options.named_parameters = asked.parameter_sets[0].named;
  const Result result = run(circuit, options);
  wire::CircuitAnswer answer{.expectations = result.expectations, .method = result.report.method};
  for (std::size_t i = 0; i < result.counts.size(); ++i)
    answer.counts.emplace_back(result.counts.text(i), result.counts.times(i));
  if (result.state) answer.state = result.state->amplitudes();
  const wire::Body body = wire::encode(wire::CircuitReply{.id = asked.id, .results = {answer}}, asked.binary);
  return answer_text(200, body.bytes, "Inference-Header-Content-Length: " + std::to_string(body.json_bytes) + "\r\n");
}

EndpointOptions options_for(const std::string& url) {
  return {.url = net::parse_url(url, "cloud_endpoint"), .tls = {}, .api_key = "secret", .connect_seconds = 0.5};
}

Patience within(std::chrono::duration<double> time) {
  return Patience{}.at_most(time);
}

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

Circuit bell() {
  Circuit circuit(2);
  circuit.h(0).cx(0, 1);
  return circuit;
}

TEST(Url, IsReadAndRefusedWithItsReason) {
  const Url url = net::parse_url("https://[::1]:8443/skerry/", "cloud_endpoint");
  EXPECT_TRUE(url.tls);
  EXPECT_EQ(url.host, "::1");
  EXPECT_EQ(url.port, 8443);
  EXPECT_EQ(url.text(), "https://[::1]:8443/skerry");
  EXPECT_EQ(net::parse_url("http://edge.example", "cloud_endpoint").authority(), "edge.example");
  for (const char* wrong : {"ftp://x", "http://", "http://a:0", "http://a:66000", "http://a:b", "http://user@host",
                            "http://a b", "http://a/?q", "http://[::1", "http://a:1:2", "http://a/\x01"}) {
    EXPECT_EQ(base::thrown_by([&] { net::parse_url(wrong, "cloud_endpoint"); }).where(), "cloud_endpoint") << wrong;
  }
}

TEST(Endpoint, RunsACircuitAndKeepsTheConnection) {
  const Listener server([](int socket, int) {
    while (const auto request = receive(socket)) {
      EXPECT_NE(request->head.find("Authorization: Bearer secret"), std::string::npos);
      send_text(socket, computed(*request));
    }
  });
  Endpoint endpoint(options_for(server.url()));
  RunOptions options;
  options.want_state = true;
  for (int i = 0; i < 5; ++i) {
    const Result result = run(endpoint, request_of(bell(), options, new_token()), false, within(5s));
    ASSERT_TRUE(result.state);
    EXPECT_NEAR(result.state->amplitude(3).real(), std::sqrt(0.5), 1e-15);
  }
  options.want_state = false;
  options.shots = 100;
  options.seed = 9;
  EXPECT_EQ(run(endpoint, request_of(bell(), options, new_token()), false, within(5s)).counts,
            skerry::run(bell(), options).counts);
  EXPECT_EQ(server.connections(), 1);
}

TEST(Endpoint, SendsTheSameTokenAgainWhenAConnectionBreaks) {
  std::vector<std::string> tokens;
  std::mutex mutex;
  const Listener server([&](int socket, int number) {
    const auto request = receive(socket);
    if (!request) return;
    {
      const std::scoped_lock lock(mutex);
      tokens.push_back(wire::decode_circuit_request({request->body, request->json_bytes()}).token);
    }
    if (number < 2) return;  // closed without an answer
    send_text(socket, computed(*request));
  });
  Endpoint endpoint(options_for(server.url()));
  RunOptions options;
  options.observables = {Observable::parse("Z0 Z1", 2)};
  EXPECT_NEAR(run(endpoint, request_of(bell(), options, new_token()), false, within(5s)).expectations[0], 1.0, 1e-12);
  ASSERT_EQ(tokens.size(), 3U);
  EXPECT_EQ(tokens[0], tokens[2]);
  EXPECT_EQ(tokens[0].size(), 32U);
  EXPECT_NE(new_token(), new_token());
}

TEST(Endpoint, ASilentServerCostsTheDeadlineAndNoMore) {
  const Listener server([](int socket, int) {
    receive(socket);
    std::array<char, 16> more{};
    ::recv(socket, more.data(), more.size(), 0);  // until the client gives up
  });
  Endpoint endpoint(options_for(server.url()));
  const double seconds = seconds_of([&] {
    const Error error = base::thrown_by([&] { endpoint.call({.target = "/v2"}, within(300ms)); });
    EXPECT_EQ(error.code(), ErrorCode::deadline_exceeded);
  });
  EXPECT_GE(seconds, 0.29);
  EXPECT_LT(seconds, 1.0);
}

TEST(Endpoint, AStopRequestEndsTheWaitAtOnce) {
  const Listener server([](int socket, int) {
    receive(socket);
    std::array<char, 16> more{};
    ::recv(socket, more.data(), more.size(), 0);
  });
  Endpoint endpoint(options_for(server.url()));
  std::stop_source stop;
  const std::jthread later([&] {
    std::this_thread::sleep_for(100ms);
    stop.request_stop();
  });
  Patience patience = within(30s);
  patience.stop = stop.get_token();
  const double seconds = seconds_of([&] {
    EXPECT_EQ(base::thrown_by([&] { endpoint.call({.target = "/v2"}, patience); }).code(), ErrorCode::cancelled);
  });
  EXPECT_LT(seconds, 2.0);
}

TEST(Endpoint, ASlowServerMayDribbleUntilTheDeadline) {
  const Listener server([](int socket, int) {
    receive(socket);
    for (const char letter : std::string("HTTP/1.1 200 OK\r\nX: " + std::string(10'000, 'a'))) {
      if (::send(socket, &letter, 1, MSG_NOSIGNAL) != 1) return;
      std::this_thread::sleep_for(2ms);
    }
  });
  Endpoint endpoint(options_for(server.url()));
  const double seconds = seconds_of([&] {
    EXPECT_EQ(base::thrown_by([&] { endpoint.call({.target = "/v2"}, within(200ms)); }).code(),
              ErrorCode::deadline_exceeded);
  });
  EXPECT_LT(seconds, 1.0);
}

TEST(Endpoint, TellsWhatItDoesNotUnderstand) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"SSH-2.0-OpenSSH\r\n\r\n", "does not begin with an HTTP status"},
      {"HTTP/1.1 200 OK\r\nContent-Length: abc\r\n\r\n", "Content-Length is no number"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", "unknown framing"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "a chunk has no length"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n", "longer than it says"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\nshort", "closed within the answer"},
      {"HTTP/1.1 200 OK\r\n: x\r\n\r\n", "a header has no name"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", "longer than 1000 bytes"},
      {"HTTP/1.1 200 OK\r\n" + std::string(70'000, 'h') + "\r\n\r\n", "longer than 65536 bytes"},
  };
  for (const auto& [text, expected] : cases) {
    const Listener server([&](int socket, int) {
      receive(socket);
      send_text(socket, text);
    });
    Endpoint endpoint(options_for(server.url()));
    const Error error = base::thrown_by([&] { endpoint.call({.target = "/v2", .max_body_bytes = 1000}, within(5s)); });
    EXPECT_NE(std::string(error.what()).find(expected), std::string::npos) << error.what();
    EXPECT_TRUE(std::string(error.what()).starts_with(server.url())) << error.what();
  }
}

TEST(Endpoint, ReadsChunksBodiesWithoutLengthAndInterimAnswers) {
  const Listener server([](int socket, int number) {
    receive(socket);
    if (number == 0) {
      send_text(socket, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
      for (const char* part : {"4\r\nWi", "ki\r\n5;ext=1\r\npedia\r\n", "0\r\nTrailer: x\r\n\r\n"}) {
        send_text(socket, part);
        std::this_thread::sleep_for(5ms);
      }
    } else {
      send_text(socket, "HTTP/1.0 200 OK\r\n\r\nuntil the end");
    }
  });
  Endpoint endpoint(options_for(server.url()));
  EXPECT_EQ(endpoint.call({.target = "/"}, within(5s)).body, "Wikipedia");
  EXPECT_EQ(endpoint.call({.target = "/"}, within(5s)).body, "until the end");
}

TEST(Endpoint, WaitsAsLongAsABusyServerAsks) {
  const Listener server([](int socket, int) {
    for (int i = 0; receive(socket); ++i)
      send_text(socket, i == 0 ? answer_text(503, "{}", "Retry-After: 0.2\r\n") : answer_text(200, "here"));
  });
  Endpoint endpoint(options_for(server.url()));
  const double seconds = seconds_of([&] { EXPECT_EQ(endpoint.call({.target = "/"}, within(5s)).body, "here"); });
  EXPECT_GE(seconds, 0.19);
  EXPECT_TRUE(endpoint.seems_up());
}

TEST(Endpoint, DoesNotRepeatWhatIsNotRepeatable) {
  const Listener server([](int socket, int) { receive(socket); });
  Endpoint endpoint(options_for(server.url()));
  EXPECT_EQ(base::thrown_by([&] {
              endpoint.call({.method = "POST", .target = "/", .repeatable = false}, within(5s));
            }).code(),
            ErrorCode::unavailable);
  EXPECT_EQ(server.connections(), 1);
}

TEST(Endpoint, OpensItsBreakerWhenNobodyListensAndSaysSoWithinTwoSeconds) {
  std::string url;
  {
    const Listener gone([](int, int) {});
    url = gone.url();
  }
  Endpoint endpoint(options_for(url));
  const double seconds = seconds_of([&] {
    EXPECT_EQ(base::thrown_by([&] { endpoint.call({.target = "/"}, within(10s)); }).code(), ErrorCode::unavailable);
  });
  EXPECT_LT(seconds, 2.0);
  EXPECT_FALSE(endpoint.seems_up());
  const auto before = endpoint.statistics().attempts;
  const Error error = base::thrown_by([&] { endpoint.call({.target = "/"}, within(10s)); });
  EXPECT_NE(std::string(error.what()).find("times in a row"), std::string::npos) << error.what();
  EXPECT_EQ(endpoint.statistics().attempts, before);
}

TEST(Breaker, LetsOneCallTryAfterItsPause) {
  Breaker breaker;
  const auto start = Breaker::Clock::now();
  for (int i = 0; i < Breaker::kFailures; ++i) {
    EXPECT_EQ(breaker.wait(start, true).count(), 0);
    breaker.failed(start, 0.0);
  }
  EXPECT_GT(breaker.wait(start + 400ms, true).count(), 0);
  EXPECT_EQ(breaker.wait(start + 600ms, true).count(), 0);
  EXPECT_GT(breaker.wait(start + 600ms, true).count(), 0);  // another call is trying
  breaker.failed(start + 700ms, 0.0);
  EXPECT_GT(breaker.wait(start + 1500ms, true).count(), 0);
  EXPECT_EQ(breaker.wait(start + 1800ms, true).count(), 0);
  breaker.succeeded();
  EXPECT_EQ(breaker.wait(start, true).count(), 0);
}

TEST(Endpoint, ALongRunIsAJobThatIsAskedForAndCancelled) {
  std::atomic<int> polls{0}, cancels{0};
  const Listener server([&](int socket, int) {
    std::string done;
    while (const auto request = receive(socket)) {
      const wire::JobStatus status{.id = "0123456789abcdef0123456789abcdef", .state = wire::JobState::running};
      const std::string target = request->target();
      if (target == "/v2/circuits/jobs") {
        done = computed(*request);
        send_text(socket, answer_text(202, wire::encode(status).bytes));
      } else if (target.ends_with("/cancel")) {
        ++cancels;
        send_text(socket, answer_text(200, wire::encode(status).bytes));
      } else {
        const bool is_ready = ++polls == 3;
        if (polls > 3) std::this_thread::sleep_for(50ms);
        send_text(socket, is_ready ? done : answer_text(202, wire::encode(status).bytes));
      }
    }
  });
  Endpoint endpoint(options_for(server.url()));
  RunOptions options;
  options.observables = {Observable::parse("X0 X1", 2)};
  EXPECT_NEAR(run(endpoint, request_of(bell(), options, new_token()), true, within(5s)).expectations[0], 1.0, 1e-12);
  EXPECT_EQ(polls, 3);
  const Error late =
      base::thrown_by([&] { run(endpoint, request_of(bell(), options, new_token()), true, within(300ms)); });
  EXPECT_EQ(late.code(), ErrorCode::deadline_exceeded);
  EXPECT_EQ(cancels, 1);
}

TEST(Cloud, ErrorsOfTheServerKeepTheirCode) {
  const Listener server([](int socket, int) {
    while (receive(socket)) {
      const Error error(ErrorCode::budget_exceeded, "the run needs 9 bytes but max_memory_mb allows 1", "statevector");
      send_text(socket, answer_text(507, wire::encode(error)));
    }
  });
  Endpoint endpoint(options_for(server.url()));
  const Error error = base::thrown_by([&] { run(endpoint, request_of(bell(), {}, "t"), false, within(5s)); });
  EXPECT_EQ(error.code(), ErrorCode::budget_exceeded);
  EXPECT_NE(std::string(error.what()).find("needs 9 bytes"), std::string::npos);
}

TEST(Executor, SendsWhatDoesNotFitAndComesBackWhenTheEndpointDies) {
  auto server = std::make_unique<Listener>([](int socket, int) {
    while (const auto request = receive(socket)) send_text(socket, computed(*request));
  });
  EdgeExecutionConfig config{.max_memory_mb = 0.5, .cloud_endpoint = server->url(), .cloud_timeout = 5.0};
  const auto compiler = std::make_shared<CircuitCompiler>(config);
  EdgeExecutor executor(config, compiler);
  Circuit wide(18);
  for (int layer = 0; layer < 4; ++layer) {
    for (Wire wire = 0; wire < 18; ++wire) wide.u(0.1 + wire, 0.3, 0.2 * layer, wire);
    for (Wire wire = 0; wire < 18; ++wire) wide.cx(wire, (wire + 5) % 18);
  }
  const ResultPtr far = executor.execute(compiler->compile_circuit(wide));
  EXPECT_EQ(far->method, ExecutionMethod::cloud) << far->placement.explain();
  RunOptions options;
  options.want_state = true;
  const Result here = skerry::run(wide, options);
  for (std::size_t i = 0; i < 1 << 18; i += 13)
    ASSERT_LT(std::abs(far->result.state->amplitude(i) - here.state->amplitude(i)), 1e-10);
  EXPECT_EQ(executor.statistics().cloud_executions, 1U);
  server.reset();
  Circuit other = wide;
  other.x(0);
  const CompiledPtr compiled = compiler->compile_circuit(other);
  Error error(ErrorCode::internal, "");
  const double seconds = seconds_of([&] { error = base::thrown_by([&] { executor.execute(compiled); }); });
  EXPECT_EQ(error.code(), ErrorCode::unavailable);
  EXPECT_NE(std::string(error.what()).find("max_memory_mb allows"), std::string::npos) << error.what();
  EXPECT_LT(seconds, 2.0);
  EXPECT_EQ(executor.execute(compiler->compile_circuit(bell()))->method, ExecutionMethod::edge);
}

/// Turns by `angle` until a measurement gives 1: no prediction knows how long that takes.
Circuit until_one(double angle) {
  Circuit loop(1, 1);
  const BlockId body = loop.open_block();
  loop.reset(0).ry(angle, 0).measure(0, 0);
  loop.close_block();
  auto& pool = loop.expressions();
  const ScalarType bit{ScalarKind::boolean, 1};
  loop.while_loop(
      pool.binary(ExprOp::eq, pool.leaf(ExprOp::bit, 0, bit), pool.constant(Scalar::of(std::int64_t{0}, bit))), body);
  return loop;
}

TEST(Executor, AnOverrunIsStoppedForReal) {
  EdgeExecutionConfig config{.max_execution_time = 0.2};
  const auto compiler = std::make_shared<CircuitCompiler>(config);
  EdgeExecutor executor(config, compiler);
  const CompiledPtr compiled = compiler->compile_circuit(until_one(0.0));
  const double seconds = seconds_of([&] {
    EXPECT_EQ(base::thrown_by([&] { executor.execute(compiled, {.shots = 1}); }).code(), ErrorCode::deadline_exceeded);
  });
  EXPECT_GE(seconds, 0.19);
  EXPECT_LT(seconds, 0.6);
}

TEST(Executor, AnOverrunIsMovedToTheEndpoint) {
  const Listener server([](int socket, int) {
    while (const auto request = receive(socket)) send_text(socket, computed(*request));
  });
  EdgeExecutionConfig config{.max_execution_time = 0.01, .cloud_endpoint = server.url(), .cloud_timeout = 20.0};
  const auto compiler = std::make_shared<CircuitCompiler>(config);
  EdgeExecutor executor(config, compiler);
  const ResultPtr result = executor.execute(compiler->compile_circuit(until_one(0.003)), {.shots = 1, .seed = 3});
  EXPECT_EQ(result->method, ExecutionMethod::cloud) << result->placement.explain();
  EXPECT_EQ(result->result.counts["1"], 1U);
  EXPECT_EQ(executor.statistics().moved, 1U);
  EXPECT_EQ(executor.statistics().executions(), 1U);
  EXPECT_NE(result->placement.explain().find("edge, "), std::string::npos);
  EXPECT_NE(result->placement.explain().find("failed: "), std::string::npos) << result->placement.explain();
}

TEST(Doctor, NamesTheFirstStageThatFails) {
  const auto last = [](const std::string& endpoint) { return examine_endpoint({.cloud_endpoint = endpoint}).back(); };
  EXPECT_EQ(last("").name, "address");
  EXPECT_EQ(last("http://no-such-host.invalid").name, "DNS");
  std::string url;
  {
    const Listener gone([](int, int) {});
    url = gone.url();
  }
  EXPECT_EQ(last(url).name, "TCP");
  const Listener plain([](int socket, int) {
    receive(socket);
    send_text(socket, "220 mail\r\n");
  });
  EXPECT_EQ(last(plain.url()).name, "HTTP");
  const Listener mail([](int socket, int) { send_text(socket, "220 mail\r\n"); });
  EXPECT_EQ(last("https" + mail.url().substr(4)).name, "TLS");
  const Listener guarded([](int socket, int) {
    while (const auto request = receive(socket)) {
      const bool is_open = request->target().starts_with("/v2/health");
      send_text(socket, is_open ? answer_text(200, "{}") : answer_text(401, R"({"error":"no key"})"));
    }
  });
  const Listener silent([](int socket, int) {
    receive(socket);
    std::array<char, 16> more{};
    ::recv(socket, more.data(), more.size(), 0);  // until the client gives up
  });
  const auto steps = examine_endpoint({.cloud_endpoint = silent.url(), .cloud_timeout = 0.25});
  EXPECT_EQ(steps.back().name, "HTTP");
  EXPECT_NE(steps.back().finding.find("ms: connections are taken there"), std::string::npos) << steps.back().finding;
  EXPECT_EQ(steps.back().finding.find("threads"), std::string::npos) << "it is no run";
  EXPECT_LT(steps.back().seconds, 4.0) << "cloud_timeout is the limit";
  EXPECT_EQ(last(guarded.url()).name, "auth");
  EXPECT_FALSE(last(guarded.url()).ok);
}

}  // namespace
}  // namespace skerry::edge::remote
