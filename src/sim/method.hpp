/// \file
/// Ways to run a circuit: each says whether it can, what it would cost, and prepares a program that runs many times.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <skerry/circuit.hpp>
#include <skerry/options.hpp>
#include <skerry/result.hpp>
#include <span>
#include <string_view>
#include <vector>

#include "base/expected.hpp"
#include "base/memory.hpp"
#include "kernels/rates.hpp"

namespace skerry::sim {

/// What a running program may use.
struct Resources {
  base::MemoryBudget& memory;
  const RunControl& control;
};

/// A run that has come to its measurements: any of its shots, in any order, as often as one likes.
class ShotSource {
 public:
  virtual ~ShotSource() = default;
  /// The outcomes of shots first, first + 1, …: those that run() keeps for the same seed, ceil(bits / 64) words each,
  /// as many as `out` has room for. One call at a time. Errors: those of Program::run.
  virtual void outcomes(std::uint64_t first, std::span<std::uint64_t> out) = 0;
};

/// A circuit made ready for one method: matrices built, gates resolved. Immutable; run() may be called from several
/// threads at once.
class Program {
 public:
  virtual ~Program() = default;
  /// parameters: in order of declaration. Errors: budget_exceeded, deadline_exceeded, cancelled, semantic_error of
  /// run-time classical arithmetic.
  virtual CircuitResult run(std::span<const double> parameters, const Resources& resources) const = 0;
  /// Null where the method has none. The program and what the resources refer to must outlive it; the shots that the
  /// program was prepared for are those asked for at once.
  virtual std::unique_ptr<ShotSource> shots(std::span<const double> parameters, const Resources& resources) const;
};

/// Price of one run. Bytes are everything the run charges to its budget at its peak, results included.
struct Estimate {
  std::uint64_t peak_bytes = 0;
  std::vector<kernels::Work> work;
  bool may_approximate = false;  ///< limits that were set may make it cut something off; how much is known afterwards
  /// What of a gate's rounding on a state vector its own gates have: 0 of integers; none where that is known
  /// afterwards.
  std::optional<double> rounding = 1.0;
  /// The program from what the price was made of, to be called once and while the circuit lives; where it is empty,
  /// Method::prepare works it out again.
  std::function<std::unique_ptr<Program>()> prepare{};
};

/// One row of methods.def.
struct Method {
  std::string_view name;  ///< `statevector`
  std::string_view help;
  /// The price, or the reason why this method cannot run such a circuit. options.method is not looked at.
  Expected<Estimate> (*estimate)(const Circuit&, const RunOptions&);
  std::unique_ptr<Program> (*prepare)(const Circuit&, const RunOptions&);
  /// Honours options.noise and gives density matrices. The planner never gives a noise model to another.
  bool takes_noise = false;
  /// Answers options.amplitudes. The planner never asks another.
  bool gives_amplitudes = false;
  /// For circuits over optical modes, else for qubits. The planner never gives it the other kind.
  bool on_modes = false;
  /// To know its price takes up to seconds: for a run, the planner does not ask where another method is quick.
  bool is_dear_to_price = false;
};

/// The rows, in order. A program may define it itself, with fewer (apps/run).
std::span<const Method> methods();
/// Errors: invalid_argument that lists the names.
const Method& find_method(std::string_view name);

}  // namespace skerry::sim
