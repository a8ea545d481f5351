#include <fcntl.h>
#include <unistd.h>

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
  explicit State(Descriptor opened) : file(std::move(opened)), owner(::getpid()) {}

  /// What the disk does not take is lost, not told: a trace is news, not a result.
  void flush() noexcept {
    std::string_view rest = buffer;
    while (!rest.empty() && ::getpid() == owner) {
      const ssize_t written = ::write(file.get(), rest.data(), rest.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) break;
      rest.remove_prefix(static_cast<std::size_t>(written));
    }
    buffer.clear();
  }

  std::mutex mutex;
  Descriptor file;
  pid_t owner;
  std::string buffer = "[\n";
  bool first = true;
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
  return TraceSink(std::make_unique<State>(std::move(file)));
}

TraceSink::~TraceSink() {
  if (!state_) return;
  state_->buffer += "\n]\n";
  state_->flush();
}

void TraceSink::write(const TraceEvent& event) noexcept {
  constexpr std::size_t kFull = 64 << 10;
  try {
    const std::string json = to_json(event);  // before the lock: threads wait for an append, not for formatting
    const std::lock_guard lock(state_->mutex);
    if (!state_->first) state_->buffer += ",\n";
    state_->first = false;
    state_->buffer += json;
    if (state_->buffer.size() >= kFull) state_->flush();
  } catch (const std::exception&) {
    // Out of memory: the event is lost.
  }
}

}  // namespace skerry::base
