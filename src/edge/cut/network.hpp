/// \file
/// Tensors of two-valued labels, and their contraction: how amplitudes of pieces become amplitudes of the whole.
#pragma once

#include <complex>
#include <cstdint>
#include <skerry/state.hpp>
#include <vector>

#include "edge/cut/pieces.hpp"

namespace skerry::edge::cut {

/// Bit k of an index belongs to labels[k]. A label of two tensors is summed over when they are contracted.
struct LabelledTensor {
  std::vector<std::uint32_t> labels;
  std::vector<std::complex<double>> values;  ///< 2^labels
};

/// Sum over common labels; labels of `a`, then of `b`. O(2^(labels of both, common ones once)), on all threads.
LabelledTensor contract(const LabelledTensor& a, const LabelledTensor& b);
/// The same numbers with the labels in ascending order.
LabelledTensor sorted(const LabelledTensor& tensor);

/// A piece's amplitudes with the weights of its links in them: wire w of the whole is label w, link l is label wires +
/// l.
LabelledTensor piece_tensor(const Pieces& pieces, std::uint32_t piece, const State& state);

/// Amplitudes of all wires of the straight circuit, which takes 2^wires numbers and once more what is between.
std::vector<std::complex<double>> amplitudes(std::vector<LabelledTensor> tensors);

/// Outcomes of all wires, without the state of the whole: piece after piece, each given what those before it showed,
/// with those behind it traced out. ceil(wires / 64) words a shot; the same for any number of threads.
/// O(different outcomes so far * (2^wires + 4^links) of the widest piece) for each piece.
std::vector<std::uint64_t> sample(const Pieces& pieces, std::vector<LabelledTensor> tensors, std::uint64_t shots,
                                  std::uint64_t seed, const RunControl& control);

}  // namespace skerry::edge::cut
