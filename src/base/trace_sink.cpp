#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <mutex>
#include <skerry/error.hpp>
#include <system_error>

#include "base/descriptor.hpp"
#include "base/trace.hpp"

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

}  // namespace skerry::base
