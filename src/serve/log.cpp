#include "serve/log.hpp"

#include <openssl/rand.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <random>

#include "wire/json_writer.hpp"

namespace skerry::serve {
namespace {

std::string time_text() {
  using std::chrono::system_clock;
  const auto now = system_clock::now();
  const std::time_t seconds = system_clock::to_time_t(now);
  const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch()).count() % 1'000'000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 32> date{}, text{};
  std::strftime(date.data(), date.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text.data(), text.size(), ".%06dZ", static_cast<int>(micros));
  return std::string(date.data()) + text.data();
}

// Ids must be unlike each other, not secret; a generator per thread costs nanoseconds.
void append_hex(std::string& text, int words) {
  thread_local std::mt19937_64 random = [] {
    std::uint64_t seed = 0;
    RAND_bytes(reinterpret_cast<unsigned char*>(&seed), sizeof seed);
    return std::mt19937_64(seed);
  }();
  constexpr std::string_view kHex = "0123456789abcdef";
  text.reserve(text.size() + 16 * static_cast<std::size_t>(words));
  for (int i = 0; i < words; ++i) {
    const std::uint64_t word = random() | 1U;
    for (unsigned shift = 64; shift != 0; shift -= 4) text += kHex[(word >> (shift - 4U)) & 15U];
  }
}

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

// Zeros alone are no id.
bool is_id(std::string_view text) {
  return is_hex(text) && text.find_first_not_of('0') != std::string_view::npos;
}

}  // namespace

void log_line(std::string_view level, std::string_view event,
              std::initializer_list<std::pair<std::string_view, LogValue>> fields) noexcept {
  try {
    wire::JsonWriter json;
    json.open('{').field("time", time_text()).field("level", level).field("event", event);
    for (const auto& [name, value] : fields) {
      std::visit([&, &key = name](const auto& content) { json.field(key, content); }, value);
    }
    const std::string line = json.close('}').text() + "\n";
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
  } catch (...) {  // no memory for a line: the work goes on without it
    return;
  }
}

Trace trace_of(std::string_view traceparent) {
  Trace trace;
  const bool given = traceparent.size() >= 55 && traceparent[2] == '-' && traceparent[35] == '-' &&
                     traceparent[52] == '-' && is_id(traceparent.substr(3, 32)) && is_id(traceparent.substr(36, 16)) &&
                     is_hex(traceparent.substr(53, 2)) && traceparent.substr(0, 2) != "ff";
  if (given) {
    trace.trace_id = traceparent.substr(3, 32);
    trace.parent_id = traceparent.substr(36, 16);
    const char flags = traceparent[54];  // a hex digit, whose lowest bit is the flag `sampled`
    trace.is_sampled = ((flags >= 'a' ? flags - 'a' + 10 : flags - '0') & 1) != 0;
  } else {
    append_hex(trace.trace_id, 2);
  }
  append_hex(trace.span_id, 1);
  return trace;
}

}  // namespace skerry::serve
