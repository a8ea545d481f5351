#include <charconv>
#include <optional>

#include "serve/service.hpp"
#include "wire/json_writer.hpp"

namespace skerry::serve {
namespace {

constexpr double kLongestWait = 60.0;

std::string event_of(const wire::JobStatus& status) {
  const std::string_view name = wire::is_final(status.state) ? wire::job_state_name(status.state) : "progress";
  return "event: " + std::string(name) + "\ndata: " + wire::encode(status).bytes + "\n\n";
}

// Counts the time while it lives.
class Seconds {
 public:
  Seconds(Service& service, const Principal& principal) : service_(service), principal_(principal) {}
  ~Seconds() { service_.charge_seconds(principal_, std::chrono::duration<double>(Clock::now() - begin_).count()); }
  Seconds(const Seconds&) = delete;
  Seconds& operator=(const Seconds&) = delete;

 private:
  Service& service_;
  const Principal& principal_;
  Clock::time_point begin_ = Clock::now();
};

// Tells of the wait before a run and of the run.
class Traced {
 public:
  Traced(Service& service, const Trace& trace, Clock::time_point arrived)
      : service_(service), trace_(trace), arrived_(arrived) {}
  ~Traced() {
    if (!service_.traces(trace_)) return;
    service_.tell({.trace = net::child_of(trace_), .name = "wait circuit", .is_answer = false}, arrived_, begin_);
    service_.tell({.trace = net::child_of(trace_), .name = "run circuit", .is_answer = false}, begin_, Clock::now());
  }
  Traced(const Traced&) = delete;
  Traced& operator=(const Traced&) = delete;

