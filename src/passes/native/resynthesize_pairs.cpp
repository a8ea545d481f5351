#include <algorithm>
#include <numeric>
#include <utility>

#include "passes/native/kak.hpp"
#include "passes/native/pairs.hpp"
#include "passes/native/rewrite.hpp"

namespace skerry::passes::native {
namespace {

class Writer {
 public:
  Writer(Flat& flat, bool mirror) : flat_(flat), mirror_(mirror), out_(flat.wires), place_(flat.wires) {
    std::iota(place_.begin(), place_.end(), 0U);
    out_.reserve(flat.gates.size());
  }

  void single(std::uint32_t i) {
    Gate gate = flat_.gates[i];
    gate.a = place_[gate.a];
    if (gate.kind == Kind::other) {
      for (Wire& wire : flat_.others[gate.index].wires) wire = place_[wire];
    }
    out_.copy(flat_, gate);
  }

  void pair(const PairBlock& block, const PairWalk& walk) {
    std::uint32_t least = block.cx;
    bool exchange = false;
    if (block.cx >= 2) {
      const CxNeeds needs = walk.needs(block);
      least = std::min<std::uint32_t>(least, needs.plain);
      exchange = mirror_ && needs.mirrored < least;
    }
    if (exchange) {
      U4 mirrored = walk.product(block);
      swap_after(mirrored);
      write(block, mirrored);
      std::swap(place_[block.first], place_[block.second]);
      moved_ = changed_ = true;
    } else if (least < block.cx) {
      if (block.is_plain()) {
        write_merged(block, walk);
      } else {
        write(block, walk.product(block));
      }
      changed_ = true;
    } else {
      for (std::uint32_t i = block.head; i != kNoGate; i = walk.next(i)) {
        Gate gate = flat_.gates[i];
        gate.a = place_[gate.a];
        gate.b = place_[gate.b];
        out_.copy(flat_, gate);
      }
    }
  }

  bool finish() {
    // Others have moved into the new list, so it replaces the old one in any case.
    if (!changed_ && flat_.others.empty()) return false;
    if (moved_) {
      if (flat_.places.empty()) {
        flat_.places.resize(flat_.wires);
        std::iota(flat_.places.begin(), flat_.places.end(), 0U);
      }
      for (Wire& wire : flat_.places) wire = place_[wire];
    }
    out_.finish_into(flat_);
    return changed_;
  }

 private:
  // A CX and a swap, as the router leaves them, are two CX: SWAP CX(a, b) = CX(a, b) CX(b, a). What stands between them
  // goes to the other wire and to where nothing is between the two.
  void write_merged(const PairBlock& block, const PairWalk& walk) {
    bool between = false, swap_first = false;
    for (std::uint32_t i = block.head; i != kNoGate; i = walk.next(i)) {
      const Gate& gate = flat_.gates[i];
      const Wire a = place_[gate.a], b = place_[gate.b];
      if (gate.kind == Kind::one) {
        out_.one(between ? other_of(block, gate.a) : a, flat_.ones[gate.index]);
        continue;
      }
      if (gate.kind == Kind::swap) swap_first = !between;
      if (gate.kind == Kind::cx) {
        out_.cx(swap_first ? a : b, swap_first ? b : a);
        out_.cx(swap_first ? b : a, swap_first ? a : b);
      }
      between = !between;
    }
  }
  Wire other_of(const PairBlock& block, Wire wire) const {
    return place_[wire == block.first ? block.second : block.first];
  }

  void write(const PairBlock& block, const U4& u) {
    const Wire first = place_[block.first], second = place_[block.second];
    for (const TwoWireGate& gate : synthesize(u)) {
      switch (gate.kind) {
        case TwoWireGate::Kind::first:
          out_.one(first, gate.matrix);
          break;
        case TwoWireGate::Kind::second:
          out_.one(second, gate.matrix);
          break;
        case TwoWireGate::Kind::cx_from_first:
          out_.cx(first, second);
          break;
        case TwoWireGate::Kind::cx_from_second:
          out_.cx(second, first);
          break;
      }
    }
  }

  Flat& flat_;
  bool mirror_;
  FlatWriter out_;
  std::vector<Wire> place_;
  bool changed_ = false, moved_ = false;
};

}  // namespace

bool resynthesize_pairs(Flat& flat, bool mirror) {  // NOLINT(misc-no-recursion): 256 deep at most
  bool changed = false;
  for (Other& other : flat.others) {
    for (Flat& body : other.bodies) changed = resynthesize_pairs(body, false) || changed;
  }
  // A body inside keeps the wires' names of its surroundings, so nothing around it may be renamed.
  const bool straight = std::ranges::none_of(flat.others, [](const Other& o) { return !o.bodies.empty(); });
  Writer writer(flat, mirror && straight);
  PairWalk(flat).run(writer);
  return writer.finish() || changed;
}

}  // namespace skerry::passes::native
