#include "serve/jobs.hpp"

#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <list>
#include <map>
#include <mutex>
#include <optional>

#include "base/file.hpp"
#include "base/hash.hpp"
#include "package/digest.hpp"

namespace skerry::serve {
namespace {

namespace fs = std::filesystem;
using wire::JobState;
using wire::JobStatus;

constexpr std::chrono::milliseconds kNewsEvery{50};
constexpr std::chrono::milliseconds kTurn{200};       // that a job has before it lets another owner's run
constexpr std::size_t kMostPaused = 3;                // jobs that began and wait for their next turn
constexpr std::chrono::milliseconds kStopTime{2000};  // that a stopped run may take to notice
constexpr std::uint64_t kMaxFile = std::uint64_t{4} << 30;

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string random_id() {
  std::array<unsigned char, 16> bytes{};
  if (RAND_bytes(bytes.data(), bytes.size()) != 1) throw Error(ErrorCode::internal, "no random bytes for an id");
  return package::hex(std::as_bytes(std::span(bytes)));
}

// A job on disk: its status, its owner, how much of the body is JSON and how many qubits it may have (old ones do not
// say), then the body.
struct Record {
  JobStatus status;
  std::string owner;
  wire::Body body;
  std::uint32_t max_qubits = 0;
};

std::string head_of(const JobStatus& status, const std::string& owner, std::size_t json_bytes,
                    std::uint32_t max_qubits) {
  return wire::encode(status).bytes + "\n" + owner + "\n" + std::to_string(json_bytes) + " " +
         std::to_string(max_qubits) + "\n";
}

void write_record(const fs::path& path, const Record& record) {
  const std::string head = head_of(record.status, record.owner, record.body.json_bytes, record.max_qubits);
  const std::array<std::span<const std::byte>, 2> parts = {std::as_bytes(std::span(head)),
                                                           std::as_bytes(std::span(record.body.bytes))};
  base::write_file_atomically(path, parts);
}

Record read_record(const fs::path& path) {
  const std::string text = base::read_file(path, kMaxFile);
  const std::size_t first = text.find('\n');
  const std::size_t second = first == std::string::npos ? first : text.find('\n', first + 1);
  const std::size_t third = second == std::string::npos ? second : text.find('\n', second + 1);
  if (third == std::string::npos) throw Error(ErrorCode::corrupt, "not a job", path.string());
  Record record{wire::decode_job_status(std::string_view(text).substr(0, first)),
                text.substr(first + 1, second - first - 1),
                {text.substr(third + 1), 0}};
  char* rest = nullptr;
  record.body.json_bytes =
      std::min<std::size_t>(record.body.bytes.size(), std::strtoull(text.c_str() + second + 1, &rest, 10));
  if (*rest == ' ') record.max_qubits = static_cast<std::uint32_t>(std::strtoul(rest, nullptr, 10));
  return record;
}

}  // namespace

struct Jobs::State {
  struct Job;
  struct Heard;
  // Lets a listener go whose client went away.
  struct Forget {
    State* state;
    std::weak_ptr<Job> job;
    const Heard* heard;
    void operator()() const { state->forget(job, heard); }
  };
  // Ends outside the lock: it waits for its own Forget, which takes it.
  struct Heard {
    Listener tell;
    std::optional<std::stop_callback<Forget>> on_gone;
  };
  struct Job {
    JobStatus status;
    Submitter by;
    base::Hash128 digest;
    std::optional<wire::CircuitRequest> request;  // given up when the job ends
    wire::Body reply;
    std::uintmax_t head_bytes = 0;  // of its record with the reply; late progress may change the status
    bool is_forgotten = false;      // the reply is; the status and the token are not
    std::stop_source stop;
    std::chrono::steady_clock::time_point began{};  // started, by a clock that nobody sets; later by what it waited
    std::chrono::steady_clock::time_point last_news{};
    std::vector<std::shared_ptr<Heard>> listeners;  // shared: called without the lock
  };
  using JobPtr = std::shared_ptr<Job>;  // shared by the table and the thread that runs it

  explicit State(JobOptions job_options)
      : options(std::move(job_options)),
        workers(options.workers, options.max_waiting, kMostPaused),
        quick(options.quick_workers, options.max_waiting) {}

