/// \file
/// From a circuit of any gates to one of one-wire gates, CX and SWAP.
#pragma once

#include <skerry/circuit.hpp>

#include "passes/native/flat.hpp"

namespace skerry::passes::native {

struct UnrollOptions {
  bool rename_swaps = true;  ///< swap gates of the body become `places` of the result
  bool last_first = false;   ///< a phase on m > 2 wires is met on the last but one: other pairs get the CX
};

/// The body of the circuit. Halves of symbolic angles are added to the circuit's expressions.
///
/// Controls: a phase on m wires is taken through its 2^m - 1 parities, 2^m - 2 CX (6 for ccx, 14 for c3x); above four
/// wires X with many controls uses wires that the gate does not touch, whatever their state, and is split where there
/// are too few. Source: Barenco et al., quant-ph/9503016, lemmas 7.2, 7.3, 7.5; Maslov, arXiv:1508.03273 (relative
/// phases). Errors: unsupported for a matrix gate on more than two wires.
Flat unroll(Circuit& circuit, const UnrollOptions& options = {});

}  // namespace skerry::passes::native
