/// \file
/// Runs a noisy program on its density matrix: one pass through the code, parting at measurements midway.
#pragma once

#include <map>
#include <skerry/result.hpp>
#include <tuple>
#include <vector>

#include "base/memory.hpp"
#include "sim/density/passes.hpp"
#include "sim/method.hpp"
#include "sim/noise/noisy_program.hpp"

namespace skerry::sim {

/// Most measurements midway: each may double the branches.
inline constexpr std::uint32_t kMaxMidway = 10;

/// Bytes that a run charges at its peak.
std::uint64_t density_peak_bytes(const NoisyProgram& program);

/// The state is not normalised: its trace is the probability of the branch it stands for.
template <class T>
class DensityRun {
 public:
  /// program must outlive the run. Errors: budget_exceeded.
  DensityRun(const NoisyProgram& program, std::vector<Scalar> parameters, const Resources& resources);
  /// Everything that was asked for. Errors: those of Program::run.
  CircuitResult run();

 private:
  /// A way through the measurements midway that has come to the tail.
  struct Leaf {
    Classical entry;
    std::uint32_t pc = 0;
    std::vector<double> cumulative;  // over what the tail's measurements may read
  };

  void start(std::span<T> state) const;
  void load_pure(std::span<T> state) const;
  /// Where options.resume stood; gives the step. Errors: invalid_argument.
  std::uint32_t load_checkpoint(std::span<T> state) const;
  /// Whether a run that has come to this step may be left: what is behind it has no outcomes.
  void offer_to_leave(std::uint32_t pc, base::Buffer& state);
  void branch(std::uint32_t pc, Classical classical, base::Buffer state);
  void add_gate(const Step& step, const Classical& classical);
  void add_reset(Wire wire);
  std::uint32_t stretch() const noexcept;
  void apply_passes(std::span<T> state, std::uint32_t pc);
  void leaf(std::uint32_t pc, Classical classical, std::span<const T> state);
  void add_bits(const Leaf& leaf, std::span<const double> table);
  void add_density(std::span<const T> state);
  /// tr(P rho) of the string with these bits on the listed wires.
  double entry(std::span<const T> state, std::span<const Wire> wires, std::uint64_t x, std::uint64_t z) const;
  /// Probabilities of the wires' true values.
  std::vector<double> table_of(std::span<const T> state, std::span<const Wire> wires) const;
  void draw_shots(CircuitResult& result);
  CircuitResult finish();
  const std::vector<double>& matrix_of(const Instruction& instruction, std::span<const double> params);

  const NoisyProgram& program_;
  base::MemoryBudget budget_;
  const RunControl& control_;
  ClassicalUnit unit_;
  Passes passes_;
  std::map<std::tuple<Op, std::uint16_t, std::uint32_t, std::vector<double>>, std::vector<double>> matrices_;
  std::vector<Leaf> leaves_;
  std::vector<base::Reservation> charges_;
  std::vector<double> expectations_;
  std::vector<MaskedObservable> observables_;
  base::Buffer distribution_;
  std::vector<std::complex<double>> density_;
  std::vector<Wire> density_wires_;
  double done_ = 0.0;
  std::uint32_t first_ = 0, leading_ = 0;   // where it begins; steps before the first outcome
  std::uint32_t next_offer_ = 0xffffffffU;  // a step at which it may be left
  std::uint32_t applied_ = 0;               // steps whose passes were made, before the first outcome
};

}  // namespace skerry::sim
