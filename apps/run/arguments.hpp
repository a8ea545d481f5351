/// \file
/// The command line of skerry-run, read by hand: a device needs no option library.
#pragma once

#include <skerry/options.hpp>
#include <string>
#include <utility>
#include <vector>

namespace skerry::device {

struct Arguments {
  std::string package;
  RunOptions options;
  std::vector<std::pair<std::string, std::string>> inputs;   ///< name, .npy file
  std::vector<std::pair<std::string, std::string>> outputs;  ///< name, .npy file to write
  std::vector<std::string> trusted_keys;                     ///< public key files
  bool json = false, help = false, version = false;
};

extern const char* const kUsage;

/// Errors: invalid_argument naming the option.
Arguments parse_arguments(int argc, const char* const* argv);

}  // namespace skerry::device
