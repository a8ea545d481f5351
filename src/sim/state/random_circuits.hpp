/// \file
/// Test only: circuits and observables by chance, of every gate of the table.
#pragma once

#include <algorithm>
#include <numeric>
#include <random>
#include <skerry/circuit.hpp>
#include <skerry/observable.hpp>
#include <string>
#include <vector>

namespace skerry::sim {

/// `count` different wires in any order.
inline std::vector<Wire> some_wires(std::uint32_t wires, std::size_t count, std::mt19937& random) {
  std::vector<Wire> order(wires);
  std::iota(order.begin(), order.end(), 0U);
  std::shuffle(order.begin(), order.end(), random);
  order.resize(count);
  return order;
}

/// Gates of gates.def with up to `most_controls` controls, on at most `most_wires` wires each; as many bits as wires.
inline Circuit random_circuit(std::uint32_t wires, int gates, std::mt19937& random, std::uint32_t most_controls = 2,
                              std::uint32_t most_wires = 64) {
  Circuit circuit(wires, wires);
  std::uniform_real_distribution<double> angle(-4, 4);
  while (gates > 0) {
    const auto op = static_cast<Op>(random() % kGateCount);
    const auto targets = static_cast<std::uint32_t>(gate_targets(op));
    const std::uint32_t room = std::min(wires, most_wires);
    if (targets > room) continue;
    const std::uint32_t most = std::min(room - targets, most_controls);
    const auto controls = static_cast<std::uint32_t>(random() % 3 == 0 ? random() % (most + 1) : 0);
    std::vector<Param> params(static_cast<std::size_t>(gate_parameters(op)));
    for (Param& param : params) param.value = angle(random);
    circuit.append(op, some_wires(wires, targets + controls, random), params, static_cast<std::uint16_t>(controls));
    --gates;
  }
  return circuit;
}

/// Sum of strings over all wires, each with another coefficient.
inline Observable random_strings(std::uint32_t wires, int terms, std::mt19937& random) {
  Observable out(wires);
  for (int term = 0; term < terms; ++term) {
    std::string letters;
    std::vector<std::uint32_t> on;
    for (std::uint32_t wire = 0; wire < wires; ++wire) {
      letters += "IXYZ"[random() % 4];
      on.push_back(wire);
    }
    out.add(letters, on, 0.1 + static_cast<double>(term));
  }
  return out;
}

}  // namespace skerry::sim
