/// \file
/// Between the driver of a sweep and its vector code: what is worked out per block, and the call of one block.
#pragma once

#include <algorithm>
#include <array>
#include <complex>
#include <vector>

#include "kernels/statevec/sweep.hpp"

namespace skerry::kernels {

/// An action with its slots: one label of the switch that runs for every tile. The last two are no actions: an end,
/// and a condition on the tile's count for the action that follows.
enum class TileJump : std::uint8_t {
  pair_real_0,
  pair_real_1,
  pair_real_2,
  pair_reflect_0,
  pair_reflect_1,
  pair_reflect_2,
  pair_imaginary_0,
  pair_imaginary_1,
  pair_imaginary_2,
  quarter_real_0,
  quarter_real_1,
  quarter_real_2,
  quarter_imaginary_0,
  quarter_imaginary_1,
  quarter_imaginary_2,
  pair_any_0,
  pair_any_1,
  pair_any_2,
  exchange_0,
  exchange_1,
  exchange_2,
  exchange_rows_0,
  exchange_rows_1,
  exchange_rows_2,
  lane_swap_0,
  lane_swap_1,
  lane_swap_2,
  lane_real,
  lane_reflect,
  lane_imaginary,
  lane_any,
  lane_permute,
  quad_01,
  quad_02,
  quad_12,
  phase,
  phase_of_rows,
  real_phase,
  scale,
  stop,
  skip_unless,
};

TileJump tile_jump(const TileOp& op);

/// A phase on its way through the tiles of a block. The table of a tile is a product along a path of a binary tree
/// whose level j is bit j of the tile count; while the count goes up by one, only the level of its lowest 1 changes.
template <class T>
struct RunningPhase {
  struct Term {
    std::uint32_t loop;
    const T* table;
  };
  std::vector<Term> terms;
  int first_level = 0;                ///< no term changes below
  std::array<const T*, 33> levels{};  ///< product of the terms at or above a level
  std::array<T*, 32> level_room{};    ///< where a level's own product is kept
  std::uint32_t rows = 0;             ///< vectors of the tile that it changes; the others' entries are not kept up
  std::size_t op = 0;                 ///< which of the running ops uses it
  const T* current() const noexcept { return levels[static_cast<std::size_t>(first_level)]; }
};

template <class T>
struct RunningOp {
  TileJump jump{};
  std::uint32_t bits = 0;   ///< rows that a phase changes, pairs that are exchanged, or bits of the tile's count
  const T* data = nullptr;  ///< of a phase: its table for the tile at hand
};

/// Kept from step to step so that nothing is allocated anew.
template <class T>
struct StepState {
  std::vector<RunningPhase<T>> phases;
  std::vector<RunningOp<T>> ops;
};

/// control.check(), out of line: it stands in the code of every vector unit.
void look_at(const RunControl& control);

/// A share of a block's tiles and vectors: the index-th of count, a power of two that is at most the tiles.
struct BlockPart {
  std::size_t index = 0, count = 1;
};

/// One of a block's stages, each of which needs all parts of the one before: 0 gathers the block whose outside bits are
/// `outside`, times factor (the first part does that alone); then the steps; the last writes it back. zero_bits: block
/// bits beyond the lanes that are in |0>; where one of them is 1 the block is 0 and the state is not read. room: for
/// the levels of phases, each part at work with its own. No bit of the result depends on the parts.
template <class T>
void run_stage(const Sweep<T>& sweep, std::size_t stage, std::complex<T>* state, std::uint64_t outside,
               std::uint64_t zero_bits, std::complex<double> factor, T* block, T* room, StepState<T>& steps,
               BlockPart part, const RunControl& control);

}  // namespace skerry::kernels
