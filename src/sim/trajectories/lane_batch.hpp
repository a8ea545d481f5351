/// \file
/// One batch of trajectories: a state with a lane for each, and what each has drawn and found.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/memory.hpp"
#include "kernels/trajectories/lanes.hpp"
#include "sim/trajectories/lane_program.hpp"

namespace skerry::sim {

/// Draw d of trajectory t is a function of (seed, t, d): neither batches nor threads change an outcome.
template <class T>
class LaneBatch {
 public:
  static constexpr std::size_t kLanes = kernels::kTrajectories<T>;
  using State = kernels::LaneState<T>;

  /// All must outlive this. lanes: empty for programs that are run as code. Errors: budget_exceeded.
  LaneBatch(const NoisyProgram& program, const LaneProgram& lanes, const ClassicalUnit& unit, base::MemoryBudget budget,
            const RunControl& control);

  /// The trajectories of the lanes; lanes beyond them repeat the first. Draws every site. Empty: the reference, which
  /// suffers no events.
  void assign(std::span<const std::uint64_t> trajectories);
  void start_state();
  void copy_state(const LaneBatch& from);
  /// Runs steps [begin, end) of the lowered program.
  void run(std::uint32_t begin, std::uint32_t end);
  /// Runs the code as it is, each lane by its own way, until all have reached the tail.
  void run_code();

  State state() { return {reinterpret_cast<kernels::ComplexLine<T>*>(buffer_.data()), program_.wires}; }
  std::size_t count() const noexcept { return count_; }
  std::uint64_t id(std::size_t lane) const noexcept { return ids_[lane]; }
  const Classical& classical(std::size_t lane) const { return classical_[lane]; }
  std::uint32_t entry(std::size_t lane) const noexcept { return pc_[lane]; }
  /// The next draw of a lane.
  double draw(std::size_t lane);

 private:
  using Active = std::array<bool, kLanes>;
  using Numbers = std::array<double, kLanes>;
  Numbers uniforms(std::uint32_t draw) const;
  kernels::LaneMatrix2<T> chain_matrix(const std::vector<Link>& chain) const;
  void turn(const LaneStep& step);
  void gate(const Matrix& matrix, std::span<const int> places, std::uint64_t controls, const Active& active);
  void mix(const Site& site, std::span<const std::uint32_t> terms, const Active& active);
  /// Chooses an operator for each active lane; gives which.
  std::array<std::uint32_t, kLanes> kraus(const Operators& operators, const Numbers& uniforms, const Active& active);
  void read(std::size_t lane, Wire wire, std::uint32_t bit, std::uint32_t found, double uniform);
  void code_gate(const Step& step, const Active& active);
  void code_step(std::uint32_t pc, const Active& active);

  const NoisyProgram& program_;
  const LaneProgram& lanes_;
  const ClassicalUnit& unit_;
  const RunControl& control_;
  base::Buffer buffer_;
  std::array<std::uint64_t, kLanes> ids_{};
  std::size_t count_ = 0;
  std::vector<std::uint32_t> terms_;  // of each site and lane
  std::vector<bool> has_event_;       // of each site
  std::vector<Classical> classical_;
  std::array<std::uint32_t, kLanes> pc_{}, next_draw_{};
};

}  // namespace skerry::sim
