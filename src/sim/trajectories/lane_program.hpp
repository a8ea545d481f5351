/// \file
/// A noisy program lowered to passes over lanes of trajectories: what can be drawn beforehand is folded into gates.
///
/// A channel that is a mixture of unitaries is a *site*: which of them a trajectory suffers, its random numbers say
/// before it starts. Where the unitaries are products over wires (all Pauli channels), each factor is a link in the
/// chain of one-wire matrices of its wire and costs no pass of its own:
///
///     wire 0:  h ─ [site 0] ─ t ─ [site 2, leg 0]  ─┐  one 2 x 2 matrix for each trajectory
///     wire 1:  sx ─ [site 1] ────  [site 2, leg 1] ─┤  another; both in one pass
///                                                   └─ next two-wire gate
#pragma once

#include <complex>
#include <cstdint>
#include <skerry/circuit.hpp>
#include <vector>

#include "sim/noise/noisy_program.hpp"

namespace skerry::sim {

/// A channel somewhere in the program, as a mixture. Term `reference` is the likeliest: what the noiseless prefix does.
struct Site {
  std::vector<double> cumulative;
  std::uint32_t reference = 0;
  std::vector<Matrix> unitaries;
  std::vector<std::vector<Matrix>> legs;  ///< of each term, one matrix a wire; empty: no product
  std::vector<int> places;
  std::uint32_t draw = 0;        ///< number of its draw in a trajectory
  std::uint32_t first_step = 0;  ///< where it first has an effect

  /// The term at `uniform` in [0, 1).
  std::uint32_t term(double uniform) const noexcept;
};

/// Operators of which the state itself decides: Kraus operators of one wire or two.
struct Operators {
  std::vector<Matrix> operators;
  std::vector<Matrix> weights;  ///< K^dagger K
  std::vector<int> places;
  explicit Operators(std::vector<Matrix> from = {}, std::vector<int> on = {});
};

/// A fixed matrix, or a leg of a site.
struct Link {
  Matrix fixed;
  int site = -1;
  std::uint32_t leg = 0;
};

enum class LaneStepKind : std::uint8_t {
  turn,   ///< chains on one wire or two
  phase,  ///< `factor` where all bits of `mask` are 1
  gate,   ///< `matrix` on `places` under `mask`
  mix,    ///< a site that is no product
  kraus,  ///< operators chosen by the state; a measurement writes `bit`
};

struct LaneStep {
  LaneStepKind kind = LaneStepKind::turn;
  std::vector<int> places;
  std::vector<std::vector<Link>> chains;  ///< of a turn, one for each place
  std::uint64_t mask = 0;
  std::complex<double> factor;
  Matrix matrix;
  std::uint32_t site = 0;
  Operators kraus;
  bool is_measure = false;
  Wire wire = 0;           ///< of a measurement
  std::uint32_t bit = 0;   ///< of a measurement
  std::uint32_t draw = 0;  ///< of kraus; a measurement's reading takes the next one
};

struct LaneProgram {
  std::vector<Site> sites;
  std::vector<LaneStep> steps;
  std::uint32_t draws = 0;       ///< before the tail
  std::uint32_t prefix_end = 0;  ///< the first step that depends on the state: no trajectory shares beyond it
};

/// One gate, evaluated: its target matrix, its places, its controls as a mask.
struct PlacedGate {
  Matrix matrix;
  std::vector<int> places;
  std::uint64_t controls = 0;
};
PlacedGate place_gate(const NoisyProgram& program, const Instruction& instruction, const ClassicalUnit& unit,
                      const Classical& classical);
std::vector<int> places_of(const NoisyProgram& program, std::span<const Wire> wires);
/// A site for a channel on these places; empty if it is no mixture.
std::optional<Site> make_site(const Channel& channel, std::vector<int> places);
/// What a measurement (reset: into |0>) does to a wire.
std::vector<Matrix> measurement_operators(bool reset);

/// Lowers all steps before the tail. Precondition: no classical step among them.
LaneProgram lower(const NoisyProgram& program, const ClassicalUnit& unit);

}  // namespace skerry::sim