 private:
  Service& service_;
  const Trace trace_;
  const Clock::time_point arrived_, begin_ = Clock::now();
};

}  // namespace

bool Service::is_stranger(const Principal& principal) const noexcept {
  return pool_ && pool_->takes(principal);
}

Submitter Service::submitter(const Principal& principal) const {
  return {.name = principal.name,
          .is_stranger = is_stranger(principal),
          .max_qubits = principal.tenant ? principal.tenant->max_qubits : 0};
}

// Shots are paid beforehand; the width of the circuit is looked at when somebody limits it, a stranger's by the worker
// that reads it.
double Service::take_circuit(const Principal& principal, const wire::CircuitRequest& request) {
  if (principal.tenant && !is_stranger(principal))
    check_width(request, options_.jobs.limits, principal.tenant->max_qubits);
  const auto sets = static_cast<double>(std::max<std::size_t>(1, request.parameter_sets.size()));
  const double shots = static_cast<double>(request.shots) * sets;
  take(principal, Meter::shots, shots);
  return shots;
}

std::pair<std::string, bool> Service::submit(const CallPtr& call, wire::CircuitRequest request, Urgency urgency) {
  const double shots = take_circuit(call->principal, request);
  const auto [status, fresh] = jobs_.submit(submitter(call->principal), std::move(request), urgency);
  if (!fresh) take(call->principal, Meter::shots, -shots);  // sent again: it runs, and is paid, once
  if (fresh && call->principal.tenant) {
    jobs_.listen(call->principal.name, status.id, [this, principal = call->principal](const wire::JobStatus& now) {
      if (wire::is_final(now.state) && now.started > 0) charge_seconds(principal, now.ended - now.started);
      return !wire::is_final(now.state);
    });
  }
  if (fresh && traces(call->trace)) {
    jobs_.listen(call->principal.name, status.id, [this, trace = call->trace](const wire::JobStatus& now) {
      if (wire::is_final(now.state)) tell_job(trace, now);
      return !wire::is_final(now.state);
    });
  }
  return {status.id, fresh};
}

void Service::tell_job(const Trace& trace, const wire::JobStatus& job) {
  using System = std::chrono::system_clock;
  const auto moment = [](double seconds) {
    return System::time_point(std::chrono::duration_cast<System::duration>(std::chrono::duration<double>(seconds)));
  };
  const bool has_run = job.started > 0.0;
  Span waited{.trace = net::child_of(trace), .name = "wait circuit", .is_answer = false};
  waited.begin = moment(job.submitted);
  waited.end = moment(has_run ? job.started : job.ended);
  waited.attributes = {{"skerry.job", job.id}};
  Span ran{.trace = net::child_of(trace), .name = "run circuit", .is_answer = false};
  ran.begin = moment(job.started);
  ran.end = moment(job.ended);
  ran.attributes = waited.attributes;
  ran.has_failed = job.state == wire::JobState::failed;
  telemetry_->add(std::move(waited));
  if (has_run) telemetry_->add(std::move(ran));
}

void Service::run_circuit(const CallPtr& call) {
  wire::CircuitRequest request = wire::decode_circuit_request(call->view());
  call->body = {};
  if (!request.token.empty()) {
    return reply_when_done(call, submit(call, std::move(request), Urgency::waited_for).first, std::nullopt);
  }
  take_circuit(call->principal, request);
  auto shared = std::make_shared<wire::CircuitRequest>(std::move(request));
  jobs_.post([this, call, shared] {
    try {
      const Traced traced(*this, call->trace, call->exchange->arrived);
      const RunControl control{.stop = call->exchange->closed.get_token()};
      const Seconds counted(*this, call->principal);
      const Submitter who = submitter(call->principal);
      reply(call, who.is_stranger ? pool_->run(who.name, *shared, who.max_qubits, control)
                                  : wire::encode(run_circuits(*shared, options_.jobs.limits, control), shared->binary));
    } catch (...) {
      refuse(call, std::current_exception());
    }
  });
}

void Service::plan_circuit(const CallPtr& call) {
  const wire::CircuitRequest request = wire::decode_circuit_request(call->view());
  const Submitter who = submitter(call->principal);
  if (who.is_stranger) {
    const RunControl control{.stop = call->exchange->closed.get_token()};
    return reply(call, pool_->plan(who.name, request, 0, control));
  }
  reply(call, plan_text(plan_circuits(request, options_.jobs.limits)));
}

void Service::submit_job(const CallPtr& call) {
  const auto [id, is_new] = submit(call, wire::decode_circuit_request(call->view()), Urgency::job);
  reply(call, wire::encode(jobs_.status(call->principal.name, id)).bytes, is_new ? 202 : 200);
}

void Service::list_jobs(const CallPtr& call) {
  wire::JsonWriter json;
  json.open('{').key("jobs").open('[');
  for (const wire::JobStatus& status : jobs_.list(call->principal.name)) json.raw(wire::encode(status).bytes);
  reply(call, std::move(json.close(']').close('}')).text());
}

void Service::job_status(const CallPtr& call) {
  reply(call, wire::encode(jobs_.status(call->principal.name, call->words[0])).bytes);
}

void Service::job_cancel(const CallPtr& call) {
  reply(call, wire::encode(jobs_.cancel(call->principal.name, call->words[0])).bytes);
}

void Service::reply_outcome(const CallPtr& call, const std::string& id) {
  try {
    const JobOutcome outcome = jobs_.outcome(call->principal.name, id);
    if (outcome.status.state == wire::JobState::done) return reply(call, outcome.reply);
    if (outcome.status.error) throw *outcome.status.error;
    if (outcome.status.state == wire::JobState::cancelled)
      throw Error(ErrorCode::cancelled, "the job was cancelled", id);
    reply(call, wire::encode(outcome.status).bytes, 202);
  } catch (...) {
    refuse(call, std::current_exception());
  }
}

// seconds: nothing waits for as long as it takes.
void Service::reply_when_done(const CallPtr& call, const std::string& id, std::optional<double> seconds) {
  auto answered = std::make_shared<std::atomic<bool>>(false);  // shared by the listener and the timer
  jobs_.listen(call->principal.name, id, [this, call, id, answered](const wire::JobStatus& status) {
    if (!wire::is_final(status.state)) return !answered->load() && !call->exchange->closed.stop_requested();
    if (!answered->exchange(true)) reply_outcome(call, id);
    return false;
  });
  if (!seconds || answered->load()) return;
  // The listener keeps the call; a timer that did so too would hold its connection after the answer.
  timers_.after(std::chrono::duration<double>(*seconds), [this, weak = std::weak_ptr(call), id, answered] {
    const CallPtr waiting = weak.lock();
    if (waiting && !answered->exchange(true)) reply_outcome(waiting, id);
  });
}

void Service::job_result(const CallPtr& call) {
  double seconds = 0.0;
  const std::string_view text = call->parameter("wait");
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (!text.empty() &&
      (error != std::errc() || end != text.data() + text.size() || !(seconds >= 0.0) || seconds > kLongestWait)) {
    throw Error(ErrorCode::invalid_argument, "wait is a number of seconds from 0 to 60", "wait");
  }
  if (seconds > 0.0) return reply_when_done(call, call->words[0], seconds);
  reply_outcome(call, call->words[0]);
}

void Service::job_events(const CallPtr& call) {
  const std::string& id = call->words[0];
  jobs_.status(call->principal.name, id);  // an unknown job is refused before the stream begins
  call->exchange->begin_stream(
      {.type = "text/event-stream", .headers = {{"Cache-Control", "no-store"}, {"traceparent", call->trace.header()}}});
  record(*call, 200);
  auto ended = std::make_shared<std::atomic<bool>>(false);  // shared by calls of the listener from several threads
  jobs_.listen(call->principal.name, id, [call, ended](const wire::JobStatus& status) {
    const bool is_last = wire::is_final(status.state);
    if (is_last ? ended->exchange(true) : ended->load()) return false;
    if (call->exchange->closed.stop_requested()) return false;
    call->exchange->send(event_of(status));
    if (is_last) call->exchange->end_stream();
    return !is_last;
  });
}

}  // namespace skerry::serve
