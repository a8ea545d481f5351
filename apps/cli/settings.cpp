#include "cli/settings.hpp"

#include <toml++/toml.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <limits>
#include <skerry/error.hpp>

#include "base/file.hpp"
#include "cli/verb.hpp"
#include "frontend/suggest.hpp"
#include "sim/method.hpp"

namespace skerry::cli {
namespace {

constexpr std::array kSettings = {
    SettingInfo{"threads", "N", "threads of a run; 0 for SKERRY_NUM_THREADS, OMP_NUM_THREADS or the CPUs there are",
                "0"},
    SettingInfo{"max_memory_mb", "MB", "refuse a run that needs more, in MB of 10^6 bytes; else what is free", ""},
    SettingInfo{"max_execution_time", "SECONDS", "refuse a run predicted to take longer, stop one that does", ""},
    SettingInfo{"method", "NAME", "simulator, or auto", "auto"},
    SettingInfo{"precision", "WIDTH", "single (complex64) or double (complex128) amplitudes", "double"},
    SettingInfo{"seed", "N", "seed of a run: same seed, same counts", "0"},
};

constexpr double kMostMegabytes = 1e12;  // an exabyte
constexpr double kMostSeconds = 1e9;     // thirty years; nanoseconds of it fit in 64 bits

bool is_known(std::string_view name) {
  return std::any_of(kSettings.begin(), kSettings.end(), [&](const SettingInfo& info) { return info.name == name; });
}

std::optional<std::string> scalar_text(const toml::node& node) {
  if (const auto text = node.value_exact<std::string>()) return *text;
  if (const auto flag = node.value_exact<bool>()) return *flag ? "true" : "false";
  if (const auto number = node.value_exact<std::int64_t>()) return std::to_string(*number);
  if (const auto number = node.value_exact<double>()) {
    std::array<char, 32> digits{};
    return std::string(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), *number).ptr);
  }
  return std::nullopt;
}

std::optional<std::string> list_text(const toml::node& node) {
  const toml::array* list = node.as_array();
  if (list == nullptr) return scalar_text(node);
  std::string text;
  for (const toml::node& one : *list) {
    const auto value = scalar_text(one);
    if (!value) return std::nullopt;
    text += (text.empty() ? "" : ",") + *value;
  }
  return "[" + text + "]";
}

std::string place_of(const std::filesystem::path& path, const toml::node& node) {
  return path.string() + ":" + std::to_string(node.source().begin.line);
}

toml::table parsed(const std::filesystem::path& path) {
  const std::string text = base::read_file(path, 1 << 20);
  try {
    return toml::parse(text, path.string());
  } catch (const toml::parse_error& error) {
    throw Error(ErrorCode::syntax_error, std::string(error.description()),
                path.string() + ":" + std::to_string(error.source().begin.line) + ":" +
                    std::to_string(error.source().begin.column),
                "write a line like threads = 2");
  }
}

bool is_verb(std::string_view name) {
  return std::ranges::any_of(verbs(), [&](const Verb* verb) { return verb->name == name; });
}

template <class T>
T whole_number(const Settings& settings, std::string_view name) {
  const Setting& setting = settings[name];
  T value{};
  const char* end = setting.value.data() + setting.value.size();
  const auto [rest, error] = std::from_chars(setting.value.data(), end, value);
  if (error != std::errc() || rest != end || value < T{}) {
    throw Error(ErrorCode::invalid_argument, std::string(name) + " is '" + setting.value + "'", setting.source,
                "give a whole number from 0 to " + std::to_string(std::numeric_limits<T>::max()));
  }
  return value;
}

// Above zero and at most `most`, so that what it is turned into cannot overflow.
double positive_number(const Settings& settings, std::string_view name, double most, const std::string& unit) {
  const Setting& setting = settings[name];
  double value = 0.0;
  const char* end = setting.value.data() + setting.value.size();
  const auto [rest, error] = std::from_chars(setting.value.data(), end, value);
  if (error != std::errc() || rest != end || !(value > 0.0) || !(value <= most)) {
    throw Error(ErrorCode::invalid_argument, std::string(name) + " is '" + setting.value + "'", setting.source,
                "give a number of " + unit + " above 0");
  }
  return value;
}

}  // namespace