  JobOptions options;
  mutable std::mutex mutex;
  std::map<std::string, JobPtr, std::less<>> jobs;
  std::map<std::pair<std::string, std::string>, std::string> tokens;  // owner and token to id
  // Finished jobs of one owner, oldest first: those with their answers, and those of which the token alone is known.
  struct Kept {
    std::list<std::string> answers, known;
    std::uint64_t bytes = 0;
  };
  std::map<std::string, Kept> kept;  // by owner
  std::size_t kept_answers = 0, kept_known = 0;
  std::uint64_t kept_bytes = 0;
  JobCounters counters;
  std::condition_variable ended;
  std::atomic<bool> draining{false};
  Workers workers, quick;  // last: their threads use everything above

  fs::path path(const JobStatus& status, std::string_view suffix) const {
    return options.folder / (status.id + std::string(suffix));
  }

  JobPtr get(const std::string& owner, std::string_view id) const {
    const auto found = jobs.find(id);
    if (found == jobs.end() || found->second->by.name != owner)
      throw Error(ErrorCode::not_found, "there is no job '" + std::string(id.substr(0, 64)) + "'", "job");
    return found->second;
  }

  // Tells the listeners; called without the lock.
  void tell(const JobPtr& job, const JobStatus& status) {
    std::vector<std::shared_ptr<Heard>> all;
    {
      const std::lock_guard lock(mutex);
      all = job->listeners;
      if (wire::is_final(status.state)) job->listeners.clear();
    }
    for (const auto& listener : all) {
      if (listener->tell(status)) continue;
      const std::lock_guard lock(mutex);
      std::erase(job->listeners, listener);
    }
  }

  void forget(const std::weak_ptr<Job>& of, const Heard* heard) {
    const JobPtr job = of.lock();
    std::shared_ptr<Heard> last;  // let go without the lock
    if (!job) return;
    const std::lock_guard lock(mutex);
    const auto found = std::ranges::find(job->listeners, heard, &std::shared_ptr<Heard>::get);
    if (found == job->listeners.end()) return;
    last = std::move(*found);
    job->listeners.erase(found);
  }

  void progress(const JobPtr& job, double fraction, std::string_view stage) {
    JobStatus status;
    {
      const std::lock_guard lock(mutex);
      const auto now = std::chrono::steady_clock::now();
      job->status.progress = std::max(job->status.progress, fraction);
      job->status.stage = stage;
      if (now - job->last_news < kNewsEvery) return;
      job->last_news = now;
      status = job->status;
    }
    tell(job, status);
  }

  void start(const JobPtr& job, Urgency urgency) {
    Workers& on = urgency == Urgency::job ? workers : quick;
    on.post([this, job, &on] { run(job, on); }, job->by.name);
  }

  // Between two sets of parameters nothing is held but answers: whoever waits has his turn then, and no set comes out
  // otherwise for it. It began that much later, for its time and for what it pays.
  void let_others_run(const JobPtr& job, Workers& on, std::chrono::steady_clock::time_point& turn) {
    const auto left = std::chrono::steady_clock::now();
    if (left - turn < kTurn) return;
    on.yield(job->by.name, job->stop.get_token());
    turn = std::chrono::steady_clock::now();
    const std::lock_guard lock(mutex);
    job->began += turn - left;
  }

  void run(const JobPtr& job, Workers& on) {
    JobStatus status;
    {
      const std::lock_guard lock(mutex);
      if (draining.load() || job->status.state != JobState::queued) return;
      job->status.state = JobState::running;
      job->status.started = now_seconds();
      job->began = std::chrono::steady_clock::now();
      ++counters.running;
      status = job->status;
    }
    tell(job, status);
    wire::Body reply;
    CircuitNotes notes;
    std::optional<Error> failure;
    auto turn = std::chrono::steady_clock::now();
    try {
      const RunControl control{.stop = job->stop.get_token(),
                               .progress = Progress([this, job](double fraction, std::string_view stage) {
                                 progress(job, fraction, stage);
                               })};
      const bool is_apart = job->by.is_stranger && options.run_apart;
      reply = is_apart ? options.run_apart(job->by, *job->request, control, notes)
                       : wire::encode(run_circuits(*job->request, options.limits, job->by.max_qubits, control, notes,
                                                   [&] { let_others_run(job, on, turn); }),
                                      job->request->binary);
    } catch (const Error& error) {
      failure = error;
    } catch (const std::bad_alloc&) {
      failure = Error(ErrorCode::budget_exceeded, "the server has no memory left for this job");
    } catch (const std::exception& error) {
      failure = Error(ErrorCode::internal, error.what());
    }
    if (options.has_run) options.has_run(job->by, notes, failure ? &*failure : nullptr);
    finish(job, std::move(reply), std::move(failure), true);
  }

