/// \file
/// Compiling: passes from IR to IR, listed by name, each switchable, timed and told about.
#pragma once

#include <cstdint>
#include <optional>
#include <skerry/program.hpp>
#include <skerry/progress.hpp>
#include <skerry/target.hpp>
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
  /// A circuit is written in this device's gates on its wires; without it, it is made smaller for simulation.
  std::optional<Target> target;
  std::uint64_t seed = 42;  ///< same seed, same circuit, for any number of threads
  /// Infidelity that compiling for a target may spend on leaving out tiny rotations, over the whole circuit; 0: exact.
  double error_budget = 1e-8;
  RunControl control;
};

/// What one pass did. Sizes are instructions of a circuit, nodes of a graph.
struct PassReport {
  std::string name;
  double seconds = 0.0;
  std::uint64_t before = 0, after = 0;
};

/// Where the wires of a program are on a device.
struct Mapping {
  std::vector<Wire> initial;  ///< device wire of each program wire at the start
  std::vector<Wire> final;    ///< and at the end
  double spent_error = 0.0;   ///< infidelity of what was left out, at most CompileOptions::error_budget
};

struct Compiled {
  Program program;
  std::vector<PassReport> passes;  ///< in the order in which they ran
  std::optional<Mapping> mapping;  ///< of a circuit compiled for a target
};

/// Runs the level's pipeline; the result is verified. For a target it is on a register `q` of the device's wires, equal
/// to the program up to a global phase that is kept as a gate. Errors: invalid_argument, cancelled, deadline_exceeded;
/// out_of_range for a device that is too small, unsupported for a basis that cannot write every circuit.
Compiled compile(const Program& program, const CompileOptions& options = {});

/// Throws semantic_error for the first gate that the target does not have: one outside the basis, a pair of wires that
/// does not meet, a wire that is not there. The message names the gate and its wires, `where` is `gate 17` (`block 2
/// gate 3`).
void check_map(const Circuit& circuit, const Target& target);

/// One pass, for listings. kind: `circuit`, `graph` or `device`.
struct PassInfo {
  std::string_view name, kind, help;
};
std::span<const PassInfo> list_passes();
/// Names of the passes of a level, in order. kind: `circuit`, `graph` or `device`.
std::vector<std::string_view> pipeline(std::string_view kind, Level level);

}  // namespace skerry
