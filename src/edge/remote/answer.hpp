/// \file
/// What an answer has to look like, told by the question: an endpoint is a stranger, and what does not fit is no
/// answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <skerry/error.hpp>
#include <skerry/graph.hpp>
#include <string>
#include <utility>
#include <vector>

#include "wire/circuits.hpp"

namespace skerry::edge::remote {

/// An answer of another question, or of none. Its code is unavailable: this endpoint cannot be had.
class BadAnswer : public Error {
 public:
  BadAnswer(const std::string& what, const std::string& endpoint)
      : Error(ErrorCode::unavailable, "its answer does not fit the question: " + what, endpoint,
              "`skerry edge doctor` tells what runs there; nothing of the answer was used") {}
};

/// The shape of a right answer.
struct Asked {
  std::size_t rows = 1;  ///< answers: one for each set of parameters
  std::uint32_t wires = 0;
  std::uint32_t bits = 0;  ///< of an outcome
  std::uint64_t shots = 0;
  std::vector<double> largest;  ///< of each observable: the sum of its |coefficients|, which no |<O>| passes
  bool state = false, memory = false;
  std::optional<std::size_t> probability_wires;
  /// Of a model: its outputs, as far as their types are known beforehand. Of a circuit nothing.
  std::optional<std::vector<std::pair<std::string, TensorType>>> tensors;

  /// Most bytes of a message with such an answer, arrays as raw bytes. Saturates.
  std::uint64_t most_bytes() const noexcept;
};

/// Of a circuit's request. Errors: those of a package that is not understood; corrupt for a model's.
Asked asked_of(const wire::CircuitRequest& request);

/// Everything that was asked for is there, nothing else is, and each number can be true: counts of all shots and of the
/// right width, expectation values inside their bounds, states and probabilities of the right size whose norm is 1, a
/// model's outputs with their names, types and shapes.
/// Gives what is wrong with it; empty: nothing.
std::string misfit(const wire::CircuitReply& reply, const Asked& asked);

}  // namespace skerry::edge::remote
