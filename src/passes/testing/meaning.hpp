/// \file
/// What the tests of passes share: the textbook meaning of a circuit, and random circuits whose gates meet often.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <complex>
#include <random>
#include <skerry/circuit.hpp>
#include <span>
#include <vector>

#include "ops/qubit/gate_record.hpp"

namespace skerry::passes::testing {

using Vector = std::vector<std::complex<double>>;

// The textbook product, written without regard to speed: amplitude by amplitude, matrix by matrix.
inline void apply(const Circuit& circuit, const Instruction& instruction, Vector& state) {
  const auto matrix = ops::instruction_matrix(circuit, instruction);
  const auto targets = instruction.targets();
  const std::size_t size = std::size_t{1} << targets.size();
  Vector out(state.size());
  for (std::size_t row = 0; row < state.size(); ++row) {
    bool active = true;
    for (const Wire control : instruction.control_wires()) active = active && ((row >> control) & 1U) == 1U;
    if (!active) {
      out[row] = state[row];
      continue;
    }
    std::size_t local_row = 0, rest = row;
    for (std::size_t t = 0; t < targets.size(); ++t) {
      local_row |= ((row >> targets[t]) & 1U) << t;
      rest &= ~(std::size_t{1} << targets[t]);
    }
    for (std::size_t local_column = 0; local_column < size; ++local_column) {
      std::size_t column = rest;
      for (std::size_t t = 0; t < targets.size(); ++t) column |= ((local_column >> t) & 1U) << targets[t];
      out[row] += matrix[local_row * size + local_column] * state[column];
    }
  }
  state = std::move(out);
}

/// The gates of the body on a state of 2^n amplitudes; what is no gate is passed over.
inline Vector evolve(const Circuit& circuit, Vector state) {
  for (std::size_t i = 0; i < circuit.body().size(); ++i) {
    if (is_gate(circuit.body()[i].op)) apply(circuit, circuit.body()[i], state);
  }
  return state;
}

/// Amplitudes of `state` with wire w moved to `to[w]`; wires that nobody goes to are |0>.
inline Vector moved(const Vector& state, std::span<const Wire> to, std::uint32_t wires) {
  Vector out(std::size_t{1} << wires);
  for (std::size_t i = 0; i < state.size(); ++i) {
    std::size_t place = 0;
    for (std::size_t w = 0; w < to.size(); ++w) place |= ((i >> w) & 1U) << to[w];
    out[place] = state[i];
  }
  return out;
}

// Gates that meet often: few wires, few angles, symbols among them.
inline Circuit random_circuit(std::mt19937_64& random, std::uint32_t wires, std::size_t gates) {
  Circuit circuit(wires);
  const Affine theta = circuit.parameter("theta");
  const auto below = [&random](std::size_t n) { return static_cast<std::uint32_t>(random() % n); };
  constexpr std::array kAngles = {0.0, 0.25, -0.25, 1.5};
  for (std::size_t i = 0; i < gates; ++i) {
    const auto op = static_cast<Op>(below(kGateCount));
    std::vector<Wire> shuffled(wires);
    for (Wire w = 0; w < wires; ++w) shuffled[w] = w;
    std::shuffle(shuffled.begin(), shuffled.end(), random);
    const auto targets = static_cast<std::uint32_t>(gate_targets(op));
    const std::uint32_t controls = std::min(below(3), wires - targets);
    std::vector<Param> params;
    for (int p = 0; p < gate_parameters(op); ++p) {
      const bool symbolic = below(4) == 0;
      params.push_back(symbolic ? circuit.param(below(2) == 0 ? theta : -theta)
                                : Param{kAngles[below(kAngles.size())]});
    }
    circuit.append(op, std::span(shuffled).first(targets + controls), params, static_cast<std::uint16_t>(controls));
    if (below(12) == 0) circuit.barrier();
  }
  return circuit;
}

inline Vector random_state(std::mt19937_64& random, std::uint32_t wires) {
  std::normal_distribution<double> normal;
  Vector state(std::size_t{1} << wires);
  for (auto& amplitude : state) amplitude = {normal(random), normal(random)};
  return state;
}

inline void expect_same_meaning(const Circuit& before, const Circuit& after, std::mt19937_64& random) {
  const std::array theta = {0.7};
  const Vector start = random_state(random, before.num_wires());
  const Vector expected = evolve(before.bind(theta), start), actual = evolve(after.bind(theta), start);
  for (std::size_t i = 0; i < expected.size(); ++i) ASSERT_LT(std::abs(expected[i] - actual[i]), 1e-11);
}

}  // namespace skerry::passes::testing
