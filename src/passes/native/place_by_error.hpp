/// \file
/// A program that is routed moves to where the device's gates fail less often.
#pragma once

#include <skerry/target.hpp>
#include <string>
#include <vector>

#include "passes/native/flat.hpp"
#include "passes/native/route.hpp"

namespace skerry::passes::native {

/// True when the target knows that some of its gates or measurements fail more often than others.
bool knows_errors(const Target& target);

/// The same gates on other device wires, all on edges, where the product of 1 - error is largest among those that a
/// short search finds; `entangler` is the name of the gate that CX is written with. initial: moved along. False where
/// the program stays. Source: as VF2PostLayout of Qiskit; Nation & Treinish, arXiv:2209.15512 (mapomatic).
bool place_by_error(Flat& flat, std::vector<Wire>& initial, const Coupling& coupling, const Target& target,
                    const std::string& entangler);

}  // namespace skerry::passes::native
