#include "edge/remote/endpoint.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <random>
#include <skerry/error.hpp>
#include <skerry/progress.hpp>
#include <skerry/runtime.hpp>
#include <thread>

#include "edge/remote/answer.hpp"

namespace skerry::edge::remote {
namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr int kAttempts = 4;
constexpr std::size_t kIdle = 8;

// A sleep that a stop request or the deadline ends.
void pause(Seconds time, const Patience& patience, const std::string& name) {
  const auto until = Clock::now() + std::chrono::duration_cast<Clock::duration>(time);
  const RunControl control{.stop = patience.stop, .deadline = patience.deadline};
  while (Clock::now() < until) {
    control.check(name);
    std::this_thread::sleep_for(std::min<Clock::duration>(until - Clock::now(), std::chrono::milliseconds(10)));
  }
}

double seconds_of(std::string_view header) {
  double seconds = 0.0;
  std::from_chars(header.data(), header.data() + header.size(), seconds);
  return std::clamp(seconds, 0.0, 5.0);
}

}  // namespace

EndpointOptions endpoint_options(const EdgeExecutionConfig& config) {
  return {.url = net::parse_url(config.cloud_endpoint, "cloud_endpoint"),
          .tls = {config.cloud_authorities, config.cloud_certificate, config.cloud_key},
          .api_key = config.cloud_api_key};
}

Clock::duration Breaker::wait(Clock::time_point now, bool take_trial) {
  if (failures_ < kFailures) return {};
  if (now < open_until_) return open_until_ - now;
  if (trial_) return std::chrono::milliseconds(100);  // one call is on its way to find out
  trial_ = take_trial;
  return {};
}

void Breaker::succeeded() noexcept {
  failures_ = 0;
  trial_ = false;
}

void Breaker::failed(Clock::time_point now, double jitter) {
  ++failures_;
  trial_ = false;
  if (failures_ < kFailures) return;
  const double pause = std::min(0.5 * std::pow(2.0, failures_ - kFailures), 30.0);
  open_until_ = now + std::chrono::duration_cast<Clock::duration>(Seconds(pause * (1.0 + jitter / 2)));
}

Endpoint::Endpoint(EndpointOptions options) : options_(std::move(options)) {}

double Endpoint::random() {
  thread_local std::minstd_rand generator(std::random_device{}());
  return std::uniform_real_distribution<double>(0.0, 1.0)(generator);
}

void Endpoint::admit() {
  const std::scoped_lock lock(mutex_);
  const auto wait = breaker_.wait(Clock::now(), true);
  if (wait == Clock::duration::zero()) return;
  const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(wait).count();
  throw Error(ErrorCode::unavailable,
              "it failed " + std::to_string(breaker_.failures()) + " times in a row and is tried again in " +
                  std::to_string(milliseconds) + " ms (" + last_failure_ + ")",
              options_.url.text(), "`skerry edge doctor` tells what is wrong with it");
}

void Endpoint::failed(const std::string& why) {
  const std::scoped_lock lock(mutex_);
  ++statistics_.failures;
  last_failure_ = why;
  breaker_.failed(Clock::now(), random());
  addresses_.clear();  // the name may mean another machine now
}

void Endpoint::succeeded() {
  const std::scoped_lock lock(mutex_);
  breaker_.succeeded();
  last_failure_.clear();
}

std::optional<Connection> Endpoint::idle() {
  const std::scoped_lock lock(mutex_);
  while (!idle_.empty()) {
    Connection connection = std::move(idle_.back());
    idle_.pop_back();
    if (connection.is_quiet()) return connection;
  }
  return std::nullopt;
}

Connection Endpoint::connect(const Patience& patience) {
  const Patience mine = patience.at_most(Seconds(options_.connect_seconds));
  try {
    std::vector<Address> addresses;
    {
      const std::scoped_lock lock(mutex_);
      addresses = addresses_;
    }
    if (addresses.empty()) addresses = resolve(options_.url, mine);
    Connection connection = Connection::open(options_.url, addresses, mine);
    if (options_.url.tls) connection.start_tls(options_.tls, mine);
    const std::scoped_lock lock(mutex_);
    addresses_ = std::move(addresses);
    ++statistics_.connections;
    return connection;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::deadline_exceeded || Clock::now() >= patience.deadline) throw;
    throw Error(ErrorCode::unavailable, "no connection within " + std::to_string(options_.connect_seconds) + " s",
                options_.url.text(), "is the server running, and is the port open");
  }
}

