/// \file
/// Compiling: passes from IR to IR, listed by name, each switchable, timed and told about.
#pragma once

#include <cstdint>
#include <skerry/program.hpp>
#include <skerry/progress.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace skerry {

/// How much work compiling may be; results are equivalent at every level.
enum class Level : std::uint8_t { low, medium, high };
/// Errors: invalid_argument that lists the levels.
Level level_from_name(std::string_view name);
std::string_view level_name(Level level) noexcept;

struct CompileOptions {
  Level level = Level::medium;
  std::vector<std::string> disabled_passes;  ///< names; an unknown one is an error that lists them all
  RunControl control;
};

/// What one pass did. Sizes are instructions of a circuit, nodes of a graph.
struct PassReport {
  std::string name;
  double seconds = 0.0;
  std::uint64_t before = 0, after = 0;
};

struct Compiled {
  Program program;
  std::vector<PassReport> passes;  ///< in the order in which they ran
};

/// Runs the level's pipeline; the result is verified. Errors: invalid_argument, cancelled, deadline_exceeded.
Compiled compile(const Program& program, const CompileOptions& options = {});

/// One pass, for listings. kind: `circuit` or `graph`.
struct PassInfo {
  std::string_view name, kind, help;
};
std::span<const PassInfo> list_passes();
/// Names of the passes of a level, in order. kind: `circuit` or `graph`.
std::vector<std::string_view> pipeline(std::string_view kind, Level level);

}  // namespace skerry
