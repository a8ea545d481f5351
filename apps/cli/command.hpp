/// \file
/// The options of a verb. Only command.cpp sees the library that reads them: its templates take seconds to compile in
/// each file that names them.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "cli/settings.hpp"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace skerry::cli {

/// What --help calls the options that are settings of every verb (settings.hpp).
inline constexpr const char* kSettingsGroup = "Settings";

/// One option of a verb. Each call says more about it.
class Option {
 public:
  explicit Option(CLI::Option* option) noexcept : option_(option) {}

  Option type_name(const std::string& form) const;  ///< what stands for the value in --help
  Option required() const;
  Option show_default() const;                      ///< the value at this moment is told in --help
  Option delimiter(char letter) const;              ///< one word holds several values
  Option between(double least, double most) const;  ///< both ends are allowed
  Option needs(const Option& other) const;          ///< refused where the other is not given: it would do nothing
  Option excludes(const Option& other) const;       ///< refused where the other is given

 private:
  CLI::Option* option_;
};

/// What a verb declares its options on. Names are `-o,--output`, or one word for an operand; the target outlives the
/// parsing and keeps its value where the option is not given. A list takes one value each time it is named.
class Command {
 public:
  explicit Command(CLI::App& app) noexcept : app_(&app) {}

  Option add_option(const std::string& names, std::string& target, const std::string& help) const;
  Option add_option(const std::string& names, double& target, const std::string& help) const;
  Option add_option(const std::string& names, std::uint32_t& target, const std::string& help) const;
  Option add_option(const std::string& names, std::int64_t& target, const std::string& help) const;
  Option add_option(const std::string& names, std::vector<std::string>& target, const std::string& help) const;
  Option add_option(const std::string& names, std::vector<std::uint32_t>& target, const std::string& help) const;
  /// A whole number, zero or more; N in --help.
  Option add_count(const std::string& names, std::uint64_t& target, const std::string& help) const;
  Option add_flag(const std::string& names, bool& target, const std::string& help) const;

  CLI::App& app() const noexcept { return *app_; }

 private:
  CLI::App* app_;
};

/// Values of a verb's options from configuration and environment, under what the command line names.
class VerbDefaults {
 public:
  explicit VerbDefaults(CLI::App& app) noexcept : app_(&app) {}

  /// Gives the options these values, and those that were given one by an earlier call their own again. What the command
  /// line named keeps its value once it was parsed. Errors: invalid_argument with the value's source; then an earlier
  /// value may be gone.
  void apply(std::span<const VerbSetting> settings);

 private:
  CLI::App* app_;
  std::map<CLI::Option*, std::string> own_;  // of options that were changed
};

}  // namespace skerry::cli
