#include "sim/state/questions.hpp"

#include <skerry/error.hpp>
#include <string>

namespace skerry::sim {
namespace {

void check_initial_state(const Tensor& state, std::uint32_t num_wires) {
  const bool complex = state.dtype() == DType::c64 || state.dtype() == DType::c128;
  const auto elements = static_cast<std::uint64_t>(state.shape().elements());
  if (complex && num_wires <= kMaxStateWires && elements == std::uint64_t{1} << num_wires) return;
  throw Error(ErrorCode::invalid_argument, "initial_state is " + std::string(dtype_name(state.dtype())) +
                                               state.shape().text() + ", but " + std::to_string(num_wires) +
                                               " wires need 2^" + std::to_string(num_wires) +
                                               " amplitudes of c64 or c128");
}

}  // namespace

void check_wires(std::span<const std::uint32_t> wires, std::uint32_t num_wires, std::string_view option) {
  if (wires.empty()) return;
  std::vector<bool> seen(num_wires);
  for (const std::uint32_t wire : wires) {
    if (wire >= num_wires) {
      throw Error(ErrorCode::out_of_range, std::string(option) + " names wire " + std::to_string(wire) +
                                               " of a circuit of " + std::to_string(num_wires) + " wires");
    }
    if (seen[wire])
      throw Error(ErrorCode::invalid_argument, std::string(option) + " names wire " + std::to_string(wire) + " twice");
    seen[wire] = true;
  }
}

void check_questions(const RunOptions& options, std::uint32_t num_wires) {
  check_wires(options.probability_wires, num_wires, "probability_wires");
  check_wires(options.density_wires, num_wires, "density_wires");
  for (const Observable& observable : options.observables) {
    if (observable.num_wires() == num_wires) continue;
    throw Error(ErrorCode::invalid_argument, "an observable is on " + std::to_string(observable.num_wires()) +
                                                 " wires, the circuit on " + std::to_string(num_wires));
  }
  for (const std::string& bits : options.amplitudes) {
    if (bits.size() == num_wires && bits.find_first_not_of("01") == std::string::npos) continue;
    throw Error(ErrorCode::invalid_argument,
                "the amplitude of '" + bits.substr(0, 80) + "' was asked of a circuit of " + std::to_string(num_wires) +
                    " wires",
                "amplitudes", "give a letter 0 or 1 for each wire, the rightmost of wire 0");
  }
  if (options.initial_state) check_initial_state(*options.initial_state, num_wires);
}

std::vector<Scalar> parameter_scalars(std::span<const Parameter> declared, std::span<const double> values) {
  if (values.size() != declared.size()) {
    throw Error(
        ErrorCode::invalid_argument,
        std::to_string(values.size()) + " parameters were given to a circuit of " + std::to_string(declared.size()), {},
        "give one number per parameter, in order of declaration");
  }
  std::vector<Scalar> out;
  out.reserve(declared.size());
  for (std::size_t i = 0; i < values.size(); ++i) out.push_back(Scalar::of(values[i]).cast(declared[i].type));
  return out;
}

}  // namespace skerry::sim
