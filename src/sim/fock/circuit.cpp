#include <cmath>
#include <skerry/error.hpp>
#include <skerry/photonic.hpp>
#include <string>

namespace skerry::photonic {
namespace {

struct Row {
  std::string_view name;
  std::uint32_t modes, parameters;
};

constexpr std::array<Row, 10> kRows{{{"displacement", 1, 2},
                                     {"squeezing", 1, 2},
                                     {"rotation", 1, 1},
                                     {"kerr", 1, 1},
                                     {"cross_kerr", 2, 1},
                                     {"cubic_phase", 1, 1},
                                     {"beam_splitter", 2, 2},
                                     {"two_mode_squeezing", 2, 2},
                                     {"loss", 1, 1},
                                     {"amplifier", 1, 1}}};

const Row& row(Gate gate) noexcept {
  return kRows[static_cast<std::size_t>(gate)];
}

}  // namespace

std::string_view gate_name(Gate gate) noexcept {
  return row(gate).name;
}
std::uint32_t gate_modes(Gate gate) noexcept {
  return row(gate).modes;
}
std::uint32_t gate_parameters(Gate gate) noexcept {
  return row(gate).parameters;
}

Param Param::operator-() const {
  Param result = *this;
  result.value = -value;
  result.scale = -scale;
  return result;
}

Circuit::Circuit(std::uint32_t modes, std::uint32_t weights) : modes_(modes), weights_(weights) {
  if (modes == 0 || modes > kMaxModes)
    throw Error(ErrorCode::out_of_range, std::to_string(modes) + " modes", "photonic circuit",
                "take 1 to " + std::to_string(kMaxModes));
}

Circuit& Circuit::append(Instruction instruction) {
  const std::string where = "gate " + std::to_string(instructions_.size());
  const std::string name(gate_name(instruction.gate));
  if (gate_modes(instruction.gate) == 1) instruction.modes[1] = instruction.modes[0];
  for (const std::uint32_t mode : instruction.modes)
    if (mode >= modes_)
      throw Error(ErrorCode::out_of_range, name + " on mode " + std::to_string(mode) + " of " + std::to_string(modes_),
                  where, "modes count from 0");
  if (gate_modes(instruction.gate) == 2 && instruction.modes[0] == instruction.modes[1])
    throw Error(ErrorCode::invalid_argument, name + " on mode " + std::to_string(instruction.modes[0]) + " twice",
                where, "name two modes");
  for (std::uint32_t i = 0; i < gate_parameters(instruction.gate); ++i) {
    const Param& param = instruction.params[i];
    if (!std::isfinite(param.value) || !std::isfinite(param.scale))
      throw Error(ErrorCode::invalid_argument, name + " with a parameter that is not finite", where, "pass a number");
    if (!param.is_constant() && static_cast<std::uint32_t>(param.weight) >= weights_)
      throw Error(ErrorCode::out_of_range,
                  name + " reads weight " + std::to_string(param.weight) + " of " + std::to_string(weights_), where,
                  "make the circuit with more weights");
  }
  const Param& first = instruction.params[0];
  if (instruction.gate == Gate::loss && first.is_constant() && !(first.value >= 0 && first.value <= 1))
    throw Error(ErrorCode::invalid_argument, "transmissivity " + std::to_string(first.value), where, "take 0 to 1");
  if (instruction.gate == Gate::amplifier && first.is_constant() && !(first.value >= 1))
    throw Error(ErrorCode::invalid_argument, "gain " + std::to_string(first.value), where, "take 1 or more");
  instructions_.push_back(instruction);
  return *this;
}

Circuit& Circuit::displacement(Param r, Param phase, std::uint32_t mode) {
  return append({Gate::displacement, {mode, mode}, {r, phase}});
}
Circuit& Circuit::squeezing(Param r, Param phase, std::uint32_t mode) {
  return append({Gate::squeezing, {mode, mode}, {r, phase}});
}
Circuit& Circuit::rotation(Param angle, std::uint32_t mode) {
  return append({Gate::rotation, {mode, mode}, {angle, {}}});
}
Circuit& Circuit::kerr(Param kappa, std::uint32_t mode) {
  return append({Gate::kerr, {mode, mode}, {kappa, {}}});
}
Circuit& Circuit::cubic_phase(Param gamma, std::uint32_t mode) {
  return append({Gate::cubic_phase, {mode, mode}, {gamma, {}}});
}
Circuit& Circuit::cross_kerr(Param kappa, std::uint32_t mode1, std::uint32_t mode2) {
  return append({Gate::cross_kerr, {mode1, mode2}, {kappa, {}}});
}
Circuit& Circuit::beam_splitter(Param angle, Param phase, std::uint32_t mode1, std::uint32_t mode2) {
  return append({Gate::beam_splitter, {mode1, mode2}, {angle, phase}});
}
Circuit& Circuit::two_mode_squeezing(Param r, Param phase, std::uint32_t mode1, std::uint32_t mode2) {
  return append({Gate::two_mode_squeezing, {mode1, mode2}, {r, phase}});
}
Circuit& Circuit::loss(Param transmissivity, std::uint32_t mode) {
  return append({Gate::loss, {mode, mode}, {transmissivity, {}}});
}
Circuit& Circuit::amplifier(Param gain, std::uint32_t mode) {
  return append({Gate::amplifier, {mode, mode}, {gain, {}}});
}

Circuit& Circuit::thermal_loss(double transmissivity, double photons, std::uint32_t mode) {
  if (!(transmissivity >= 0 && transmissivity <= 1) || !(photons >= 0) || !std::isfinite(photons))
    throw Error(ErrorCode::invalid_argument,
                "thermal loss of transmissivity " + std::to_string(transmissivity) + " with " +
                    std::to_string(photons) + " photons",
                "gate " + std::to_string(instructions_.size()), "take a transmissivity from 0 to 1 and photons from 0");
  // Loss t then gain g: moments scale by t g = T, noise g (1 - t) + g - 1 = (1 - T)(2 n + 1).
  const double gain = 1 + (1 - transmissivity) * photons;
  return loss(transmissivity / gain, mode).amplifier(gain, mode);
}

std::uint32_t Circuit::interferometer_weights(std::uint32_t modes) noexcept {
  return modes * (modes - 1) + (modes > 2 ? modes - 1 : 1);
}

std::uint32_t Circuit::layer_weights(std::uint32_t modes) noexcept {
  return 2 * interferometer_weights(modes) + 4 * modes;
}

Circuit& Circuit::interferometer(std::uint32_t first) {
  const std::uint32_t pairs = modes_ * (modes_ - 1) / 2;
  std::uint32_t pair = 0;
  for (std::uint32_t l = 0; l < modes_; ++l)
    for (std::uint32_t j = 0; j + 1 < modes_; ++j) {
      if ((l + j) % 2 != 0) continue;
      beam_splitter(Param::of(first + pair), Param::of(first + pairs + pair), j, j + 1);
      ++pair;
    }
  for (std::uint32_t k = 0; k < (modes_ > 2 ? modes_ - 1 : 1); ++k) rotation(Param::of(first + 2 * pairs + k), k);
  return *this;
}

Circuit& Circuit::layer(std::uint32_t first) {
  interferometer(first);
  first += interferometer_weights(modes_);
  for (std::uint32_t k = 0; k < modes_; ++k) squeezing(Param::of(first + k), 0.0, k);
  first += modes_;
  interferometer(first);
  first += interferometer_weights(modes_);
  for (std::uint32_t k = 0; k < modes_; ++k) {
    displacement(Param::of(first + k), Param::of(first + modes_ + k), k);
    kerr(Param::of(first + 2 * modes_ + k), k);
  }
  return *this;
}

}  // namespace skerry::photonic
