#include "passes/native/coupled_network.hpp"

#include <algorithm>
#include <bit>

#include "passes/native/pauli_work.hpp"

namespace skerry::passes::native {
namespace {

constexpr std::uint32_t kMostWires = 64;
constexpr std::size_t kNone = ~std::size_t{0};

std::uint64_t bit(std::size_t k) {
  return std::uint64_t{1} << (k % 64);
}
template <class Visit>
void for_bits(std::uint64_t bits, Visit visit) {
  for (; bits != 0; bits &= bits - 1) visit(static_cast<Wire>(std::countr_zero(bits)));
}

// CX that take a string over some wires to one of them: a wire at distance d from the others costs 2 d - 1, d - 1 to
// reach it and d to come back. The wires are joined by a least spanning tree.
class Trees {
 public:
  explicit Trees(const Region& region) : region_(region), known_(kSlots) {}

  int cost(std::uint64_t wires) {
    if ((wires & (wires - 1)) == 0) return 0;
    ++work_;
    Known& slot = known_[(wires * 0x9e3779b97f4a7c15ULL) >> (64 - kSlotBits)];
    if (slot.wires != wires) {
      slot.wires = wires;
      slot.cost = 0;
      const auto count = static_cast<std::uint64_t>(std::popcount(wires));
      work_ += count * count / 4;
      grow(wires, [&](Wire, Wire, unsigned distance) { slot.cost += 2 * static_cast<int>(distance) - 1; });
    }
    return slot.cost;
  }

  /// visit(wire, wire, distance) for each edge.
  template <class Visit>
  void grow(std::uint64_t wires, Visit visit) const {
    std::array<std::uint8_t, kMostWires> distance, from;  // both are written before they are read
    const auto first = static_cast<Wire>(std::countr_zero(wires));
    std::uint64_t outside = wires & (wires - 1);
    for_bits(outside, [&](Wire w) {
      distance[w] = this->distance(first, w);
      from[w] = static_cast<std::uint8_t>(first);
    });
    while (outside != 0) {
      Wire nearest = static_cast<Wire>(std::countr_zero(outside));
      for_bits(outside, [&](Wire w) {
        if (distance[w] < distance[nearest]) nearest = w;
      });
      visit(from[nearest], nearest, distance[nearest]);
      outside &= ~bit(nearest);
      for_bits(outside, [&](Wire w) {
        const std::uint8_t there = this->distance(nearest, w);
        if (there >= distance[w]) return;
        distance[w] = there;
        from[w] = static_cast<std::uint8_t>(nearest);
      });
    }
  }

  /// Steps so far, one for a tree that is known.
  std::uint64_t work() const noexcept { return work_; }

  std::uint8_t distance(Wire a, Wire b) const { return region_.distance[a * region_.wires.size() + b]; }

 private:
  static constexpr int kSlotBits = 12;
  static constexpr std::size_t kSlots = std::size_t{1} << kSlotBits;
  struct Known {
    std::uint64_t wires = 0;
    int cost = 0;
  };

  const Region& region_;
  std::vector<Known> known_;
  std::uint64_t work_ = 0;
};

class CoupledNetwork {
 public:
  CoupledNetwork(const PauliProgram& program, const std::vector<std::uint8_t>& measured, const Region& region,
                 const PauliStyle& style)
      : region_(region), trees_(region), work_(program, measured), style_(style), random_(style.seed) {
    find_supports();
  }

  std::optional<Flat> run(const CoupledLimits& limits) {
    while (work_.left() > 0) {
      work_.emit_ready();
      if (work_.left() == 0) break;
      apply(best_for_rotations());
      if (cx_ > limits.cx || trees_.work() > limits.work) return std::nullopt;
    }
    work_.keep_rows_only();
    find_supports();
    while (finish_rows()) {
      if (cx_ > limits.cx || trees_.work() > limits.work) return std::nullopt;
    }
    return work_.last_gates();
  }

 private:
  void find_supports() {
    const PauliTable& table = work_.table();
    support_.assign(table.words() * 64, 0);
    cost_.assign(support_.size(), 0);
    for (std::size_t k = 0; k < support_.size(); ++k) {
      for (const Wire w : table.support(k)) support_[k] |= bit(w);
      cost_[k] = trees_.cost(support_[k]);
    }
  }

  void apply(const PauliMove& move) {
    for (std::size_t word = 0; word < work_.table().words(); ++word) {
      const auto [on_a, on_b] = work_.table().toggled(move.a, move.p, move.b, move.q, word);
      for_bits(on_a | on_b, [&](Wire k) {
        support_[word * 64 + k] = toggled(word * 64 + k, move, on_a, on_b);
        cost_[word * 64 + k] = trees_.cost(support_[word * 64 + k]);
      });
    }
    work_.apply(move);
    ++cx_;
  }

