/// \file
/// One verb of the command line: its options and what it does.
#pragma once

#include <filesystem>
#include <functional>
#include <span>
#include <string_view>

#include "cli/command.hpp"
#include "cli/settings.hpp"

namespace skerry::cli {

/// What a verb is given when it runs. Results go to stdout, everything else to stderr.
struct Context {
  Settings settings;
  bool json = false;             ///< one JSON object on stdout
  bool terminal = false;         ///< stderr is a terminal: progress may be drawn
  std::filesystem::path config;  ///< where the configuration is, or would be; may be empty
  /// Reads configuration and environment again, into `settings` and into the options that the command line did not
  /// name. Errors: those of Settings::read and VerbDefaults::apply.
  std::function<void()> read_again;
};

/// What a verb does once its options are parsed; gives the exit code.
using Action = std::function<int(Context&)>;

/// A row of verbs.def.
struct Verb {
  std::string_view name;
  std::string_view help;
  std::string_view examples;  ///< commands for the foot of --help, one a line
  bool takes_settings;        ///< each setting is a flag too
  /// Declares options on the sub-command and gives what is to be done with them.
  Action (*declare)(const Command& command);
};

std::span<const Verb* const> verbs();

}  // namespace skerry::cli