  void finish(const JobPtr& job, wire::Body reply, std::optional<Error> failure, bool was_running) {
    Record record;
    {
      const std::lock_guard lock(mutex);
      if (was_running) --counters.running;
      // Stopped by the server's own end: it is run again after the restart.
      if (draining.load() && failure && failure->code() == ErrorCode::cancelled && !options.folder.empty()) {
        ended.notify_all();
        return;
      }
      JobStatus next = job->status;
      // What a run took is paid for: a clock that is set meanwhile must not be.
      const std::chrono::duration<double> took = std::chrono::steady_clock::now() - job->began;
      next.ended = was_running ? next.started + took.count() : now_seconds();
      next.state = !failure                                  ? JobState::done
                   : failure->code() == ErrorCode::cancelled ? JobState::cancelled
                                                             : JobState::failed;
      if (next.state == JobState::done) next.progress = 1.0;
      if (next.state == JobState::failed) next.error = failure;
      record = {next, job->by.name, std::move(reply), job->by.max_qubits};
    }
    if (!options.folder.empty()) save_outcome(record);
    {
      const std::lock_guard lock(mutex);
      count(record.status.state);
      job->status = record.status;
      job->reply = std::move(record.body);
      job->request.reset();
      keep(job);
      ended.notify_all();
    }
    tell(job, record.status);
  }

  // A full disk costs the durability of the answer, not the answer: after a restart the job is run again.
  void save_outcome(const Record& record) const {
    try {
      write_record(path(record.status, ".done"), record);
      std::error_code ignored;
      fs::remove(path(record.status, ".job"), ignored);
    } catch (const Error&) {
      return;
    }
  }

  void count(JobState state) {
    if (state == JobState::done) ++counters.done;
    if (state == JobState::failed) ++counters.failed;
    if (state == JobState::cancelled) ++counters.cancelled;
  }

  // So that nobody pushes out what is another's: whoever keeps most gives way. Nothing when that is one job alone.
  template <class Amount>
  Kept* greediest(Amount amount, std::list<std::string> Kept::*jobs_of) {
    const auto most = std::max_element(kept.begin(), kept.end(), [amount](const auto& a, const auto& b) {
      return amount(a.second) < amount(b.second);
    });
    return most == kept.end() || (most->second.*jobs_of).size() < 2 ? nullptr : &most->second;
  }

  void keep(const JobPtr& job) {
    job->head_bytes = head_of(job->status, job->by.name, job->reply.json_bytes, job->by.max_qubits).size();
    Kept& own = kept[job->by.name];
    own.answers.push_back(job->status.id);
    own.bytes += job->reply.bytes.size();
    ++kept_answers;
    kept_bytes += job->reply.bytes.size();
    const auto answers = [](const Kept& one) { return one.answers.size(); };
    const auto bytes = [](const Kept& one) { return one.bytes; };
    while (kept_answers > options.max_kept || kept_bytes > options.max_kept_bytes) {
      Kept* most =
          kept_answers > options.max_kept ? greediest(answers, &Kept::answers) : greediest(bytes, &Kept::answers);
      if (most == nullptr) return;
      forget_answer(*most);
    }
  }

  void forget_answer(Kept& own) {
    const JobPtr job = jobs.at(own.answers.front());
    own.answers.pop_front();
    own.bytes -= job->reply.bytes.size();
    --kept_answers;
    kept_bytes -= job->reply.bytes.size();
    if (job->status.token.empty()) return forget(job, ".done");
    if (!options.folder.empty()) {  // a kill in between leaves what is read as a token alone
      std::error_code ignored;
      fs::rename(path(job->status, ".done"), path(job->status, ".known"), ignored);
      fs::resize_file(path(job->status, ".known"), job->head_bytes, ignored);
    }
    job->reply = {};
    know(job);
  }

