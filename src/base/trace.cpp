#include "base/trace.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <skerry/error.hpp>
#include <system_error>

#include "base/descriptor.hpp"
#include "base/trace_listener.hpp"

namespace skerry::base {
namespace {

void append_string(std::string& json, std::string_view text) {
  json += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      json += '\\';
      json += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(c));
      json += escape;
    } else {
      json += c;
    }
  }
  json += '"';
}

void append_number(std::string& json, double number) {
  char text[32];
  std::snprintf(text, sizeof text, "%.17g", number);
  json += std::isfinite(number) ? text : "null";  // JSON has no word for the others
}

struct AppendValue {
  std::string& json;
  void operator()(std::int64_t value) const { json += std::to_string(value); }
  void operator()(double value) const { append_number(json, value); }
  void operator()(const std::string& value) const { append_string(json, value); }
};

/// Chrome's trace times are microseconds; three decimals keep the nanoseconds.
void append_microseconds(std::string& json, std::chrono::nanoseconds time) {
  char text[40];
  std::snprintf(text, sizeof text, "%lld.%03lld", static_cast<long long>(time.count() / 1000),
                static_cast<long long>(time.count() % 1000));
  json += text;
}

/// One "complete" event ("ph": "X") of the Trace Event Format.
std::string to_json(const TraceEvent& event) {
  std::string json = "{\"name\":";
  append_string(json, event.name);
  json += ",\"cat\":";
  append_string(json, event.category);
  json += ",\"ph\":\"X\",\"ts\":";
  append_microseconds(json, event.start.time_since_epoch());
  json += ",\"dur\":";
  append_microseconds(json, event.duration);
  json += ",\"pid\":" + std::to_string(::getpid()) + ",\"tid\":" + std::to_string(event.thread);
  if (!event.fields.empty()) {
    json += ",\"args\":{";
    for (const auto& [key, value] : event.fields) {
      if (json.back() != '{') json += ',';
      append_string(json, key);
      json += ':';
      std::visit(AppendValue{json}, value);
    }
    json += '}';
  }
  return json + '}';
}

/// Who hears of spans; never changed in place.
struct Audience {
  std::shared_ptr<TraceSink> sink;
  std::vector<std::shared_ptr<TraceListener>> listeners;
  bool empty() const noexcept { return sink == nullptr && listeners.empty(); }
};

/// The process's own. Shared, because a span on another thread may write while the trace is ended.
struct ProcessTrace {
  std::mutex mutex;
  std::shared_ptr<const Audience> audience = std::make_shared<const Audience>();
  const std::shared_ptr<const Audience> nobody = audience;
  std::vector<std::shared_ptr<const Audience>> of_parents;  // of processes that forked this one; never ended here
};

/// Never deleted: spans may end while static objects are destroyed.
ProcessTrace& process_trace() {
  static auto* trace = new ProcessTrace;
  return *trace;
}

std::shared_ptr<const Audience> process_audience() {
  ProcessTrace& trace = process_trace();
  const std::lock_guard lock(trace.mutex);
  return trace.audience;
}

template <class Change>
void change_audience(Change change) {
  ProcessTrace& trace = process_trace();
  auto next = std::make_shared<Audience>();
  std::shared_ptr<const Audience> old;  // closed after the lock is gone
  const std::lock_guard lock(trace.mutex);
  *next = *trace.audience;
  change(*next);
  detail::trace_state.store(next->empty() ? detail::TraceState::off : detail::TraceState::on,
                            std::memory_order_release);
  old = std::exchange(trace.audience, std::move(next));
}

void set_process_sink(std::shared_ptr<TraceSink> sink) {
  change_audience([&](Audience& audience) { audience.sink = std::move(sink); });
}

void end_process_trace() {
  set_process_sink(nullptr);
}

// Held over a fork, so that the child's copy is not locked by a thread that it does not have.
void lock_trace() {
  process_trace().mutex.lock();
}
void unlock_trace() {
  process_trace().mutex.unlock();
}
/// A child must not write into its parent's file nor tell its parent's listeners, so it traces nothing until it is told
/// a file or a listener of its own.
void stop_trace_in_child() {
  ProcessTrace& trace = process_trace();
  detail::trace_state.store(detail::TraceState::off, std::memory_order_release);
  try {
    trace.of_parents.push_back(trace.audience);
    trace.audience = trace.nobody;
  } catch (const std::exception&) {
    // Out of memory: the audience stays, and hears nothing.
  }
  trace.mutex.unlock();
}

void watch_forks() {
  static const bool kRegistered = pthread_atfork(lock_trace, unlock_trace, stop_trace_in_child) == 0;
  static_cast<void>(kRegistered);
}

}  // namespace

struct TraceSink::State {
  State(Descriptor opened, std::string path) : file(std::move(opened)), name(std::move(path)), owner(::getpid()) {}

  /// What the disk does not take is lost, as is all that follows, so that the file has no hole; close() tells it.
  void flush() noexcept {
    std::string_view rest = buffer;
    while (!rest.empty() && ::getpid() == owner && error == 0) {
      const ssize_t written = ::write(file.get(), rest.data(), rest.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) error = errno;
      rest.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(written, 0)));
    }
    if (error != 0) lost += buffered;
    buffered = 0;
    buffer.clear();
  }

  std::mutex mutex;
  Descriptor file;
  std::string name;
  pid_t owner;
  std::string buffer = "[\n";
  std::uint64_t events = 0, buffered = 0, lost = 0;
  int error = 0;  // of the first write that failed
};

