/// \file
/// Test only: density matrices as plain matrices and channels as sums of Kraus operators spelled out over all wires,
/// with no code of the simulators.
#pragma once

#include <skerry/noise.hpp>
#include <span>
#include <vector>

#include "sim/statevector/dense_oracle.hpp"

namespace skerry::sim {

/// Matrix on all wires of one on `wires` (the first least significant), entry by entry.
inline Dense on_all_wires(const Matrix& matrix, std::span<const Wire> wires, std::size_t num_wires) {
  const std::size_t size = std::size_t{1} << num_wires, rows = std::size_t{1} << matrix.wires;
  Dense out(size * size);
  for (std::size_t r = 0; r < size; ++r) {
    for (std::size_t c = 0; c < size; ++c) {
      std::size_t row = 0, column = 0, rest = r ^ c;
      for (std::size_t j = 0; j < wires.size(); ++j) {
        row |= (r >> wires[j] & 1) << j;
        column |= (c >> wires[j] & 1) << j;
        rest &= ~(std::size_t{1} << wires[j]);
      }
      if (rest == 0) out[r * size + c] = matrix.values[row * rows + column];
    }
  }
  return out;
}

/// sum_i K_i rho K_i^dagger.
inline Dense kraus_sum(std::span<const Dense> operators, const Dense& rho, std::size_t size) {
  Dense out(size * size);
  for (const Dense& k : operators) {
    Dense left(size * size);
    for (std::size_t r = 0; r < size; ++r)
      for (std::size_t m = 0; m < size; ++m)
        for (std::size_t c = 0; c < size; ++c) left[r * size + c] += k[r * size + m] * rho[m * size + c];
    for (std::size_t r = 0; r < size; ++r)
      for (std::size_t m = 0; m < size; ++m)
        for (std::size_t c = 0; c < size; ++c) out[r * size + c] += left[r * size + m] * std::conj(k[c * size + m]);
  }
  return out;
}

/// rho after a channel on some wires.
inline Dense noisy(const Dense& rho, const Channel& channel, std::span<const Wire> wires, std::size_t num_wires) {
  std::vector<Dense> operators;
  for (const Matrix& k : channel.operators()) operators.push_back(on_all_wires(k, wires, num_wires));
  return kraus_sum(operators, rho, std::size_t{1} << num_wires);
}

/// rho after a gate of a circuit.
inline Dense gated(const Dense& rho, const Circuit& circuit, const Instruction& instruction) {
  const Dense u = gate_on_all_wires(circuit, instruction);
  return kraus_sum(std::span(&u, 1), rho, std::size_t{1} << circuit.num_wires());
}

inline Dense zero_density(std::size_t num_wires) {
  Dense rho(std::size_t{1} << (2 * num_wires));
  rho[0] = 1;
  return rho;
}

/// The gates of a circuit's body, each followed by `channel` on its wires if their number fits.
inline Dense run_noisy(const Circuit& circuit, std::span<const Channel> after) {
  Dense rho = zero_density(circuit.num_wires());
  for (std::size_t i = 0; i < circuit.body().size(); ++i) {
    const Instruction instruction = circuit.body()[i];
    if (!is_gate(instruction.op)) continue;
    rho = gated(rho, circuit, instruction);
    for (const Channel& channel : after)
      if (channel.wires() == instruction.wires.size())
        rho = noisy(rho, channel, instruction.wires, circuit.num_wires());
  }
  return rho;
}

/// One channel of every kind, and some given by matrices; on one wire and on two.
inline std::vector<Channel> sample_channels() {
  const std::complex<double> i(0, 1);
  const double c = std::cos(0.3), s = std::sin(0.3);
  const Matrix turn{1, {c, -i * s, -i * s, c}};
  const Matrix turn2{2, {c, 0, 0, -i * s, 0, c, -s, 0, 0, s, c, 0, -i * s, 0, 0, c}};
  const std::vector<std::pair<std::string, double>> one = {{"X", 0.1}, {"Y", 0.05}, {"Z", 0.2}};
  const std::vector<std::pair<std::string, double>> two = {{"XY", 0.1}, {"IZ", 0.05}, {"ZI", 0.2}};
  const std::vector<std::pair<double, Matrix>> mix = {{0.7, {1, {1, 0, 0, 1}}}, {0.3, turn}};
  const std::vector<std::pair<double, Matrix>> mix2 = {{0.6, {2, {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1}}},
                                                       {0.4, turn2}};
  // Both wires fall together from |11>.
  const double keep = std::sqrt(0.75), fall = 0.5;
  const std::vector<Matrix> together = {{2, {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, keep}},
                                        {2, {0, 0, 0, fall, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}}};
  return {Channel::bit_flip(0.2),
          Channel::phase_flip(0.3),
          Channel::bit_phase_flip(0.15),
          Channel::depolarizing(0.2),
          Channel::uniform_pauli(0.2),
          Channel::amplitude_damping(0.3),
          Channel::phase_damping(0.4),
          Channel::generalized_amplitude_damping(0.3, 0.25),
          Channel::thermal_relaxation(50, 70, 20, 0.1),
          Channel::pauli(one),
          Channel::reset(0.2, 0.1),
          Channel::unitary(turn),
          Channel::mixed_unitary(mix),
          Channel::kraus(Channel::amplitude_damping(0.2).then(Channel::bit_flip(0.1)).operators()),
          Channel::depolarizing(0.3, 2),
          Channel::uniform_pauli(0.25, 2),
          Channel::pauli(two),
          Channel::unitary(turn2),
          Channel::mixed_unitary(mix2),
          Channel::kraus(together)};
}

}  // namespace skerry::sim
