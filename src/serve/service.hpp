/// \file
/// What the server answers, whatever protocol the question came by: models, repository, circuits, statistics.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "serve/audit.hpp"
#include "serve/auth.hpp"
#include "serve/decisions.hpp"
#include "serve/http.hpp"
#include "serve/jobs.hpp"
#include "serve/log.hpp"
#include "serve/repository.hpp"
#include "serve/sandbox/pool.hpp"
#include "serve/sent_programs.hpp"
#include "serve/settings.hpp"
#include "serve/shared_memory.hpp"
#include "serve/telemetry.hpp"
#include "serve/tokens.hpp"
#include "serve/workers.hpp"
#include "wire/infer.hpp"

namespace skerry::serve {

struct Route;
struct MetricsInput;

struct ServiceOptions {
  RepositoryOptions repository;
  JobOptions jobs;
  PoolOptions workers;             ///< its limits are those of jobs
  std::filesystem::path key_file;  ///< keys and tenants; without it and tokens everybody may do everything
  TokenOptions tokens;
  std::filesystem::path audit_file;                         ///< empty: no audit log
  bool log_requests = false;                                ///< also those that went well
  std::uint64_t max_body_bytes = std::uint64_t{64} << 20;   ///< after decompression
  std::uint64_t max_sent_bytes = std::uint64_t{256} << 20;  ///< of programs that are kept for their senders
};

/// One HTTP request on its way through the service.
struct Call {
  ExchangePtr exchange;
  std::vector<std::string> words;  ///< what stood in the place of the route's {…}, decoded
  std::string query;
  Principal principal;
  Trace trace;
  const Route* route = nullptr;  ///< null: none was found
  std::string body;              ///< decompressed

  bool is_audited = false;  ///< changes something, or concerns a job

  const HttpRequest& request() const { return exchange->request; }
  /// Value of a query parameter; empty when there is none.
  std::string_view parameter(std::string_view name) const;
  /// The body, cut where its header says. Errors: invalid_argument.
  wire::BodyView view() const;
};
using CallPtr = std::shared_ptr<Call>;

/// From any thread.
class Service {
 public:
  explicit Service(ServiceOptions options);

  /// Answers a HTTP request, now or later.
  void handle(const ExchangePtr& exchange);
  /// Whether a request whose head came may send its body, of so many bytes; false: it was refused. Nothing is counted.
  bool wants_body(const ExchangePtr& exchange, std::uint64_t length);

  /// Answers a request that its connection gives up, and of which the head alone may have come.
  void refuse(const ExchangePtr& exchange, const Error& error, int status);

  /// What an inference gave: the reply, or why there is none.
  using InferDone = std::function<void(std::exception_ptr, wire::InferReply)>;
  /// Checks the request against the model and queues it; `done` is called once, from any thread.
  /// Errors: not_found, invalid_argument, type_mismatch, unavailable, deadline_exceeded, permission_denied.
  void infer(const Principal& principal, std::string_view name, std::string_view version, wire::InferRequest request,
             Clock::time_point arrived, std::stop_token stop, const Trace& trace, InferDone done);

  /// Who holds this key or token. Nothing: nobody. Where neither keys nor tokens are known everybody is anonymous.
  /// Errors: permission_denied for a token, with the reason.
  std::optional<Principal> authenticate(std::string_view credential) const;
  /// Fills in who holds it, if that is somebody who may do this at all. Errors: RouteError with 401 or 403; whoever is
  /// known is filled in then too, for whoever tells of it.
  void known(Principal& principal, std::string_view credential, Role role) const;
  /// The same, and lets him in, if that is somebody who may do this now, with so many bytes.
  /// Errors: as known(), and 429.
  void admit(Principal& principal, std::string_view credential, Role role, std::uint64_t bytes);

  /// What is told of a request in the audit and in the log, whatever protocol it came by.
  struct Asked {
    const Trace& trace;
    std::string_view method, what, peer, key;
    Clock::time_point arrived;
  };
  /// Puts a change and each refusal (401, 403, 429) on record, if there is one to keep. Gives what is to be answered
  /// instead when the record cannot be written.
  std::optional<Error> audit(const Asked& asked, bool is_change, int status);
  /// Logs an answer, as far as such are logged.
  void log_request(const Asked& asked, int status) const;
  /// Counts the seconds of a run against its tenant.
  void charge_seconds(const Principal& principal, double seconds);
  /// Reads the files of keys and tokens that these options name, and takes up what is to be logged; the rest of them is
  /// for another start. Errors: those of KeyRing::read and TokenKeys; then all that was stays.
  void take_up(const ServiceOptions& options);

