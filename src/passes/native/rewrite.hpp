/// \file
/// Passes over the working form. Each keeps the meaning, phase included, and returns true when it changed something.
#pragma once

#include <skerry/circuit.hpp>

#include "passes/native/flat.hpp"

namespace skerry::passes::native {

/// Cancels pairs of CX and merges turns that meet across gates they commute with: on each wire, gates that commute with
/// Z (controls, diagonal matrices) form runs, and so do those that commute with X (targets, turns about X); within a
/// run the order does not matter. O(gates). Source: Qiskit's commutation analysis; Nam et al., arXiv:1710.07345.
bool cancel_commuting(Flat& flat, ExprPool& pool);

/// Replaces three CX by two where the first and the last are one: cx ab, bc, ab = bc, ac and cx bc, ab, bc = ab, ac,
/// also across what commutes with them. New pairs of wires meet, so this is for devices where all may. O(gates).
/// Source: Maslov, Dueck, Miller, Negrevergne, quant-ph/0607123 (templates).
bool match_templates(Flat& flat);

/// Collects what happens on one pair of wires and writes it again where that takes fewer CX, at most three.
/// mirror: all pairs of wires may meet, so a block may as well exchange its wires, which goes into `places`.
/// O(gates).
bool resynthesize_pairs(Flat& flat, bool mirror);

/// Leaves out what a block on a pair of wires does beyond a gate with fewer CX, smallest first, while the infidelities
/// (1 - average gate fidelity) add up to no more than the budget; what is spent is taken from it. O(gates log gates).
bool approximate_pairs(Flat& flat, double& error_budget);

}  // namespace skerry::passes::native
