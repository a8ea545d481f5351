#include "serve/telemetry.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <new>
#include <optional>
#include <skerry/error.hpp>
#include <skerry/runtime.hpp>
#include <utility>

#include "serve/service.hpp"
#include "wire/json_node.hpp"

namespace skerry::serve {
namespace {

constexpr int kTries = 5;
constexpr std::chrono::seconds kPatience{10};  // of one message
constexpr std::uint64_t kMostAnswer = std::uint64_t{1} << 20;

// How many a collector that took a message left out (`partialSuccess`); a 64-bit integer, as text or as a number.
std::uint64_t rejected_in(const std::string& body, std::string_view field) {
  if (body.empty()) return 0;
  try {
    const wire::JsonText text(body);
    for (const auto& [name, part] : text.root().members()) {
      if (name != "partialSuccess" || !part.is_object()) continue;
      for (const auto& [key, value] : part.members()) {
        if (key != field) continue;
        std::string digits = value.minified();
        std::erase(digits, '"');
        std::uint64_t count = 0;
        std::from_chars(digits.data(), digits.data() + digits.size(), count);
        return count;
      }
    }
  } catch (const Error&) {  // a collector that took the message may say what it likes
    return 0;
  }
  return 0;
}

std::string random_name() {
  const Trace trace = trace_of({});
  return trace.trace_id;
}

}  // namespace

Telemetry::Telemetry(TelemetryOptions options, std::function<MetricsInput()> metrics)
    : options_(std::move(options)),
      url_(net::parse_url(options_.endpoint, "otlp-endpoint")),
      metrics_(std::move(metrics)),
      instance_(random_name()),
      thread_([this] { run(); }) {}

Telemetry::~Telemetry() {
  stop(std::chrono::milliseconds(0));
}

void Telemetry::add(Span span) noexcept {
  bool is_full_batch = false;
  {
    const std::scoped_lock lock(mutex_);
    if (stopping_ || waiting_.size() >= options_.max_waiting) {
      ++counters_.spans_dropped;
      return;
    }
    try {
      waiting_.push_back(std::move(span));
    } catch (const std::bad_alloc&) {
      ++counters_.spans_dropped;
      return;
    }
    is_full_batch = waiting_.size() == options_.max_batch;
  }
  if (is_full_batch) wake_.notify_one();
}

void Telemetry::stop(std::chrono::milliseconds limit) {
  {
    std::unique_lock lock(mutex_);
    if (!stopping_) {
      stopping_ = true;
      last_moment_ = std::chrono::steady_clock::now() + limit;
    }
    wake_.notify_all();
    wake_.wait_until(lock, last_moment_, [this] { return has_ended_; });
  }
  abandon_.request_stop();
  if (thread_.joinable()) thread_.join();
}

TelemetryCounters Telemetry::counters() const {
  const std::scoped_lock lock(mutex_);
  return counters_;
}

void Telemetry::run() {
  auto next_metrics = std::chrono::steady_clock::now() + options_.metrics_every;
  for (bool is_last = false; !is_last;) {
    {
      std::unique_lock lock(mutex_);
      const auto until = std::min(next_metrics, std::chrono::steady_clock::now() + options_.delay);
      wake_.wait_until(lock, until, [this] { return stopping_ || waiting_.size() >= options_.max_batch; });
      is_last = stopping_;
    }
    try {
      send_spans();
      if (is_last || std::chrono::steady_clock::now() >= next_metrics) {
        next_metrics = std::chrono::steady_clock::now() + options_.metrics_every;
        send_metrics();
      }
    } catch (const std::bad_alloc&) {  // the server goes on without this message
      const std::scoped_lock lock(mutex_);
      ++counters_.metrics_failed;
    }
  }
  const std::scoped_lock lock(mutex_);
  has_ended_ = true;
  wake_.notify_all();
}

void Telemetry::send_spans() {
  std::vector<Span> all;
  {
    const std::scoped_lock lock(mutex_);
    all.swap(waiting_);
  }
  while (!all.empty()) {
    const auto end = all.begin() + static_cast<std::ptrdiff_t>(std::min(all.size(), options_.max_batch));
    const std::vector<Span> batch(std::make_move_iterator(all.begin()), std::make_move_iterator(end));
    all.erase(all.begin(), end);
    const Answer answer = deliver("/v1/traces", spans_json(batch, {instance_}), "rejectedSpans");
    const std::uint64_t rejected =
        answer.outcome == Outcome::sent ? std::min<std::uint64_t>(answer.rejected, batch.size()) : batch.size();
    const std::scoped_lock lock(mutex_);
    counters_.spans_sent += batch.size() - rejected;
    counters_.spans_failed += rejected;
  }
}

void Telemetry::send_metrics() {
  const std::string json = metrics_json(metrics_(), {instance_}, started_, std::chrono::system_clock::now());
  const Answer answer = deliver("/v1/metrics", json, "rejectedDataPoints");
  const std::scoped_lock lock(mutex_);
  ++(answer.outcome == Outcome::sent ? counters_.metrics_sent : counters_.metrics_failed);
}

Telemetry::Answer Telemetry::deliver(const char* path, const std::string& json, const char* rejected) {
  for (int attempt = 1;; ++attempt) {
    Answer answer = post(path, json, rejected);
    tell(answer, path);
    if (answer.outcome != Outcome::again || attempt == kTries) return answer;
    const std::chrono::duration<double> backoff = std::chrono::seconds(1 << (attempt - 1));
    if (!pause(std::max(backoff, answer.wait))) return answer;
  }
}

Telemetry::Answer Telemetry::post(const char* path, const std::string& json, const char* rejected) {
  const net::HttpRequest request{
      .method = "POST",
      .target = path,
      .headers = {{"Content-Type", "application/json"}, {"User-Agent", "skerry/" + std::string(version())}},
      .body = json};
  try {
    const net::HttpAnswer got = exchange(request);
    if (got.status / 100 == 2) return {.outcome = Outcome::sent, .rejected = rejected_in(got.body, rejected)};
    constexpr std::array kAgain = {429, 502, 503, 504};
    const bool is_passing = std::ranges::find(kAgain, got.status) != kAgain.end();
    Answer answer{.outcome = is_passing ? Outcome::again : Outcome::refused,
                  .why = "the collector answers " + std::to_string(got.status)};
    double seconds = 0.0;
    const std::string_view after = got.header("retry-after");
    std::from_chars(after.data(), after.data() + after.size(), seconds);
    answer.wait = std::chrono::duration<double>(std::clamp(seconds, 0.0, 60.0));
    return answer;
  } catch (const Error& error) {
    return {.outcome = Outcome::again, .why = error.what()};
  }
}

net::HttpAnswer Telemetry::exchange(const net::HttpRequest& request) {
  net::Patience patience{.stop = abandon_.get_token()};
  {
    const std::scoped_lock lock(mutex_);
    patience.deadline = std::min(last_moment_, std::chrono::steady_clock::now() + kPatience);
  }
  std::optional<net::Connection> connection = std::exchange(kept_, std::nullopt);
  if (!connection || !connection->is_quiet()) {
    connection = net::Connection::open(url_, net::resolve(url_, patience), patience);
    if (url_.tls) connection->start_tls({}, patience);
  }
  net::HttpAnswer answer = net::exchange(*connection, url_, request, kMostAnswer, patience);
  if (answer.may_go_on) kept_ = std::move(connection);
  return answer;
}

// False: there is no time left.
bool Telemetry::pause(std::chrono::duration<double> time) {
  std::unique_lock lock(mutex_);
  const auto until = std::chrono::steady_clock::now() + std::chrono::duration_cast<std::chrono::nanoseconds>(time);
  wake_.wait_until(lock, until, [this] { return stopping_; });
  return !stopping_;  // at the end nothing is tried twice
}

// The first failure and the first success after it: a collector that is away for a night fills no log.
void Telemetry::tell(const Answer& answer, const char* path) {
  if (answer.outcome != Outcome::sent && !std::exchange(was_told_, true)) {
    log_line("warning", "telemetry", {{"path", path}, {"error", answer.why}});
  } else if (answer.outcome == Outcome::sent && std::exchange(was_told_, false)) {
    log_line("info", "telemetry", {{"path", path}});
  }
}

}  // namespace skerry::serve
