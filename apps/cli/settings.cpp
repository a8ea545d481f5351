#include "cli/settings.hpp"

#include <toml++/toml.h>

#include <array>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <skerry/error.hpp>

#include "base/file.hpp"

namespace skerry::cli {
namespace {

constexpr std::array kSettings = {
    SettingInfo{"threads", "threads of a run; 0 for SKERRY_NUM_THREADS, OMP_NUM_THREADS or the CPUs there are", "0"},
    SettingInfo{"max_memory_mb", "refuse a run that needs more, in MB of 10^6 bytes; empty for what is free", ""},
    SettingInfo{"max_execution_time", "refuse or stop a run that takes longer, in seconds; empty for no limit", ""},
    SettingInfo{"method", "simulator, or auto", "auto"},
    SettingInfo{"precision", "width of amplitudes, single or double", "double"},
    SettingInfo{"seed", "seed of a run: same seed, same counts", "0"},
};

std::string environment_name(std::string_view setting) {
  std::string name = "SKERRY_";
  for (const char c : setting) name += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

bool is_known(std::string_view name) {
  return std::any_of(kSettings.begin(), kSettings.end(), [&](const SettingInfo& info) { return info.name == name; });
}

std::string value_text(const toml::node& node, std::string_view name, const std::string& where) {
  if (const auto text = node.value_exact<std::string>()) return *text;
  if (const auto number = node.value_exact<std::int64_t>()) return std::to_string(*number);
  if (const auto number = node.value_exact<double>()) {
    std::array<char, 32> digits{};
    return {digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), *number).ptr};
  }
  throw Error(ErrorCode::invalid_argument, "setting '" + std::string(name) + "' is neither text nor a number", where);
}

void read_file(Settings& settings, const std::filesystem::path& path) {
  const std::string text = base::read_file(path, 1 << 20);
  toml::table table;
  try {
    table = toml::parse(text, path.string());
  } catch (const toml::parse_error& error) {
    throw Error(ErrorCode::syntax_error, std::string(error.description()),
                path.string() + ":" + std::to_string(error.source().begin.line) + ":" +
                    std::to_string(error.source().begin.column));
  }
  for (const auto& [key, node] : table) {
    const std::string where = path.string() + ":" + std::to_string(node.source().begin.line);
    if (!is_known(key.str())) {
      throw Error(ErrorCode::invalid_argument, "there is no setting '" + std::string(key.str()) + "'", where,
                  "see skerry config");
    }
    settings.set(key.str(), value_text(node, key.str(), where), path.string());
  }
}

template <class T>
T number(const Settings& settings, std::string_view name) {
  const Setting& setting = settings[name];
  T value{};
  const char* end = setting.value.data() + setting.value.size();
  const auto [rest, error] = std::from_chars(setting.value.data(), end, value);
  if (error != std::errc() || rest != end || value < T{}) {
    throw Error(ErrorCode::invalid_argument, std::string(name) + " is '" + setting.value + "', not a number that fits",
                setting.source);
  }
  return value;
}

}  // namespace

std::span<const SettingInfo> setting_infos() {
  return kSettings;
}

Settings Settings::read(const std::filesystem::path& file) {
  Settings settings;
  for (const SettingInfo& info : kSettings) settings.set(info.name, std::string(info.otherwise), "default");
  if (!file.empty()) {
    read_file(settings, file);
  } else if (std::getenv("HOME") != nullptr || std::getenv("XDG_CONFIG_HOME") != nullptr) {
    const std::filesystem::path usual = base::config_dir() / "config.toml";
    std::error_code ignored;
    if (std::filesystem::exists(usual, ignored)) read_file(settings, usual);
  }
  for (const SettingInfo& info : kSettings) {
    const std::string variable = environment_name(info.name);
    if (const char* value = std::getenv(variable.c_str())) settings.set(info.name, value, variable);
  }
  return settings;
}

void Settings::set(std::string_view name, std::string value, std::string source) {
  settings_[std::string(name)] = {std::move(value), std::move(source)};
}

const Setting& Settings::operator[](std::string_view name) const {
  return settings_.find(name)->second;
}

Limits Settings::limits() const {
  Limits limits;
  limits.threads = number<int>(*this, "threads");
  if (!(*this)["max_memory_mb"].value.empty()) {
    limits.max_memory_bytes = static_cast<std::uint64_t>(number<double>(*this, "max_memory_mb") * 1e6);
  }
  if (!(*this)["max_execution_time"].value.empty()) {
    limits.max_execution_time = std::chrono::duration<double>(number<double>(*this, "max_execution_time"));
  }
  return limits;
}

RunOptions Settings::run_options() const {
  RunOptions options;
  options.limits = limits();
  options.method = (*this)["method"].value;
  options.seed = number<std::uint64_t>(*this, "seed");
  const Setting& precision = (*this)["precision"];
  if (precision.value != "single" && precision.value != "double") {
    throw Error(ErrorCode::invalid_argument, "precision is '" + precision.value + "'", precision.source,
                "use single or double");
  }
  options.precision = precision.value == "single" ? Precision::single_precision : Precision::double_precision;
  return options;
}

}  // namespace skerry::cli