  std::uint64_t toggled(std::size_t k, const PauliMove& move, std::uint64_t on_a, std::uint64_t on_b) const {
    return support_[k] ^ (((on_a >> (k % 64)) & 1) << move.a) ^ (((on_b >> (k % 64)) & 1) << move.b);
  }

  int change(std::size_t k, const PauliMove& move, std::uint64_t on_a, std::uint64_t on_b) {
    return trees_.cost(toggled(k, move, on_a, on_b)) - cost_[k];
  }
  int change_of(std::size_t k, const PauliMove& move) {
    const auto [on_a, on_b] = work_.table().toggled(move.a, move.p, move.b, move.q, k / 64);
    return change(k, move, on_a, on_b);
  }
  // Over the strings of a mask.
  int change_of(const Mask& mask, const PauliMove& move) {
    int sum = 0;
    for (std::size_t word = 0; word < mask.size(); ++word) {
      if (mask[word] == 0) continue;
      const auto [on_a, on_b] = work_.table().toggled(move.a, move.p, move.b, move.q, word);
      for_bits((on_a | on_b) & mask[word], [&](Wire k) { sum += change(word * 64 + k, move, on_a, on_b); });
    }
    return sum;
  }

  double score(const PauliMove& move) {
    std::array<int, 1> rows{};
    work_.table().changes<1>(move.a, move.p, move.b, move.q, {&work_.rows()}, rows);
    double sum = style_.rows * rows[0], weight = 1;
    for (std::size_t layer = 0; layer < kPauliLayers; ++layer, weight *= style_.discount) {
      sum += weight * change_of(work_.layer(layer), move);
    }
    return sum;
  }

  // Moves on edges that bring a string's wires nearer to one: a letter that has a neighbour in the string is taken
  // away, or the string grows over a gap.
  template <class Visit>
  void visit_shortening(std::size_t k, Visit visit) {
    const auto offer = [&](const PauliMove& move) {
      if (change_of(k, move) < 0) visit(move);
    };
    const auto letter = [&](Wire w) { return work_.table().letter(k, w); };
    for_bits(support_[k], [&](Wire a) {
      for (const Wire b : region_.neighbours[a]) {
        if (b > a && (support_[k] & bit(b)) != 0) visit_reducing(a, letter(a), b, letter(b), offer);
      }
    });
    const auto grow = [&](Wire from, Wire to, unsigned distance) {
      for (const Wire over : region_.neighbours[from]) {
        if (trees_.distance(over, to) + 1U != distance) continue;
        for (const Letter p : kPauliLetters) {
          if (p == letter(from)) continue;
          for (const Letter q : kPauliLetters) offer({from, over, p, q});
        }
      }
    };
    trees_.grow(support_[k], [&](Wire a, Wire b, unsigned distance) {
      if (distance == 1) return;
      grow(a, b, distance);
      grow(b, a, distance);
    });
  }

  PauliMove best_for_rotations() {
    int least = 1 << 30;
    for (const std::uint32_t k : work_.front()) least = std::min(least, cost_[k]);
    BestMove best;
    constexpr std::size_t kMostTargets = 6;
    std::size_t targets = 0;
    for (const std::uint32_t k : work_.front()) {
      if (cost_[k] != least) continue;
      if (++targets > kMostTargets) break;
      visit_shortening(k, [&](const PauliMove& move) { best.offer(move, score(move), random_); });
    }
    return best.move;
  }

  // One step towards rows of one letter; false when all are.
  bool finish_rows() {
    std::vector<Wire> open;
    for (Wire w = 0; w < work_.wires(); ++w) {
      if (!work_.row_done(w)) open.push_back(w);
    }
    if (open.empty()) return false;
    std::uint64_t sum = 0;
    for (std::size_t k = 0; k < support_.size(); ++k) {
      if (PauliWork::has(work_.rows(), k)) sum += static_cast<std::uint64_t>(cost_[k]);
    }
    BestMove best;
    // What a forced step makes longer may not be undone by steps downhill, or they would chase each other.
    if (sum < forced_at_) downhill(best);
    if (best.ties > 0) {
      apply(best.move);
      forced_row_ = kNone;
      return true;
    }
    forced_at_ = std::min(forced_at_, sum);
    force_row(open);
    return true;
  }

  void downhill(BestMove& best) {
    for (Wire a = 0; a < work_.wires(); ++a) {
      for (const Wire b : region_.neighbours[a]) {
        if (b < a) continue;
        for (const Letter p : kPauliLetters) {
          for (const Letter q : kPauliLetters) {
            const PauliMove move{a, b, p, q};
            const int sum = change_of(work_.rows(), move);
            if (sum < 0) best.offer(move, sum, random_);
          }
        }
      }
    }
  }