  Repository& repository() noexcept { return repository_; }
  Jobs& jobs() noexcept { return jobs_; }
  /// Told in health and metrics.
  void set_http_counters(std::function<HttpCounters()> counters) { http_counters_ = std::move(counters); }
  /// Where spans of requests go from now on: to be called before the first request.
  void set_telemetry(std::shared_ptr<Telemetry> telemetry) {
    telemetry_ = std::move(telemetry);
    trace_settings_.begin(telemetry_ != nullptr);
  }
  /// The part of this server in the trace of who asks, of what concerns a model or none (empty): whether it is
  /// recorded, both have a word in.
  Trace begin_trace(std::string_view traceparent, std::string_view model);
  /// Whether somebody records this trace here.
  bool traces(const Trace& trace) const noexcept { return telemetry_ && trace.is_sampled; }
  /// Records a span whose trace is recorded.
  void tell(Span span, Clock::time_point begin, Clock::time_point end);
  /// All counters at this moment.
  MetricsInput measured() const;
  void set_draining() noexcept { draining_ = true; }
  bool is_ready() const { return !draining_.load() && repository_.all_ready(); }

 private:
  friend struct Routes;

  CallPtr begin(const ExchangePtr& exchange);
  /// Finds what answers a call. Errors: RouteError.
  void find(Call& call);
  void dispatch(const CallPtr& call, void (Service::*handler)(const CallPtr&));
  void open_body(Call& call) const;
  // Each finishes the call, if nobody has.
  void reply(const CallPtr& call, HttpResponse response);
  /// Counts an answer, and tells of it.
  void record(const Call& call, int status);
  static Asked asked(const Call& call);
  void reply(const CallPtr& call, std::string json, int status = 200);
  void reply(const CallPtr& call, wire::Body body);
  void refuse(const CallPtr& call, const std::exception_ptr& error);
  void refuse(const CallPtr& call, const Error& error, int status, double retry_seconds = 1.0);

  // Models (routes_models.cpp).
  void health_live(const CallPtr& call);
  void health_ready(const CallPtr& call);
  void server_metadata(const CallPtr& call);
  void model_metadata(const CallPtr& call);
  void model_ready(const CallPtr& call);
  void model_config(const CallPtr& call);
  void model_statistics(const CallPtr& call);
  void all_statistics(const CallPtr& call);
  void model_infer(const CallPtr& call);
  void repository_index(const CallPtr& call);
  void repository_load(const CallPtr& call);
  void repository_unload(const CallPtr& call);
  void metrics(const CallPtr& call);
  /// Errors: permission_denied.
  static void check_model(const Principal& principal, std::string_view name);
  ModelPtr model_of(const Call& call) const;

  void tell_job(const Trace& trace, const Trace& run, const wire::JobStatus& job);
  void tell_parts(const Trace& trace, const wire::InferReply& reply, Clock::time_point arrived, const Timing& timing);
  void tell_apart(const Trace& around, const std::string& model, const ApartTimes& times);
  /// From its tenant's allowance; a negative amount is given back. Errors: RouteError 403 or 429.
  void take(const Principal& principal, Meter meter, double amount);

  // Pages and shared memory (routes_pages.cpp).
  void usage(const CallPtr& call);
  void dashboard(const CallPtr& call);
  void openapi(const CallPtr& call);
  void memory_status(const CallPtr& call);
  void memory_register(const CallPtr& call);
  void memory_unregister(const CallPtr& call);
  void cuda_memory_status(const CallPtr& call);
  void cuda_memory_register(const CallPtr& call);
  void cuda_memory_unregister(const CallPtr& call);
  void trace_setting(const CallPtr& call);
  void logging(const CallPtr& call);

