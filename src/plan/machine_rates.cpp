#include <array>
#include <charconv>
#include <chrono>
#include <map>
#include <mutex>
#include <set>
#include <skerry/error.hpp>
#include <string>
#include <string_view>
#include <thread>

#include "base/file.hpp"
#include "base/machine.hpp"
#include "base/number_text.hpp"
#include "base/threads.hpp"
#include "plan/planner.hpp"

namespace skerry::planning {
namespace {

constexpr auto kPatience = std::chrono::microseconds(50);
constexpr std::string_view kHeader = "skerry rates 2\n";

std::filesystem::path cache_path(int threads) {
  return base::cache_dir() / ("rates-" + base::machine().fingerprint() + "-" + std::to_string(threads) + ".txt");
}

// One `name seconds` line per row; a file of another version, or with a row missing, is measured anew.
std::optional<kernels::Rates> parse(std::string_view text, int threads) {
  if (!text.starts_with(kHeader)) return std::nullopt;
  text.remove_prefix(kHeader.size());
  kernels::Rates rates = kernels::fallback_rates(threads);
  for (std::size_t row = 0; row < kernels::kRateCount; ++row) {
    const std::string_view name = kernels::rate_name(static_cast<kernels::Rate>(row));
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos || !text.starts_with(name) || text.size() <= name.size()) return std::nullopt;
    const std::string_view number = text.substr(name.size() + 1, end - name.size() - 1);
    double value = 0.0;
    const auto [rest, error] = base::read_number(number.data(), number.data() + number.size(), value);
    if (error != std::errc() || rest != number.data() + number.size() || !(value > 0.0 && value < 1.0))
      return std::nullopt;
    rates.seconds_per_unit[row] = value;
    text.remove_prefix(end + 1);
  }
  rates.measured = true;
  return rates;
}

std::string format(const kernels::Rates& rates) {
  std::string text(kHeader);
  for (std::size_t row = 0; row < kernels::kRateCount; ++row) {
    text += std::string(kernels::rate_name(static_cast<kernels::Rate>(row))) + " " +
            base::number_text(rates.seconds_per_unit[row]) + "\n";
  }
  return text;
}

std::optional<kernels::Rates> read_cached(int threads) {
  try {
    return parse(base::read_file(cache_path(threads), 1 << 16), threads);
  } catch (const Error&) {
    return std::nullopt;  // no cache is an ordinary state
  }
}

void write_cached(const kernels::Rates& rates) {
  try {
    const auto path = cache_path(rates.threads);
    std::error_code ignored;
    std::filesystem::create_directories(path.parent_path(), ignored);
    const std::string text = format(rates);
    const std::array<std::span<const std::byte>, 1> parts = {std::as_bytes(std::span(text))};
    base::write_file_atomically(path, parts);
  } catch (const Error&) {
    // A read-only home costs the next process its measurement, not this one its answer.
  }
}

}  // namespace

kernels::Rates machine_rates(int threads, bool may_measure, const RunControl& control) {
  static std::mutex mutex;
  static std::map<int, kernels::Rates> known;
  static std::set<int> absent;  // looked for once: a small run takes less time than to look again
  std::unique_lock lock(mutex, std::try_to_lock);
  // Somebody else measures, and may take longer than this caller has.
  while (!lock.owns_lock() && !lock.try_lock()) {
    control.check("measuring this machine");
    std::this_thread::sleep_for(kPatience);
  }
  if (const auto found = known.find(threads); found != known.end()) return found->second;
  if (!may_measure && absent.contains(threads)) return kernels::fallback_rates(threads);
  auto rates = read_cached(threads);
  if (!rates && !may_measure) {
    absent.insert(threads);
    return kernels::fallback_rates(threads);
  }
  if (!rates) {
    rates = kernels::measure_rates(threads, control);
    write_cached(*rates);
  }
  return known.emplace(threads, *rates).first->second;
}

int planned_threads(const Limits& limits) {
  if (limits.threads < 0 || limits.threads > base::kMaxThreads) {
    throw Error(ErrorCode::invalid_argument, "threads is " + std::to_string(limits.threads), "threads",
                "use 0 for the process's budget, or 1 to " + std::to_string(base::kMaxThreads));
  }
  return limits.threads == 0 ? base::thread_budget() : std::min(limits.threads, base::thread_budget());
}

}  // namespace skerry::planning
