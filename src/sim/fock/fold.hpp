/// \file
/// From a circuit to steps for the kernels: phases are moved into the matrices beside them.
///
/// D, S, BS and S2 with a phase are the real gates between two diagonal matrices, and R, K and CK are diagonal anyway.
/// So phases wait until a gate comes that they do not commute with, and then become part of the nearest matrix that is
/// complex already: the one before, if its modes cover the phase, else the one to come. A layer of a neural network
/// costs real matrices for S and D and no pass for its phases at all.
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

/// One pass over the ket: out-phases * real (or cubic) matrix * in-phases. Gate::rotation stands for phases alone.
struct Step {
  photonic::Gate gate{};
  std::uint32_t modes[2] = {0, 0};
  photonic::Param param;
  std::vector<Phase> in, out;
};

/// A phase that depends on a weight, and the ket at which it acts: 0 is the initial one, s + 1 that after step s.
struct PhaseSite {
  std::size_t ket = 0;
  Phase phase;
};

struct Folded {
  std::vector<Step> steps;
  std::vector<PhaseSite> sites;
};
/// Errors: unsupported for loss and amplifier.
Folded fold(const photonic::Circuit& circuit);
/// For density matrices: modes 0 .. N-1 are the row's, N .. 2N-1 the column's, on which conjugated gates act; loss and
/// amplifier act on the pair (k, N + k).
Folded fold_density(const photonic::Circuit& circuit);

}  // namespace skerry::sim::fock