  void know(const JobPtr& job) {
    job->is_forgotten = true;
    kept[job->by.name].known.push_back(job->status.id);
    if (++kept_known <= options.max_known) return;
    Kept* most = greediest([](const Kept& one) { return one.known.size(); }, &Kept::known);
    if (most == nullptr) return;
    const JobPtr oldest = jobs.at(most->known.front());
    most->known.pop_front();
    --kept_known;
    forget(oldest, ".known");
  }

  void forget(const JobPtr& job, std::string_view suffix) {
    tokens.erase({job->by.name, job->status.token});
    if (!options.folder.empty()) {
      std::error_code ignored;
      fs::remove(path(job->status, suffix), ignored);
    }
    jobs.erase(job->status.id);
    // Of tokens, owners are without number.
    const auto own = kept.find(job->by.name);
    if (own != kept.end() && own->second.answers.empty() && own->second.known.empty()) kept.erase(own);
  }

  void add(const JobPtr& job) {
    jobs[job->status.id] = job;
    if (!job->status.token.empty()) tokens[{job->by.name, job->status.token}] = job->status.id;
  }

  void take_up(const fs::path& file) {
    Record record = read_record(file);
    auto job = std::make_shared<Job>();
    job->by = {.name = record.owner, .max_qubits = record.max_qubits};
    job->status = record.status;
    const std::lock_guard lock(mutex);
    if (file.extension() == ".known") {
      add(job);
      know(job);
      return;
    }
    if (file.extension() == ".done") {
      job->reply = std::move(record.body);
      add(job);
      keep(job);
      return;
    }
    if (fs::exists(path(record.status, ".done"))) return;
    job->digest = base::hash128(std::as_bytes(std::span(record.body.bytes)));
    job->request = wire::decode_circuit_request(record.body);
    add(job);
    workers.put([this, job] { run(job, workers); }, job->by.name);
  }
};

Jobs::Jobs(JobOptions options) : state_(std::make_unique<State>(std::move(options))) {
  State& state = *state_;
  if (state.options.folder.empty()) return;
  std::error_code failed;
  fs::create_directories(state.options.folder, failed);
  if (failed) throw Error(ErrorCode::io_error, failed.message(), state.options.folder.string());
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(state.options.folder)) {
    const fs::path kind = entry.path().extension();
    if (kind == ".job" || kind == ".done" || kind == ".known") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end(),
            [](const fs::path& a, const fs::path& b) { return fs::last_write_time(a) < fs::last_write_time(b); });
  for (const fs::path& file : files) {
    try {
      state.take_up(file);
    } catch (const Error&) {
      continue;  // damaged from outside: it stays where it is, for whoever looks after the folder
    }
  }
}

Jobs::~Jobs() {
  drain(std::chrono::milliseconds(0), kStopTime);
}

std::pair<wire::JobStatus, bool> Jobs::submit(const Submitter& submitter, wire::CircuitRequest request,
                                              Urgency urgency) {
  State& state = *state_;
  const std::string& owner = submitter.name;
  auto job = std::make_shared<State::Job>();
  const wire::Body body = wire::encode(request);
  job->digest = base::hash128(std::as_bytes(std::span(body.bytes)));
  job->by = submitter;
  job->status = {.id = random_id(), .token = request.token, .submitted = now_seconds()};
  const wire::JobStatus accepted = job->status;
  job->request = std::move(request);
  {
    // Held while the request is written: the same token sent twice at once must not become two jobs.
    const std::lock_guard lock(state.mutex);
    if (!accepted.token.empty()) {
      const auto known = state.tokens.find({owner, accepted.token});
      if (known != state.tokens.end()) {
        const State::JobPtr& old = state.jobs.at(known->second);
        if (old->digest != job->digest && old->digest != base::Hash128{}) {
          throw Error(ErrorCode::invalid_argument, "this token came with another request before", "token",
                      "use a new token for a new request");
        }
        return {old->status, false};
      }
    }
    if (state.draining.load())
      throw Error(ErrorCode::unavailable, "the server is going down", "jobs", "try again later");
    if (!state.options.folder.empty())
      write_record(state.path(accepted, ".job"), {accepted, owner, body, submitter.max_qubits});
    state.add(job);
    ++state.counters.submitted;
  }
  try {
    state.start(job, urgency);
  } catch (const Error& full) {
    const std::lock_guard lock(state.mutex);
    state.jobs.erase(accepted.id);
    state.tokens.erase({owner, accepted.token});
    std::error_code ignored;
    if (!state.options.folder.empty()) fs::remove(state.path(accepted, ".job"), ignored);
    throw;
  }
  return {accepted, true};
}

