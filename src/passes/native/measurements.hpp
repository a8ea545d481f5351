/// \file
/// The measurements at the end of a program, taken off and put back.
#pragma once

#include <span>
#include <vector>

#include "passes/native/flat.hpp"

namespace skerry::passes::native {

/// Takes measurements that nothing follows off the end (and barriers between them), last first: where a wire is
/// measured is not known before all swaps are. Once anything else without a matrix is met, bits may be read: no
/// further.
std::vector<Other> take_last_measurements(Flat& flat);

/// Puts them back, wire w where place[w] says.
void put_last_measurements(Flat& flat, const std::vector<Other>& last, std::span<const Wire> place);

}  // namespace skerry::passes::native