TraceSink::TraceSink(std::unique_ptr<State> state) : state_(std::move(state)) {}
TraceSink::TraceSink(TraceSink&& other) noexcept = default;
TraceSink& TraceSink::operator=(TraceSink&& other) noexcept {
  std::swap(state_, other.state_);
  return *this;
}

TraceSink TraceSink::open(const std::filesystem::path& path) {
  Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (!file) {
    throw Error(ErrorCode::io_error, "cannot write the trace: " + std::generic_category().message(errno), path.string(),
                "name a file that can be written");
  }
  return TraceSink(std::make_unique<State>(std::move(file), path.string()));
}

TraceSink::~TraceSink() {
  if (!state_ || ::getpid() != state_->owner) return;
  if (const std::string finding = close(); !finding.empty()) std::fprintf(stderr, "warning: %s\n", finding.c_str());
}

std::string TraceSink::close() noexcept {
  State& state = *state_;
  const std::lock_guard lock(state.mutex);
  try {
    if (!state.file) return {};
    state.buffer += "\n]\n";
    state.flush();
    state.file = Descriptor();
    if (state.error == 0) return {};
    return "the trace " + state.name + " is cut short: " + std::generic_category().message(state.error) + "; up to " +
           std::to_string(state.lost) + " of " + std::to_string(state.events) + " events are lost";
  } catch (const std::exception&) {
    return {};  // out of memory: nobody can be told
  }
}

void TraceSink::write(const TraceEvent& event) noexcept {
  constexpr std::size_t kFull = 64 << 10;
  try {
    const std::string json = to_json(event);  // before the lock: threads wait for an append, not for formatting
    const std::lock_guard lock(state_->mutex);
    if (!state_->file) return;
    if (state_->events != 0) state_->buffer += ",\n";
    state_->buffer += json;
    ++state_->events;
    ++state_->buffered;
    if (state_->buffer.size() >= kFull) state_->flush();
  } catch (const std::exception&) {
    // Out of memory: the event is lost.
  }
}

void set_trace_file(const std::filesystem::path& path) {
  set_process_sink(path.empty() ? nullptr : std::make_shared<TraceSink>(TraceSink::open(path)));
  if (path.empty()) return;
  watch_forks();
  static const bool kRegistered = std::atexit(end_process_trace) == 0;
  static_cast<void>(kRegistered);
}

bool detail::start_trace_from_environment() noexcept {
  try {
    const char* path = std::getenv("SKERRY_TRACE");
    set_trace_file(path == nullptr ? "" : path);
  } catch (const std::exception& error) {
    // A span is no place to fail at: the run goes on and the user is told.
    std::fprintf(stderr, "skerry: SKERRY_TRACE: %s\n", error.what());
    set_process_sink(nullptr);
  }
  return trace_state.load(std::memory_order_acquire) == TraceState::on;
}

void TraceSpan::begin(std::string_view name, std::string_view category) {
  event_ = std::make_unique<TraceEvent>();
  event_->name = name;
  event_->category = category;
  event_->thread = thread_number();
  event_->start = std::chrono::steady_clock::now();
}

void TraceSpan::end() noexcept {
  event_->duration = std::chrono::steady_clock::now() - event_->start;
  try {
    const auto audience = process_audience();
    if (audience->sink) audience->sink->write(*event_);
    if (audience->listeners.empty()) return;
    const auto recorded = std::make_shared<const RecordedEvent>(
        RecordedEvent{std::string(event_->name), std::string(event_->category), event_->start, event_->duration,
                      event_->thread, std::move(event_->fields)});
    for (const auto& listener : audience->listeners) listener->hear(recorded);
  } catch (const std::exception&) {
    // Out of memory: the event is lost.
  }
}

void add_trace_listener(std::shared_ptr<TraceListener> listener) {
  tracing();  // the environment's file comes first: afterwards nobody would ask for it
  watch_forks();
  change_audience([&](Audience& audience) { audience.listeners.push_back(std::move(listener)); });
}

void remove_trace_listener(const TraceListener* listener) noexcept {
  try {
    change_audience([&](Audience& audience) {
      std::erase_if(audience.listeners, [&](const auto& other) { return other.get() == listener; });
    });
  } catch (const std::exception&) {
    // Out of memory: it goes on listening.
  }
}

void tell_trace(const std::shared_ptr<const RecordedEvent>& event) noexcept {
  if (!tracing()) return;
  try {
    const auto audience = process_audience();
    if (audience->sink)
      audience->sink->write(
          {event->name, event->category, event->start, event->duration, event->thread, event->fields});
    for (const auto& listener : audience->listeners) listener->hear(event);
  } catch (const std::exception&) {
    // Out of memory: the event is lost.
  }
}

std::uint64_t thread_number() noexcept {
  static thread_local const auto kNumber = static_cast<std::uint64_t>(::syscall(SYS_gettid));
  return kNumber;
}

void TraceSpan::add_field(std::string_view key, TraceEvent::Value value) {
  event_->fields.emplace_back(key, std::move(value));
}

}  // namespace skerry::base
