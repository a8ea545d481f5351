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
using Recorded = std::shared_ptr<const RecordedEvent>;
using ProfileClock = std::chrono::steady_clock;

double profile_seconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

class Recorder final : public base::TraceListener {
 public:
  explicit Recorder(std::size_t max_events) : max_events_(max_events) {}
  void hear(const Recorded& event) override {
    const std::lock_guard lock(mutex_);
    if (events_.size() < max_events_) {
      events_.push_back(event);
    } else {
      ++dropped_;
    }
  }
  std::vector<Recorded> events() const {
    const std::lock_guard lock(mutex_);
    return events_;
  }
  std::size_t count() const {
    const std::lock_guard lock(mutex_);
    return events_.size();
  }
  std::uint64_t dropped() const {
    const std::lock_guard lock(mutex_);
    return dropped_;
  }

 private:
  const std::size_t max_events_;
  mutable std::mutex mutex_;
  std::vector<Recorded> events_;
  std::uint64_t dropped_ = 0;
};

void write_events(const std::vector<Recorded>& events, const std::filesystem::path& path) {
  base::TraceSink sink = base::TraceSink::open(path);
  for (const Recorded& event : events)
    sink.write({event->name, event->category, event->start, event->duration, event->thread, event->fields});
}

// By thread, then by beginning; of those that begin together the longer one is around the other.
void sort_as_nested(std::vector<Recorded>& events) {
  std::ranges::stable_sort(events, [](const Recorded& a, const Recorded& b) {
    if (a->thread != b->thread) return a->thread < b->thread;
    return a->start != b->start ? a->start < b->start : a->duration > b->duration;
  });
}

}  // namespace

struct ProfilerSession::State {
  State(std::string session_name, std::size_t max_events)
      : name(std::move(session_name)), recorder(std::make_shared<Recorder>(max_events)) {}

  const std::string name;
  const std::shared_ptr<Recorder> recorder;
  const ProfileClock::time_point begin = ProfileClock::now();
  const std::uint64_t thread = base::thread_number();
  mutable std::mutex mutex;  // of own
  Recorded own;              // the session itself, once it has ended

  Recorded ended() const {
    const std::lock_guard lock(mutex);
    return own;
  }
  std::vector<Recorded> all() const {
    auto events = recorder->events();
    if (auto self = ended()) events.push_back(std::move(self));
    return events;
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
  const auto duration = ProfileClock::now() - state_->begin;
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->own) return;
    state_->own = std::make_shared<const RecordedEvent>(
        RecordedEvent{state_->name, "session", state_->begin, duration, state_->thread, {}});
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
  std::vector<Recorded> events = state_->all();
  sort_as_nested(events);
  std::map<std::pair<std::string, std::string>, ProfileTotal> by_name;
  std::vector<std::pair<const RecordedEvent*, ProfileTotal*>> around;  // spans that are open at this place
  for (const Recorded& event : events) {
    while (!around.empty() && (around.back().first->thread != event->thread ||
                               around.back().first->start + around.back().first->duration <= event->start))
      around.pop_back();
    const double seconds = profile_seconds(event->duration);
    if (!around.empty()) around.back().second->self_seconds -= seconds;
    ProfileTotal& total = by_name[{event->category, event->name}];
    total.name = event->name;
    total.category = event->category;
    ++total.count;
    total.seconds += seconds;
    total.self_seconds += seconds;
    around.emplace_back(event.get(), &total);
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
  std::vector<Recorded> events;
  std::set<const RecordedEvent*> seen;  // what is in a session is in those around it, too
  {
    const std::lock_guard lock(state_->mutex);
    for (const auto& session : state_->sessions)
      for (Recorded& event : session->all())
        if (seen.insert(event.get()).second) events.push_back(std::move(event));
  }
  sort_as_nested(events);
  write_events(events, path);
}

}  // namespace skerry
