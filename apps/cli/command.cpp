#include "cli/command.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <skerry/error.hpp>

#include "frontend/suggest.hpp"

namespace skerry::cli {

Option Option::type_name(const std::string& form) const {
  return Option(option_->type_name(form));
}

Option Option::required() const {
  return Option(option_->required());
}

Option Option::show_default() const {
  return Option(option_->capture_default_str());
}

Option Option::delimiter(char letter) const {
  return Option(option_->delimiter(letter));
}

Option Option::needs(const Option& other) const {
  option_->needs(other.option_);
  return *this;
}
Option Option::excludes(const Option& other) const {
  option_->excludes(other.option_);
  return *this;
}
Option Option::between(double least, double most) const {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.16g to %.16g", least, most);
  const std::string range = text.data();
  const auto complaint = [least, most, range](const std::string& word) -> std::string {
    double value = 0;
    const char* const end = word.data() + word.size();
    const auto [stopped, error] = std::from_chars(word.data(), end, value);
    if (error == std::errc() && stopped == end && value >= least && value <= most) return {};
    return "'" + word + "' is not a number from " + range;
  };
  return Option(option_->check(CLI::Validator(complaint, range)));
}

Option Command::add_option(const std::string& names, std::string& target, const std::string& help) const {
  return Option(app_->add_option(names, target, help));
}

Option Command::add_option(const std::string& names, double& target, const std::string& help) const {
  return Option(app_->add_option(names, target, help));
}

Option Command::add_option(const std::string& names, std::uint32_t& target, const std::string& help) const {
  return Option(app_->add_option(names, target, help));
}

Option Command::add_option(const std::string& names, std::int64_t& target, const std::string& help) const {
  return Option(app_->add_option(names, target, help));
}

// Else a list takes the words after its value too, the operands among them.
Option Command::add_option(const std::string& names, std::vector<std::string>& target, const std::string& help) const {
  return Option(app_->add_option(names, target, help)->allow_extra_args(false));
}

Option Command::add_option(const std::string& names, std::vector<std::uint32_t>& target,
                           const std::string& help) const {
  return Option(app_->add_option(names, target, help)->allow_extra_args(false));
}

Option Command::add_count(const std::string& names, std::uint64_t& target, const std::string& help) const {
  const auto read = [names, &target](const std::string& text) {
    const char* const end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data(), end, target);
    if (error == std::errc() && stopped == end) return;
    throw Error(ErrorCode::invalid_argument, "'" + text + "' is not a number that fits", names,
                "give a whole number, zero or more");
  };
  CLI::Option* option = app_->add_option_function<std::string>(names, read, help)->type_name("N");
  return Option(option->default_function([&target] { return std::to_string(target); }));
}

Option Command::add_flag(const std::string& names, bool& target, const std::string& help) const {
  return Option(app_->add_flag(names, target, help));
}

namespace {

CLI::Option* option_of(CLI::App& app, const VerbSetting& setting) {
  std::string name = setting.option;
  std::ranges::replace(name, '_', '-');
  frontend::Nearest nearest(setting.option);
  std::vector<std::string> known;
  for (CLI::Option* option : app.get_options()) {
    for (const std::string& word : option->get_lnames()) {
      if (word == name && option->get_group() == kSettingsGroup) {
        throw Error(ErrorCode::invalid_argument, "'" + setting.option + "' is a setting of all verbs", setting.source,
                    "write it above the first table of the configuration, or set " + environment_name(name));
      }
      if (word == name && word != "help") return option;
      known.push_back(word);
      std::ranges::replace(known.back(), '-', '_');
    }
  }
  for (const std::string& word : known) nearest.offer(word);
  throw Error(ErrorCode::invalid_argument, "there is no option '" + setting.option + "'", setting.source,
              nearest.hint("see skerry " + app.get_name() + " --help"));
}

void set_default(CLI::Option& option, const std::string& value) {
  const bool takes_more = option.get_allow_extra_args();
  option.allow_extra_args(value.starts_with('['));
  option.run_callback_for_default()->default_val(value);
  option.allow_extra_args(takes_more);
}

}  // namespace

void VerbDefaults::apply(std::span<const VerbSetting> settings) {
  for (const auto& [option, value] : own_) {
    if (option->empty()) set_default(*option, value);
  }
  for (const VerbSetting& setting : settings) {
    CLI::Option* const option = option_of(*app_, setting);
    if (!option->empty()) continue;
    if (!own_.contains(option)) {
      option->capture_default_str();
      const bool is_flag = option->get_expected_max() == 0;
      own_.emplace(option, is_flag ? "false" : option->get_default_str());
    }
    try {
      set_default(*option, setting.value);
    } catch (const CLI::Error& error) {
      throw Error(ErrorCode::invalid_argument, error.what(), setting.source);
    } catch (const Error& error) {
      throw Error(error.code(), error.message(), setting.source, error.hint());
    }
  }
}

}  // namespace skerry::cli