HttpAnswer Endpoint::attempt(const HttpRequest& request, std::uint64_t max_body, const Patience& patience) {
  const auto keep = [this](Connection& connection, const HttpAnswer& answer) {
    const std::scoped_lock lock(mutex_);
    if (answer.may_go_on && idle_.size() < kIdle) idle_.push_back(std::move(connection));
  };
  if (std::optional<Connection> known = idle()) {
    try {
      HttpAnswer answer = exchange(*known, options_.url, request, max_body, patience);
      keep(*known, answer);
      return answer;
    } catch (const Error& error) {
      // Closed while it waited, as servers do: that is no failure. The caller said that the request may be repeated.
      if (error.code() != ErrorCode::unavailable) throw;
    }
  }
  Connection fresh = connect(patience);
  HttpAnswer answer = exchange(fresh, options_.url, request, max_body, patience);
  keep(fresh, answer);
  return answer;
}

HttpAnswer Endpoint::call(const Call& call, const Patience& patience) {
  HttpRequest request{call.method, call.target, call.headers, call.body};
  if (!options_.api_key.empty()) request.headers.emplace_back("Authorization", "Bearer " + options_.api_key);
  request.headers.emplace_back("User-Agent", "skerry/" + std::string(version()));
  request.headers.emplace_back("traceparent", "");  // last: each attempt has its own
  {
    const std::scoped_lock lock(mutex_);
    ++statistics_.calls;
    if (!call.repeatable) idle_.clear();
  }
  for (int attempt = 1;; ++attempt) {
    admit();
    double pause_seconds = 0.05 * static_cast<double>(1 << (attempt - 1)) * random();
    try {
      {
        const std::scoped_lock lock(mutex_);
        ++statistics_.attempts;
      }
      request.headers.back().second = net::child_of(call.trace).header();
      HttpAnswer answer = this->attempt(request, call.max_body_bytes, patience);
      const bool is_busy = answer.status == 429 || answer.status == 503;
      if (answer.status == 200 && call.take) call.take(answer);
      succeeded();  // it answers: busy is not broken
      if (!is_busy || attempt == kAttempts || !call.repeatable) return answer;
      pause_seconds = std::max(pause_seconds, seconds_of(answer.header("retry-after")));
    } catch (const Error& error) {
      if (error.code() == ErrorCode::cancelled) {  // that tells nothing about the endpoint
        const std::scoped_lock lock(mutex_);
        breaker_.abandoned();
        throw;
      }
      failed(error.message());
      if (error.code() == ErrorCode::limit_exceeded && call.take) throw BadAnswer(error.message(), options_.url.text());
      const bool is_read = dynamic_cast<const BadAnswer*>(&error) != nullptr;  // asked again, it says the same
      if (error.code() != ErrorCode::unavailable || is_read || attempt == kAttempts || !call.repeatable) throw;
    }
    pause(Seconds(pause_seconds), patience, options_.url.text());
  }
}

bool Endpoint::seems_up() const {
  const std::scoped_lock lock(mutex_);
  return breaker_.wait(Clock::now(), false) == Clock::duration::zero();
}

std::string Endpoint::last_failure() const {
  const std::scoped_lock lock(mutex_);
  return last_failure_;
}

EndpointStatistics Endpoint::statistics() const {
  const std::scoped_lock lock(mutex_);
  return statistics_;
}

void Endpoint::sent(std::uint64_t bytes, double seconds) {
  constexpr std::uint64_t kLarge = std::uint64_t{256} << 10;  // less tells of the round trip
  if (bytes < kLarge || !(seconds > 0.0)) return;
  const std::scoped_lock lock(mutex_);
  bytes_per_second_ = static_cast<double>(bytes) / seconds;
}

std::optional<double> Endpoint::bytes_per_second() const {
  const std::scoped_lock lock(mutex_);
  return bytes_per_second_;
}

void Endpoint::close() {
  const std::scoped_lock lock(mutex_);
  idle_.clear();
}

}  // namespace skerry::edge::remote
