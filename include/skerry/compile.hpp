/// \file
/// Compiling: passes from IR to IR, listed by name, each switchable, timed and told about.
#pragma once

#include <cstdint>
#include <map>
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
  /// Infidelity that compiling for a target may spend on leaving out tiny rotations, over the whole circuit, below 1;
  /// 0: exact.
  double error_budget = 1e-8;
  /// What level high may take for searching when it compiles for a target, in seconds of a usual core: counted in steps
  /// at a fixed rate, so that the circuit depends on neither machine nor load. More of them try more. 0: the level's
  /// own.
  double time_budget_seconds = 0;
  /// Only the joint distribution of the bits must stay, from |0...0>: what no measurement can tell is left out. A
  /// circuit that measures nothing keeps its state.
  bool outcomes_only = false;
  bool reuse_qubits = false;  ///< outcomes_only, and wires that were measured last are reset and take the next ones
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
/// to the program up to a global phase, which low and medium keep as a gate. Errors: invalid_argument, cancelled,
/// deadline_exceeded; out_of_range for a device that is too small, unsupported for a basis that cannot write every
/// circuit.
Compiled compile(const Program& program, const CompileOptions& options = {});

/// Reverse-mode differentiation of a model for concrete input types: a graph with a cotangent `grad:NAME` as further
/// input for each output NAME, and the gradient `grad:NAME` of L = sum over outputs of <cotangent, output> as further
/// output for each NAME of `by`, which are inputs; all f32 or f64. What the reverse pass reads again is computed once.
/// At kinks the derivative is that of the side of smaller x. Errors: not_found (`by`), type_mismatch, unsupported (an
/// operator without a derivative on the way, an axis that is no constant, an output or input of another type).
Graph differentiate(const Graph& graph, std::span<const TensorType> inputs, std::span<const std::string> by);

/// Throws semantic_error for the first gate that the target does not have: one outside the basis, a pair of wires that
/// does not meet, a wire that is not there. The message names the gate and its wires, `where` is `gate 17` (`block 2
/// gate 3`).
void check_map(const Circuit& circuit, const Target& target);

/// What a circuit costs on a device. Control flow counts every body once and as long as its longest branch.
struct Estimate {
  std::uint32_t width = 0;                      ///< wires that something happens on
  std::uint64_t depth = 0;                      ///< longest chain of instructions on shared wires, barriers left out
  std::uint64_t two_wire_depth = 0;             ///< the same over gates of two wires and more
  std::map<std::string, std::uint64_t> counts;  ///< by spelling: cx, rz, measure
  std::uint64_t gates = 0;                      ///< gates; measurements, resets and barriers left out
  double duration_seconds = 0.0;                ///< of the longest chain, by the target's durations
  double success_probability = 1.0;             ///< product of 1 - error, times exp(-idle / T1) of each wire used
};
/// As soon as possible; barriers hold back what follows. O(instructions).
Estimate estimate(const Circuit& circuit, const Target& target = {});

/// What verify_equal() found.
struct Equivalence {
  enum class Answer : std::uint8_t { equal, different, unknown };
  Answer answer = Answer::unknown;
  std::string reason;  ///< how it is known, for `different` with a state on which the two differ
};
std::string_view answer_name(Equivalence::Answer answer) noexcept;  ///< `equal`, `different` or `unknown`
/// Do two programs mean the same up to a global phase? mapping: of a wire of `a` on the wires of `b`, at the start and
/// at the end; the others of `b` start in |0>. Measurements at the end are compared by their outcomes.
///
/// Clifford circuits are compared at any width. One program undone by the other is brought to Pauli rotations (up to 64
/// wires) or taken gate against gate (any width, at most 8 wires of it at once): nothing left is a proof. Otherwise
/// random product states are sent through both, up to 14 wires: a difference is a refutation, and where all agree the
/// answer is `equal` too, for analytic functions of the state that agree on random points are equal with probability
/// one. What mapping->spent_error says was left out is allowed for. Errors: unsupported for what has no unitary.
Equivalence verify_equal(const Circuit& a, const Circuit& b, const Mapping* mapping = nullptr);

/// One pass, for listings. kind: `circuit`, `outcome`, `graph` or `device`.
struct PassInfo {
  std::string_view name, kind, help;
};
std::span<const PassInfo> list_passes();
/// Names of the passes of a level, in order. kind: `circuit`, `outcome`, `graph` or `device`.
std::vector<std::string_view> pipeline(std::string_view kind, Level level);

}  // namespace skerry
