/// \file
/// One program undone by another, gate against gate, as a product of small matrices.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "passes/native/flat.hpp"

namespace skerry::passes::native {

/// What is left when b is undone by a.
enum class Undone : std::uint8_t {
  nothing,    ///< the identity on every wire that counts
  something,  ///< another unitary: some state tells the two apart
  unknown,    ///< more wires hang together than can be looked at
};

/// Where a program's wire w lies in a and in b after the last gate, and whether only its outcome is looked at.
struct MiterWire {
  Wire in_a = 0, in_b = 0;
  bool measured = false;
};

/// M = A B^dagger for programs of gates without symbols on the same wires, for any number of them. M begins as one
/// wire of identity each; gates of a come from the left and gates of b, undone, from the right: always those next that
/// make no piece larger, else one that both programs come to, or a router's swap, or the one that makes the smallest.
/// Gates that commute along an axis may change places. A piece that has come apart into factors is split, so that
/// programs with much the same structure (resynthesised blocks, swaps of a router) never hold more than a few wires
/// together. A measured wire may keep a phase for each outcome. `something` is told only where every wire is a
/// program's and infidelity is 0. Rounding is bounded: the parts left out in splitting add up to at most 1e-6.
/// infidelity: what one program may have left out of the other (CompileOptions::error_budget), counted as that counts
/// it, block by block. Source: alternating equivalence checks, Burgholzer & Wille, arXiv:2004.08420, with matrices in
/// place of diagrams.
Undone undo(const Flat& a, const Flat& b, std::span<const MiterWire> wires, double infidelity = 0);

}  // namespace skerry::passes::native
