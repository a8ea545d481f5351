/// \file
/// What of requests is traced and logged, as clients may ask for it while the server runs: the protocol's extensions
/// trace and logging.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace skerry::serve {

/// Which requests are recorded as spans: of all models, or of one. From any thread.
class TraceSettings {
 public:
  /// can_record: there is a collector; without one nothing is recorded, and nobody can ask for it.
  void begin(bool can_record) noexcept { can_record_ = can_record; }
  /// Whether this request is to be recorded, if anything is; counts it. model: empty for what concerns none.
  bool admits(std::string_view model);
  /// Takes up members of a JSON object, all or none: `trace_level` (`OFF`, `TIMESTAMPS`), `trace_rate` (one of so many
  /// requests), `trace_count` (so many more; -1: no end); null: as it was at first, for a model as for all. model:
  /// empty for all. Errors: invalid_argument; unsupported for what Triton's own traces have (files, tensors).
  void update(const std::string& model, std::string_view json);
  /// As the protocol tells it.
  std::string text(std::string_view model) const;

 private:
  struct Scope {
    std::optional<bool> is_on;
    std::optional<std::uint64_t> rate;
    std::optional<std::int64_t> count;
    std::uint64_t seen = 0;
  };
  bool is_on(const Scope& own) const { return can_record_ && own.is_on.value_or(all_.is_on.value_or(true)); }

  std::atomic<bool> can_record_{false}, was_changed_{false};
  mutable std::mutex mutex_;
  Scope all_;
  std::map<std::string, Scope, std::less<>> models_;
};

/// Takes up members of a JSON object, all or none: `log_info`, `log_warning`, `log_error` (whether lines of this level
/// are written at all), `log_verbose_level` (1: every request). Errors: as TraceSettings::update().
void update_log_settings(std::string_view json, std::atomic<bool>& log_requests);
std::string log_settings_text(bool log_requests);

}  // namespace skerry::serve
