/// \file
/// From the working form to a circuit in a device's gates.
#pragma once

#include <skerry/circuit.hpp>
#include <skerry/target.hpp>

#include "passes/native/basis.hpp"
#include "passes/native/flat.hpp"

namespace skerry::passes::native {

/// A circuit on one register `q` of flat.wires wires with the source's bits, parameters and variables. Every CX must
/// lie on an edge of the target already; one that stands against its direction is turned by four one-wire gates.
Circuit translate(const Flat& flat, const Circuit& source, const Target& target, const Basis& basis);

}  // namespace skerry::passes::native
