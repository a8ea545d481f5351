#include "serve/sandbox/worker.hpp"

#include <malloc.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <deque>
#include <exception>
#include <mutex>
#include <new>
#include <optional>
#include <skerry/error.hpp>
#include <string_view>
#include <thread>

#include "base/machine.hpp"
#include "base/threads.hpp"
#include "plan/planner.hpp"
#include "serve/sandbox/channel.hpp"
#include "serve/sandbox/sandbox.hpp"
#include "serve/sandbox/tensors.hpp"

namespace skerry::serve {
namespace {

constexpr std::chrono::milliseconds kTellEvery{50};
constexpr std::uint64_t kMostTask = std::uint64_t{8} << 30;

std::uint64_t number(std::string_view text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::int64_t nanos_now() {
  using namespace std::chrono;
  return duration_cast<nanoseconds>(system_clock::now().time_since_epoch()).count();
}

// Where nobody catches it any more, a lack of memory still leaves its reason behind.
[[noreturn]] void end_without_memory() {
  try {
    if (const std::exception_ptr why = std::current_exception()) std::rethrow_exception(why);
  } catch (const std::bad_alloc&) {
    ::_exit(kNoMemoryExit);
  } catch (...) {
    std::abort();
  }
  std::abort();
}

// One task after the other on the main thread; a second one listens, so that a run can be cancelled and the server's
// end is noticed in the middle of it.
class Worker {
 public:
  explicit Worker(Channel& channel) : channel_(channel) {}

  [[noreturn]] void work() {
    std::thread([this] { listen(); }).detach();
    for (;;) {
      Frame task;
      std::stop_token stop;
      {
        std::unique_lock lock(mutex_);
        arrived_.wait(lock, [this] { return !tasks_.empty(); });
        task = std::move(tasks_.front());
        tasks_.pop_front();
        stop = stop_.get_token();
      }
      answer(task, stop);
    }
  }

 private:
  void listen() {
    for (;;) {
      Frame frame;
      if (channel_.receive(frame) != Channel::Outcome::done) ::_exit(0);  // the server is gone
      const std::lock_guard lock(mutex_);
      if (frame.kind == FrameKind::cancel) {
        stop_.request_stop();
        continue;
      }
      stop_ = std::stop_source();
      tasks_.push_back(std::move(frame));
      arrived_.notify_one();
    }
  }

  void send(FrameKind kind, std::string_view head, std::string_view bytes) {
    const std::lock_guard lock(sending_);
    if (channel_.send(kind, head, bytes) != Channel::Outcome::done) ::_exit(0);
  }

  // The one model of this process, which is somebody's whom the server does not trust.
  wire::Body load(const Frame& task) {
    ModelHead head;
    if (!unpack(task.head, head) ||
        task.head.size() != sizeof head + head.name_bytes + head.trusted * std::size_t{sizeof(PublicKey)})
      throw Error(ErrorCode::internal, "a model without its head", "worker");
    const std::string name = task.head.substr(sizeof head, head.name_bytes);
    LoadOptions options{.limits = head.import, .trusted = {}};
    options.trusted.resize(head.trusted);
    task.head.copy(reinterpret_cast<char*>(options.trusted.data()), head.trusted * sizeof(PublicKey),
                   sizeof head + head.name_bytes);
    ServedGraph served = graph_to_serve(loads(task.bytes, options, name));
    Limits limits;
    limits.threads = head.threads;
    if (head.max_memory_bytes != 0) limits.max_memory_bytes = head.max_memory_bytes;
    if (head.max_seconds > 0.0) limits.max_execution_time = std::chrono::duration<double>(head.max_seconds);
    model_.emplace(served.graph, limits);
    return {(served.kind == "circuit" ? "c" : "m") + pack(served.inputs) + pack(served.outputs), 0};
  }

  wire::Body infer(const Frame& task, CircuitNotes& notes) {
    notes.begun_ns = nanos_now();
    NamedTensors inputs = unpack_tensors(task.bytes);
    notes.read_ns = nanos_now();
    NamedTensors outputs = has_texts(model_->graph()) ? tensors_of(model_->run_data(data_of(std::move(inputs))).outputs)
                                                      : model_->run(inputs).tensors;
    notes.ended_ns = nanos_now();
    return {pack(outputs), 0};
  }

  wire::Body result(const Frame& task, const std::stop_token& stop, AnswerHead& told) {
    if (task.kind == FrameKind::load) return load(task);
    if (task.kind == FrameKind::infer) {
      if (!model_) throw Error(ErrorCode::internal, "no model was loaded", "worker");
      return infer(task, told.notes);
    }
    TaskHead head;
    if (!unpack(task.head, head)) throw Error(ErrorCode::internal, "a task without its head", "worker");
    const wire::CircuitRequest request = wire::decode_circuit_request(wire::BodyView(task.bytes, head.json_bytes));
    const net::Trace trace = net::trace_of({head.traceparent.data(), head.traceparent.size()});
    trace.span_id.copy(told.spans[0].id.data(), told.spans[0].id.size());
    trace.parent_id.copy(told.spans[0].parent.data(), told.spans[0].parent.size());
    if (task.kind == FrameKind::plan) {
      const Plan plan = plan_circuits(request, head.limits, {.stop = stop});
      told.notes = notes_of(plan);
      std::string text = plan_text(plan);
      const std::size_t size = text.size();
      return {std::move(text), size};
    }
    auto last = std::chrono::steady_clock::time_point();
    const RunControl control{.stop = stop, .progress = Progress([&](double fraction, std::string_view stage) {
                                             const auto now = std::chrono::steady_clock::now();
                                             if (now - last < kTellEvery) return;
                                             last = now;
                                             send(FrameKind::progress, packed(fraction), stage);
                                           })};
    return wire::encode(run_circuits(request, head.limits, head.max_qubits, control, told.notes), request.binary);
  }

  // Where the time of a circuit or an inference went; of a circuit as parts of the server's trace, while an inference
  // may be a part of many.
  static std::string head_of(AnswerHead& told, std::int64_t begin_ns) {
    WorkerSpan& whole = told.spans[0];
    whole.begin_ns = begin_ns;
    whole.end_ns = nanos_now();
    const CircuitNotes& notes = told.notes;
    const std::array<std::pair<std::int64_t, std::int64_t>, 2> parts = {
        std::pair(notes.begun_ns, notes.read_ns),
        std::pair(notes.read_ns, notes.ended_ns == 0 ? whole.end_ns : notes.ended_ns)};
    for (std::size_t i = 0; i < parts.size(); ++i) {
      WorkerSpan& part = told.spans[i + 1];
      if (parts[i].first == 0 || parts[i].second == 0) continue;
      part.begin_ns = parts[i].first;
      part.end_ns = parts[i].second;
      if (whole.id[0] == '\0') continue;
      net::child_of({.trace_id = {}, .span_id = {}}).span_id.copy(part.id.data(), part.id.size());
      part.parent = whole.id;
    }
    return packed(told);
  }

  void answer(const Frame& task, const std::stop_token& stop) {
    AnswerHead told;
    const std::int64_t begin = nanos_now();
    const auto failed = [&](const Error& error) { send(FrameKind::failed, head_of(told, begin), wire::encode(error)); };
    try {
      const wire::Body body = result(task, stop, told);
      told.json_bytes = body.json_bytes;
      send(FrameKind::done, head_of(told, begin), body.bytes);
    } catch (const Error& error) {
      failed(error);
    } catch (const std::bad_alloc&) {
      failed({ErrorCode::budget_exceeded, "the run took more memory than its worker process may have", "worker",
              "ask for less, or let the server have more (max_memory_mb)"});
    } catch (const std::exception& error) {
      failed({ErrorCode::internal, error.what(), "worker"});
    }
  }

  Channel& channel_;
  std::optional<Session> model_;
  std::mutex mutex_, sending_;
  std::condition_variable arrived_;
  std::deque<Frame> tasks_;
  std::stop_source stop_;
};

}  // namespace

int run_worker(std::span<char* const> words) {
  if (words.size() != 4) return 2;
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGPIPE}) std::signal(signal, SIG_IGN);  // the server tells
  const int threads = static_cast<int>(number(words[3]));
  // Files that a run reads are read now: the machine's, and what was measured of it.
  base::machine();
  planning::machine_rates(threads > 0 ? threads : base::thread_budget(), false);
  net::trace_of({});  // seeds the ids of this thread while there is a source of random bytes
  ::clearenv();
  ::mallopt(M_ARENA_MAX, 2);
  std::set_terminate(end_without_memory);
  Channel channel(base::Descriptor(kWorkerSocket), kMostTask);
  try {
    const auto most_threads = static_cast<std::uint32_t>(base::thread_budget() + 16);
    const SandboxState state =
        enter_sandbox({.data_bytes = number(words[2]), .threads = most_threads}, static_cast<int>(number(words[1])));
    channel.send(FrameKind::ready, packed(state), {});
  } catch (const Error& error) {
    channel.send(FrameKind::failed, {}, wire::encode(error));
    return 1;
  }
  Worker(channel).work();
}

}  // namespace skerry::serve
