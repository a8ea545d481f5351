#include <algorithm>
#include <map>
#include <mutex>
#include <set>
#include <skerry/profiler.hpp>
#include <utility>

#include "base/trace_listener.hpp"

namespace skerry {
namespace {

using base::RecordedEvent;
using base::SpanBatch;
using Recorded = std::shared_ptr<const RecordedEvent>;
using Batch = std::shared_ptr<const SpanBatch>;
using ProfileClock = std::chrono::steady_clock;

/// One event or one span of a batch, which stay where they are.
struct Heard {
  std::string_view name, category;
  ProfileClock::time_point start;
  std::chrono::nanoseconds duration{};
  std::uint64_t thread = 0;
  const void* identity = nullptr;
  const RecordedEvent* event = nullptr;  ///< null: a span without fields
};

Heard heard(const RecordedEvent& event) {
  return {event.name, event.category, event.start, event.duration, event.thread, &event, &event};
}
Heard heard(const SpanBatch& batch, const base::RecordedSpan& span) {
  const auto begin = base::time_of_ticks(span.begin);
  const auto duration = base::time_of_ticks(span.end) - begin;
  return {span.name->name, span.name->category, begin, duration, batch.thread, &span};
}

double profile_seconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

class Recorder final : public base::TraceListener {
 public:
  explicit Recorder(std::size_t max_events) : max_events_(max_events) {}
  void hear(const Recorded& event) override {
    const std::lock_guard lock(mutex_);
    if (take(1) == 1) events_.push_back(event);
  }
  void hear(const Batch& batch) override {
    const std::lock_guard lock(mutex_);
    if (const std::size_t count = take(batch->spans.size()); count > 0) batches_.emplace_back(batch, count);
  }
  std::vector<Heard> all() const {
    base::flush_trace();
    std::vector<Heard> all;
    const std::lock_guard lock(mutex_);
    all.reserve(count_ + 1);
    for (const Recorded& event : events_) all.push_back(heard(*event));
    for (const auto& [batch, count] : batches_) {
      for (std::size_t i = 0; i < count; ++i) all.push_back(heard(*batch, batch->spans[i]));
    }
    return all;
  }
  std::size_t count() const {
    base::flush_trace();
    const std::lock_guard lock(mutex_);
    return count_;
  }
  std::uint64_t dropped() const {
    base::flush_trace();
    const std::lock_guard lock(mutex_);
    return dropped_;
  }

 private:
  // How many of so many there is room for.
  std::size_t take(std::size_t wanted) {
    const std::size_t taken = std::min(wanted, max_events_ - count_);
    count_ += taken;
    dropped_ += wanted - taken;
    return taken;
  }

  const std::size_t max_events_;
  mutable std::mutex mutex_;
  std::vector<Recorded> events_;
  std::vector<std::pair<Batch, std::size_t>> batches_;  // and how many of its spans are taken
  std::size_t count_ = 0;
  std::uint64_t dropped_ = 0;
};

void write_events(const std::vector<Heard>& all, const std::filesystem::path& path) {
  base::TraceSink sink = base::TraceSink::open(path);
  for (const Heard& one : all) {
    sink.write({one.name, one.category, one.start, one.duration, one.thread,
                one.event == nullptr ? decltype(RecordedEvent::fields){} : one.event->fields});
  }
}

// By thread, then by beginning; of those that begin together the longer one is around the other.
void sort_as_nested(std::vector<Heard>& all) {
  std::ranges::stable_sort(all, [](const Heard& a, const Heard& b) {
    if (a.thread != b.thread) return a.thread < b.thread;
    return a.start != b.start ? a.start < b.start : a.duration > b.duration;
  });
}

}  // namespace

struct ProfilerSession::State {
  State(std::string session_name, std::size_t max_events)
      : name(std::move(session_name)), recorder(std::make_shared<Recorder>(max_events)) {
    base::start_trace_clock();
    begin_ticks = base::trace_ticks();
  }

