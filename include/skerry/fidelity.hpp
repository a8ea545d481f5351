/// \file
/// What two pure states have in common, and what is left of one when all but some of its wires are ignored. Neither
/// copies amplitudes.
#pragma once

#include <cstdint>
#include <skerry/state.hpp>
#include <skerry/tensor.hpp>
#include <span>

namespace skerry {

/// |<a|b>|^2, of any precisions; summed in double. Cost: one pass. Errors: invalid_argument when the numbers of wires
/// differ.
double fidelity(const State& a, const State& b);

/// Reduced density matrix of `wires`, wires[0] least significant: rho[r][c] = sum over the other wires' basis states e
/// of psi[r, e] conj(psi[c, e]). c128 of shape [2^k, 2^k]. Cost: 2^(n + k) multiply-adds, 16 * 4^k bytes.
/// Errors: out_of_range, invalid_argument for a wire listed twice, limit_exceeded beyond 12 wires.
Tensor density_matrix(const State& state, std::span<const std::uint32_t> wires);

}  // namespace skerry
