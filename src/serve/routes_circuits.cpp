#include <charconv>
#include <optional>

#include "serve/routes.hpp"
#include "serve/service.hpp"
#include "wire/json_writer.hpp"

namespace skerry::serve {
namespace {

constexpr double kLongestWait = 60.0;

Error going_down() {
  return {ErrorCode::unavailable, "the server is going down", "server", "ask again when it is back"};
}

// Called when it goes: the end of who waits for something that may never come.
class AtEnd {
 public:
  explicit AtEnd(std::function<void()> function) : function_(std::move(function)) {}
  ~AtEnd() { function_(); }
  AtEnd(const AtEnd&) = delete;
  AtEnd& operator=(const AtEnd&) = delete;

 private:
  std::function<void()> function_;
};

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

// Whether the shots of a run that ended so are given back: of a program that is refused nothing was sampled. Whoever
// stops a run, or lets it come to its time, has had what it took.
bool gives_back(const Error& error) {
  return error.code() != ErrorCode::cancelled && error.code() != ErrorCode::deadline_exceeded;
}

// Tells of the wait before a run and of the run.
class Traced {
 public:
  Traced(Service& service, const Trace& trace, const Trace& run, Clock::time_point arrived)
      : service_(service), trace_(trace), run_(run), arrived_(arrived) {}
  ~Traced() {
    if (!service_.traces(trace_)) return;
    service_.tell({.trace = net::child_of(trace_), .name = "wait circuit", .is_answer = false}, arrived_, begin_);
    service_.tell({.trace = run_, .name = "run circuit", .is_answer = false}, begin_, Clock::now());
  }
  Traced(const Traced&) = delete;
  Traced& operator=(const Traced&) = delete;