  // Circuits (routes_circuits.cpp).
  /// Shots that were taken, given back unless they are kept.
  class Shots {
   public:
    Shots(Service& service, const Principal& principal, double taken)
        : service_(service), principal_(principal), taken_(taken) {}
    ~Shots() { give_back(); }
    Shots(const Shots&) = delete;
    Shots& operator=(const Shots&) = delete;
    double taken() const noexcept { return taken_; }
    void keep() noexcept { is_kept_ = true; }
    void give_back() {
      if (!std::exchange(is_kept_, true)) service_.take(principal_, Meter::shots, -taken_);
    }

   private:
    Service& service_;
    const Principal principal_;
    const double taken_;
    bool is_kept_ = false;
  };
  /// Gives the shots taken.
  double take_circuit(const Principal& principal, const wire::CircuitRequest& request);
  /// The job's id, and whether it is new.
  std::pair<std::string, bool> submit(const CallPtr& call, wire::CircuitRequest request, Urgency urgency);
  bool is_stranger(const Principal& principal) const noexcept;
  Submitter submitter(const Call& call) const;
  /// Remembers where a circuit went; refusal: why it gave nothing, or null.
  void decided(std::string_view what, const Submitter& who, const CircuitNotes& notes, const Error* refusal);
  /// The same for what ends by an error; gives it on.
  [[noreturn]] void refused(std::string_view what, const Submitter& who, const CircuitNotes& notes);
  void tell_worker(Span span);
  std::unique_ptr<WorkerPool> make_pool();
  JobOptions job_options();
  void placements(const CallPtr& call);
  void run_circuit(const CallPtr& call);
  void run_request(const CallPtr& call, wire::CircuitRequest request);
  /// What a circuit's body asks for, with the program that was sent before.
  wire::CircuitRequest circuit_request(const Call& call);
  void plan_circuit(const CallPtr& call);
  void submit_job(const CallPtr& call);
  void list_jobs(const CallPtr& call);
  void job_status(const CallPtr& call);
  void job_result(const CallPtr& call);
  void job_cancel(const CallPtr& call);
  void job_events(const CallPtr& call);
  void reply_outcome(const CallPtr& call, const std::string& id);
  void reply_when_done(const CallPtr& call, const std::string& id, std::optional<double> seconds);

  ServiceOptions options_;
  mutable std::mutex keys_mutex_;
  struct Credentials {
    KeyRing keys;
    std::unique_ptr<const TokenKeys> tokens;  // null: none are taken
  };
  std::shared_ptr<const Credentials> credentials_;  // shared: replaced while requests hold it; null: all are welcome
  Buckets buckets_;
  SentPrograms sent_;
  SharedMemory shared_memory_;
  std::optional<AuditLog> audit_;
  std::function<HttpCounters()> http_counters_;
  std::shared_ptr<Telemetry> telemetry_;  // shared: requests that were cut off may outlive its work; null: none
  TraceSettings trace_settings_;
  Decisions decisions_;
  std::atomic<bool> draining_{false}, log_requests_{false};
  std::array<std::atomic<std::uint64_t>, 6> answers_{};  // by hundreds of the status
  Clock::time_point started_ = Clock::now();
  // Last, so that they end first: their threads use everything above.
  std::unique_ptr<WorkerPool> pool_;  // null: all circuits are run in this process
  Repository repository_;
  Jobs jobs_;
  Workers slow_{2, 256};  // loading, large bodies
  Workers plans_{1, 64};  // circuits that are priced
  Timers timers_;
};

/// Text of all counters in Prometheus's exposition format, version 0.0.4.
struct MetricsInput {
  std::vector<ModelPtr> models;
  JobCounters jobs;
  DecisionCounters decisions;
  SentCounters sent;
  HttpCounters http;
  std::array<std::uint64_t, 6> answers{};
  double uptime_seconds = 0.0;
  std::optional<PoolCounters> workers;         ///< empty: there are no worker processes
  std::optional<TelemetryCounters> telemetry;  ///< empty: nothing is sent anywhere
};
std::string metrics_text(const MetricsInput& input);

/// Bytes of a gzip or zlib stream. Errors: limit_exceeded beyond `limit` or a ratio of kMaxRatio, found before anything
/// is allocated for them; syntax_error for a damaged stream.
inline constexpr std::uint64_t kMaxRatio = 100;
std::string decompressed(std::string_view bytes, std::uint64_t limit);

}  // namespace skerry::serve
