/// \file
/// Whether what is asked of a run fits its circuit: the checks that every method makes first.
#pragma once

#include <cstdint>
#include <skerry/circuit.hpp>
#include <skerry/options.hpp>
#include <span>
#include <string_view>
#include <vector>

namespace skerry::sim {

/// More wires than this have no amplitudes that anybody could hold; byte counts fit in 63 bits below.
inline constexpr std::uint32_t kMaxStateWires = 50;

/// Errors: out_of_range for a wire that is not there, invalid_argument for one listed twice; `option` names the list.
void check_wires(std::span<const std::uint32_t> wires, std::uint32_t num_wires, std::string_view option);

/// The wires of probabilities and of a density matrix, the observables, the amplitudes and the initial state. Errors:
/// those of check_wires; invalid_argument for an amplitude's basis state that is not a letter 0 or 1 for each wire, for
/// an observable on another number of wires, and for an initial state that is not 2^num_wires amplitudes of c64 or
/// c128.
void check_questions(const RunOptions& options, std::uint32_t num_wires);

/// Values of a circuit's parameters by their declared types. Errors: invalid_argument for another number.
std::vector<Scalar> parameter_scalars(std::span<const Parameter> declared, std::span<const double> values);

}  // namespace skerry::sim
