/// \file
/// Test only: circuits by dense matrices, built from Kronecker products of gate matrices, with no code of the
/// simulator.
#pragma once

#include <complex>
#include <skerry/circuit.hpp>
#include <vector>

#include "ops/qubit/gate_record.hpp"

namespace skerry::sim {

using Dense = std::vector<std::complex<double>>;

/// a (x) b for square matrices of n and m rows.
inline Dense kronecker(const Dense& a, std::size_t n, const Dense& b, std::size_t m) {
  Dense out(n * m * n * m);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j)
      for (std::size_t k = 0; k < m; ++k)
        for (std::size_t l = 0; l < m; ++l) out[(i * m + k) * n * m + j * m + l] = a[i * n + j] * b[k * m + l];
  return out;
}

/// The 2^n x 2^n matrix of one gate: 1 + P (x) (G - 1), where P projects the controls on 1 and each |r><c| of the
/// targets is a product of one-wire matrices, put together wire by wire from the most significant.
inline Dense gate_on_all_wires(const Circuit& circuit, const Instruction& instruction) {
  const std::size_t wires = circuit.num_wires();
  const std::size_t size = std::size_t{1} << wires;
  const Dense gate = ops::instruction_matrix(circuit, instruction);
  const std::size_t rows = std::size_t{1} << instruction.targets().size();
  Dense total(size * size);
  for (std::size_t i = 0; i < size; ++i) total[i * size + i] = 1;
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < rows; ++c) {
      const std::complex<double> entry = gate[r * rows + c] - (r == c ? 1.0 : 0.0);
      Dense product = {entry};
      std::size_t built = 1;
      for (std::size_t wire = wires; wire-- > 0;) {
        Dense factor = {1, 0, 0, 1};
        for (const Wire control : instruction.control_wires())
          if (control == wire) factor = {0, 0, 0, 1};
        for (std::size_t t = 0; t < instruction.targets().size(); ++t) {
          if (instruction.targets()[t] != wire) continue;
          factor = {0, 0, 0, 0};
          factor[(r >> t & 1) * 2 + (c >> t & 1)] = 1;
        }
        product = kronecker(product, built, factor, 2);
        built *= 2;
      }
      for (std::size_t i = 0; i < total.size(); ++i) total[i] += product[i];
    }
  }
  return total;
}

/// The state that the gates of the circuit's body make of `state`.
inline Dense run_dense(const Circuit& circuit, Dense state) {
  for (std::size_t i = 0; i < circuit.body().size(); ++i) {
    if (!is_gate(circuit.body()[i].op)) continue;
    const Dense matrix = gate_on_all_wires(circuit, circuit.body()[i]);
    Dense next(state.size());
    for (std::size_t r = 0; r < state.size(); ++r)
      for (std::size_t c = 0; c < state.size(); ++c) next[r] += matrix[r * state.size() + c] * state[c];
    state = std::move(next);
  }
  return state;
}
inline Dense run_dense(const Circuit& circuit) {
  Dense zero(std::size_t{1} << circuit.num_wires());
  zero[0] = 1;
  return run_dense(circuit, std::move(zero));
}

}  // namespace skerry::sim