 private:
  Service& service_;
  const Trace trace_, run_;
  const Clock::time_point arrived_, begin_ = Clock::now();
};

}  // namespace

bool Service::is_stranger(const Principal& principal) const noexcept {
  return pool_ && pool_->takes(principal);
}

Submitter Service::submitter(const Call& call) const {
  const Principal& principal = call.principal;
  return {.name = principal.name,
          .is_stranger = is_stranger(principal),
          .max_qubits = principal.tenant ? principal.tenant->max_qubits : 0,
          .placement = std::string(call.request().header(wire::kPlacementHeader)),
          .run = net::child_of(call.trace)};
}

void Service::decided(std::string_view what, const Submitter& who, const CircuitNotes& notes, const Error* refusal) {
  if (auto decision = decision_of(what, who, pool_ != nullptr, notes, refusal)) decisions_.add(*std::move(decision));
}

void Service::refused(std::string_view what, const Submitter& who, const CircuitNotes& notes) {
  try {
    throw;
  } catch (const RouteError& error) {
    decided(what, who, notes, &error.error);
    throw;
  } catch (const Error& error) {
    decided(what, who, notes, &error);
    throw;
  }
}

void Service::tell_worker(Span span) {
  if (log_requests_.load()) {
    const std::chrono::duration<double, std::micro> took = span.end - span.begin;
    log_line("info", "worker",
             {{"trace_id", span.trace.trace_id},
              {"span_id", span.trace.span_id},
              {"parent_id", span.trace.parent_id},
              {"part", span.name},
              {"us", took.count()},
              {"pid", static_cast<std::uint64_t>(std::get<std::int64_t>(span.attributes.at(0).second))}});
  }
  if (traces(span.trace)) telemetry_->add(std::move(span));
}

// Shots are paid beforehand; how wide the circuit is shows only when it is read.
double Service::take_circuit(const Principal& principal, const wire::CircuitRequest& request) {
  const auto sets = static_cast<double>(std::max<std::size_t>(1, request.parameter_sets.size()));
  const double shots = static_cast<double>(request.shots) * sets;
  take(principal, Meter::shots, shots);
  return shots;
}

std::pair<std::string, bool> Service::submit(const CallPtr& call, wire::CircuitRequest request, Urgency urgency) {
  const Submitter who = submitter(*call);
  try {
    Shots shots(*this, call->principal, take_circuit(call->principal, request));
    const auto [status, fresh] = jobs_.submit(who, std::move(request), urgency);
    if (fresh) shots.keep();  // sent again it runs, and is paid, once
    if (fresh && call->principal.tenant) {
      jobs_.listen(who.name, status.id,
                   [this, principal = call->principal, taken = shots.taken()](const wire::JobStatus& now) {
                     if (!wire::is_final(now.state)) return true;
                     if (now.started > 0) charge_seconds(principal, now.ended - now.started);
                     if (now.started == 0 || (now.error && gives_back(*now.error)))
                       take(principal, Meter::shots, -taken);
                     return false;
                   });
    }
    if (fresh && traces(call->trace)) {
      jobs_.listen(who.name, status.id, [this, trace = call->trace, run = who.run](const wire::JobStatus& now) {
        if (wire::is_final(now.state)) tell_job(trace, run, now);
        return !wire::is_final(now.state);
      });
    }
    return {status.id, fresh};
  } catch (...) {
    refused("job", who, {});
  }
}

void Service::tell_job(const Trace& trace, const Trace& run, const wire::JobStatus& job) {
  using System = std::chrono::system_clock;
  const auto moment = [](double seconds) {
    return System::time_point(std::chrono::duration_cast<System::duration>(std::chrono::duration<double>(seconds)));
  };
  const bool has_run = job.started > 0.0;
  Span waited{.trace = net::child_of(trace), .name = "wait circuit", .is_answer = false};
  waited.begin = moment(job.submitted);
  waited.end = moment(has_run ? job.started : job.ended);
  waited.attributes = {{"skerry.job", job.id}};
  Span ran{.trace = run, .name = "run circuit", .is_answer = false};
  ran.begin = moment(job.started);
  ran.end = moment(job.ended);
  ran.attributes = waited.attributes;
  ran.has_failed = job.state == wire::JobState::failed;
  telemetry_->add(std::move(waited));
  if (has_run) telemetry_->add(std::move(ran));
}

wire::CircuitRequest Service::circuit_request(const Call& call) {
  wire::CircuitRequest request = wire::decode_circuit_request(call.view());
  sent_.complete(call.principal.owner(), request);
  return request;
}

void Service::run_circuit(const CallPtr& call) {
  wire::CircuitRequest request = wire::decode_circuit_request(call->view());
  call->body = {};
  if (request.program_digest.empty()) return run_request(call, std::move(request));
  // Whoever names a program asks for the work of one that is sent: not on a thread that reads sockets.
  const auto named = std::make_shared<wire::CircuitRequest>(std::move(request));  // shared: tasks are copied
  const auto run = [this, call, named] {
    try {
      sent_.complete(call->principal.owner(), *named);
      run_request(call, std::move(*named));
    } catch (...) {
      refuse(call, std::current_exception());
    }
  };
  slow_.post(run, call->principal.name);
}

void Service::run_request(const CallPtr& call, wire::CircuitRequest request) {
  if (!request.token.empty()) {
    return reply_when_done(call, submit(call, std::move(request), Urgency::waited_for).first, std::nullopt);
  }
  const auto who = std::make_shared<const Submitter>(submitter(*call));  // shared: with the thread that runs it
  const auto shared = std::make_shared<wire::CircuitRequest>(std::move(request));
  try {
    // Shared: with the thread that runs it; given back by whoever lets go of it before it was used.
    const auto shots = std::make_shared<Shots>(*this, call->principal, take_circuit(call->principal, *shared));
    jobs_.post(
        [this, call, who, shared, shots] {
          CircuitNotes notes;
          try {
            wire::Body body;
            {
              const Traced traced(*this, call->trace, who->run, call->exchange->arrived);
              const RunControl control{.stop = call->exchange->closed.get_token()};
              const Seconds counted(*this, call->principal);
              body = who->is_stranger
                         ? pool_->run(*who, *shared, control, notes)
                         : wire::encode(run_circuits(*shared, options_.jobs.limits, who->max_qubits, control, notes),
                                        shared->binary);
            }
            shots->keep();
            decided("circuit", *who, notes, nullptr);
            reply(call, std::move(body));
          } catch (const Error& error) {
            // Before the answer, which may bring the next request.
            gives_back(error) ? shots->give_back() : shots->keep();
            decided("circuit", *who, notes, &error);
            refuse(call, std::current_exception());
          } catch (...) {
            refuse(call, std::current_exception());
          }
        },
        who->name);
  } catch (...) {
    refused("circuit", *who, {});
  }
}

// A text of megabytes takes seconds to read: away from the few threads that load models and read large bodies. Those
// whose circuits run in a worker process wait for one on the threads that may.
void Service::plan_circuit(const CallPtr& call) {
  // Shared: tasks are copied.
  const auto request = std::make_shared<const wire::CircuitRequest>(circuit_request(*call));
  call->body = {};
  const Submitter who = submitter(*call);
  const auto price = [this, call, who, request] {
    CircuitNotes notes;
    try {
      const RunControl control{.stop = call->exchange->closed.get_token()};
      control.check("plan");
      wire::Body body;
      if (who.is_stranger) {
        Submitter anybody = who;
        anybody.max_qubits = 0;  // a price is no run
        anybody.run = call->trace;
        body = pool_->plan(anybody, *request, control, notes);
      } else {
        const Plan plan = plan_circuits(*request, options_.jobs.limits, control);
        notes = notes_of(plan);
        body.bytes = plan_text(plan);
        body.json_bytes = body.bytes.size();
      }
      decided("plan", who, notes, nullptr);
      reply(call, std::move(body));
    } catch (...) {
      refuse(call, std::current_exception());
    }
  };
  who.is_stranger ? jobs_.post(price, who.name) : plans_.post(price, who.name);
}

void Service::placements(const CallPtr& call) {
  const Principal& who = call->principal;
  reply(call, decisions_json(decisions_.counters(), decisions_.recent(who.has(Role::admin) ? nullptr : &who.name)));
}

void Service::submit_job(const CallPtr& call) {
  const auto [id, is_new] = submit(call, circuit_request(*call), Urgency::job);
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
    JobOutcome outcome = jobs_.outcome(call->principal.name, id);
    if (outcome.status.state == wire::JobState::done) return reply(call, std::move(outcome.reply));
    if (outcome.status.error) throw *outcome.status.error;
    if (outcome.status.state == wire::JobState::cancelled && draining_.load()) throw going_down();  // by whom, we know
    if (outcome.status.state == wire::JobState::cancelled)
      throw Error(ErrorCode::cancelled, "the job was cancelled", id);
    reply(call, wire::encode(outcome.status).bytes, 202);
  } catch (...) {
    refuse(call, std::current_exception());
  }
}