void Jobs::post(std::function<void()> task, const std::string& owner) {
  state_->quick.post(std::move(task), owner);
}

wire::JobStatus Jobs::status(const std::string& owner, std::string_view id) const {
  const std::lock_guard lock(state_->mutex);
  return state_->get(owner, id)->status;
}

std::vector<wire::JobStatus> Jobs::list(const std::string& owner) const {
  const std::lock_guard lock(state_->mutex);
  std::vector<wire::JobStatus> all;
  for (const auto& [id, job] : state_->jobs) {
    if (job->by.name == owner && !job->is_forgotten) all.push_back(job->status);
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.submitted < b.submitted; });
  return all;
}

wire::JobStatus Jobs::cancel(const std::string& owner, std::string_view id) {
  State& state = *state_;
  State::JobPtr job;
  bool waits = false;
  {
    const std::lock_guard lock(state.mutex);
    job = state.get(owner, id);
    waits = job->status.state == JobState::queued;
    if (waits) job->status.state = JobState::running;  // nobody else takes it up
  }
  job->stop.request_stop();
  if (waits) state.finish(job, {}, Error(ErrorCode::cancelled, "cancelled while it waited"), false);
  return status(owner, id);
}

JobOutcome Jobs::outcome(const std::string& owner, std::string_view id) const {
  const std::lock_guard lock(state_->mutex);
  const auto job = state_->get(owner, id);
  if (job->is_forgotten && job->status.state == JobState::done)
    throw Error(ErrorCode::not_found, "the answer of job '" + job->status.id + "' is no longer kept", "job",
                "submit it again with another token");
  return {job->status, job->reply};
}

void Jobs::listen(const std::string& owner, std::string_view id, Listener listener, const std::stop_token& gone) {
  const auto held = std::make_shared<State::Heard>(std::move(listener));
  State::JobPtr job;
  wire::JobStatus now;
  {
    const std::lock_guard lock(state_->mutex);
    job = state_->get(owner, id);
    now = job->status;
    if (!wire::is_final(now.state)) job->listeners.push_back(held);
  }
  const bool goes_on = held->tell(now);
  if (goes_on && gone.stop_possible()) held->on_gone.emplace(gone, State::Forget{state_.get(), job, held.get()});
  if (goes_on) return;
  const std::lock_guard lock(state_->mutex);
  std::erase(job->listeners, held);
}

JobCounters Jobs::counters() const {
  JobCounters counters;
  {
    const std::lock_guard lock(state_->mutex);
    counters = state_->counters;
  }
  counters.waiting = state_->workers.waiting() + state_->quick.waiting();
  return counters;
}

void Jobs::drain(std::chrono::milliseconds limit, std::chrono::milliseconds stop_time) {
  State& state = *state_;
  std::vector<std::shared_ptr<State::Heard>> dropped;  // let go without the lock
  std::unique_lock lock(state.mutex);
  state.draining = true;
  const auto none_runs = [&] { return state.counters.running == 0; };
  state.ended.wait_for(lock, limit, none_runs);
  for (const auto& [id, job] : state.jobs) job->stop.request_stop();
  state.ended.wait_for(lock, stop_time, none_runs);
  for (const auto& [id, job] : state.jobs) {
    dropped.insert(dropped.end(), job->listeners.begin(), job->listeners.end());
    job->listeners.clear();
  }
  lock.unlock();
}

}  // namespace skerry::serve
