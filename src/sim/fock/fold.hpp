/// \file
/// From a circuit to steps for the kernels: real gates, and phases between them.
///
/// D, S, BS and S2 with a phase are the real gates between two diagonal matrices, and R, K and CK are diagonal anyway.
/// So phases wait until a gate comes that they do not commute with; all that wait then become one diagonal factor,
/// which the step before multiplies its result by while that is still in registers. Real matrices take half the
/// products of complex ones, and less than half the time to build.
#pragma once

#include <cstddef>
#include <cstdint>
#include <skerry/photonic.hpp>
#include <vector>

namespace skerry::sim::fock {

/// exp(i coefficient param g(n)), with g = n, n² or n1 n2.
struct Phase {
  enum class Kind : std::uint8_t { linear, quadratic, product };
  Kind kind = Kind::linear;
  std::uint32_t mode1 = 0, mode2 = 0;
  photonic::Param param;
  double coefficient = 1.0;
  /// True for phases of the same g.
  bool same_function(const Phase& other) const {
    return kind == other.kind && mode1 == other.mode1 && mode2 == other.mode2;
  }
};

/// One pass over the ket: a real gate, a cubic phase, a loss or an amplifier.
struct Step {
  photonic::Gate gate{};
  std::uint32_t modes[2] = {0, 0};
  photonic::Param param;
};

/// The circuit is phases[0], then for each step s its gate and phases[s + 1].
struct Folded {
  std::vector<Step> steps;
  std::vector<std::vector<Phase>> phases;
};
/// Errors: unsupported for loss and amplifier.
Folded fold(const photonic::Circuit& circuit);
/// For density matrices: modes 0 .. N-1 are the row's, N .. 2N-1 the column's, on which conjugated gates act; loss and
/// amplifier act on the pair (k, N + k).
Folded fold_density(const photonic::Circuit& circuit);

}  // namespace skerry::sim::fock