  // No move lowers the sum: the shortest row that is not done gets shorter, and finished ones stay as they are. Where
  // these stand in the way, the row comes nearer by a swap, which does no row of one letter any harm.
  void force_row(const std::vector<Wire>& open) {
    Mask finished(work_.table().words(), 0);
    // A row that was begun is brought to its end.
    std::size_t row = forced_row_ != kNone && cost_[forced_row_] != 0 ? forced_row_ : kNone;
    int least = row != kNone ? 0 : 1 << 30;
    const auto consider = [&](std::size_t k) {
      if (cost_[k] == 0) {
        PauliWork::set(finished, k);
      } else if (cost_[k] < least) {
        least = cost_[k];
        row = k;
      }
    };
    for (Wire w = 0; w < work_.wires(); ++w) {
      consider(work_.z_row(w));
      if (work_.is_measured(w)) continue;
      consider(work_.x_row(w));
      // The product alone tells nothing of its wire before the other two are done.
      if (std::ranges::find(open, w) == open.end()) PauliWork::set(finished, work_.product_row(w));
    }
    forced_row_ = row;
    BestMove best;
    visit_shortening(row, [&](const PauliMove& move) {
      if (change_of(finished, move) <= 0) best.offer(move, change_of(work_.rows(), move), random_);
    });
    if (best.ties > 0) {
      apply(best.move);
      return;
    }
    const auto [from, over] = nearer_by_swap(row, finished);
    for (const auto& [a, b] : {std::pair(from, over), std::pair(over, from), std::pair(from, over)}) {
      apply({a, b, Letter::z, Letter::x});
    }
  }

  // A wire of the string goes towards the nearest leaf of its tree, which can be taken away when they are neighbours:
  // one on which no finished row has the string's own letter.
  std::pair<Wire, Wire> nearer_by_swap(std::size_t row, const Mask& finished) const {
    std::vector<Edge> edges;
    trees_.grow(support_[row], [&](Wire a, Wire b, unsigned distance) { edges.push_back({a, b, distance}); });
    std::uint64_t free = support_[row];
    for (std::size_t k = 0; k < support_.size(); ++k) {
      if (!PauliWork::has(finished, k) || std::popcount(support_[k]) != 1) continue;
      const auto at = static_cast<Wire>(std::countr_zero(support_[k]));
      if (work_.table().letter(k, at) == work_.table().letter(row, at)) free &= ~bit(at);
    }
    Way best{.length = ~0U};
    for_bits(free, [&](Wire start) {
      const Way way = to_nearest_leaf(edges, start);
      if (way.length < best.length) best = way;
    });
    if (best.length == ~0U) return {edges[0].a, region_.neighbours[edges[0].a][0]};  // rows depend on each other: never
    const auto& near = region_.neighbours[best.start];
    const Wire over = *std::ranges::min_element(near, {}, [&](Wire w) { return trees_.distance(w, best.next); });
    return {best.start, over};
  }

  struct Edge {
    Wire a = 0, b = 0;
    unsigned distance = 0;
  };
  struct Way {
    Wire start = 0, next = 0;  ///< the wire of the tree that comes first on the way
    unsigned length = 0;
  };

  static Way to_nearest_leaf(const std::vector<Edge>& edges, Wire start) {
    std::array<unsigned, kMostWires> degree{}, length{};
    std::array<Wire, kMostWires> next{};
    for (const Edge& e : edges) {
      ++degree[e.a];
      ++degree[e.b];
    }
    Way best{.start = start, .length = ~0U};
    std::uint64_t seen = bit(start);
    std::vector<Wire> stack = {start};
    while (!stack.empty()) {
      const Wire at = stack.back();
      stack.pop_back();
      if (at != start && degree[at] == 1 && length[at] < best.length) best = {start, next[at], length[at]};
      for (const Edge& e : edges) {
        if (e.a != at && e.b != at) continue;
        const Wire to = e.a == at ? e.b : e.a;
        if ((seen & bit(to)) != 0) continue;
        seen |= bit(to);
        length[to] = length[at] + e.distance;
        next[to] = at == start ? to : next[at];
        stack.push_back(to);
      }
    }
    return best;
  }

  const Region& region_;
  Trees trees_;
  PauliWork work_;
  PauliStyle style_;
  base::Philox random_;
  std::vector<std::uint64_t> support_;
  std::vector<int> cost_;
  std::size_t cx_ = 0;
  std::size_t forced_row_ = kNone;                            ///< on its way to one letter
  std::uint64_t forced_at_ = static_cast<std::uint64_t>(-1);  ///< least sum at which a row was forced
};

}  // namespace

std::optional<Flat> coupled_network(const PauliProgram& program, const std::vector<std::uint8_t>& measured,
                                    const Region& region, const PauliStyle& style, const CoupledLimits& limits) {
  PauliProgram wide = program;
  std::vector<std::uint8_t> ends = measured;
  wide.wires = static_cast<std::uint32_t>(region.wires.size());
  for (Wire w = program.wires; w < wide.wires; ++w) {
    wide.x_rows.push_back({.x = bit(w)});
    wide.z_rows.push_back({.z = bit(w)});
    ends.push_back(0);
  }
  return CoupledNetwork(wide, ends, region, style).run(limits);
}

}  // namespace skerry::passes::native
