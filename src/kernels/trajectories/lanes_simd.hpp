/// \file
/// The loops over vectors below lanes.hpp, each on a part of the work.
#pragma once

#include "kernels/trajectories/lanes.hpp"

namespace skerry::kernels {

/// Index of group g with zeros dealt in at up to two places (ascending) and the controls set.
struct GroupIndex {
  std::uint64_t fixed = 0;  ///< bits that are not counted: wires and controls
  std::uint64_t set = 0;    ///< bits that are 1: controls
  std::size_t operator()(std::size_t group) const noexcept {
    std::size_t index = 0;
    std::uint64_t rest = ~fixed;
    for (; group != 0; group >>= 1, rest &= rest - 1)
      if ((group & 1) != 0) index |= rest & -rest;
    return index | set;
  }
  /// The index after `index` in ascending order of groups.
  std::size_t next(std::size_t index) const noexcept { return (((index | fixed) + 1) & ~fixed) | set; }
};

template <class T>
struct LaneKernels {
  void (*one)(ComplexLine<T>*, GroupIndex, std::size_t stride, const LaneMatrix2<T>&, std::size_t, std::size_t);
  void (*two)(ComplexLine<T>*, GroupIndex, std::size_t a, const LaneMatrix2<T>&, std::size_t b, const LaneMatrix2<T>&,
              std::size_t, std::size_t);
  void (*four)(ComplexLine<T>*, GroupIndex, std::size_t a, std::size_t b, const LaneMatrix4<T>&, std::size_t,
               std::size_t);
  void (*phase)(ComplexLine<T>*, GroupIndex, const ComplexLine<T>&, std::size_t, std::size_t);
  void (*reduced)(const ComplexLine<T>*, GroupIndex, std::span<const std::size_t> places, ComplexLine<T>* rho,
                  std::size_t, std::size_t);
  void (*squares)(const ComplexLine<T>*, std::size_t, std::size_t, Line<T>&);
  void (*pauli)(const ComplexLine<T>*, std::uint64_t x, std::uint64_t z, std::size_t, std::size_t, Line<T>&);
};

template <class T>
const LaneKernels<T>& lane_kernels();

}  // namespace skerry::kernels