std::string environment_name(std::string_view setting) {
  std::string name = "SKERRY_";
  for (const char c : setting) name += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

std::span<const SettingInfo> setting_infos() {
  return kSettings;
}

std::filesystem::path Settings::place(const std::filesystem::path& file) {
  if (!file.empty()) return file;
  if (std::getenv("HOME") == nullptr && std::getenv("XDG_CONFIG_HOME") == nullptr) return {};
  return base::config_dir() / "config.toml";
}

void Settings::read_table(const std::filesystem::path& path) {
  for (const auto& [key, node] : parsed(path)) {
    const std::string name(key.str()), where = place_of(path, node);
    if (is_verb(name) && node.is_table()) {
      for (const auto& [option, value] : *node.as_table()) {
        const auto text = list_text(value);
        if (!text)
          throw Error(ErrorCode::invalid_argument, "option '" + std::string(option.str()) + "' has no plain value",
                      place_of(path, value), "write text, a number, true, false or a list of these");
        verbs_[name].push_back({std::string(option.str()), *text, place_of(path, value)});
      }
      continue;
    }
    if (!is_known(name)) {
      frontend::Nearest nearest(name);
      for (const SettingInfo& info : kSettings) nearest.offer(info.name);
      throw Error(ErrorCode::invalid_argument, "there is no setting '" + name + "'", where,
                  nearest.hint("skerry config lists them"));
    }
    const auto text = scalar_text(node);
    if (!text || node.is_boolean()) {
      throw Error(ErrorCode::invalid_argument, "setting '" + name + "' is neither text nor a number", where,
                  "write a line like threads = 2");
    }
    set(name, *text, path.string());
  }
}

Settings Settings::read(const std::filesystem::path& file) {
  Settings settings;
  for (const SettingInfo& info : kSettings) settings.set(info.name, std::string(info.otherwise), "default");
  const std::filesystem::path path = place(file);
  std::error_code ignored;
  if (!file.empty() || (!path.empty() && std::filesystem::exists(path, ignored))) settings.read_table(path);
  for (const SettingInfo& info : kSettings) {
    const std::string variable = environment_name(info.name);
    if (const char* value = std::getenv(variable.c_str())) settings.set(info.name, value, variable);
  }
  for (const Verb* verb : verbs()) {
    const std::string prefix = environment_name(verb->name) + "_";
    for (char** entry = environ; *entry != nullptr; ++entry) {
      const std::string_view text = *entry;
      const std::size_t equals = std::min(text.find('='), text.size());
      if (!text.starts_with(prefix) || equals == text.size()) continue;
      std::string option(text.substr(prefix.size(), equals - prefix.size()));
      std::ranges::transform(option, option.begin(),
                             [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      settings.verbs_[std::string(verb->name)].push_back(
          {option, std::string(text.substr(equals + 1)), std::string(text.substr(0, equals))});
    }
  }
  return settings;
}

const std::vector<VerbSetting>& Settings::of_verb(std::string_view verb) const {
  static const std::vector<VerbSetting> kNone;
  const auto found = verbs_.find(verb);
  return found == verbs_.end() ? kNone : found->second;
}

void Settings::set(std::string_view name, std::string value, std::string source) {
  settings_[std::string(name)] = {std::move(value), std::move(source)};
}

const Setting& Settings::operator[](std::string_view name) const {
  return settings_.find(name)->second;
}

Limits Settings::limits() const {
  // Models have no method to choose from; a name that is none is refused for them too.
  if (const Setting& method = (*this)["method"]; method.value != "auto") {
    try {
      sim::find_method(method.value);
    } catch (const Error& error) {
      throw error.at(method.source);
    }
  }
  Limits limits;
  limits.threads = whole_number<int>(*this, "threads");
  if (!(*this)["max_memory_mb"].value.empty()) {
    limits.max_memory_bytes =
        static_cast<std::uint64_t>(positive_number(*this, "max_memory_mb", kMostMegabytes, "MB") * 1e6);
  }
  if (!(*this)["max_execution_time"].value.empty()) {
    limits.max_execution_time =
        std::chrono::duration<double>(positive_number(*this, "max_execution_time", kMostSeconds, "seconds"));
  }
  return limits;
}

RunOptions Settings::run_options() const {
  RunOptions options;
  options.limits = limits();
  options.method = (*this)["method"].value;
  options.seed = whole_number<std::uint64_t>(*this, "seed");
  const Setting& precision = (*this)["precision"];
  if (precision.value != "single" && precision.value != "double") {
    throw Error(ErrorCode::invalid_argument, "precision is '" + precision.value + "'", precision.source,
                "use single or double");
  }
  options.precision = precision.value == "single" ? Precision::single_precision : Precision::double_precision;
  return options;
}

}  // namespace skerry::cli