  const std::string name;
  const std::shared_ptr<Recorder> recorder;
  const ProfileClock::time_point begin = ProfileClock::now();
  std::uint64_t begin_ticks = 0;  // so that it stands among its spans
  const std::uint64_t thread = base::thread_number();
  mutable std::mutex mutex;  // of own
  Recorded own;              // the session itself, once it has ended

  Recorded ended() const {
    const std::lock_guard lock(mutex);
    return own;
  }
  // What is kept here, so not longer than this.
  std::vector<Heard> all() const {
    auto all = recorder->all();
    if (const auto self = ended()) all.push_back(heard(*self));
    return all;
  }
};

ProfilerSession::ProfilerSession(std::string name, std::size_t max_events)
    : state_(std::make_shared<State>(std::move(name), max_events)) {
  base::add_trace_listener(state_->recorder);
}

ProfilerSession::~ProfilerSession() {
  end();
}

void ProfilerSession::end() {
  base::remove_trace_listener(state_->recorder.get());
  const auto begin = base::time_of_ticks(state_->begin_ticks), end = base::time_of_ticks(base::trace_ticks());
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->own) return;
    state_->own = std::make_shared<const RecordedEvent>(
        RecordedEvent{state_->name, "session", begin, end - begin, state_->thread, {}});
  }
  base::tell_trace(state_->own);
}

const std::string& ProfilerSession::name() const noexcept {
  return state_->name;
}

double ProfilerSession::seconds() const {
  const Recorded own = state_->ended();
  return profile_seconds(own ? own->duration : ProfileClock::now() - state_->begin);
}

std::size_t ProfilerSession::events() const {
  return state_->recorder->count();
}

std::uint64_t ProfilerSession::dropped() const {
  return state_->recorder->dropped();
}

std::vector<ProfileTotal> ProfilerSession::totals() const {
  std::vector<Heard> events = state_->all();
  sort_as_nested(events);
  std::map<std::pair<std::string_view, std::string_view>, ProfileTotal> by_name;
  std::vector<std::pair<const Heard*, ProfileTotal*>> around;  // spans that are open at this place
  for (const Heard& event : events) {
    while (!around.empty() && (around.back().first->thread != event.thread ||
                               around.back().first->start + around.back().first->duration <= event.start))
      around.pop_back();
    const double seconds = profile_seconds(event.duration);
    if (!around.empty()) around.back().second->self_seconds -= seconds;
    ProfileTotal& total = by_name[{event.category, event.name}];
    total.name = event.name;
    total.category = event.category;
    ++total.count;
    total.seconds += seconds;
    total.self_seconds += seconds;
    around.emplace_back(&event, &total);
  }
  std::vector<ProfileTotal> totals;
  for (auto& [key, total] : by_name) totals.push_back(std::move(total));
  std::ranges::stable_sort(totals, std::greater<>(), &ProfileTotal::self_seconds);
  return totals;
}

void ProfilerSession::write(const std::filesystem::path& path) const {
  write_events(state_->all(), path);
}

struct Profiler::State {
  mutable std::mutex mutex;
  std::vector<std::shared_ptr<ProfilerSession::State>> sessions;
};

Profiler::Profiler() : state_(std::make_unique<State>()) {}
Profiler::~Profiler() = default;

std::unique_ptr<ProfilerSession> Profiler::session(std::string name, std::size_t max_events) {
  auto session = std::make_unique<ProfilerSession>(std::move(name), max_events);
  const std::lock_guard lock(state_->mutex);
  state_->sessions.push_back(session->state_);
  return session;
}

std::vector<std::string> Profiler::ended() const {
  std::vector<std::string> names;
  const std::lock_guard lock(state_->mutex);
  for (const auto& session : state_->sessions)
    if (session->ended()) names.push_back(session->name);
  return names;
}

void Profiler::write(const std::filesystem::path& path) const {
  std::vector<Heard> events;
  std::set<const void*> seen;  // what is in a session is in those around it, too
  {
    const std::lock_guard lock(state_->mutex);
    for (const auto& session : state_->sessions)
      for (const Heard& event : session->all())
        if (seen.insert(event.identity).second) events.push_back(event);
  }
  sort_as_nested(events);
  write_events(events, path);
}

}  // namespace skerry
