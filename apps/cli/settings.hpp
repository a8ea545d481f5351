/// \file
/// Configuration: defaults < file < environment < flags, and which of them each value came from.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <skerry/options.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::cli {

/// One setting: its spelling in every source is derived from the name (`max_memory_mb`, SKERRY_MAX_MEMORY_MB,
/// --max-memory-mb).
struct SettingInfo {
  std::string_view name, form, help, otherwise;
};
std::span<const SettingInfo> setting_infos();

/// `SKERRY_MAX_MEMORY_MB` of `max_memory_mb` or `max-memory-mb`.
std::string environment_name(std::string_view setting);

struct Setting {
  std::string value;   ///< empty: not set
  std::string source;  ///< `default`, a file's path, `SKERRY_SEED`, `--seed`
};

/// An option of one verb, from its table `[verb]` in the file or from SKERRY_VERB_OPTION.
struct VerbSetting {
  std::string option;  ///< without dashes in front, `_` for `-`
  std::string value;   ///< a list as [a,b]
  std::string source;  ///< file:line, or the variable
};

class Settings {
 public:
  /// Reads file and environment. file: empty for the usual place (config.toml in the configuration folder; none is
  /// fine). Errors: not_found, syntax_error (file:line), invalid_argument for an unknown name, with a hint.
  static Settings read(const std::filesystem::path& file);
  /// Where read() looks for this file; empty: nowhere.
  static std::filesystem::path place(const std::filesystem::path& file);

  void set(std::string_view name, std::string value, std::string source);
  const Setting& operator[](std::string_view name) const;
  const std::map<std::string, Setting, std::less<>>& all() const noexcept { return settings_; }
  /// Options of this verb, later ones winning.
  const std::vector<VerbSetting>& of_verb(std::string_view verb) const;

  /// The settings as limits and run options. Errors: invalid_argument naming setting and source.
  Limits limits() const;
  RunOptions run_options() const;

 private:
  std::map<std::string, Setting, std::less<>> settings_;
  std::map<std::string, std::vector<VerbSetting>, std::less<>> verbs_;

  void read_table(const std::filesystem::path& path);
};

}  // namespace skerry::cli
