/// \file
/// Walks a list by pairs of wires: everything that happens on one pair, until one of its wires meets another.
#pragma once

#include <limits>
#include <utility>
#include <vector>

#include "passes/native/flat.hpp"
#include "passes/native/kak.hpp"

namespace skerry::passes::native {

inline constexpr std::uint32_t kNoGate = std::numeric_limits<std::uint32_t>::max();

/// Gates on two wires; `first` is the bit 0 of their product.
struct PairBlock {
  Wire first = 0, second = 0;
  std::uint32_t head = kNoGate, tail = kNoGate;  ///< chain of PairWalk::next
  std::uint32_t cx = 0;                          ///< as they stand, three for a swap
  std::uint32_t swaps = 0;

  /// One CX, one swap or one of each: what it needs is known without its product.
  bool is_plain() const noexcept { return swaps <= 1 && cx - 3 * swaps <= 1; }
};

/// Calls sink.pair(block, walk) and sink.single(gate index) so that gates on a wire keep their order. A gate of one
/// wire belongs to the pair before it, else to the pair after it, else it is single; symbolic turns and others are
/// single.
class PairWalk {
 public:
  explicit PairWalk(const Flat& flat)
      : flat_(flat), next_(flat.gates.size(), kNoGate), open_(flat.wires, kNoGate), waiting_(flat.wires) {}

  template <class Sink>
  void run(Sink& sink) {
    for (std::uint32_t i = 0; i < flat_.gates.size(); ++i) {
      const Gate& gate = flat_.gates[i];
      switch (gate.kind) {
        case Kind::one:
          one(i, gate);
          break;
        case Kind::turn:
          leave(gate.a, sink);
          sink.single(i);
          break;
        case Kind::cx:
        case Kind::swap:
          two(i, gate, sink);
          break;
        case Kind::other:
          for (const Wire wire : flat_.others[gate.index].wires) leave(wire, sink);
          sink.single(i);
          break;
      }
    }
    for (Wire wire = 0; wire < flat_.wires; ++wire) leave(wire, sink);
  }

  /// The gate after `i` in its block.
  std::uint32_t next(std::uint32_t i) const { return next_[i]; }

  /// The product of a block's gates. Only few blocks are asked for it, so it is not kept.
  U4 product(const PairBlock& block) const {
    U4 u = U4::identity();
    for (std::uint32_t i = block.head; i != kNoGate; i = next_[i]) {
      const Gate& gate = flat_.gates[i];
      if (gate.kind == Kind::swap) {
        swap_after(u);
      } else if (gate.kind == Kind::cx) {
        cx_after(u, gate.a == block.first);
      } else if (gate.a == block.first) {
        after_on_first(u, flat_.ones[gate.index]);
      } else {
        after_on_second(u, flat_.ones[gate.index]);
      }
    }
    return u;
  }

  /// Least number of CX of a block, without and with a swap after it.
  CxNeeds needs(const PairBlock& block) const {
    if (!block.is_plain()) return cx_needs(product(block));
    if (block.swaps == 0) return {1, 2};
    return block.cx == 3 ? CxNeeds{3, 0} : CxNeeds{2, 1};
  }

 private:
  // A Flat has no two matrices in a row on a wire, so one waiting gate is enough.
  struct Waiting {
    std::uint32_t gate = kNoGate;
  };

  void chain(PairBlock& block, std::uint32_t i) {
    if (block.tail == kNoGate) {
      block.head = i;
    } else {
      next_[block.tail] = i;
    }
    block.tail = i;
  }

  void one(std::uint32_t i, const Gate& gate) {
    if (open_[gate.a] == kNoGate) {
      waiting_[gate.a].gate = i;
      return;
    }
    chain(blocks_[open_[gate.a]], i);
  }

  template <class Sink>
  void two(std::uint32_t i, const Gate& gate, Sink& sink) {
    if (open_[gate.a] == kNoGate || open_[gate.a] != open_[gate.b]) {
      close(gate.a, sink);
      close(gate.b, sink);
      open(gate);
    }
    PairBlock& block = blocks_[open_[gate.a]];
    chain(block, i);
    if (gate.kind == Kind::swap) {
      block.cx += 3;
      ++block.swaps;
    } else {
      ++block.cx;
    }
  }

  void open(const Gate& gate) {
    std::uint32_t slot = 0;
    if (free_.empty()) {
      slot = static_cast<std::uint32_t>(blocks_.size());
      blocks_.emplace_back();
    } else {
      slot = free_.back();
      free_.pop_back();
    }
    PairBlock& block = blocks_[slot];
    block = {.first = gate.a, .second = gate.b};
    for (const Wire wire : {gate.a, gate.b}) {
      open_[wire] = slot;
      const std::uint32_t waiting = std::exchange(waiting_[wire].gate, kNoGate);
      if (waiting == kNoGate) continue;
      chain(block, waiting);
    }
  }

  template <class Sink>
  void close(Wire wire, Sink& sink) {
    const std::uint32_t slot = open_[wire];
    if (slot == kNoGate) return;
    const PairBlock& block = blocks_[slot];
    open_[block.first] = open_[block.second] = kNoGate;
    sink.pair(block, *this);
    free_.push_back(slot);
  }

  // Something follows on the wire that is no pair.
  template <class Sink>
  void leave(Wire wire, Sink& sink) {
    close(wire, sink);
    const std::uint32_t waiting = std::exchange(waiting_[wire].gate, kNoGate);
    if (waiting != kNoGate) sink.single(waiting);
  }

  const Flat& flat_;
  std::vector<std::uint32_t> next_, open_, free_;
  std::vector<Waiting> waiting_;
  std::vector<PairBlock> blocks_;
};

}  // namespace skerry::passes::native