// seconds: nothing waits for as long as it takes.
void Service::reply_when_done(const CallPtr& call, const std::string& id, std::optional<double> seconds) {
  auto answered = std::make_shared<std::atomic<bool>>(false);                 // shared by the listener and the timer
  const auto at_end = std::make_shared<const AtEnd>([this, call, answered] {  // shared: by copies of the listener
    if (draining_.load() && !answered->exchange(true)) refuse(call, going_down(), 503);
  });
  const auto tell = [this, call, id, answered, at_end](const wire::JobStatus& status) {
    if (!wire::is_final(status.state)) return !answered->load();
    if (!answered->exchange(true)) reply_outcome(call, id);
    return false;
  };
  jobs_.listen(call->principal.name, id, tell, call->exchange->closed.get_token());
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
  if (call->exchange->is_told.exchange(true)) return;
  call->exchange->begin_stream(
      {.type = "text/event-stream", .headers = {{"Cache-Control", "no-store"}, {"traceparent", call->trace.header()}}});
  record(*call, 200);
  auto ended = std::make_shared<std::atomic<bool>>(false);  // shared by calls of the listener from several threads
  const auto tell = [call, ended](const wire::JobStatus& status) {
    const bool is_last = wire::is_final(status.state);
    if (is_last ? ended->exchange(true) : ended->load()) return false;
    call->exchange->send(event_of(status));
    if (is_last) call->exchange->end_stream();
    return !is_last;
  };
  jobs_.listen(call->principal.name, id, tell, call->exchange->closed.get_token());
}

}  // namespace skerry::serve
