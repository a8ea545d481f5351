/// \file
/// The gates of a program that may come next, where two programs are compared gate against gate.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "passes/native/euler.hpp"
#include "passes/native/flat.hpp"

namespace skerry::passes::native {

/// Gates of one program in order on each wire, but for those that commute: along an axis, as controls of CX and turns
/// about Z do, or targets and turns about X.
struct Queue {
  enum class Axis : std::uint8_t { none, x, z };
  static constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
  // Longer runs are looked through at their beginning only.
  static constexpr std::size_t kMostInRun = 16;

  const Flat& flat;
  bool of_a;                                   ///< the first of two programs
  std::vector<std::vector<std::uint32_t>> on;  ///< per wire, the next gate last
  std::vector<std::uint32_t> piece;            ///< that holds the wire

  Queue(const Flat& program, bool is_a) : flat(program), of_a(is_a), on(program.wires), piece(program.wires) {
    for (std::size_t i = flat.gates.size(); i-- > 0;) {
      const Gate& gate = flat.gates[i];
      on[gate.a].push_back(static_cast<std::uint32_t>(i));
      if (gate.a != gate.b) on[gate.b].push_back(static_cast<std::uint32_t>(i));
    }
    for (Wire w = 0; w < flat.wires; ++w) piece[w] = w;
  }

  /// Along what a gate commutes with others on a wire.
  Axis axis(std::uint32_t i, Wire w) const {
    const Gate& gate = flat.gates[i];
    if (gate.kind == Kind::cx) return w == gate.a ? Axis::z : Axis::x;
    if (gate.kind != Kind::one) return Axis::none;
    const U2& u = flat.ones[gate.index];
    return is_diagonal(u) ? Axis::z : commutes_with_x(u) ? Axis::x : Axis::none;
  }
  /// Those that may be the wire's next, the last of `on` first.
  std::size_t run(Wire w) const {
    const std::vector<std::uint32_t>& gates = on[w];
    if (gates.empty()) return 0;
    const Axis first = axis(gates.back(), w);
    const std::size_t most = first == Axis::none ? 1 : std::min(gates.size(), kMostInRun);
    std::size_t count = 1;
    while (count < most && axis(gates[gates.size() - 1 - count], w) == first) ++count;
    return count;
  }
  /// The k-th on a wire.
  std::uint32_t at(Wire w, std::size_t k) const { return on[w][on[w].size() - 1 - k]; }
  /// Nothing stands before it on one wire.
  bool is_next(std::uint32_t i, Wire w) const {
    const std::size_t count = run(w);
    for (std::size_t k = 0; k < count; ++k) {
      if (at(w, k) == i) return true;
    }
    return false;
  }
  /// A gate that nothing stands before on any of its wires.
  bool is_free(std::uint32_t i) const { return is_next(i, flat.gates[i].a) && is_next(i, flat.gates[i].b); }
  /// Takes a gate off its wires.
  void take(std::uint32_t i) {
    const Gate& gate = flat.gates[i];
    const auto from = [&](std::vector<std::uint32_t>& list) {
      list.erase(std::find(list.rbegin(), list.rend(), i).base() - 1);
    };
    from(on[gate.a]);
    if (gate.a != gate.b) from(on[gate.b]);
  }
};

}  // namespace skerry::passes::native
