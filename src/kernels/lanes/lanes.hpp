/// \file
/// States as vectors of lanes, real and imaginary parts apart, and gates that have a coefficient for every lane.
///
/// An amplitude's index is cut once: the low bits are its *lane*, the others count *vectors*. What a lane means is the
/// caller's affair. For one state the lanes are its lowest wires, and a gate on one of them moves lanes; for a batch a
/// lane is one member of the batch, all wires lie above, and each lane has coefficients of its own:
///
///     one state     index bits  h h h h h l l l     h counts vectors, l lies within one
///     a batch       index bits  w w w w w b b b     w all wires of the circuit, b the member
///
/// Vector v holds its real parts at data + 2 lanes v and its imaginary parts `lanes` further on.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/statevec/groups.hpp"

namespace skerry::kernels {

/// Numbers in a vector of the instruction set in use, as a power of two.
template <class T>
int lane_bits();

/// The largest that lane_bits() can be.
inline constexpr std::size_t kMaxLanes = 64;

/// 2^vector_wires complex vectors somebody else owns, aligned to 64 bytes.
template <class T>
struct LaneView {
  T* data = nullptr;
  int vector_wires = 0;
  std::size_t vectors() const noexcept { return std::size_t{1} << vector_wires; }
};

enum class LaneAction : std::uint8_t {
  dense,     ///< out[r] = sum over c, s of m[r][c][s] * moved(x[c], s)
  diagonal,  ///< out[r] = m[r] * x[r]
  exchange,  ///< out[0] = x[1], out[1] = x[0]; no coefficients
};

/// Which vectors and lanes a gate brings together. A slot is a bit of the vector index: x[0 .. 2^slots - 1] are the
/// vectors of a group, slot 0 the least significant bit. A move exchanges lanes whose numbers differ in one bit;
/// moved(x, s) has exchanged those of the bits of s. Shapes: at most two slots and moves together.
struct LaneGate {
  LaneAction action = LaneAction::dense;
  Groups groups{0, 0, {}};  ///< of vectors: controls, slots as targets
  int slots = 0, moves = 0;
  std::array<std::uint8_t, 2> move_bits{};  ///< bit of the lane number

  /// Complex coefficients, each a vector of real and a vector of imaginary parts: [r][c][s] or [r].
  std::size_t coefficients() const noexcept {
    if (action == LaneAction::exchange) return 0;
    const std::size_t rows = std::size_t{1} << slots;
    return action == LaneAction::diagonal ? rows : rows * rows << moves;
  }
};

/// x <- M x for groups [begin, end).
template <class T>
void lane_apply(LaneView<T> state, const LaneGate& gate, const T* coefficients, std::size_t begin, std::size_t end);

/// Adds the moments conj(bra[r]) * moved(ket[c], s) (diagonal: conj(bra[r]) * ket[r]) of groups [begin, end) to
/// `moments`, laid out as coefficients, then applies M to the bra and, if asked, to the ket.
/// Precondition: not for exchange.
template <class T>
void lane_unapply(LaneView<T> ket, LaneView<T> bra, const LaneGate& gate, const T* coefficients, bool and_ket,
                  T* moments, std::size_t begin, std::size_t end);

/// x <- M x for a matrix of any number of targets, in plain loops. targets, controls: bits of the amplitude's index,
/// lanes included. matrix: (re, im) pairs, row-major. Precondition: 2^targets <= 4096.
template <class T>
void lane_apply_wide(LaneView<T> state, std::uint64_t controls, std::span<const int> targets,
                     std::span<const double> matrix);

/// Strings of a Pauli sum that flip the same wires: out[v] += moved(w(u) * in[u]), u = v ^ flip, where w(u) is the sum
/// over terms of the sign of u's bits at `z` times the term's vector.
struct LaneTerm {
  std::uint64_t z = 0;       ///< bits of the vector index
  std::uint32_t vector = 0;  ///< first of lanes() numbers in LaneSum::lanes: coefficient with the lanes' signs
  bool is_imaginary = false;
};
struct LaneFlip {
  std::uint64_t flip = 0;              ///< bits of the vector index
  std::uint32_t move = 0;              ///< bits of the lane number
  std::uint32_t first = 0, count = 0;  ///< terms, real ones first
};
template <class T>
struct LaneSum {
  std::vector<LaneFlip> flips;
  std::vector<LaneTerm> terms;
  std::vector<T> lanes;
  /// w(u) of each flip and vector where all lanes have the same: sum of the real terms, sum of the imaginary ones.
  /// Empty where they differ or there are too many; then lane_pauli adds the terms up for each vector.
  std::vector<T> weights;
};

/// out = O in for vectors [begin, end), unless out.data is null; adds Re(conj(in) * O in) of each lane to value[0 ..
/// lanes - 1].
template <class T>
void lane_pauli(LaneView<T> in, LaneView<T> out, const LaneSum<T>& sum, double* value, std::size_t begin,
                std::size_t end);

/// cosines[i] = cos(angles[i] / 2), sines[i] = sin(angles[i] / 2), wrong by at most 4 ulp. All of one length.
void half_angles(std::span<const double> angles, std::span<double> cosines, std::span<double> sines);

/// out[lanes * l + m] += Re of the sum over vectors of conj(a) of lane l times b of lane m.
template <class T>
void lane_gram(LaneView<T> a, LaneView<T> b, double* out);

}  // namespace skerry::kernels
