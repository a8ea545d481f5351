/// \file
/// What a run by contraction was asked for: its networks, a path for each kind of them, and the price.
#pragma once

#include <cstdint>
#include <skerry/circuit.hpp>
#include <skerry/options.hpp>
#include <string>
#include <vector>

#include "base/expected.hpp"
#include "kernels/rates.hpp"
#include "sim/tensor_network/schedule.hpp"

namespace skerry::sim {

/// One network to be contracted: a basis state's amplitude, or a string of an observable.
struct NetworkTask {
  std::uint32_t answer = 0;  ///< which amplitude or observable it adds to
  double coefficient = 1.0;
  std::vector<LeafSource> sources;
};

/// Networks of the same joints: they share their path.
struct NetworkKind {
  Schedule schedule;
  TreeCost cost;
  std::vector<NetworkTask> tasks;
  /// Workers side by side, each with memory of its own: over tasks, which need all memory, or over slices, which share
  /// what is fixed. Otherwise threads share the work of a step.
  enum class Sharing : std::uint8_t { steps, slices, tasks };
  Sharing sharing = Sharing::steps;
  std::uint32_t workers = 1;

  std::uint64_t bytes(std::uint64_t number_bytes) const noexcept;
};

struct NetworkRequest {
  Precision precision = Precision::double_precision;
  std::vector<std::string> amplitudes;
  std::vector<double> constants;  ///< of each observable: strings whose value needs no network
  std::vector<NetworkKind> amplitude_kinds, expectation_kinds;

  std::uint64_t number_bytes() const noexcept { return precision == Precision::single_precision ? 8 : 16; }
  std::uint64_t peak_bytes() const noexcept;
  std::vector<kernels::Work> price() const;
};

/// The request, or why this method cannot serve it. Errors: those of check_questions. Precondition: a verified circuit.
Expected<NetworkRequest> make_network_request(const Circuit& circuit, const RunOptions& options);

}  // namespace skerry::sim
