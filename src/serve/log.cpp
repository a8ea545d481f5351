#include "serve/log.hpp"

#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <ctime>

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

std::atomic<unsigned> left_out{0};  // by bit_of()

unsigned bit_of(std::string_view level) noexcept {
  return level == "info" ? 1U : level == "warning" ? 2U : 4U;
}

}  // namespace

void set_log_level(std::string_view level, bool is_written) noexcept {
  is_written ? left_out.fetch_and(~bit_of(level)) : left_out.fetch_or(bit_of(level));
}

bool is_logged(std::string_view level) noexcept {
  return (left_out.load() & bit_of(level)) == 0;
}

void log_line(std::string_view level, std::string_view event,
              std::initializer_list<std::pair<std::string_view, LogValue>> fields) noexcept {
  if (!is_logged(level)) return;
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

}  // namespace skerry::serve
