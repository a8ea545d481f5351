/// \file
/// Straight circuits that fall into registers: each simulated by itself, only with the gates that can influence what is
/// asked, and the answers put together.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <skerry/circuit.hpp>
#include <skerry/options.hpp>
#include <vector>

#include "kernels/statevec/reduce.hpp"
#include "sim/method.hpp"
#include "sim/statevector/request.hpp"

namespace skerry::sim {

/// One register as a circuit of its own; the wires of others are idle in it.
struct ProductPart {
  Circuit circuit;
  Request request;
  std::vector<kernels::PauliMasks> strings;  ///< asked of its state, each once
};

/// A Pauli string of an observable as the product of strings on the parts.
struct ProductTerm {
  std::uint32_t observable = 0;
  double coefficient = 0.0;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> factors;  ///< part and number of the string there
};

/// Registers that answer some of the questions. Groups run one after the other.
struct ProductGroup {
  std::vector<ProductPart> parts;
  std::vector<ProductTerm> terms;
  std::uint64_t state_bytes() const noexcept;
};

/// Bits of a basis state of a part that stand side by side in an outcome.
struct BitRun {
  std::uint32_t part = 0, from = 0, to = 0, count = 0;
};

struct ProductRequest {
  Precision precision = Precision::double_precision;
  std::uint64_t shots = 0, seed = 0;
  bool want_memory = false;
  std::uint32_t outcome_bits = 0;
  std::vector<BitRun> outcome;  ///< of the first group's parts; other bits are 0
  bool want_distribution = false;
  std::vector<std::uint32_t> distribution_wires;
  std::vector<double> expectations;  ///< what the strings on idle wires alone add
  std::vector<ProductGroup> groups;

  OutcomeShape outcome_shape() const noexcept { return {outcome_bits, shots, want_memory}; }
  std::uint64_t distribution_bytes() const noexcept {
    return want_distribution ? sizeof(double) << distribution_wires.size() : 0;
  }
  /// Of the probabilities of each part, before they are multiplied.
  std::uint64_t tables_bytes() const noexcept;
  std::uint64_t peak_bytes() const noexcept;
  std::vector<kernels::Work> price() const;
};

/// How a straight circuit is best taken apart.
struct Split {
  std::optional<Circuit> pruned;  ///< one register: the circuit without the gates that do not matter
  std::unique_ptr<ProductRequest> product;
};
/// Nothing where the whole circuit is simulated as it stands: it branches, its state is asked for, or nothing would be
/// gained. Precondition: options have been checked.
std::optional<Split> split(const Circuit& circuit, const RunOptions& options);

std::unique_ptr<Program> make_product_program(std::unique_ptr<ProductRequest> request,
                                              std::vector<Parameter> parameters);

}  // namespace skerry::sim
