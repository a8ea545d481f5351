#include "base/trace.hpp"

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>

#include "base/trace_listener.hpp"

namespace skerry::base {
namespace {

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
  std::vector<SpanList*> lists;
  std::map<std::pair<std::string, std::string>, std::unique_ptr<const SpanName>> names;
};

/// Never deleted: spans may end while static objects are destroyed.
ProcessTrace& process_trace() {
  static auto* trace = new ProcessTrace;
  return *trace;
}

// Under the lock, as is tell_all(). What does not find memory is lost.
void tell_spans(const Audience& audience, SpanList& list) noexcept {
  const std::uint64_t first = list.read.load(std::memory_order_relaxed);
  const std::uint64_t last = list.written.load(std::memory_order_acquire);
  if (first == last) return;
  try {
    if (!audience.empty()) {
      const auto batch = std::make_shared<SpanBatch>();
      batch->thread = list.thread;
      batch->spans.reserve(last - first);
      for (std::uint64_t i = first; i < last; ++i) batch->spans.push_back(list.spans[i % SpanList::kSpans]);
      for (const auto& listener : audience.listeners) listener->hear(std::shared_ptr<const SpanBatch>(batch));
      for (const RecordedSpan& span : batch->spans) {
        if (!audience.sink) break;
        const auto begin = time_of_ticks(span.begin);
        audience.sink->write(
            {span.name->name, span.name->category, begin, time_of_ticks(span.end) - begin, list.thread, {}});
      }
    }
  } catch (const std::exception&) {
    // Out of memory.
  }
  list.read.store(last, std::memory_order_release);
}

void tell_all(ProcessTrace& trace) noexcept {
  for (SpanList* list : trace.lists) tell_spans(*trace.audience, *list);
}

constinit thread_local SpanList* this_threads_list = nullptr;
constinit thread_local bool this_thread_ends = false;

/// Ends the list with its thread.
struct ListOwner {
  ~ListOwner() {
    ProcessTrace& trace = process_trace();
    const std::lock_guard lock(trace.mutex);
    tell_spans(*trace.audience, *this_threads_list);
    std::erase(trace.lists, this_threads_list);
    delete std::exchange(this_threads_list, nullptr);
    this_thread_ends = true;
  }
};

SpanList* open_list() {
  if (this_thread_ends) return nullptr;
  ProcessTrace& trace = process_trace();
  const std::lock_guard lock(trace.mutex);
  trace.lists.reserve(trace.lists.size() + 1);
  auto list = std::make_unique<SpanList>(thread_number());
  static thread_local const ListOwner owner;
  static_cast<void>(owner);
  this_threads_list = list.release();
  trace.lists.push_back(this_threads_list);
  return this_threads_list;
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
  start_trace_clock();
  const std::lock_guard lock(trace.mutex);
  tell_all(trace);
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
  for (SpanList* list : trace.lists) list->read = list->written.load();  // the parent tells of these
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

const SpanName* span_name(std::string_view name, std::string_view category) noexcept {
  struct Seen {
    const char *name, *category;
    std::size_t length;
    const SpanName* found;
  };
  static constexpr std::size_t kSeen = 64, kMostNames = 16'384;
  static constinit thread_local std::array<Seen, kSeen> seen{};
  Seen& entry = seen[(reinterpret_cast<std::uintptr_t>(name.data()) / 8 + name.size()) % kSeen];
  const bool known = entry.name == name.data() && entry.length == name.size() && entry.category == category.data() &&
                     entry.found->name == name && entry.found->category == category;
  if (known) return entry.found;
  static const SpanName kOthers = {"others", "trace"};
  try {
    ProcessTrace& trace = process_trace();
    std::pair<std::string, std::string> key(name, category);
    const std::lock_guard lock(trace.mutex);
    if (trace.names.size() >= kMostNames && !trace.names.contains(key)) return &kOthers;
    auto& made = trace.names[key];
    if (!made) made = std::make_unique<const SpanName>(SpanName{key.first, key.second});
    entry = {name.data(), category.data(), name.size(), made.get()};
    return made.get();
  } catch (const std::exception&) {
    return &kOthers;  // out of memory
  }
}

SpanList* span_list() noexcept {
  if (this_threads_list != nullptr) [[likely]]
    return this_threads_list;
  try {
    return open_list();
  } catch (const std::exception&) {
    return nullptr;
  }
}

void SpanList::tell() noexcept {
  ProcessTrace& trace = process_trace();
  const std::lock_guard lock(trace.mutex);
  tell_spans(*trace.audience, *this);
}

void TraceSpan::end() noexcept {
  const std::uint64_t now = trace_ticks();
  if (!fields_) {
    if (SpanList* list = span_list()) list->put({span_name(name_, category_), begin_, now});
    return;
  }
  try {
    const auto begin = time_of_ticks(begin_);
    tell_trace(std::make_shared<const RecordedEvent>(RecordedEvent{std::string(name_), std::string(category_), begin,
                                                                   time_of_ticks(now) - begin, thread_number(),
                                                                   std::move(*fields_)}));
  } catch (const std::exception&) {
    // Out of memory: the event is lost.
  }
}

void flush_trace() noexcept {
  ProcessTrace& trace = process_trace();
  const std::lock_guard lock(trace.mutex);
  tell_all(trace);
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
  if (!fields_) fields_ = std::make_unique<Fields>();
  fields_->emplace_back(key, std::move(value));
}

}  // namespace skerry::base
