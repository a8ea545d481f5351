/// \file
/// Options that say who else may run a circuit, and how a placement looks.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <skerry/edge.hpp>
#include <string>

#include "cli/command.hpp"
#include "cli/settings.hpp"

namespace skerry::cli {

/// An endpoint and how to be let in; how much may be cut.
struct PlacingFlags {
  std::string endpoint, key_file, authorities, certificate, key, outbox;
  std::uint64_t max_cuts = 6, timeout = 60, outbox_mb = 64;
  bool nothing_here = false;  ///< max_memory_mb is 0
  bool no_compression = false;

  void declare(const Command& command);
  /// Where runs wait whose endpoint is away: for verbs that run.
  void declare_outbox(const Command& command);
  /// With the limits of the settings; without them what the machine has free, and no end. The key is a file's first
  /// line, or SKERRY_CLOUD_API_KEY: words of a command line are seen by everybody. Errors: invalid_argument, io_error.
  edge::EdgeExecutionConfig config(const Settings& settings) const;
};

nlohmann::json placement_json(const edge::Placement& placement);

}  // namespace skerry::cli
